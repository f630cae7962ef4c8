"""The templates, the style and the script of the page."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct

from gatekeeper import __version__, printable, show
from gatekeeper.wording import DECISION_GLYPHS, GLYPHS

HERE = Path(__file__).parent


class Asset(Struct, frozen=True):
    """A file that stands in the page, and its hash for the page's own Content-Security-Policy."""

    text: Markup
    hash: str


def asset(name: str) -> Asset:
    text = (HERE / name).read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Asset(Markup(text), f"sha256-{digest}")


def templates() -> Environment:
    """Autoescaping on, and every text made printable first, wherever it came from."""
    found = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.globals |= {
        "VERSION": __version__,
        "GLYPHS": GLYPHS,
        "DECISION_GLYPHS": DECISION_GLYPHS,
        "show": show,
    }
    return found


def _printed(value: Any) -> Any:
    return printable(value, newlines=True) if type(value) is str else value
