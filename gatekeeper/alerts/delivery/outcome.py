"""What a channel answered, made safe to keep and to show: it is somebody else's code, or quotes a server's words."""

from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from gatekeeper.channels import Delivered, Outcome, Refused, TryAgain
from gatekeeper.errors import GatekeeperError
from gatekeeper.plain import printable, text
from gatekeeper.redact import STARS
from gatekeeper.wording import one_line

LONGEST = 500
"""Characters of a reason that are kept."""


def answered(answer: object, secrets: Iterable[bytes]) -> Outcome:
    """What `send` returned; nonsense is an attempt that failed."""
    if isinstance(answer, Delivered):
        return Delivered(printable(text(answer.ref)) if isinstance(answer.ref, str) else None)
    if isinstance(answer, TryAgain):
        number = isinstance(answer.after, int | float) and not isinstance(answer.after, bool)
        return TryAgain(said(answer.why, secrets), answer.after if number else None)
    if isinstance(answer, Refused):
        return Refused(said(answer.why, secrets), answer.disable is True)
    kind = type(answer).__name__
    return TryAgain(f"the channel answered {kind}; expected Delivered, TryAgain or Refused")


def raised(error: BaseException, secrets: Iterable[bytes]) -> TryAgain:
    """What an exception of `send` comes to: its type and text, its text alone where it is in our own words."""
    known = isinstance(error, GatekeeperError)
    return TryAgain(said(text(error) if known else f"{type(error).__name__}: {text(error)}", secrets))


def said(reason: object, secrets: Iterable[bytes]) -> str:
    """A reason on one line without the channel's secrets, not as they stand in a URL or in JSON either."""
    shown = text(reason)
    for secret in secrets:
        plain = secret.decode("utf-8", "replace")
        for form in {plain, quote(plain), quote(plain, safe=""), quote_plus(plain), repr(plain)[1:-1]}:
            shown = shown.replace(form, STARS)
    shown = one_line(shown).strip().rstrip(".")
    return text(shown, LONGEST) or "no reason given"
