"""Fill the tables of settings in the documentation: `python docs/generate.py`, or `--check` to only compare.

A page has a line `<!-- settings: pre.resources -->`, or `<!-- settings: run -->` for a table of the program's own. What
follows it, up to `<!-- end of settings -->`, is generated from the settings classes and not to be edited.
"""

import re
import sys
from pathlib import Path

from gatekeeper.plugins import Plugins
from gatekeeper.settings.convert import struct_class, unwrapped
from gatekeeper.settings.manual import settings_table, struct_table
from gatekeeper.settings.resolve import GateOptions
from gatekeeper.settings.tables import Tables

DOCS = Path(__file__).parent
END = "<!-- end of settings -->"
MARKED = re.compile(rf"(<!-- settings: (\S+) -->\n)(?:.*?{re.escape(END)}\n)?", re.DOTALL)


def tables() -> dict[str, str]:
    """Name → table, for all that a page may ask for."""
    found = {gate.id: settings_table(gate) for gate in Plugins.shipped().gates()}
    for name in Tables.__struct_fields__:
        kind = unwrapped(Tables.__annotations__[name])
        cls = struct_class(kind) or next(
            (c for c in map(struct_class, getattr(kind, "__args__", ())) if c), None
        )
        if cls is not None:
            found[name] = struct_table(cls)
    return found | {"every-gate": struct_table(GateOptions)}


def filled(text: str, known: dict[str, str], page: Path) -> str:
    """The page with its tables.

    Raises:
        SystemExit: it asks for a table that there isn't.
    """

    def table(match: re.Match[str]) -> str:
        if match[2] not in known:
            raise SystemExit(f"{page}: no settings of {match[2]}; there are {', '.join(sorted(known))}")
        return f"{match[1]}\n{known[match[2]]}\n\n{END}\n"

    return MARKED.sub(table, text)


def outdated(folder: Path = DOCS) -> dict[Path, str]:
    """The pages whose tables are not what the source says, with the text that they should have."""
    known = tables()
    pages = {page: page.read_text("utf-8") for page in sorted(folder.rglob("*.md"))}
    return {page: new for page, text in pages.items() if (new := filled(text, known, page)) != text}


def main() -> int:
    """Write them, or with `--check` name them and exit 1."""
    found = outdated()
    for page, text in found.items():
        print(page.relative_to(DOCS.parent))
        if "--check" not in sys.argv:
            page.write_text(text, "utf-8")
    return 1 if found and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
