"""The channel `slack`: messages that Slack takes whatever an alert says, threads for updates, no alert lost."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from badservers import (
    BREAKING,
    SILENT,
    WITHIN,
    context,
    event,
    notification,
    requests,
    retry_afters,
    unavailable,
    url,
)
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.channels import ChannelContext, Delivered, Notification, Outcome, Refused, TryAgain
from gatekeeper.model import SEVERITIES
from gatekeeper.settings.convert import Problem, convert
from gatekeeper_channels.slack import CHANNEL, NEVER, NO_THREAD, SlackSettings, message
from loopback import Server, answering, ends, request_of, response

TOKEN = "xoxb-not-a-real-one"


class Slack:
    """Slack's Web API as far as the channel uses it: one workspace, held to its documented limits."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.messages: list[dict[str, Any]] = []
        self.reactions: set[tuple[str, str]] = set()
        self.errors: dict[str, str] = {}
        """What a method fails with."""

    def handle(self, sock: socket.socket, stop: threading.Event) -> None:
        (request,) = requests([request_of(sock)])
        method = request.target.removeprefix("/api/")
        self.calls.append((method, request.json, request.headers))
        sock.sendall(response(json.dumps(self.answer(method, request.json)).encode()))

    def answer(self, method: str, said: dict[str, Any]) -> dict[str, Any]:
        if error := self.errors.get(method):
            return {"ok": False, "error": error}
        if method == "chat.postMessage":
            check_limits(said)
            if said.get("thread_ts", "1.0") not in {"1.0", *(message["ts"] for message in self.messages)}:
                return {"ok": False, "error": "thread_not_found"}
            self.messages.append(said | {"ts": f"17000000.{len(self.messages):06}"})
            return {"ok": True, "channel": "C0OPS", "ts": self.messages[-1]["ts"]}
        mark = (said["timestamp"], said["name"])
        if (mark in self.reactions) == (method == "reactions.add"):
            return {"ok": False, "error": "already_reacted" if mark in self.reactions else "no_reaction"}
        (self.reactions.add if method == "reactions.add" else self.reactions.remove)(mark)
        return {"ok": True}


def check_limits(said: dict[str, Any]) -> None:
    assert said["text"]
    assert len(said["text"]) <= 4_000
    assert 1 <= len(said["blocks"]) <= 50
    for block in said["blocks"]:
        if block["type"] == "header":
            assert 1 <= units(block["text"]["text"]) <= 150
            assert block["text"]["type"] == "plain_text"
        elif block["type"] == "section":
            assert 1 <= units(block["text"]["text"]) <= 3_000
        else:
            assert block["type"] == "context"
            assert 1 <= len(block["elements"]) <= 10
            assert all(1 <= units(element["text"]) <= 3_000 for element in block["elements"])
    assert sum(units(text) for text in marked(said)) < 16_000


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def marked(said: dict[str, Any]) -> list[str]:
    """The texts of a message in which Slack looks for its markup."""
    sections = [block["text"]["text"] for block in said["blocks"] if block["type"] == "section"]
    return [*sections, *(e["text"] for block in said["blocks"] for e in block.get("elements", []))]


def settings_of(**values: Any) -> SlackSettings:
    found: list[Problem] = []
    made = convert(SlackSettings, values, found)
    assert made is not None, found
    return made


def sent(told: Notification, opened: ChannelContext | None = None, **values: Any) -> Outcome:
    return CHANNEL.open(settings_of(**values), opened or context(within=10)).send(told)


@contextmanager
def workspace() -> Iterator[tuple[Slack, dict[str, Any]]]:
    """A workspace, and the settings of a bot in it."""
    slack = Slack()
    with Server(slack.handle) as server:
        yield slack, {"token": TOKEN, "channel": "#ops", "api": url(server, "/api")}


def shown(*events: Any, **values: Any) -> str:
    """All that people see of a notification."""
    said = message(notification(*events, **values))
    return "\n".join([said["blocks"][0]["text"]["text"], *marked(said)])


