"""The host's side: start a runner, say what is to be done, hear what it comes to. No threads here."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Self, TypeVar

import msgspec
from msgspec import Struct

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.model import USAGE_ERROR
from gatekeeper.rundata import FlowData
from gatekeeper.runner.messages import Answer, Before, Begin, End, Ended, Order, Refused, Started, Stop, Whole
from gatekeeper.samples import Readings

T = TypeVar("T", bound=Struct)

END_GRACE = 10.0
"""Seconds that a runner which is done may take to be gone."""


class Runner:
    """The process that runs the gates of one run around this host's flow.

    A context manager: left without `after` or `stop`, the runner records a flow whose end nobody saw.
    `watch` is called with each `Started` and `Ended`.
    """

    def __init__(self, watch: Callable[[Started | Ended], object] | None = None) -> None:
        self._watch = watch
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gatekeeper.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is the host's to deal with
        )
        self._owner = os.getpid()

    def before(self, begin: Begin) -> Before:
        """Run the pre gates.

        Raises:
            UsageError: whatever is wrong with what was asked or configured.
            GatekeeperError: the runner broke.
        """
        self._send(begin)
        return self._hear(Before)

    def after(self, flow: FlowData, measured: Readings, outputs: Mapping[str, str]) -> Whole:
        """Run the post gates, record, report.

        Raises:
            GatekeeperError: the runner broke.
        """
        self._send(End(flow=flow, measured=measured, outputs=dict(outputs)))
        return self._hear(Whole)

    def stop(self, reason: str) -> Whole:
        """The flow does not start: record and report that.

        Raises:
            GatekeeperError: the runner broke.
        """
        self._send(Stop(reason))
        return self._hear(Whole)

    def close(self) -> None:
        """Let go of the runner; one that still works goes on by itself."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()
        if os.getpid() == self._owner:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=END_GRACE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, order: Order) -> None:
        assert self._process.stdin is not None  # it is a pipe
        with suppress(BrokenPipeError, ValueError):  # that it is gone shows when it doesn't answer
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()

    def _hear(self, wanted: type[T]) -> T:
        assert self._process.stdout is not None  # it is a pipe
        for line in self._process.stdout:
            answer = msgspec.json.decode(line, type=Answer)
            if isinstance(answer, wanted):
                return answer
            if isinstance(answer, Refused):
                if answer.exit_code == USAGE_ERROR:
                    raise UsageError(*answer.problems)
                raise GatekeeperError("; ".join(answer.problems))
            if self._watch is not None and isinstance(answer, Started | Ended):
                self._watch(answer)
        raise GatekeeperError(
            f"the runner of the gates ended (exit code {self._process.wait()}) without a verdict"
        )
