"""What a run does about alerts: nothing where all is well; else events into the outbox, and out of it.

Light: where there is nothing to tell, nothing else of this package is loaded.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.model import Run
from gatekeeper.project import Project
from gatekeeper.settings.alerting import AlertSettings
from gatekeeper.store.errors import StoreError

if TYPE_CHECKING:
    from gatekeeper.alerts.configured import Configured
    from gatekeeper.alerts.stages import Held
    from gatekeeper.store.alerting import AlertQueries
    from gatekeeper.store.memory import MemoryStore

TOLD_OF = ("warn", "fail", "error", "unknown")


class Alerting:
    """The alerts of one run. Made before it runs; then given to `remember`; `deliver` once the verdict was shown.

    Raises:
        UsageError: all that is wrong with the table `[alerts]`: an alert that never comes is missed too late.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._settings = project.settings.alerts
        self._configured: list[Configured] | None = None
        self.queued = False
        """Whether there is something in the outbox."""
        self._held: Sequence[Held] = ()
        self._aside: MemoryStore | None = None
        self.notes: list[str] = []
        """What went wrong: nothing of it changes a verdict."""
        if self._settings.enabled and self._settings != AlertSettings():
            from gatekeeper.alerts.problems import problems

            if wrong := problems(project, recorded=False):
                raise UsageError(*wrong)

    def __call__(self, store: "AlertQueries", runs: Sequence[Run]) -> None:
        """Judge newly recorded runs, within the transaction that records them.

        Raises:
            NotJudged: it could not be done; they wait for the next.
            StoreError: the store can't be written.
        """
        if not self._settings.enabled:
            return
        work = store.work()
        self.queued = work.queued
        if not (work.standing or any(map(self._matters, runs))):
            return
        from gatekeeper.store.alerting import NotJudged

        try:
            with store.attempt():
                from gatekeeper.alerts.evaluate import evaluate

                done = evaluate(store, self._project, self._channels(), runs, now=time.time())
        except StoreError:
            raise
        except Exception as error:
            known = isinstance(error, GatekeeperError)
            why = str(error) if known else f"{type(error).__name__}: {error}"
            self.notes.append(f"alerts could not be evaluated: {why}; the next run does it")
            raise NotJudged from error
        self.notes += done.notes
        self._held = done.held
        self.queued = self.queued or done.queued > 0

    def unrecorded(self, run: Run) -> None:
        """The store can't be used: tell of the run all the same, as if nothing had been before it.

        Once the run is recorded it is judged again; that makes the same events, with the same ids, so whoever was told
        now can tell. Until then each run that fails tells again: nobody remembers.
        """
        from gatekeeper.store.memory import MemoryStore

        if self._settings.enabled and self._matters(run):
            self._aside = MemoryStore()
            self.queued = False
            self._aside.write(run, judge=self)

    def _matters(self, run: Run) -> bool:
        quantities = any(rule.finding for rule in self._settings.rules)
        return quantities or any(r.status in TOLD_OF and r.requirement != "observe" for r in run.results)

    def _channels(self) -> "list[Configured]":
        if self._configured is None:
            from gatekeeper.alerts.evaluate import configured_channels

            self._configured = configured_channels(self._project)
        return self._configured

    def deliver(self, *, color: bool = False) -> list[str]:
        """Empty the outbox, within the grace time of the settings; lines on what was sent, and what was not.

        `color`: whether a channel for people at the terminal shows colours.
        """
        held = _counted(self._held)
        if not self.queued:
            return held
        from gatekeeper.alerts.delivery.deliver import Terminal, deliver, sentence
        from gatekeeper.store import open_store

        project = self._project
        try:
            with self._aside or open_store(project.store_url, create=False, folder=project.state) as store:
                grace, terminal = float(self._settings.grace), Terminal(color=color)
                sent = deliver(store, self._channels(), grace=grace, terminal=terminal)
        except GatekeeperError as error:
            return [*held, f"alerts NOT sent: {error}"]
        whole = [each.channel for each in sent if each.delivered and not (each.queued or each.refused)]
        told = [f"alerts sent: {', '.join(whole)}"] if whole else []
        return [*held, *told, *(sentence(each) for each in sent if each.channel not in whole)]


def _counted(held: "Sequence[Held]") -> list[str]:
    """What is held back, by reason: there may be thousands."""
    reasons = Counter(why for why, _ in {(each.why, each.fingerprint) for each in held})
    return [
        f"{count} alert{'s' if count > 1 else ''} held back: {why}" for why, count in sorted(reasons.items())
    ]