class TestMessage:
    def test_says_what_is_wrong_and_what_to_try(self) -> None:
        text = shown(event(description="The warehouse\nis slow.", before="low"))
        assert text.startswith("🟠 FIRING high: pre.components warehouse of checkout\n")
        assert (
            "*FIRING high* (was low) `pre.components warehouse`\nanswer time 2.31 s &gt; 2 s\nThe warehouse\nis slow.\n"
            in text
        )
        assert "Try: systemctl status warehouse" in text
        assert "2 runs in a row" in text
        assert "<https://ci.example/run/2|Details>" in text

    def test_says_the_worst_where_only_its_text_shows(self) -> None:
        said = message(notification(event(), event(gate="pre.b", severity="critical", summary="disk full")))[
            "text"
        ]
        assert said == "🔴 FIRING critical: pre.b warehouse of checkout, and 1 more: disk full"

    def test_says_value_and_limit_where_there_is_no_summary(self) -> None:
        assert "2.31 s &gt; 2 s" in shown(event(summary=""))

    def test_says_that_it_is_over(self) -> None:
        text = shown(event("resolved"))
        assert text.startswith("✅ RESOLVED: pre.components warehouse of checkout\n")
        assert "*RESOLVED*" in text
        assert "Try:" not in text

    def test_says_that_nobody_acknowledged_that_it_is_told_again_and_that_it_is_a_test(self) -> None:
        assert "*ESCALATED critical*" in shown(event("escalated", severity="critical"))
        assert shown(event(), repeat=True).startswith("🟠 STILL FIRING high:")
        assert shown(event(), test=True).startswith("🟠 TEST FIRING high:")
        assert "A test: nothing is wrong." in shown(event(), test=True)

    def test_has_the_worst_first_and_what_is_over_last(self) -> None:
        told = notification(
            event("resolved", gate="pre.d", severity="critical"),
            event(gate="pre.c", severity="low"),
            event(gate="pre.a", severity="critical"),
            event(gate="pre.b", severity="medium"),
        )
        text = "\n".join(marked(message(told)))
        places = [text.index(f"`pre.{name} ") for name in "abcd"]
        assert places == sorted(places)

    def test_counts_what_it_does_not_list(self) -> None:
        told = [event(gate=f"pre.g{number}") for number in range(200)]
        said = message(notification(*told, more=1_000))
        check_limits(said)
        listed = sum(block["type"] == "section" for block in said["blocks"])
        assert listed >= 20
        assert f"and {1_200 - listed} more" in marked(said)[-1]
        assert "and 1199 more" in said["text"]

    def test_can_command_nothing(self) -> None:
        evil = "<!channel> <@U1> <https://evil.example|click> & `x` @here"
        told = event(
            gate=evil,
            finding=evil,
            subject=evil,
            summary=evil,
            description=evil,
            hint=evil,
            link="javascript:alert(1)",
        )
        text = shown(told, subject=evil, group={evil: evil})
        body = text.partition("\n")[2]
        assert "<" not in body
        assert body.splitlines()[0].count("`") == 2
        assert "&lt;!channel&gt;" in body
        assert "javascript" not in body

    def test_links_only_to_what_is_an_address(self) -> None:
        assert "<https://h.example/?a=1&amp;b=%3Ex%7Cy|Details>" in shown(
            event(link="https://h.example/?a=1&b=>x|y")
        )
        assert "Details" not in shown(event(link="https://h.example/" + "x" * 2_000))

    @given(st.data())
    def test_of_anything_is_within_slacks_limits(self, data: st.DataObject) -> None:
        text = st.text(max_size=20) | st.builds(str.__mul__, st.text(max_size=3), st.integers(0, 5_000))
        events = [
            event(
                data.draw(st.sampled_from(["firing", "escalated", "resolved"])),
                gate=data.draw(text), finding=data.draw(text), subject=data.draw(text), severity=data.draw(st.sampled_from(SEVERITIES)),
                summary=data.draw(text), description=data.draw(text), hint=data.draw(text), link=data.draw(text | st.builds("https://{}".format, text)),
                since=data.draw(text), ended=data.draw(st.none() | text), value=data.draw(st.none() | text | st.integers()), limit=data.draw(text),
                unit=data.draw(st.none() | text),
            )
            for _ in range(data.draw(st.integers(1, 4)))
        ] * data.draw(st.sampled_from([1, 60]))  # fmt: skip
        group = data.draw(st.dictionaries(text, text, max_size=3))
        said = message(
            notification(*events, subject=data.draw(text), group=group, more=data.draw(st.integers(0, 10**6)))
        )
        check_limits(said)
        assert all(word not in each for each in marked(said) for word in ("<!", "<@", "<#"))


