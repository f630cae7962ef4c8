"""The channel `notify`: apprise told what it needs to know, its log kept quiet, no secret shown, nobody told twice."""

import builtins
import io
import json
import logging
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from badservers import BREAKING, SILENT, context, event, notification, requests
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import Secret
from gatekeeper.channels import Delivered, Notification, Outcome, TryAgain
from gatekeeper.settings.convert import Problem, convert
from gatekeeper_channels import notify
from gatekeeper_channels.notify import (
    CHANNEL,
    MISSING,
    NotifySettings,
    group_key,
    kind_of,
    parts_of,
    unmentioning,
)
from loopback import Server, answering, free_port, response

apprise = pytest.importorskip("apprise", reason="the extra `notify` is not installed")

# what apprise imports on Python 3.11 and 3.12
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

WITHIN = 5.0
OK = answering(response(b"ok"))


def url(server: Server, path: str = "hook") -> str:
    return f"json://127.0.0.1:{server.port}/{path}"


def sent(root: Path, *urls: str, told: Notification | None = None, within: float = WITHIN) -> Outcome:
    problems: list[Problem] = []
    made = convert(NotifySettings, {"urls": list(urls)}, problems)
    assert made is not None, problems
    return CHANNEL.open(made, context(root, within=within)).send(told or notification())


# what is told


def test_a_service_gets_title_text_and_kind(tmp_path):
    seen: list[bytes] = []
    with Server(answering(response(b"ok"), seen=seen)) as server:
        assert sent(tmp_path, url(server)) == Delivered()
    (request,) = requests(seen)
    assert request.json["title"] == "FIRING high: pre.components warehouse of checkout"
    assert "answer time 2.31 s > 2 s" in request.json["message"]
    assert request.json["type"] == "failure"


KINDS = {
    "low": "info",
    "medium": "warning",
    "high": "failure",
    "critical": "failure",
}


@pytest.mark.parametrize("severity", KINDS)
def test_each_severity_has_its_kind(severity):
    assert kind_of(notification(event(severity=severity))) == KINDS[severity]


def test_what_is_over_is_a_success_and_what_is_over_in_part_is_not():
    assert kind_of(notification(event("resolved"))) == "success"
    assert kind_of(notification(event("resolved"), firing=2)) == "failure"


def test_all_urls_are_told(tmp_path):
    with Server(OK) as one, Server(OK) as other:
        assert sent(tmp_path, url(one), url(other)) == Delivered()
    assert (one.accepted, other.accepted) == (1, 1)


def test_who_has_it_is_not_told_again_for_the_sake_of_others(tmp_path):
    failing = answering(response(b"no", "500 Internal Server Error"), response(b"ok"))
    told = notification()
    with Server(OK) as well, Server(failing) as ill:
        settings = NotifySettings(urls=(Secret(url(well)), Secret(url(ill))))
        channel = CHANNEL.open(settings, context(tmp_path, within=WITHIN))
        first = channel.send(told)
        assert isinstance(first, TryAgain)
        assert first.why.startswith("URL 2 (json): ")
        assert channel.send(told) == Delivered()
    assert (well.accepted, ill.accepted) == (1, 2)


# incidents


def keyed(schema: str, told: Notification, options: str = "") -> dict[str, str]:
    made = notify._with(f"{schema}://user@key{options}", notify._keys(f"{schema}://x"), told)
    return {name: value for name, (value,) in parse_qs(urlsplit(made).query).items()}


@pytest.mark.parametrize(
    ("schema", "key"),
    [
        ("pagerduty", "dedup"), ("opsgenie", "alias"), ("jira", "alias"), ("splunk", "entity_id"), ("victorops", "entity_id"),
        ("goalerts", "dedup"), ("ilert", "dedup"), ("incidentio", "dedup"), ("squadcast", "dedup"), ("signl4", "dedup"),
        ("firehydrant", "dedup"), ("pagertree", "dedup"),
    ],
)  # fmt: skip
def test_services_with_incidents_are_given_the_groups_key_and_may_close_it(schema, key):
    told = notification()
    assert keyed(schema, told) == {key: group_key(told), "action": "map"}


@pytest.mark.parametrize("schema", ["json", "discord", "slack", "mailto", "workflows", "tgram", "nosuch"])
def test_other_services_are_left_as_they_are(schema):
    assert keyed(schema, notification()) == {}


