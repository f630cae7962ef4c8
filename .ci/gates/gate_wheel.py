"""What is shipped: all that belongs to the package, and nothing that doesn't."""

from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

from msgspec import Struct

from gatekeeper import Budget, Context, post

PACKAGES = ("gatekeeper", "gates/gatekeeper_gates", "gates/gatekeeper_sources", "reports/gatekeeper_reports")
"""Folders of the repository whose last part is the import name."""
METADATA = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


class Wheel(Struct, frozen=True, forbid_unknown_fields=True):
    """The wheel that was built."""

    folder: str = "../build/dist"
    """The folder that it alone lies in."""
    size: Budget = Budget()
    """Its size, compressed."""


@post(settings=Wheel)
def wheel(ctx: Context, settings: Wheel) -> None:
    """The wheel holds the packages whole, with types and schemas, and nothing else."""
    built = sorted(ctx.path(settings.folder).glob("*.whl"))
    if not ctx.check(
        len(built) == 1, "expected one wheel", name="wheels", observed=len(built), hint=".ci/build"
    ):
        return
    with ZipFile(built[0]) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        entries = _entry_points(archive)
    content = {name for name in names if ".dist-info/" not in name}
    source = set().union(*(_files(ctx.root.parent / package) for package in PACKAGES))
    metadata = {name.partition(".dist-info/")[2] for name in names - content}
    _none(ctx, "missing", source - content)
    _none(ctx, "not ours", content - source)
    _none(ctx, "missing metadata", METADATA - metadata)
    _none(ctx, "unknown metadata", metadata - METADATA)
    _none(ctx, "entry points to nowhere", {name for name in entries if not _holds(content, name)})
    limits = settings.size
    ctx.measure("size", built[0].stat().st_size, unit="B", warn=limits.warn, fail=limits.fail)


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


def _entry_points(archive: ZipFile) -> list[str]:
    """The modules that the wheel's entry points name."""
    found = ConfigParser(delimiters=("=",))
    for name in archive.namelist():
        if name.endswith(".dist-info/entry_points.txt"):
            found.read_string(archive.read(name).decode())
    return [value.partition(":")[0] for section in found.sections() for value in found[section].values()]


def _holds(content: set[str], module: str) -> bool:
    path = module.strip().replace(".", "/")
    return bool({f"{path}.py", f"{path}/__init__.py"} & content)
