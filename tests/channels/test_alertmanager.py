"""The channel `alertmanager`: a real one groups, silences and resolves what it is told, and takes whatever it is."""

import json
import re
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from alertmanager_server import Server as Real
from alertmanager_server import alertmanager, until
from badservers import (
    BREAKING,
    SILENT,
    WITHIN,
    ago,
    context,
    event,
    notification,
    requests,
    retry_afters,
    unavailable,
    url,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertworld import World
from gatekeeper.alerts.stages import Recipient
from gatekeeper.channels import (
    AlertEvent,
    ChannelContext,
    Delivered,
    Notification,
    Outcome,
    Refused,
    TryAgain,
)
from gatekeeper.model import SEVERITIES, STATUSES
from gatekeeper.settings.convert import Problem, convert
from gatekeeper_channels.alertmanager import AT_ONCE, CHANNEL, AlertmanagerSettings, label_name
from loopback import Server, answering, ends, free_port, response

OK = response(b"")
HOUR = 3_600.0


def settings_of(**values: Any) -> AlertmanagerSettings:
    found: list[Problem] = []
    made = convert(AlertmanagerSettings, values, found)
    assert made is not None, found
    return made


def sent(told: Notification, opened: ChannelContext | None = None, **values: Any) -> Outcome:
    return CHANNEL.open(settings_of(**values), opened or context(within=10)).send(told)


def posted(*events: AlertEvent, told: dict[str, Any] | None = None, **values: Any) -> list[dict[str, Any]]:
    """What one that accepts it gets, in all requests."""
    seen: list[bytes] = []
    with Server(answering(OK, seen=seen)) as server:
        assert sent(notification(*events, **(told or {})), url=url(server, ""), **values) == Delivered()
    return [alert for request in requests(seen) for alert in request.json]


def problems_of(**values: Any) -> list[str]:
    found: list[Problem] = []
    assert convert(AlertmanagerSettings, values, found) is None
    return [f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in found]


def seconds_from_now(time: str) -> float:
    return -(datetime.fromisoformat(ago(0)) - datetime.fromisoformat(time)).total_seconds()


class TestWhatIsPosted:
    def test_goes_to_the_api_below_the_address(self) -> None:
        for path in ("", "/", "/alerts", "/alerts/"):
            seen: list[bytes] = []
            with Server(answering(OK, seen=seen)) as server:
                assert sent(notification(), url=url(server, path)) == Delivered()
            (request,) = requests(seen)
            assert (request.method, request.target) == ("POST", f"{path.rstrip('/')}/api/v2/alerts")
            assert request.headers["content-type"] == "application/json"

    def test_names_an_alert_by_gate_finding_and_subject(self) -> None:
        (alert,) = posted(event(labels={"team": "orders"}))
        assert alert["labels"] == {
            "alertname": "pre.components",
            "gate": "pre.components",
            "finding": "warehouse",
            "subject": "checkout",
            "severity": "high",
            "team": "orders",
        }

    def test_names_an_alert_of_a_rule_by_the_rule(self) -> None:
        (alert,) = posted(event(rule="SlowWarehouse"))
        assert alert["labels"]["alertname"] == alert["labels"]["rule"] == "SlowWarehouse"

    def test_has_the_same_labels_whatever_the_alert_says(self) -> None:
        changes: list[dict[str, Any]] = [
            {"value": 9.9, "summary": "much slower"},
            {"run": "run-3", "runs": 3, "status": "error"},
            {"hint": "", "link": "", "annotations": {"a": "b"}},
        ]
        labels = [posted(event(**change))[0]["labels"] for change in changes]
        assert all(each == posted(event())[0]["labels"] for each in labels)

    def test_says_value_and_limit_as_people_read_them(self) -> None:
        (alert,) = posted(
            event(value=0.93, limit=0.9, operator="<=", unit="ratio", annotations={"runbook": "https://r"})
        )
        said = alert["annotations"]
        assert (said["value"], said["limit"], said["runbook"]) == ("93 %", "<= 90 %", "https://r")
        assert said["hint"] == "systemctl status warehouse"
        assert alert["generatorURL"] == "https://ci.example/run/2"

    def test_fires_until_after_the_next_run(self) -> None:
        (alert,) = posted(event(since=ago(7_200)))
        assert seconds_from_now(alert["startsAt"]) == pytest.approx(-7_200, abs=60)
        assert seconds_from_now(alert["endsAt"]) == pytest.approx(25 * HOUR, abs=60)
        (alert,) = posted(event(), resolve_after="4h")
        assert seconds_from_now(alert["endsAt"]) == pytest.approx(4 * HOUR, abs=60)

    def test_that_is_delivered_late_fires_none_the_less(self) -> None:
        (alert,) = posted(event(since=ago(100 * HOUR)), told={"created": ago(90 * HOUR)})
        assert seconds_from_now(alert["endsAt"]) > HOUR

    def test_ends_when_the_alert_ended(self) -> None:
        (alert,) = posted(event("resolved", ended=ago(600)))
        assert seconds_from_now(alert["endsAt"]) == pytest.approx(-600, abs=60)

    @pytest.mark.parametrize("since", ["in two hours", "not a time", "", "0001-01-01T00:00:00+05:00"])
    def test_never_starts_after_its_end_though_clocks_jump(self, since: str) -> None:
        since = ago(-7_200) if since == "in two hours" else since
        for told in (event(since=since), event("resolved", since=since)):
            (alert,) = posted(told)
            assert datetime.fromisoformat(alert["startsAt"]) <= datetime.fromisoformat(alert["endsAt"])

    def test_has_ended_though_clocks_say_that_it_will(self) -> None:
        (alert,) = posted(event("resolved", ended=ago(-7_200)))
        assert seconds_from_now(alert["endsAt"]) <= 60

    def test_of_a_changed_severity_ends_the_alert_of_the_old_one(self) -> None:
        now, before = posted(event("escalated", severity="critical", before="medium"))
        assert now["labels"]["severity"] == "critical"
        assert seconds_from_now(now["endsAt"]) > HOUR
        assert before["labels"] == now["labels"] | {"severity": "medium"}
        assert seconds_from_now(before["endsAt"]) <= 0

    def test_that_ended_with_another_severity_than_it_was_told_with_ends_both(self) -> None:
        ended = posted(event("resolved", severity="critical", before="high"))
        assert {alert["labels"]["severity"] for alert in ended} == {"critical", "high"}
        assert all(seconds_from_now(alert["endsAt"]) <= 0 for alert in ended)

    def test_as_a_test_is_marked_and_soon_over(self) -> None:
        (alert,) = posted(event(), told={"test": True})
        assert alert["labels"]["test"] == "true"
        assert seconds_from_now(alert["endsAt"]) == pytest.approx(300, abs=60)

    def test_is_split_where_there_is_much(self) -> None:
        events = [event(gate=f"pre.g{number}") for number in range(2 * AT_ONCE + 1)]
        seen: list[bytes] = []
        with Server(answering(OK, seen=seen)) as server:
            assert sent(notification(*events), url=url(server, "")) == Delivered()
        sizes = [len(request.json) for request in requests(seen)]
        assert sizes == [AT_ONCE, AT_ONCE, 1]

    def test_without_events_is_nothing(self) -> None:
        told = Notification(id="1", channel="ops", subject="checkout", created=ago(0), events=())
        with Server(answering(OK)) as server:
            assert sent(told, url=url(server, "")) == Delivered()
            assert not server.accepted


class TestLabelNames:
    @given(st.text())
    def test_any_name_becomes_one_that_prometheus_takes(self, name: str) -> None:
        assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", label_name(name), re.ASCII)
        assert not label_name(name).startswith("__")

    @given(st.from_regex(r"\A[a-zA-Z][a-zA-Z0-9_]*\Z"))
    def test_one_that_fits_stays(self, name: str) -> None:
        assert label_name(name) == name

    def test_an_alerts_own_labels_are_never_replaced(self) -> None:
        mine = {"gate": "another", "alertname": "another", "severity": "none", "test": "true", "rule": "x"}
        assert posted(event(labels=mine))[0]["labels"] == posted(event())[0]["labels"]

    def test_of_two_that_become_one_it_is_always_the_same(self) -> None:
        for labels in ({"a-b": "1", "a.b": "2"}, {"a.b": "2", "a-b": "1"}):
            assert posted(event(labels=labels))[0]["labels"]["a_b"] == "1"
        assert posted(event(labels={"a-b": "1", "a_b": "3"}))[0]["labels"]["a_b"] == "3"

    def test_those_of_the_settings_are_on_every_alert(self) -> None:
        alerts = posted(
            event(), event(gate="pre.storage", labels={"team": "db"}), labels={"team": "any", "cluster": "eu"}
        )
        assert [alert["labels"]["team"] for alert in alerts] == ["any", "db"]
        assert [alert["labels"]["cluster"] for alert in alerts] == ["eu", "eu"]


class TestWhoAsks:
    def header(self, **values: Any) -> str | None:
        seen: list[bytes] = []
        with Server(answering(OK, seen=seen)) as server:
            assert sent(notification(), url=url(server, ""), **values) == Delivered()
        return requests(seen)[0].headers.get("authorization")

    def test_is_said_as_the_settings_have_it(self) -> None:
        basic = f"Basic {b64encode('me:päss'.encode()).decode()}"
        assert self.header() is None
        assert self.header(username="me", password="päss") == basic
        assert self.header(token="t0ken") == "Bearer t0ken"
        assert self.header(headers={"authorization": "Custom x"}) == "Custom x"

    def test_of_the_address_too(self) -> None:
        seen: list[bytes] = []
        with Server(answering(OK, seen=seen)) as server:
            assert sent(notification(), url=f"http://me:pass@127.0.0.1:{server.port}") == Delivered()
        assert requests(seen)[0].headers["authorization"] == f"Basic {b64encode(b'me:pass').decode()}"

    def test_is_not_shown_though_it_is_repeated(self) -> None:
        with Server(answering(response(b"who is s3same-0pen?", "401 Unauthorized"))) as server:
            assert sent(notification(), url=url(server, ""), token="s3same-0pen") == TryAgain(
                "it answered 401 Unauthorized: who is ***?"
            )


class TestACluster:
    def test_is_told_all_of_it(self) -> None:
        with Server(answering(OK)) as one, Server(answering(OK)) as other:
            assert sent(notification(), urls=[url(one, ""), url(other, "")]) == Delivered()
            assert one.accepted == other.accepted == 1

    @pytest.mark.parametrize("how", [*SILENT, *BREAKING])
    def test_has_it_when_one_member_took_it_in_time(self, how: str) -> None:
        with Server((SILENT | BREAKING)[how]) as bad, Server(answering(OK)) as good, ends(WITHIN, bad, good):
            told = sent(notification(), context(), urls=[url(bad, ""), url(good, "")])
        assert told == Delivered()

    def test_that_is_away_is_tried_again(self) -> None:
        urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
        assert isinstance(sent(notification(), urls=urls), TryAgain)

    def test_is_tried_again_while_any_member_may_still_take_it(self) -> None:
        with Server(answering(response(b"", "400 Bad Request"))) as refusing:
            away = f"http://127.0.0.1:{free_port()}"
            assert isinstance(sent(notification(), urls=[url(refusing, ""), away]), TryAgain)
            assert isinstance(sent(notification(), urls=[url(refusing, "")]), Refused)


class TestWhatItAnswers:
    @pytest.mark.parametrize("form", ["seconds", "a date", "a word"])
    def test_429_says_when(self, form: str) -> None:
        said, seconds = retry_afters()[form]
        with Server(answering(unavailable("429 Too Many Requests", Retry_After=said))) as server:
            found = sent(notification(), url=url(server, ""))
        assert isinstance(found, TryAgain)
        assert found.after == (None if seconds is None else pytest.approx(seconds, abs=60))

    @pytest.mark.parametrize("how", [*SILENT, *BREAKING])
    def test_none_is_waited_for_longer_than_it_may_take(self, how: str) -> None:
        with Server((SILENT | BREAKING)[how]) as server, ends(WITHIN, server):
            assert isinstance(sent(notification(), context(), url=url(server, "")), TryAgain)

    def test_a_part_that_was_not_taken_is_not_delivered(self) -> None:
        events = [event(gate=f"pre.g{number}") for number in range(AT_ONCE + 1)]
        with Server(answering(OK, unavailable())) as server:
            assert isinstance(sent(notification(*events), url=url(server, "")), TryAgain)


class TestSettings:
    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({}, 'give "url", or "urls"'),
            ({"url": "http://a", "urls": ["http://b"]}, 'give "url", or "urls"'),
            ({"url": "alertmanager:9093"}, "url: expected a URL"),
            ({"urls": ["http://a", "b"]}, "urls: number 2: expected a URL"),
            ({"url": "http://a", "username": "me"}, '"username" and "password" go together'),
            ({"url": "http://a", "password": "x"}, '"username" and "password" go together'),
            ({"url": "http://a", "username": "me", "password": "x", "token": "y"}, "give one of the two"),
            (
                {"url": "http://a", "token": "y\nz"},
                "token: the value of Authorization must be printable ASCII on one line",
            ),
            (
                {"url": "http://a", "token": "y", "headers": {"Authorization": "z"}},
                "set by the channel itself",
            ),
            ({"url": "http://a", "resolve_after": "1m"}, "expected 5 min to 366 d"),
            ({"url": "http://a", "resolve_after": "400d"}, "expected 5 min to 366 d"),
            ({"url": "http://a", "labels": {"a-b": "1"}}, "can't be used"),
            ({"url": "http://a", "labels": {"severity": "1"}}, "can't be used"),
        ],
    )
    def test_mistakes_are_said(self, values: dict[str, Any], said: str) -> None:
        (problem,) = problems_of(**values)
        assert said in problem

    def test_it_resends_everything_of_any_severity(self) -> None:
        assert CHANNEL.resends
        assert CHANNEL.min_severity == "low"


