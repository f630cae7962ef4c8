"""What the terminal can show: colour, glyphs, width."""

import os
import sys
from contextlib import suppress
from typing import Literal, TextIO

from gatekeeper.reporting import View

When = Literal["auto", "always", "never"]


def view_of(stream: TextIO, color: When = "auto", verbosity: int = 0) -> View:
    """How to render for a stream: nothing is cut or wrapped where it isn't a terminal."""
    return View(
        color=wants_color(stream, color),
        unicode=can_show(stream, "✓▲✗■–─…"),
        width=_width(stream) if stream.isatty() else None,
        verbosity=verbosity,
    )


def wants_color(stream: TextIO, color: When) -> bool:
    """`--color` first, then NO_COLOR (no-color.org: any non-empty value), FORCE_COLOR, TERM=dumb, and the stream."""
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def can_show(stream: TextIO, text: str) -> bool:
    """Whether the stream's encoding has these characters."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _width(stream: TextIO) -> int:
    with suppress(ValueError):
        if columns := int(os.environ.get("COLUMNS", "")):
            return columns
    with suppress(OSError):
        return os.get_terminal_size(stream.fileno()).columns
    return 80


class Printer:
    """Writes to stdout whatever its encoding, and is quiet when the reader has gone.

    `failure` is what went wrong otherwise, such as a full disk; nothing more is written then.
    """

    def __init__(self) -> None:
        self.failure: OSError | None = None
        self.stream = sys.stdout  # what plugins print meanwhile goes elsewhere
        self._gone = False

    def write(self, text: str) -> None:
        if self._gone or not text:
            return
        try:
            self.stream.flush()
            self._put(text.encode(self.stream.encoding or "utf-8", "backslashreplace"))
        except OSError as error:
            self._gone = True
            self.failure = None if isinstance(error, BrokenPipeError) else error
            self._give_up()

    def _put(self, data: bytes) -> None:
        self.stream.buffer.write(data)
        self.stream.buffer.flush()

    def _give_up(self) -> None:
        from gatekeeper.cli import quiet_stdout

        quiet_stdout(self.stream)


class BesidePrinter(Printer):
    """Writes to stderr, which is a command's as well: it stays as it is, whatever goes wrong, and nothing waits in a
    buffer to be written later.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stream = sys.stderr

    def _put(self, data: bytes) -> None:
        """A command may have left it non-blocking, as programs of Node.js do."""
        number, view = self.stream.fileno(), memoryview(data)
        while view:
            try:
                view = view[os.write(number, view) :]
            except BlockingIOError:
                import select

                select.select([], [number], [])

    def _give_up(self) -> None:
        """The command finds out for itself."""


def print_out(text: str) -> None:
    """Write to stdout what a command has to say.

    Raises:
        OSError: it can't be written.
    """
    printer = Printer()
    printer.write(text)
    if printer.failure is not None:
        raise printer.failure