class TestWebhook:
    def test_gets_text_and_blocks_and_who_sends_them(self) -> None:
        seen: list[bytes] = []
        who = {"channel": "#ai-alerts", "username": "Gatekeeper", "icon_emoji": ":robot_face:"}
        with Server(answering(response(b"ok"), seen=seen)) as server:
            assert sent(notification(), url=url(server), **who) == Delivered()
        (request,) = requests(seen)
        assert request.headers["content-type"] == "application/json; charset=utf-8"
        assert "authorization" not in request.headers
        assert request.json == message(notification()) | who
        check_limits(request.json)

    @pytest.mark.parametrize(
        ("status", "said", "found"),
        [
            ("400 Bad Request", "invalid_payload", Refused("it answered 400 Bad Request: invalid_payload")),
            ("403 Forbidden", "action_prohibited", TryAgain("it answered 403 Forbidden: action_prohibited")),
            ("404 Not Found", "no_service", TryAgain("it answered 404 Not Found: no_service")),
            (
                "410 Gone",
                "channel_is_archived",
                Refused("it answered 410 Gone: channel_is_archived", disable=True),
            ),
            (
                "500 Internal Server Error",
                "rollup_error",
                TryAgain("it answered 500 Internal Server Error: rollup_error"),
            ),
        ],
    )
    def test_answers_mean_something(self, status: str, said: str, found: Outcome) -> None:
        with Server(answering(response(said.encode(), status))) as server:
            assert sent(notification(), url=url(server)) == found

    @pytest.mark.parametrize("form", ["seconds", "a date", "a word"])
    def test_that_limits_rates_says_when(self, form: str) -> None:
        said, seconds = retry_afters()[form]
        with Server(answering(unavailable("429 Too Many Requests", Retry_After=said))) as server:
            found = sent(notification(), url=url(server))
        assert isinstance(found, TryAgain)
        assert found.after == (None if seconds is None else pytest.approx(seconds, abs=60))

    @pytest.mark.parametrize("how", [*SILENT, *BREAKING])
    def test_that_does_not_answer_is_given_up_in_time(self, how: str) -> None:
        with Server((SILENT | BREAKING)[how]) as server, ends(WITHIN, server):
            assert isinstance(sent(notification(), context(), url=url(server)), TryAgain)

    def test_keeps_its_address_to_itself(self) -> None:
        path = "/services/T0/B0/" + "z" * 24
        with Server(answering(response(f"no hook {path}".encode(), "404 Not Found"))) as server:
            found = sent(notification(), url=url(server, path))
        assert isinstance(found, TryAgain)
        assert "zzz" not in found.why


