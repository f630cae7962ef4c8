"""Alerts as CloudEvents 1.0: valid for any text, small enough to be passed on, the same in every attempt."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from referencing import Registry, Resource

from gatekeeper.channels import Alert, AlertEvent, Notification
from gatekeeper.channels.envelope import cloudevent, event_cloudevent, http_binary, http_structured
from gatekeeper.model import SEVERITIES, STATUSES
from gatekeeper.plain import plain, strict_json

TESTS = Path(__file__).parents[1]
ENVELOPE = jsonschema_rs.validator_for(
    json.loads((TESTS / "reports" / "schemas" / "cloudevents-1.0.json").read_bytes()), validate_formats=True
)
SCHEMAS = {
    schema["$id"]: schema
    for name in ("report-1", "event-alert-1", "event-alerts-1")
    for schema in [json.loads((files("gatekeeper") / "schemas" / f"{name}.json").read_bytes())]
}
REGISTRY: Any = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)
DATA = {
    name: jsonschema.Draft202012Validator(
        schema, registry=REGISTRY, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    for name, schema in SCHEMAS.items()
}
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
LIMIT = 65_536

ALERT = Alert(
    fingerprint="0f" * 16,
    gate="pre.components",
    finding="warehouse",
    subject="checkout",
    labels={"team": "orders"},
    severity="high",
    since="2026-11-21T06:00:10Z",
    run="20261121-060010-8aa3a9cd",
    value=2.31,
    operator="<=",
    limit=2,
    unit="s",
    summary="answer time 2.31 s > 2 s",
    hint="systemctl status warehouse",
)
EVENT = AlertEvent(
    id="1c" * 16, kind="firing", time="2026-11-21T06:00:12Z", run="20261121-060010-8aa3a9cd", alert=ALERT
)
NOTIFICATION = Notification(
    id="5e" * 16,
    channel="ops",
    subject="checkout",
    created="2026-11-21T06:00:13Z",
    group={"gate": "pre.components"},
    events=(EVENT,),
    firing=1,
)


def the_event(kind: Any = "firing", time: str = EVENT.time, **alert: Any) -> AlertEvent:
    return replace(EVENT, kind=kind, time=time, alert=replace(ALERT, **alert))


def notified(*events: AlertEvent, **fields: Any) -> dict[str, Any]:
    return told(cloudevent(replace(NOTIFICATION, events=events, **fields)))


def told(event: dict[str, Any]) -> dict[str, Any]:
    """An event as its receiver reads it, which keeps to all schemas, and to what spec.md says beyond them."""
    body = strict_json(event)
    assert len(body) <= LIMIT
    read: dict[str, Any] = json.loads(body)
    ENVELOPE.validate(read)
    for name, value in read.items():
        assert re.fullmatch(r"[a-z0-9]{1,20}", name)
        if name != "data" and isinstance(value, str):
            assert value
            assert not FORBIDDEN.search(value)
            assert not any(ord(character) & 0xFFFE == 0xFFFE for character in value)
    DATA[read["dataschema"]].validate(read["data"])
    return read


# -- any text ----------------------------------------------------------------------------------------------------------

HOSTILE = '\x00\r\nX-Evil: 1\r\n\r\n \u202e%0d%0a "q" \ud800 \ufdd0 \U0001ffff ü 名'
TEXT = st.one_of(st.text(st.characters(exclude_categories=()), max_size=40), st.just(HOSTILE))
LONG = st.one_of(
    TEXT, st.tuples(TEXT.filter(bool), st.integers(1, 3_000)).map(lambda given: given[0] * given[1])
)
JSON_VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), LONG),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=8,
)
SECOND = st.integers(0, 59).map(lambda second: f"2026-11-21T06:00:{second:02}Z")
LABELS = st.dictionaries(TEXT, LONG, max_size=4)
SEVERITY = st.sampled_from(SEVERITIES)


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    return Alert(
        fingerprint=draw(st.integers(0, 2**128 - 1).map("{:032x}".format)),
        gate=draw(LONG),
        finding=draw(TEXT),
        subject=draw(TEXT),
        rule=draw(TEXT),
        labels=draw(LABELS),
        annotations=draw(LABELS),
        severity=draw(SEVERITY),
        state=draw(st.sampled_from(["firing", "resolved"])),
        status=draw(st.sampled_from(STATUSES)),
        since=draw(SECOND),
        ended=draw(st.one_of(st.none(), SECOND)),
        run=draw(st.uuids().map(str)),
        runs=draw(st.integers(0, 10**6)),
        value=draw(JSON_VALUE),
        operator=draw(st.one_of(st.none(), TEXT)),
        limit=draw(JSON_VALUE),
        unit=draw(st.one_of(st.none(), TEXT)),
        summary=draw(LONG),
        description=draw(LONG),
        hint=draw(LONG),
        link=draw(LONG),
    )


EVENTS = st.builds(
    AlertEvent,
    id=st.uuids().map(str),
    kind=st.sampled_from(["firing", "escalated", "resolved"]),
    time=SECOND,
    run=st.one_of(st.just(""), st.uuids().map(str)),
    before=st.one_of(st.none(), SEVERITY),
    alert=alerts(),
)
NOTIFICATIONS = st.builds(
    Notification,
    id=st.uuids().map(str),
    channel=TEXT,
    subject=TEXT,
    created=SECOND,
    group=LABELS,
    events=st.lists(EVENTS, min_size=1, max_size=4).map(tuple),
    more=st.integers(0, 10**6),
    firing=st.integers(0, 10**6),
    repeat=st.booleans(),
    test=st.booleans(),
)
ANY = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)


@ANY
@given(NOTIFICATIONS)
def test_any_notification_is_one_valid_event_that_lists_all_of_its_events(notification: Notification) -> None:
    found = told(cloudevent(notification))
    listed = [(each["id"], each["kind"], each["time"]) for each in found["data"]["alerts"]]
    assert listed == [(each.id, each.kind, each.time) for each in notification.events]
    assert [each["alert"]["fingerprint"] for each in found["data"]["alerts"]] == [
        each.alert.fingerprint for each in notification.events
    ]
    assert (found["id"], found["time"]) == (notification.id, notification.created)
    assert found["data"]["omitted"] == 0


@ANY
@given(EVENTS, TEXT)
def test_any_event_is_one_valid_event(event: AlertEvent, subject: str) -> None:
    found = told(event_cloudevent(event, subject))
    assert (found["id"], found["type"]) == (event.id, f"dev.gatekeeper.alert.{event.kind}")
    assert (found["severity"], found["fingerprint"]) == (event.alert.severity, event.alert.fingerprint)
    assert found["data"]["alert"]["severity"] == event.alert.severity


@ANY
@given(NOTIFICATIONS)
def test_any_headers_are_printable_ascii_and_say_what_the_structured_event_says(
    notification: Notification,
) -> None:
    event = cloudevent(notification)
    headers, body = http_binary(event)
    read = json.loads(http_structured(event)[1])
    assert json.loads(body) == read.pop("data")
    assert headers.pop("Content-Type") == read.pop("datacontenttype")
    for value in headers.values():
        assert re.fullmatch(r"(?:[!#$&-~]|%[0-9A-F]{2})+", value)
    decoded = {name.removeprefix("ce-"): unquote(value, errors="strict") for name, value in headers.items()}
    assert decoded == {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in read.items()
    }


@ANY
@given(NOTIFICATIONS)
def test_a_second_attempt_sends_the_same_bytes(notification: Notification) -> None:
    assert http_structured(cloudevent(notification)) == http_structured(cloudevent(notification))
    assert http_binary(cloudevent(notification)) == http_binary(cloudevent(notification))


# -- what it says ------------------------------------------------------------------------------------------------------


def test_a_notification_is_told_with_everything_its_alerts_say() -> None:
    found = notified(EVENT, more=3, firing=4)
    assert {name: value for name, value in found.items() if name != "data"} == {
        "specversion": "1.0",
        "type": "dev.gatekeeper.alert.firing",
        "source": "urn:gatekeeper:subject:checkout",
        "id": NOTIFICATION.id,
        "time": "2026-11-21T06:00:13Z",
        "subject": "pre.components",
        "severity": "high",
        "repeat": False,
        "test": False,
        "datacontenttype": "application/json",
        "dataschema": "urn:gatekeeper:schema:event-alerts:1",
    }
    assert found["data"] == {
        "group": {"gate": "pre.components"},
        "firing": 4,
        "more": 3,
        "omitted": 0,
        "repeat": False,
        "test": False,
        "alerts": json.loads(strict_json([EVENT])),
    }


def test_the_schemas_know_every_member_of_an_event() -> None:
    def members(schema: dict[str, Any]) -> set[str]:
        assert set(schema["required"]) == set(schema["properties"])
        return set(schema["required"])

    definitions = SCHEMAS["urn:gatekeeper:schema:event-alert:1"]["$defs"]
    assert members(definitions["event"]) == set(AlertEvent.__struct_fields__)
    assert members(definitions["alert"]) == set(Alert.__struct_fields__)
    assert members(SCHEMAS["urn:gatekeeper:schema:event-alerts:1"]) == set(notified(EVENT)["data"])


@pytest.mark.parametrize(
    ("events", "firing", "expected"),
    [
        ([the_event("firing")], 1, "firing"),
        ([the_event("resolved")], 0, "resolved"),
        ([the_event("resolved"), the_event("resolved")], 0, "resolved"),
        ([the_event("resolved")], 2, "firing"),
        ([the_event("resolved"), the_event("firing")], 1, "firing"),
        ([the_event("escalated")], 1, "escalated"),
        ([the_event("firing"), the_event("escalated", "2026-11-21T06:30:00Z")], 2, "escalated"),
        ([the_event("firing", "2026-11-21T06:30:00Z"), the_event("escalated")], 2, "firing"),
        ([the_event("escalated"), the_event("firing")], 2, "escalated"),
        ([the_event("escalated"), the_event("resolved", "2026-11-21T06:30:00Z")], 1, "firing"),
    ],
)
def test_it_is_resolved_only_if_all_is_over_and_escalated_if_that_is_the_newest_news(
    events: list[AlertEvent], firing: int, expected: str
) -> None:
    assert notified(*events, firing=firing)["type"] == f"dev.gatekeeper.alert.{expected}"


def test_what_fires_counts_also_where_it_is_not_listed_and_what_is_over_does_not() -> None:
    assert notified(the_event("resolved"), firing=1, more=1)["type"] == "dev.gatekeeper.alert.firing"
    assert notified(the_event("resolved"), firing=0, more=1)["type"] == "dev.gatekeeper.alert.resolved"


def test_its_severity_is_the_worst_of_what_is_not_over() -> None:
    over, open_ = the_event("resolved", severity="critical"), the_event(severity="medium")
    assert notified(over, open_)["severity"] == "medium"


def test_a_group_of_several_gates_is_about_what_they_have_in_common() -> None:
    group = {"team": "orders", "subject": "checkout"}
    found = notified(EVENT, the_event(gate="pre.disk"), group=group)
    assert found["subject"] == "subject=checkout,team=orders"
    assert "subject" not in notified(EVENT, the_event(gate="pre.disk"), group={})


def test_a_test_and_a_repeat_say_so_outside_of_the_data_too() -> None:
    found = notified(EVENT, repeat=True, test=True)
    assert (found["repeat"], found["test"]) == (True, True)
    assert (found["data"]["repeat"], found["data"]["test"]) == (True, True)


PAGE = (TESTS.parent / "docs" / "alert-events.md").read_text("utf-8")


def test_the_documentation_shows_what_is_told() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert json.loads(shown) == notified(EVENT)
    (request,) = re.findall(r"```http\nPOST /alerts HTTP/1.1\n(.*?)\n```", PAGE, re.DOTALL)
    headers, _ = http_binary(event_cloudevent(EVENT, "checkout"))
    assert request.split("\n") == [f"{name}: {value}" for name, value in headers.items()]


def test_the_documentation_names_every_member() -> None:
    members = {*AlertEvent.__struct_fields__, *Alert.__struct_fields__, *notified(EVENT)["data"]}
    assert members <= set(re.findall(r"`(\w+)`", PAGE))


# -- what is too large ---------------------------------------------------------------------------------------------------


def test_what_is_small_enough_is_not_cut() -> None:
    long = "名" * 2_500
    (alert,) = (each["alert"] for each in notified(the_event(description=long))["data"]["alerts"])
    assert alert["description"] == long


def test_long_texts_values_and_tables_are_cut_and_show_it() -> None:
    event = the_event(
        description="d" * 100_000,
        hint="\x01" * 100_000,
        value=["v" * 300] * 200,
        limit={str(n): "l" * 1_000 for n in range(200)},
        labels={f"label {n}": "名" * 8_000 for n in range(150)},
        annotations={f"annotation {n}": "名" * 8_000 for n in range(150)},
    )
    for found in (notified(event)["data"]["alerts"][0], told(event_cloudevent(event, "checkout"))["data"]):
        alert = found["alert"]
        assert alert["description"].startswith("ddd")
        assert alert["description"].endswith("…")
        assert alert["hint"].endswith("…")
        assert alert["value"].startswith('["vvv')
        assert alert["value"].endswith("…")
        for table in (alert["labels"], alert["annotations"]):
            assert table["…"] == f"{151 - len(table)} more"
        assert alert["limit"]["…"].endswith(" more")
        same = ("fingerprint", "gate", "severity", "state", "status", "since", "run", "runs", "summary")
        assert [alert[name] for name in same] == [getattr(event.alert, name) for name in same]


def test_a_large_group_does_not_take_the_room_of_its_alerts() -> None:
    group = {f"{n}" + "\x01" * 90_000: "\x01" * 90_000 for n in range(40)}
    data = notified(EVENT, group=group)["data"]
    assert (data["omitted"], len(data["alerts"])) == (0, 1)
    assert data["group"]["…"] == "35 more"


def test_values_that_json_has_no_word_for_are_texts() -> None:
    (found,) = notified(the_event(value=float("nan"), limit=[float("inf")]))["data"]["alerts"]
    assert (found["alert"]["value"], found["alert"]["limit"]) == ("NaN", ["Infinity"])


def test_of_a_storm_the_most_severe_events_are_listed_and_the_others_counted() -> None:
    storm = [
        replace(the_event(severity=SEVERITIES[n % 4], description="名" * 3_000), id=f"{n:032x}")
        for n in range(5_000)
    ]
    data = notified(*storm, firing=5_000)["data"]
    listed = data["alerts"]
    assert len(listed) > 20
    assert data["omitted"] == 5_000 - len(listed)
    assert {each["alert"]["severity"] for each in listed} == {"critical"}
    assert [each["id"] for each in listed] == sorted(each["id"] for each in listed)


def test_texts_are_cut_before_any_event_is_left_out() -> None:
    events = [the_event(description="名" * 3_000, gate=f"pre.g{n}") for n in range(50)]
    data = notified(*events)["data"]
    assert data["omitted"] == 0
    assert [each["alert"]["gate"] for each in data["alerts"]] == [each.alert.gate for each in events]


def test_a_long_name_makes_no_long_header() -> None:
    headers, _ = http_binary(event_cloudevent(the_event(gate="名" * 50_000), "checkout"))
    assert len(headers["ce-subject"]) <= 200 * 9


# -- over HTTP -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),  # the examples of section 3.1.3.2
        ('100 % "sure"', "100%20%25%20%22sure%22"),
        ("!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"),
        ("\x7f\xa0", "%7F%C2%A0"),
    ],
)
def test_headers_are_percent_encoded_as_the_binding_says(text: str, header: str) -> None:
    headers, _ = http_binary({"id": text, "data": None})
    assert headers["ce-id"] == header


def test_binary_and_structured_mode_differ_in_where_the_attributes_are() -> None:
    event = cloudevent(NOTIFICATION)
    headers, body = http_binary(event)
    assert headers["Content-Type"] == "application/json"
    assert headers["ce-type"] == "dev.gatekeeper.alert.firing"
    assert headers["ce-test"] == "false"
    assert "ce-datacontenttype" not in headers
    assert json.loads(body) == plain(event["data"])
    assert http_structured(event) == (
        {"Content-Type": "application/cloudevents+json"},
        strict_json(event),
    )


@contextmanager
def receiver() -> Iterator[tuple[int, list[tuple[Message, bytes]]]]:
    received: list[tuple[Message, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port, received
        finally:
            server.shutdown()
            thread.join()


def test_a_server_receives_hostile_names_as_they_were_and_no_header_of_their_making() -> None:
    event = cloudevent(
        replace(NOTIFICATION, subject=HOSTILE, events=(the_event(gate=HOSTILE, summary=HOSTILE),))
    )
    headers, body = http_binary(event)
    with receiver() as (port, received):
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/", body, headers)
        assert connection.getresponse().status == 204
        connection.close()
    ((found, sent),) = received
    assert "X-Evil" not in found
    attributes = {name[3:].lower(): unquote(value) for name, value in found.items() if name.startswith("ce-")}
    assert attributes["subject"] == event["subject"]
    assert attributes["source"] == event["source"]
    assert json.loads(sent) == plain(event["data"])
