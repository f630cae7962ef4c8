"""What every kind of component has in common: it is observed in a thread, then judged in order."""

from typing import Any, ClassVar

from msgspec import Struct

from gatekeeper import Context, Duration

EXCERPT = 600


class Check(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One component.

    `observe` asks it, within so many seconds, and says what it saw; `judge` holds that against the limits.
    What can't be asked at all is a `ProbeError`, and `unreachable` records it.
    """

    kind: ClassVar[str] = ""
    expects: ClassVar[str] = "an answer"

    name: str = ""
    """What the report calls it; by default what it checks."""
    within: Duration = Duration(5)
    """Deadline for everything together: name lookup, connection, answer."""

    def __post_init__(self) -> None:
        if self.within <= 0:
            raise ValueError("within must be more than 0 s")

    @property
    def label(self) -> str:
        """The name, or what stands for it."""
        return self.name or self.target

    @property
    def title(self) -> str:
        """The name of its findings."""
        return f"{self.kind} {self.label}"

    @property
    def target(self) -> str:
        """What it checks, in a few words, without secrets."""
        raise NotImplementedError

    @property
    def hint(self) -> str:
        """A command that a person can try."""
        return ""

    def observe(self, ctx: Context, within: float) -> Any:
        """Ask the component.

        Raises:
            ProbeError: it could not be asked.
        """
        raise NotImplementedError

    def judge(self, ctx: Context, seen: Any) -> None:
        """Record what was seen against the limits."""
        raise NotImplementedError

    def unreachable(self, ctx: Context, kind: str, message: str) -> None:
        """Record that it could not be asked."""
        about = message if not self.name or self.name in message else f"{self.name}: {message}"
        ctx.check(
            False,
            about,
            name=self.title,
            observed=kind,
            operator="is",
            limit=f"{self.expects} within {shown_s(self.within)}",
            hint=self.hint,
            evidence={"target": self.target, "error": kind},
        )


def shown_s(seconds: float) -> str:
    from gatekeeper import show

    return show(seconds, "s")


def excerpt(content: bytes | str, secrets: "tuple[str, ...]" = ()) -> str:
    """The beginning of what a component said, without what it must not repeat."""
    shown = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    for secret in secrets:
        if secret:
            shown = shown.replace(secret, "***")
    shown = shown.strip()
    return shown if len(shown) <= EXCERPT else f"{shown[:EXCERPT]}…"