def test_a_key_or_an_action_of_ones_own_is_kept():
    told = notification()
    assert keyed("pagerduty", told, "?dedup=mine&action=trigger") == {"dedup": "mine", "action": "trigger"}
    assert keyed("pagerduty", told, "?region=eu")["dedup"] == group_key(told)


def test_a_key_is_of_the_group_and_the_channel_and_nothing_else():
    one = notification(event(), id="1" * 32, group={"gate": "a", "subject": "b"})
    assert group_key(one) == group_key(
        notification(event("resolved"), id="2" * 32, group={"subject": "b", "gate": "a"})
    )
    others = [
        notification(group={"gate": "x", "subject": "b"}),
        notification(group={"gate": "a", "subject": "b"}, channel="other"),
        notification(group={"gate": "a", "subject": "b"}, subject="other"),
    ]
    assert len({group_key(each) for each in (one, *others)}) == 4


def test_services_with_incidents_open_one_for_what_is_low_too():
    assert kind_of(notification(event(severity="low")), incident=True) == "warning"


@pytest.fixture
def pagerduty(monkeypatch: pytest.MonkeyPatch) -> Any:
    """PagerDuty's address leads to a server on loopback."""
    from apprise.plugins import pagerduty as plugin

    seen: list[bytes] = []
    with Server(answering(response(b'{"status":"success"}', "202 Accepted"), seen=seen)) as server:
        monkeypatch.setitem(plugin.PAGERDUTY_API_LOOKUP, "us", f"http://127.0.0.1:{server.port}/v2/enqueue")
        yield seen


def test_pagerduty_gets_one_incident_for_a_group_and_its_end(tmp_path, pagerduty):
    address = "pagerduty://integrationkey0123456789abcdef01@apikey0123456789"
    assert sent(tmp_path, address, told=notification(event())) == Delivered()
    assert (
        sent(tmp_path, address, told=notification(event("escalated", severity="critical"), id="1" * 32))
        == Delivered()
    )
    assert sent(tmp_path, address, told=notification(event("resolved"), id="2" * 32)) == Delivered()
    bodies = [request.json for request in requests(pagerduty)]
    assert [body["event_action"] for body in bodies] == ["trigger", "trigger", "resolve"]
    assert len({body["dedup_key"] for body in bodies}) == 1
    assert bodies[0]["payload"]["severity"] == "critical"


def test_opsgenie_closes_in_a_later_run_what_it_opened(tmp_path, monkeypatch):
    from apprise.plugins import opsgenie as plugin

    seen: list[bytes] = []
    created = json.dumps({"result": "ok", "requestId": "43a29c5c-3dbf-4fa4-9c26-f4f71023e120"}).encode()
    with Server(answering(response(created, "202 Accepted"), seen=seen)) as server:
        monkeypatch.setitem(plugin.OPSGENIE_API_LOOKUP, "us", f"http://127.0.0.1:{server.port}/v2/alerts")
        address = "opsgenie://apikey0123456789"
        assert sent(tmp_path, address, told=notification(event())) == Delivered()
        assert sent(tmp_path, address, told=notification(event("resolved"), id="2" * 32)) == Delivered()
    opened, closed = requests(seen)
    assert opened.json["alias"] == group_key(notification())
    assert closed.target.split("?")[0] == "/v2/alerts/43a29c5c-3dbf-4fa4-9c26-f4f71023e120/close"


# what goes wrong


@pytest.mark.parametrize(
    "status", ["400 Bad Request", "403 Forbidden", "410 Gone", "500 Internal Server Error"]
)
def test_what_is_not_accepted_is_tried_again_with_apprises_words(tmp_path, status):
    with Server(answering(response(b"no", status))) as server:
        outcome = sent(tmp_path, url(server))
    assert isinstance(outcome, TryAgain)
    assert f"error={status[:3]}" in outcome.why


def test_a_redirect_is_not_followed(tmp_path):
    with Server(OK) as other:
        moved = response(b"", "307 Temporary Redirect", Location=f"http://127.0.0.1:{other.port}/")
        with Server(answering(moved)) as server:
            assert isinstance(sent(tmp_path, url(server)), TryAgain)
    assert other.accepted == 0


