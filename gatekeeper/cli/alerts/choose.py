"""Which alerts are meant: the beginning of a fingerprint, a gate's id or name, or a pattern."""

import re
from collections.abc import Iterable, Sequence

import click

from gatekeeper.alerts.matching import covers
from gatekeeper.cli.alertwords import SHORT
from gatekeeper.cli.project import load_project
from gatekeeper.errors import GatekeeperError, UsageError, nearest
from gatekeeper.project import Project
from gatekeeper.store.standing import Standing
from gatekeeper.wording import one_line

_BEGINNING = re.compile(r"[0-9a-f]{4,32}")
"""What can be a fingerprint's beginning: shorter ones would be guesses."""


def chosen(standings: Sequence[Standing], references: Iterable[str], project: Project) -> list[Standing]:
    """The alerts that are meant, each once.

    Raises:
        UsageError: one means none of them, with the nearest; or it is the beginning of several fingerprints.
    """
    found: dict[str, Standing] = {}
    problems: list[str] = []
    for reference in references:
        try:
            found |= {s.alert.fingerprint: s for s in _meant(standings, reference, project)}
        except UsageError as error:
            problems += error.problems
    if problems:
        raise UsageError(*problems)
    return [*found.values()]


def one(standings: Sequence[Standing], reference: str, project: Project) -> Standing:
    """The one alert that is meant: of several the one that is not over.

    Raises:
        UsageError: none is, or several.
    """
    found = _meant(standings, reference, project)
    live = [standing for standing in found if standing.alert.state != "resolved"]
    if len(found) > 1 and len(live) != 1:
        raise _several(reference, live or found)
    return (live or found)[0]


def _meant(standings: Sequence[Standing], reference: str, project: Project) -> list[Standing]:
    if _BEGINNING.fullmatch(reference):
        begun = [s for s in standings if s.alert.fingerprint.startswith(reference)]
        if len(begun) > 1:
            raise _several(reference, begun)
        if begun:
            return begun
    found = [s for s in standings if covers(reference, s.alert.gate)]
    if not found:
        raise UsageError(one_line(f"no alert {reference!r}.{_hint(standings, reference, project)}"))
    return found


def _hint(standings: Sequence[Standing], reference: str, project: Project) -> str:
    gates = dict.fromkeys(standing.alert.gate for standing in standings)
    if not gates:
        return " There is none."
    listed = f" There are some of {', '.join([*gates][:10])}."
    if any(covers(reference, gate.id) for gate in project.gates):
        return listed
    return nearest(reference, [*gates, *(s.alert.fingerprint[:SHORT] for s in standings)]) or listed


def _several(reference: str, found: Sequence[Standing]) -> UsageError:
    listed = ", ".join(
        " ".join(filter(None, (s.alert.fingerprint[:12], s.alert.gate, s.alert.finding))) for s in found[:10]
    )
    return UsageError(one_line(f"{reference} could be several: {listed}"))


def complete_alerts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Fingerprints and gates of what fires, for the shell; none where nothing can be read."""
    from gatekeeper.store import open_store

    try:
        project = load_project()
        with open_store(project.store_url, create=False, folder=project.state, read_only=True) as store:
            alerts = [standing.alert for standing in store.standings()]
    except GatekeeperError:
        return []
    names = dict.fromkeys([*(a.gate for a in alerts), *(a.fingerprint[:SHORT] for a in alerts)])
    return [one_line(name) for name in names if name.startswith(incomplete)]
