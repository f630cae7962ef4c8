"""Python packages that must be installed beside gatekeeper."""

from typing import ClassVar

from gatekeeper import Context
from gatekeeper_gates.components.check import Check
from gatekeeper_gates.components.versions import clauses, satisfies


class Package(Check, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Python package in the environment that gatekeeper runs in."""

    kind: ClassVar[str] = "package"

    name: str
    """The distribution's name, as on an index."""
    version: str = ""
    """The versions that are good, by PEP 440: `">=2,<3"`, `"~=2.1"`, `"==2.*"`; empty for any."""

    def __post_init__(self) -> None:
        super().__post_init__()
        clauses(self.version)

    @property
    def target(self) -> str:
        return self.name

    @property
    def hint(self) -> str:
        import sys

        wanted = self.version if self.version[:1] in "<>=!~" else f"=={self.version}"
        return f"{sys.executable} -m pip install '{self.name}{wanted}'"

    def observe(self, ctx: Context, within: float) -> str | None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(self.name)
        except PackageNotFoundError:
            return None

    def judge(self, ctx: Context, seen: str | None) -> None:
        ctx.check(
            seen is not None and self._is_good(seen),
            f"{self.name} is not installed"
            if seen is None
            else f"{self.name} is {seen}, expected {self.version}",
            name=self.title,
            observed=seen,
            operator="satisfies" if self.version else "is",
            limit=self.version or "installed",
            hint=self.hint,
        )

    def _is_good(self, version: str) -> bool:
        try:
            return satisfies(version, self.version)
        except ValueError:  # an installed version that is none; only "any" admits it
            return not self.version
