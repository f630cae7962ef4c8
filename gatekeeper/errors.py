"""What can go wrong before and around gates. Each ends as one clear message and a documented exit code."""

from difflib import get_close_matches


class GatekeeperError(Exception):
    """A run could not be carried out as asked: exit code 3."""


class UsageError(GatekeeperError):
    """Configuration, command line, gate file or plugin is wrong: exit code 4.

    `problems` are complete sentences, each with its place; all that were found, not only the first.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DataError(GatekeeperError):
    """A data file can't be read as what it should be. In a gate: an error with this message, without a traceback.

    `place` is where: `orders.jsonl:17` (1-based line), or the file alone.
    """

    def __init__(self, place: object, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = str(place)
        self.message = message


def nearest(name: str, known: "list[str] | tuple[str, ...] | set[str]") -> str:
    """` Did you mean 'cpu_warn'?` with the nearest known name, or the empty string."""
    found = get_close_matches(name, [*known], n=1, cutoff=0.5)
    return f" Did you mean '{found[0]}'?" if found else ""
