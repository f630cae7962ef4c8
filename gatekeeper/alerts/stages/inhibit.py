"""Inhibition: one alert for a root cause, and none for what follows from it.

An alert is quiet while one fires that keeps it quiet: of a gate that its gate needs, directly or not, for the same
subject; or by `[[alerts.inhibit]]`. An alert that is silenced, acknowledged or itself inhibited keeps others quiet all
the same, as in Alertmanager: the cause is known, so what follows is no news. Alerts that keep each other quiet in a
circle have one of them told: the one that fired first, of those the worst.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cache

from gatekeeper.alerts.matching import covers
from gatekeeper.channels.events import Alert
from gatekeeper.model import SEVERITIES, Severity
from gatekeeper.settings.alerting import Inhibition
from gatekeeper.store.standing import Standing

Causes = dict[Hashable, list[int]]
"""Alerts by what they do, as in "fires for `pre.network` of shop"; what follows from it is kept by the same key."""


class Inhibitions:
    """What keeps what quiet: the gates' needs and the configured rules."""

    def __init__(self, rules: Sequence[Inhibition], parents: Mapping[str, Sequence[str]]) -> None:
        self._rules = rules
        self._parents = parents
        self._needed = cache(self._ancestors)
        self._keys: dict[tuple[str, Severity], tuple[list[Hashable], list[Hashable]]] = {}

    def inhibited(self, standings: Sequence[Standing]) -> dict[str, str]:
        """By fingerprint, which of these alerts that fire are quiet, and the gate of the one that keeps it so.

        Linear in the number of alerts: they are joined by what they have in common, not one with another.
        """
        if not (self._rules or self._parents):
            return {}
        alerts = [standing.alert for standing in standings]
        keys = [self._keys_of(alert) for alert in alerts]
        followed = {key for _, follows in keys for key in follows}
        causes: Causes = {}
        for number, (own, _) in enumerate(keys):
            for key in own:
                if key in followed:
                    causes.setdefault(key, []).append(number)
        kept = [[key for key in follows if key in causes] for _, follows in keys]
        if not any(kept):
            return {}
        circle = _circles(causes, kept)
        roots = _roots(standings, circle)
        sources = {key: _two(numbers, circle) for key, numbers in causes.items()}

        def quieted_by(number: int) -> int | None:
            """Which alert keeps this one quiet: one outside of its circle, else the root of that."""
            for key in kept[number]:
                for other in sources[key]:
                    if circle[other] != circle[number]:
                        return other
            root = roots[circle[number]]
            return None if root == number else root

        found = {number: by for number in range(len(alerts)) if (by := quieted_by(number)) is not None}
        return {alerts[number].fingerprint: alerts[by].gate for number, by in found.items()}

    def _keys_of(self, alert: Alert) -> tuple[list[Hashable], list[Hashable]]:
        """What an alert does, and what it follows from; asked for with every channel."""
        known = self._keys.get((alert.fingerprint, alert.severity))
        if known is None:
            known = [*self._causes(alert)], [*self._follows(alert)]
            self._keys[alert.fingerprint, alert.severity] = known
        return known

    def _causes(self, alert: Alert) -> Iterator[Hashable]:
        if self._parents:
            for gate in {alert.gate, _base(alert.gate)}:
                yield gate, alert.subject
        for number, rule in enumerate(self._rules):
            if covers(rule.while_, alert.gate):
                yield number, *map(alert.label, rule.same)

    def _follows(self, alert: Alert) -> Iterator[Hashable]:
        for gate in self._needed(_base(alert.gate)):
            yield gate, alert.subject
        for number, rule in enumerate(self._rules):
            if covers(rule.quiet, alert.gate):
                yield number, *map(alert.label, rule.same)

    def _ancestors(self, gate: str) -> list[str]:
        """The gates that a gate needs, and those that they need."""
        found: dict[str, None] = {}
        waiting = [*self._parents.get(gate, ())]
        while waiting:
            need = waiting.pop()
            if need not in found:
                found[need] = None
                waiting += self._parents.get(_base(need), ())
        return [*found]


def _base(gate: str) -> str:
    """A gate's id without its parameters."""
    return gate.partition("[")[0]


def _two(numbers: Sequence[int], circle: Sequence[int]) -> list[int]:
    """Alerts of two different circles, where there are two."""
    first = numbers[0]
    other = next((number for number in numbers if circle[number] != circle[first]), None)
    return [first] if other is None else [first, other]


def _roots(standings: Sequence[Standing], circle: Sequence[int]) -> dict[int, int]:
    """By circle, the alert that is told."""

    def order(number: int) -> tuple[float, int, str]:
        standing = standings[number]
        fired = standing.began if standing.fired is None else standing.fired
        return fired, -SEVERITIES.index(standing.alert.severity), standing.alert.fingerprint

    roots: dict[int, int] = {}
    for number in sorted(range(len(standings)), key=order):
        roots.setdefault(circle[number], number)
    return roots


def _circles(causes: Causes, kept: Sequence[Sequence[Hashable]]) -> list[int]:
    """By alert, the number of its circle: those that keep each other quiet, each along some way, share one.

    These are the strongly connected components of a graph whose nodes are alerts and keys (R. Tarjan, "Depth-first
    search and linear graph algorithms", 1972); without recursion, since a chain may be long. Only what is quiet and
    keeps others quiet can be in a circle.
    """
    both = sorted({number for numbers in causes.values() for number in numbers if kept[number]})
    nodes: dict[Hashable, int] = {key: len(both) + number for number, key in enumerate(causes)}
    node_of = {number: node for node, number in enumerate(both)}
    after: list[list[int]] = [[] for _ in range(len(both) + len(nodes))]
    for key, numbers in causes.items():
        for number in numbers:
            if number in node_of:
                after[node_of[number]].append(nodes[key])
    for node, number in enumerate(both):
        for key in kept[number]:
            after[nodes[key]].append(node)
    component = _components(after)
    alone = len(after)  # a number that no component has
    return [
        component[node_of[number]] if number in node_of else alone + number for number in range(len(kept))
    ]


def _components(after: Sequence[Sequence[int]]) -> list[int]:
    """By node, the number of its strongly connected component; `after` are each node's successors."""
    seen = [-1] * len(after)  # when a node was reached
    low = [0] * len(after)  # the earliest node on the stack that it leads to
    component = [-1] * len(after)
    stack: list[int] = []
    reached = 0
    for start in range(len(after)):
        if seen[start] >= 0:
            continue
        way = [(start, iter(after[start]))]
        while way:
            node, successors = way[-1]
            if seen[node] < 0:
                seen[node] = low[node] = reached
                reached += 1
                stack.append(node)
            for successor in successors:
                if seen[successor] < 0:
                    way.append((successor, iter(after[successor])))
                    break
                if component[successor] < 0:
                    low[node] = min(low[node], seen[successor])
            else:
                way.pop()
                if way:
                    low[way[-1][0]] = min(low[way[-1][0]], low[node])
                if low[node] == seen[node]:
                    while component[node] < 0:
                        component[stack.pop()] = node
    return component
