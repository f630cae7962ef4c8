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
from gatekeeper.runner.pipes import Inlet, Outlet
from gatekeeper.samples import Readings

T = TypeVar("T", bound=Struct)

END_GRACE = 10.0
"""Seconds that a runner which is done may take to be gone."""


class Runner:
    """The process that runs the gates of one run around this host's flow.

    A context manager: left without `after` or `stop`, the runner records a flow whose end nobody saw.
    `watch` is called with each `Started` and `Ended`.

    Raises:
        GatekeeperError: it can't be started.
    """

    def __init__(self, watch: Callable[[Started | Ended], object] | None = None) -> None:
        self._watch = watch
        self._owner = os.getpid()
        self._busy = self._delivers = False
        self._process, self._orders, self._answers = _started()

    def before(self, begin: Begin) -> Before:
        """Run the pre gates.

        Raises:
            UsageError: whatever is wrong with what was asked or configured.
            GatekeeperError: the runner broke.
        """
        return self._ask(begin, Before)

    def after(self, flow: FlowData, measured: Readings, outputs: Mapping[str, str]) -> Whole:
        """Run the post gates, record, report.

        Raises:
            GatekeeperError: the runner broke.
        """
        return self._ask(End(flow=flow, measured=measured, outputs=dict(outputs)), Whole)

    def stop(self, reason: str) -> Whole:
        """The flow does not start: record and report that.

        Raises:
            GatekeeperError: the runner broke.
        """
        return self._ask(Stop(reason), Whole)

    def interrupt(self) -> None:
        """End the gates that run: what the run came to is recorded as interrupted."""
        if self._process.poll() is None:
            import signal

            self._process.send_signal(signal.SIGINT)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_open(self) -> bool:
        """Whether it can still be asked for something."""
        return self._orders.is_intact

    @property
    def is_own(self) -> bool:
        """Whether this is the process that started it, and no copy that the flow forked."""
        return os.getpid() == self._owner

    def let_go(self) -> None:
        """Leave the runner to itself: it finds that nobody is there any more, and ends with what it does."""
        self._orders.close()
        self._answers.close()
        if self._process.returncode is None:
            self._process.returncode = 0  # it may go on, and nobody need be warned of that

    def close(self) -> None:
        """Let go of the runner, and wait for one that is done; one that still works goes on by itself."""
        self._orders.close()
        self._answers.close()
        if self._delivers and self.is_own:
            from threading import Thread

            Thread(target=self._process.wait, name="gatekeeper", daemon=True).start()
            return
        with suppress(subprocess.TimeoutExpired):
            if self.is_own:
                self._process.wait(END_GRACE)
        if self._busy and self.is_own:
            self._process.kill()
            self._process.wait()
        self.let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- beneath -----------------------------------------------------------------------------------------------------

    def _ask(self, order: Order, wanted: type[T]) -> T:
        """Send an order and wait for its answer. Whoever is torn out of waiting (Ctrl-C) takes the gates along."""
        self._busy = True
        try:
            self._orders.send(order)
            answer = self._hear(wanted)
        except GatekeeperError:
            raise
        except BaseException:
            self.interrupt()
            raise
        self._busy = False
        self._delivers = isinstance(answer, Whole) and answer.delivers
        return answer

    def _hear(self, wanted: type[T]) -> T:
        while line := self._answers.line(self._is_alive):
            answer = msgspec.json.decode(line, type=Answer)
            if isinstance(answer, wanted):
                return answer
            if isinstance(answer, Refused):
                if answer.exit_code == USAGE_ERROR:
                    raise UsageError(*answer.problems)
                raise GatekeeperError("; ".join(answer.problems))
            if self._watch is not None and isinstance(answer, Started | Ended):
                self._watch(answer)
        if not self._answers.is_intact:
            raise GatekeeperError(
                "the flow closed the descriptors to the runner of its gates: close only what the flow opened"
            )
        raise GatekeeperError(f"the runner of the gates {self._how_it_ended()} without a verdict")

    def _how_it_ended(self) -> str:
        try:
            return f"ended (exit code {self._process.wait(END_GRACE)})"
        except subprocess.TimeoutExpired:
            self._process.kill()
            return "stopped answering"

    def _is_alive(self) -> bool:
        return self._process.poll() is None


def _started() -> "tuple[subprocess.Popen[bytes], Outlet, Inlet]":
    if getattr(sys, "frozen", False) or not sys.executable:
        raise GatekeeperError(
            "gates run in a Python process of their own, and this program is none that could start one"
        )
    order_reader, orders = Outlet.pipe()
    answers, answer_writer = Inlet.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gatekeeper.runner"],
            stdin=order_reader,
            stdout=answer_writer,
            stderr=None if _has_stderr() else subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is the host's to deal with
        )
    except OSError as error:
        orders.close()
        answers.close()
        raise GatekeeperError(f"the runner of the gates can't be started: {error}") from error
    finally:
        os.close(order_reader)
        os.close(answer_writer)
    return process, orders, answers


def _has_stderr() -> bool:
    try:
        os.fstat(2)
    except OSError:
        return False
    return True