class TestBot:
    def test_writes_to_its_channel_and_remembers_the_message(self) -> None:
        with workspace() as (slack, bot):
            assert sent(notification(), username="Gatekeeper", **bot) == Delivered("C0OPS/17000000.000000")
        ((method, said, headers),) = slack.calls
        assert method == "chat.postMessage"
        assert headers["authorization"] == f"Bearer {TOKEN}"
        assert said == message(notification()) | {"channel": "#ops", "username": "Gatekeeper"}

    def test_writes_updates_into_the_thread_and_what_is_new_also_into_the_channel(self) -> None:
        worse = event("escalated", severity="critical", before="high")
        with workspace() as (slack, bot):
            first = sent(notification(), **bot)
            assert isinstance(first, Delivered)
            for told in (
                notification(worse, thread=first.ref),
                notification(event(), thread=first.ref, repeat=True),
                notification(event("resolved"), thread=first.ref),
            ):
                assert sent(told, **bot) == first
        assert [said.get("thread_ts") for said in slack.messages] == [None, *["17000000.000000"] * 3]
        assert [said.get("reply_broadcast") for said in slack.messages] == [None, True, False, False]

    def test_marks_the_first_message_while_all_is_over(self) -> None:
        with workspace() as (slack, bot):
            first = sent(notification(), **bot)
            assert isinstance(first, Delivered)
            sent(notification(event("resolved"), thread=first.ref), **bot)
            assert slack.reactions == {("17000000.000000", "white_check_mark")}
            sent(notification(event("resolved"), thread=first.ref), **bot)
            sent(notification(event(), thread=first.ref), **bot)
            assert not slack.reactions
        marks = [said["channel"] for method, said, _ in slack.calls if method.startswith("reactions.")]
        assert marks == ["C0OPS"] * 3

    @pytest.mark.parametrize("error", ["missing_scope", "message_not_found", "ratelimited"])
    def test_has_delivered_though_it_may_not_mark(self, error: str) -> None:
        with workspace() as (slack, bot):
            slack.errors["reactions.add"] = error
            told = notification(event("resolved"), thread="C0OPS/1.0")
            assert sent(told, **bot) == Delivered("C0OPS/1.0")

    def test_has_delivered_in_time_though_the_mark_hangs(self) -> None:
        slack = Slack()

        def handle(sock: socket.socket, stop: threading.Event) -> None:
            slack.handle(sock, stop) if not slack.calls else stop.wait(30)

        with Server(handle) as server, ends(20, server):
            told = notification(event("resolved"), thread="C0OPS/1.0")
            bot = {"token": TOKEN, "channel": "C0OPS", "api": url(server, "/api")}
            assert sent(told, context(within=30), **bot) == Delivered("C0OPS/1.0")

    @pytest.mark.parametrize("thread", ["C0OPS/9.9", "C0OPS/", "", "nonsense", "/"])
    def test_begins_a_new_thread_where_the_first_message_is_gone(self, thread: str) -> None:
        with workspace() as (slack, bot):
            found = sent(notification(thread=thread), **bot)
        assert found == Delivered("C0OPS/17000000.000000")
        assert "thread_ts" not in slack.messages[0]

    @pytest.mark.parametrize("error", sorted(NEVER))
    def test_is_refused_what_is_wrong_with_the_message(self, error: str) -> None:
        with workspace() as (slack, bot):
            slack.errors["chat.postMessage"] = error
            assert sent(notification(), **bot) == Refused(f"Slack refused it: {error}")

    @pytest.mark.parametrize(
        "error",
        ["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope", "channel_not_found",
         "not_in_channel", "is_archived", "ratelimited", "internal_error", "fatal_error", "service_unavailable", "something_new", *sorted(NO_THREAD)],
    )  # fmt: skip
    def test_tries_again_what_somebody_or_time_can_mend(self, error: str) -> None:
        with workspace() as (slack, bot):
            slack.errors["chat.postMessage"] = error
            for thread in (None, "C0OPS/1.0"):
                assert sent(notification(thread=thread), **bot) == TryAgain(f"Slack refused it: {error}")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"[]",
            b'"ok"',
            b"null",
            b"\xff",
            b'{"ok": "true"}',
            b'{"ok": false}',
            b'{"ok": false, "error": 5}',
            b"{}",
        ],
    )
    def test_takes_no_other_answer_for_success(self, body: bytes) -> None:
        with Server(answering(response(body))) as server:
            found = sent(notification(), token=TOKEN, channel="C0", api=url(server))
        assert isinstance(found, TryAgain)

    def test_has_delivered_though_slack_does_not_say_where(self) -> None:
        with Server(answering(response(b'{"ok": true}'))) as server:
            assert sent(notification(), token=TOKEN, channel="C0", api=url(server)) == Delivered()

    def test_that_is_limited_by_status_says_when(self) -> None:
        limited = response(b'{"ok":false,"error":"ratelimited"}', "429 Too Many Requests", Retry_After="30")
        with Server(answering(limited)) as server:
            found = sent(notification(), token=TOKEN, channel="C0", api=url(server))
        assert isinstance(found, TryAgain)
        assert found.after == 30.0

    def test_keeps_its_token_to_itself(self) -> None:
        with Server(answering(response(f"bad token {TOKEN}".encode(), "401 Unauthorized"))) as server:
            found = sent(notification(), token=TOKEN, channel="C0", api=url(server))
        assert found == TryAgain("it answered 401 Unauthorized: bad token ***")

    @pytest.mark.parametrize("how", [*SILENT, *BREAKING])
    def test_is_given_up_in_time(self, how: str) -> None:
        with Server((SILENT | BREAKING)[how]) as server, ends(WITHIN, server):
            found = sent(notification(thread="C0/1.0"), context(), token=TOKEN, channel="C0", api=url(server))
        assert isinstance(found, TryAgain)


class TestSettings:
    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({}, 'give "url" (an incoming webhook) or "token" (of a bot), one of the two'),
            ({"url": "https://h", "token": "x", "channel": "c"}, "one of the two"),
            ({"url": "hooks.slack.com/services/s3same"}, "url: expected a URL"),
            ({"token": "x"}, 'a token needs a "channel"'),
            (
                {"token": "s3same\nx", "channel": "c"},
                "token: the value of Authorization must be printable ASCII",
            ),
            ({"token": "x", "channel": "c", "api": "slack.com"}, "api: expected a URL"),
        ],
    )
    def test_mistakes_are_said_and_no_secret(self, values: dict[str, Any], said: str) -> None:
        found: list[Problem] = []
        assert convert(SlackSettings, values, found) is None
        (problem,) = found
        text = f"{'.'.join(map(str, problem.path))}: {problem.message}"
        assert said in text
        assert "s3same" not in text
