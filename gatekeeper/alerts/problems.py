"""All that is wrong with `[alerts]`, with file and line: for `config check`, and before a run tells anybody."""

from collections.abc import Collection, Sequence
from pathlib import Path

from gatekeeper.alerts.check import Gates, check_rules
from gatekeeper.alerts.configured import channels
from gatekeeper.alerts.judging.known import quantities
from gatekeeper.alerts.matching import covers
from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.model import Gate
from gatekeeper.plain import strict_json
from gatekeeper.project import Project
from gatekeeper.settings.layers import Part
from gatekeeper.settings.problems import line
from gatekeeper.store import open_store


def problems(project: Project, *, recorded: bool = True) -> list[str]:
    """One line for each, with its place; empty where all is well.

    Args:
        project: whose configuration is meant.
        recorded: whether quantities that no gate has recorded are wrong; a run, which may be the first to record one,
            does without.
    """
    settings = project.settings
    found: list[str] = []
    try:
        channels(settings, project.plugins, settings.root)
    except UsageError as error:
        found += error.problems
    gates = _recorded(project) if recorded else dict.fromkeys(gate.id for gate in project.gates)
    parts = [Part(layer, (), layer.data) for layer in settings.layers]
    mistakes = check_rules(settings.alerts, gates, retention=float(settings.store.retention))
    found += [line(path, message, parts, 2 if len(path) > 2 else 1) for path, message in mistakes]
    return list(dict.fromkeys(found))


def _recorded(project: Project) -> Gates:
    """Every gate's quantities, of those that a rule is about: what it declares or its function shows, what it has
    recorded, and what it may record next.

    None where neither is known, or nothing can be read.
    """
    found: dict[str, Sequence[str] | None] = {gate.id: None for gate in project.gates}
    rules = [rule for rule in project.settings.alerts.rules if rule.finding]
    meant = [gate for gate in project.gates if any(covers(rule.gate, gate.id) for rule in rules)]
    if not meant:
        return found
    recorded: dict[str, list[str]] = {}
    try:
        with open_store(project.store_url, create=False, folder=project.state, read_only=True) as store:
            recorded = {gate.id: store.findings_of(gate.id) for gate in meant}
    except GatekeeperError:
        pass  # what is wrong with the record, commands that need it say
    for gate in meant:
        names = recorded.get(gate.id, [])
        known = quantities(gate, names)
        if known is None and names:
            named = {rule.finding for rule in rules if covers(rule.gate, gate.id)}
            known = [*names, *_to_come(project, gate, named.difference(names))]
        found[gate.id] = known
    return found


def _to_come(project: Project, gate: Gate, names: Collection[str]) -> list[str]:
    """Of these names, those that the gate's source or settings have: it was changed since it last ran."""
    if not names:
        return []
    try:
        source = Path(gate.file).read_text("utf-8", "replace") if gate.file else ""
    except OSError:
        source = ""
    tables = [project.settings.gates.get(key) for key in (gate.id, gate.name)]
    text = source + strict_json(tables).decode()
    return [name for name in names if name in text]
