"""The runner's side of the pipes."""

import os
import sys
from typing import Self

import msgspec

from gatekeeper.app import notify
from gatekeeper.execute.run import Observer
from gatekeeper.measure import Meter
from gatekeeper.model import Result
from gatekeeper.project import Project
from gatekeeper.runner.messages import Answer, Ended, Order, Started
from gatekeeper.runner.pipes import PATIENCE, Inlet, Outlet


class Talk(Observer):
    """What the host orders, and what it is told. When it listens no more, nothing is said, and the work goes on."""

    def __init__(self, orders: Inlet, answers: Outlet) -> None:
        self._orders, self._answers = orders, answers
        self._host = os.getppid()
        self.project: Project | None = None

    @classmethod
    def over_stdio(cls) -> Self:
        """Over stdin and stdout, which are nobody else's from here on: what plugins print goes to stderr."""
        talk = cls(Inlet(os.dup(0)), Outlet(os.dup(1)))
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(2, 1)
        os.close(null)
        return talk

    def next(self, meter: Meter | None = None) -> Order | None:
        """The next order, measuring meanwhile; None where the host is gone."""

        def measure() -> float:
            if meter is None:
                return PATIENCE
            meter.sample()
            return meter.interval

        line = self._orders.line(self._has_host, measure)
        return msgspec.json.decode(line, type=Order) if line else None

    def _has_host(self) -> bool:
        return os.getppid() == self._host

    def say(self, answer: Answer) -> None:
        self._answers.send(answer)

    def started(self, gate: str) -> None:
        self.say(Started(gate))

    def result(self, result: Result) -> None:
        self.say(Ended(result))
        if self.project is not None:
            notify(self.project.plugins, result, complain)


def complain(problem: str) -> None:
    print(f"gatekeeper: {problem}", file=sys.stderr, flush=True)
