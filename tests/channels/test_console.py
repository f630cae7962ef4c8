"""The channel `console`: readable, coloured only where that shows, safe, and never in between other lines."""

import io
import re
import threading
from typing import Any

import pytest
from badservers import context, event, notification
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gatekeeper.channels import Delivered, Notification, Outcome, TryAgain
from gatekeeper_channels.console import CHANNEL, ConsoleSettings

CODES = re.compile(r"\x1b\[[0-9;]*m")


def shown(told: Notification, *, color: bool = False, **values: Any) -> str:
    stream = io.StringIO()
    opened = CHANNEL.open(ConsoleSettings(**values), replace(context(), console=stream, color=color))
    assert opened.send(told) == Delivered()
    return stream.getvalue()


def test_it_says_what_is_wrong_and_what_to_try():
    text = shown(notification(event(severity="critical"), event("resolved", finding="backend"), more=2))
    lines = text.splitlines()
    assert lines[0] == "FIRING critical: pre.components warehouse of checkout, and 2 more; 1 resolved"
    assert lines[1] == "  FIRING critical pre.components warehouse: answer time 2.31 s > 2 s"
    assert "    try       systemctl status warehouse" in lines
    assert lines[-2:] == ["  and 2 more", "  group: subject=checkout"]


def test_without_details_each_alert_is_one_line():
    lines = shown(notification(event(), event(finding="backend"), group={}), details=False).splitlines()
    assert len(lines) == 3
    assert "2 runs in a row" in lines[1]


def test_colour_is_there_only_where_it_is_wanted():
    told = notification(event(), event("resolved", finding="backend"))
    plain, coloured = shown(told), shown(told, color=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31m" in coloured
    assert "\x1b[32m" in coloured
    assert CODES.sub("", coloured) == plain


def test_severity_is_never_said_by_colour_alone():
    for severity in ("low", "medium", "high", "critical"):
        assert severity in shown(notification(event(severity=severity)))


@given(st.text())
def test_no_text_of_a_gate_colours_moves_or_clears_anything(text):
    told = notification(event(summary=text, hint=text, link=text, description=text, labels={"a": text}))
    assert "\x1b" not in shown(told)
    assert CODES.sub("", shown(told, color=True)) == shown(told)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_that_knows_few_characters_shows_the_rest_as_escapes(encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    opened = CHANNEL.open(ConsoleSettings(), replace(context(), console=stream))
    assert opened.send(notification(event(summary="zażółć → 🔥"))) == Delivered()
    assert ("zażółć" in raw.getvalue().decode(encoding)) == (encoding == "utf-8")


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [Full(), closed()])
def test_a_terminal_that_is_gone_is_tried_again(stream):
    outcome: Outcome = CHANNEL.open(ConsoleSettings(), replace(context(), console=stream)).send(
        notification()
    )
    assert isinstance(outcome, TryAgain)
    assert outcome.why.startswith("the terminal can't be written to: ")


def test_notifications_of_several_threads_do_not_mix():
    stream = io.StringIO()
    channel = CHANNEL.open(ConsoleSettings(), replace(context(), console=stream))
    told = [notification(event(finding=f"f{number}")) for number in range(20)]
    threads = [threading.Thread(target=channel.send, args=(each,)) for each in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = stream.getvalue()
    assert all(text.count(shown(each)) == 1 for each in told)
    assert len(text) == sum(len(shown(each)) for each in told)
