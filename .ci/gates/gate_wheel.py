"""What is shipped: all that belongs to the package, and nothing that doesn't."""

from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

from msgspec import Struct

from gatekeeper import Budget, Context, post

PACKAGES = (
    "gatekeeper",
    "gates/gatekeeper_gates",
    "gates/gatekeeper_sources",
    "reports/gatekeeper_reports",
    "reports/gatekeeper_channels",
)
"""Folders of the repository whose last part is the import name."""
METADATA = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
DISTRIBUTIONS = ["gatekeeper_gates", "gatekeeper_gates_pytest"]
"""The packages; and what registers their plugin with pytest."""


class Wheel(Struct, frozen=True, forbid_unknown_fields=True):
    """The wheels that were built."""

    folder: str = "../build/dist"
    """The folder that they alone lie in."""
    size: Budget = Budget()
    """The size of the packages' own, compressed."""


class Content:
    """What a wheel holds."""

    def __init__(self, path: Path) -> None:
        self.size = path.stat().st_size
        with ZipFile(path) as archive:
            names = {name for name in archive.namelist() if not name.endswith("/")}
            texts = {
                name.partition(".dist-info/")[2]: archive.read(name).decode()
                for name in names
                if ".dist-info/" in name
            }
        self.files = {name for name in names if ".dist-info/" not in name}
        self.metadata = set(texts)
        self.head = Parser().parsestr(texts.get("METADATA", ""), headersonly=True)
        self.entries = _entry_points(texts.get("entry_points.txt", ""))


@post(settings=Wheel)
def wheel(ctx: Context, settings: Wheel) -> None:
    """The wheel holds the packages whole, with types and schemas, and nothing else; that of the plugin no file."""
    built = sorted(ctx.path(settings.folder).glob("*.whl"))
    whose = [path.name.partition("-")[0] for path in built]
    message = f"expected a wheel of each of {' and '.join(DISTRIBUTIONS)}"
    if not ctx.check(
        whose == DISTRIBUTIONS, message, name="wheels", observed=len(built), limit=2, hint=".ci/build"
    ):
        return
    ours, plugin = map(Content, built)
    source = set().union(*(_files(ctx.root.parent / package) for package in PACKAGES))
    _none(ctx, "missing", source - ours.files)
    _none(ctx, "not ours", ours.files - source)
    _none(ctx, "missing metadata", METADATA - ours.metadata)
    _none(ctx, "unknown metadata", ours.metadata - METADATA)
    entries = ours.entries | plugin.entries
    _none(ctx, "entry points to nowhere", {name for name in entries if not _holds(ours.files, name)})
    _none(ctx, "beside the plugin's metadata", plugin.files)
    required = f"gatekeeper-gates=={ours.head['Version']}"
    ctx.check(
        required in plugin.head.get_all("Requires-Dist", []),
        f"the plugin's wheel does not require {required}",
        name="plugin's version",
        observed=plugin.head["Version"],
    )
    limits = settings.size
    ctx.measure("size", ours.size, unit="B", warn=limits.warn, fail=limits.fail)


def _none(ctx: Context, name: str, found: set[str]) -> None:
    shown = ", ".join(sorted(found)[:5])
    ctx.check(not found, shown, name=name, observed=len(found), operator="<=", limit=0, unit="files")


def _files(package: Path) -> set[str]:
    """Every file of a package as the wheel should name it; `py.typed` and schemas are among them."""
    return {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _entry_points(text: str) -> set[str]:
    """The modules that a wheel's entry points name."""
    found = ConfigParser(delimiters=("=",))
    found.read_string(text)
    return {value.partition(":")[0] for section in found.sections() for value in found[section].values()}


def _holds(content: set[str], module: str) -> bool:
    path = module.strip().replace(".", "/")
    return bool({f"{path}.py", f"{path}/__init__.py"} & content)
