"""What a runner tells the program that shows the run: one JSON document a line."""

from typing import TypeAlias

from msgspec import Struct

from gatekeeper.execute.schedule import Gathered
from gatekeeper.model import Result


class Started(Struct, frozen=True, tag="started"):
    """A gate's attempt has begun."""

    gate: str


class Finished(Struct, frozen=True, tag="finished"):
    """A gate's result is final."""

    result: Result


class Complete(Struct, frozen=True, tag="complete"):
    """All results have been sent."""

    gathered: Gathered


class Broke(Struct, frozen=True, tag="broke"):
    """The runner itself failed."""

    error: str


Message: TypeAlias = Started | Finished | Complete | Broke