@pytest.mark.parametrize("how", BREAKING)
def test_a_connection_that_breaks_is_tried_again(tmp_path, how):
    with Server(BREAKING[how]) as server:
        outcome = sent(tmp_path, url(server), within=1)
    assert isinstance(outcome, TryAgain)


@pytest.mark.parametrize("how", ["hangs before the headers", "hangs in the headers"])
def test_a_service_that_hangs_is_given_up(tmp_path, how):
    with Server(SILENT[how]) as server:
        outcome = sent(tmp_path, url(server), within=0.3)
    assert isinstance(outcome, TryAgain)


def test_without_apprise_it_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def importing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "apprise":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", importing)
    assert sent(tmp_path, "json://localhost") == TryAgain(MISSING)
    assert "gatekeeper-gates[notify]" in MISSING


@pytest.mark.parametrize(
    "address",
    [
        "nosuch://s3cret-token/path",
        "pagerduty://s3cret-token",
        "discord://s3cret-token",
        "tgram://s3cret-token",
    ],
)
def test_a_url_that_apprise_can_not_use_is_explained_without_it(tmp_path, address):
    outcome = sent(tmp_path, address)
    assert isinstance(outcome, TryAgain)
    assert "s3cret" not in outcome.why
    assert outcome.why.startswith(f"URL 1 ({address.split(':')[0]}): ")


# secrets

SECRET = "json://ci:pa%24%24w0rd-1234@127.0.0.1:{port}/T0000token/B1111token?+X-Token=headertoken1"


@pytest.mark.parametrize("answer", ["500 Internal Server Error", None])
@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING])
def test_nothing_of_a_url_is_logged_printed_or_told(tmp_path, capfd, answer, level):
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(level)
    try:
        if answer is None:
            outcome = sent(tmp_path, SECRET.format(port=free_port()))
        else:
            with Server(answering(response(b"T0000token headertoken1", answer))) as server:
                outcome = sent(tmp_path, SECRET.format(port=server.port))
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
    assert isinstance(outcome, TryAgain)
    shown = outcome.why + logged.getvalue() + "".join(capfd.readouterr())
    for secret in ("pa%24%24w0rd-1234", "pa$$w0rd-1234", "T0000token", "B1111token", "headertoken1"):
        assert secret not in shown


def test_other_threads_go_on_logging(tmp_path):
    logger = logging.getLogger("urllib3")
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logger.addHandler(handler)
    try:
        with notify._listening([]):
            thread = threading.Thread(target=logger.warning, args=("from elsewhere",))
            thread.start()
            thread.join()
            logger.warning("from here")
        logger.warning("afterwards")
    finally:
        logger.removeHandler(handler)
    assert logged.getvalue().split("\n") == ["from elsewhere", "afterwards", ""]
    assert not logger.filters


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="/?&=@:,%"), min_size=4, max_size=30))
def test_every_part_of_a_url_that_is_long_enough_is_hidden(part):
    for template in ("x://{}", "x://u@{}/a", "x://a/{}/b", "x://a/?k={}", "x://{}:b@c", "x://a/?+X={}&b=c"):
        hidden = parts_of(template.format(part))
        text = f"cannot send to {part}!"
        for each in hidden:
            text = text.replace(each, "***")
        assert part not in text or part in "cannot send to ***!"


@pytest.mark.parametrize("text", ["@everyone", "@here", "<!channel>", "<@U1234>", "<#C1>", "@Channel"])
def test_text_of_gates_calls_nobody(text):
    made = unmentioning(f"a {text} b")
    assert text not in made
    assert made.replace("\u200b", "") == f"a {text} b"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"urls": []}, "expected one URL or more"),
    ({"urls": ["discord"]}, "number 1 is no URL of apprise"),
    ({"urls": ["json://x", "s3cret"]}, "number 2 is no URL of apprise"),
    ({"urls": "json://x"}, ""),
]


@pytest.mark.parametrize(("values", "reason"), WRONG)
def test_settings_that_can_not_work_are_refused_without_showing_them(values, reason):
    problems: list[Problem] = []
    convert(NotifySettings, values, problems)
    assert problems
    assert reason in problems[0].message
    assert "s3cret" not in problems[0].message