# A real one.

NUMBER = count()
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
)


class Told:
    """A running Alertmanager, and what it told its receiver."""

    def __init__(self, server: Real, seen: list[bytes]) -> None:
        self.server, self.seen = server, seen

    def send(self, *events: AlertEvent, **values: Any) -> Outcome:
        return sent(notification(*events, **values), url=self.server.url)

    def heard(self, **labels: str) -> list[str]:
        """What its receiver was told of alerts with these labels: `firing high`, `resolved high`, in order."""
        alerts = (
            alert for request in requests(list(self.seen)) for alert in json.loads(request.body)["alerts"]
        )
        wanted = labels.items()
        return [f"{a['status']} {a['labels']['severity']}" for a in alerts if wanted <= a["labels"].items()]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    seen: list[bytes] = []
    with (
        Server(answering(OK, seen=seen)) as receiver,
        alertmanager(tmp_path_factory.mktemp("am"), url(receiver)) as server,
    ):
        yield Told(server, seen)


@pytest.fixture
def subject() -> str:
    """A subject that no other test tells the same server of."""
    return f"subject-{next(NUMBER)}"


@pytest.mark.real
class TestARealOne:
    def test_has_the_alert_and_tells_of_it(self, real: Told, subject: str) -> None:
        assert real.send(event(subject=subject)) == Delivered()
        (alert,) = real.server.alerts(subject=subject)
        assert alert["status"]["state"] in ("active", "unprocessed")
        assert alert["labels"]["gate"] == "pre.components"
        assert alert["annotations"]["value"] == "2.31 s"
        assert seconds_from_now(alert["endsAt"]) > HOUR, "its resolve_timeout of 5 minutes does not count"
        until(lambda: real.heard(subject=subject) == ["firing high"], "its receiver hears of it")

    def test_hears_of_the_same_alert_once_however_often_it_is_told(self, real: Told, subject: str) -> None:
        for run in ("run-1", "run-2", "run-3"):
            assert real.send(event(subject=subject, run=run)) == Delivered()
        assert len(real.server.alerts(subject=subject)) == 1
        until(lambda: real.heard(subject=subject), "its receiver hears of it")
        assert set(real.heard(subject=subject)) == {"firing high"}

    def test_resolves_it(self, real: Told, subject: str) -> None:
        assert real.send(event(subject=subject)) == Delivered()
        until(lambda: real.heard(subject=subject), "its receiver hears of it")
        assert real.send(event("resolved", subject=subject)) == Delivered()
        assert real.server.alerts(subject=subject) == []
        until(lambda: "resolved high" in real.heard(subject=subject), "its receiver hears that it is over")

    def test_has_one_alert_when_the_severity_changes(self, real: Told, subject: str) -> None:
        assert real.send(event(subject=subject, severity="medium")) == Delivered()
        until(lambda: real.heard(subject=subject), "its receiver hears of it")
        assert (
            real.send(event("escalated", subject=subject, severity="critical", before="medium"))
            == Delivered()
        )
        (alert,) = real.server.alerts(subject=subject)
        assert alert["labels"]["severity"] == "critical"
        until(lambda: "firing critical" in real.heard(subject=subject), "its receiver hears that it is worse")
        until(lambda: "resolved medium" in real.heard(subject=subject), "and no longer what it was")

    def test_fires_again_after_it_was_resolved(self, real: Told, subject: str) -> None:
        for told in (event(subject=subject), event("resolved", subject=subject)):
            assert real.send(told) == Delivered()
        assert real.server.alerts(subject=subject) == []
        assert real.send(event(subject=subject, since=ago(1))) == Delivered()
        assert len(real.server.alerts(subject=subject)) == 1

    def test_groups_by_its_own_rules(self, real: Told, subject: str) -> None:
        events = [
            event(gate=gate, finding=f, subject=subject) for gate in ("pre.a", "pre.b") for f in ("x", "y")
        ]
        assert real.send(*events) == Delivered()

        def found() -> dict[str, list[str]]:
            groups = [group for group in real.server.groups() if group["labels"].get("subject") == subject]
            return {
                g["labels"]["alertname"]: sorted(a["labels"]["finding"] for a in g["alerts"]) for g in groups
            }

        until(lambda: found() == {"pre.a": ["x", "y"], "pre.b": ["x", "y"]}, "two groups of two alerts")

    def test_silences_what_its_silences_match(self, real: Told, subject: str) -> None:
        silence = real.server.silence(subject=subject, gate="pre.quiet")
        assert (
            real.send(event(gate="pre.quiet", subject=subject), event(gate="pre.loud", subject=subject))
            == Delivered()
        )
        until(
            lambda: real.heard(subject=subject, gate="pre.loud"), "its receiver hears of what is not silenced"
        )

        def quiet() -> bool:
            (alert,) = real.server.alerts(subject=subject, gate="pre.quiet")
            return bool(
                alert["status"]["state"] == "suppressed" and alert["status"]["silencedBy"] == [silence]
            )

        until(quiet, "it is suppressed")
        assert real.heard(subject=subject, gate="pre.quiet") == []

    def test_takes_a_thousand_at_once(self, real: Told, subject: str) -> None:
        events = [event(finding=f"f{number}", subject=subject) for number in range(1_000)]
        assert real.send(*events) == Delivered()
        assert len(real.server.alerts(subject=subject)) == 1_000

    @settings(
        max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
    @given(data=st.data())
    def test_takes_whatever_an_alert_says(self, real: Told, data: st.DataObject) -> None:
        text = st.text(max_size=40)
        told = event(
            data.draw(st.sampled_from(["firing", "escalated", "resolved"])),
            data.draw(st.none() | st.sampled_from(SEVERITIES)),
            gate=data.draw(st.text(min_size=1, max_size=40)),
            finding=data.draw(text),
            subject=data.draw(text),
            rule=data.draw(text),
            severity=data.draw(st.sampled_from(SEVERITIES)),
            status=data.draw(st.sampled_from(STATUSES)),
            labels=data.draw(st.dictionaries(text, text, max_size=3)),
            annotations=data.draw(st.dictionaries(text, text, max_size=3)),
            since=data.draw(text | st.datetimes().map(lambda time: f"{time.isoformat()}Z")),
            ended=data.draw(st.none() | text | st.datetimes().map(lambda time: f"{time.isoformat()}Z")),
            value=data.draw(VALUES),
            limit=data.draw(VALUES),
            summary=data.draw(text),
            link=data.draw(
                text | st.builds("http://{}".format, text) | st.builds("https://h.example/{}".format, text)
            ),
        )
        assert real.send(told) == Delivered()


class TestWhatTheStagesPlan:
    """Each evaluation's notification, sent as it is."""

    RECIPIENT = Recipient(name="am", resends=True)

    def severities(self, world: World) -> list[tuple[str, str, str | None]]:
        return [
            (e.kind, e.alert.severity, e.before)
            for n, _ in world.evaluate(60).notifications
            for e in n.events
        ]

    def test_says_what_the_channel_knew_once(self) -> None:
        world = World(self.RECIPIENT)
        world.fires("pre.a", "medium")
        assert self.severities(world) == [("firing", "medium", None)]
        world.fires("pre.a", "critical")
        assert self.severities(world) == [("firing", "critical", "medium")]
        world.fires("pre.a", "critical")
        assert self.severities(world) == [("firing", "critical", None)]

    def test_says_it_of_what_got_worse_unheard_and_ended(self) -> None:
        world = World(self.RECIPIENT)
        name = world.fires("pre.a", "high")
        self.severities(world)
        world.silence(600)
        world.fires("pre.a", "critical")
        assert self.severities(world) == []
        world.ends(name)
        world.now += 600
        assert self.severities(world) == [("resolved", "critical", "high")]

    @pytest.mark.real
    def test_leaves_in_a_real_one_what_fires_and_nothing_else(self, real: Told, subject: str) -> None:
        world = World(self.RECIPIENT)
        world.now = time.time() - 3_600

        def firing() -> set[tuple[str, str]]:
            for told, _ in world.evaluate(60).notifications:
                assert sent(told, url=real.server.url) == Delivered()
            return {
                (a["labels"]["gate"], a["labels"]["severity"]) for a in real.server.alerts(subject=subject)
            }

        a = world.fires("pre.a", "medium", subject=subject)
        b = world.fires("pre.b", "high", subject=subject)
        assert firing() == {("pre.a", "medium"), ("pre.b", "high")}
        world.fires("pre.a", "critical", subject=subject)
        world.ends(b)
        assert firing() == {("pre.a", "critical")}
        world.fires("pre.a", "low", subject=subject)
        assert firing() == {("pre.a", "low")}
        world.silence(120, gate="pre.a")
        world.fires("pre.a", "high", subject=subject)
        assert firing() == {("pre.a", "low")}, "nothing is told during a silence"
        world.ends(a)
        world.now += 120
        assert firing() == set()


@pytest.mark.real
def test_a_real_one_behind_a_prefix_is_reached(tmp_path: Path) -> None:
    hook = f"http://127.0.0.1:{free_port()}/"
    with alertmanager(tmp_path, hook, prefix="/am") as server:
        assert sent(notification(), url=f"{server.url}/") == Delivered()
        assert len(server.alerts()) == 1
