"""The channel `webhook`: what arrives can be verified, is the same in every attempt, and shows no secret."""

import base64
import json
import secrets
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from badservers import (
    BREAKING,
    SILENT,
    WITHIN,
    Seen,
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
from msgspec.structs import replace
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from gatekeeper import Secret
from gatekeeper.channels import Delivered, Notification, Outcome, Refused, TryAgain
from gatekeeper.channels.envelope import cloudevent
from gatekeeper.plain import strict_json
from gatekeeper.settings.convert import Problem, convert
from gatekeeper_channels.webhook import CHANNEL, WebhookSettings
from loopback import Server, answering, ends, response


def new_secret(length: int = 32) -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(length)).decode()}"


def sent(server: Server, told: Notification | None = None, **settings: Any) -> Outcome:
    problems: list[Problem] = []
    made = convert(WebhookSettings, {"url": url(server), **settings}, problems)
    assert made is not None, problems
    return CHANNEL.open(made, context()).send(told or notification())


def received(told: Notification | None = None, **settings: Any) -> Seen:
    """What one that accepts it gets."""
    seen: list[bytes] = []
    with Server(answering(response(b"", "204 No Content"), seen=seen)) as server, ends(WITHIN, server):
        assert sent(server, told, **settings) == Delivered()
    (request,) = requests(seen)
    return request


def problems_of(**settings: Any) -> list[str]:
    found: list[Problem] = []
    made = convert(WebhookSettings, {"url": "https://h.example/", **settings}, found)
    assert made is None
    return [f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in found]


class TestWhatArrives:
    def test_is_a_post_of_one_cloudevent(self) -> None:
        told = notification()
        request = received(told)
        assert (request.method, request.target) == ("POST", "/hook")
        assert request.headers["content-type"] == "application/cloudevents+json"
        assert request.json == json.loads(strict_json(cloudevent(told)))
        assert request.json["type"] == "dev.gatekeeper.alert.firing"
        assert request.json["id"] == request.headers["webhook-id"] == told.id

    @pytest.mark.parametrize("kind", ["firing", "escalated", "resolved"])
    def test_says_by_its_type_what_happened(self, kind: Any) -> None:
        assert received(notification(event(kind))).json["type"] == f"dev.gatekeeper.alert.{kind}"

    def test_has_the_headers_of_the_settings(self) -> None:
        request = received(headers={"Authorization": "Bearer abc", "x-team": "orders", "User-Agent": "ours"})
        assert request.headers["authorization"] == "Bearer abc"
        assert request.headers["x-team"] == "orders"
        assert request.headers["user-agent"] == "ours"
        names = [name.lower() for name, _ in request.pairs]
        assert len(names) == len(set(names))

    def test_unsigned_has_an_id_and_no_signature(self) -> None:
        request = received()
        assert "webhook-id" in request.headers
        assert "webhook-signature" not in request.headers


class TestBinaryMode:
    def test_has_attributes_as_headers_and_the_data_as_body(self) -> None:
        told = notification(subject="bestellung ☃ 100 %")
        request, expected = received(told, mode="binary"), cloudevent(told)
        found = {
            name.removeprefix("ce-"): unquote(value)
            for name, value in request.headers.items()
            if name.startswith("ce-")
        }
        texts = {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in expected.items()
        }
        assert request.headers["content-type"] == texts.pop("datacontenttype")
        assert request.body == strict_json(expected["data"])
        texts.pop("data")
        assert found == texts

    def test_is_signed_over_its_body(self) -> None:
        secret = new_secret()
        request = received(mode="binary", secret=secret)
        Verifier(secret).verify(request.body, request.headers)


class TestSignature:
    def test_is_verified_by_the_reference_library(self) -> None:
        secret = new_secret()
        request = received(secret=secret)
        assert Verifier(secret).verify(request.body, request.headers) == request.json

    @pytest.mark.parametrize("length", [24, 25, 26, 64])
    def test_with_a_key_of_any_allowed_length_with_and_without_padding(self, length: int) -> None:
        secret = new_secret(length)
        for written in (secret, secret.rstrip("="), secret.removeprefix("whsec_")):
            request = received(secret=written)
            Verifier(secret).verify(request.body, request.headers)

    def test_during_a_rotation_is_accepted_by_who_knows_either_key(self) -> None:
        new, old = new_secret(), new_secret()
        request = received(secrets=[new, old])
        assert len(request.headers["webhook-signature"].split(" ")) == 2
        for secret in (new, old):
            Verifier(secret).verify(request.body, request.headers)
        with pytest.raises(WebhookVerificationError):
            Verifier(new_secret()).verify(request.body, request.headers)

    def test_is_none_of_what_was_tampered_with(self) -> None:
        secret = new_secret()
        request, verifier = received(secret=secret), Verifier(secret)
        other = request.headers["webhook-timestamp"]
        changes: list[tuple[bytes, dict[str, str]]] = [
            (request.body.replace(b"high", b"low "), {}),
            (request.body + b" ", {}),
            (request.body, {"webhook-id": "another"}),
            (request.body, {"webhook-timestamp": str(int(other) - 1)}),
            (request.body, {"webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()}),
        ]
        for body, headers in changes:
            with pytest.raises(WebhookVerificationError):
                verifier.verify(body, request.headers | headers)

    @given(st.text(max_size=300), st.binary(min_size=24, max_size=64))
    def test_of_any_content(self, text: str, key: bytes) -> None:
        secret = base64.b64encode(key).decode()
        channel = CHANNEL.open(
            WebhookSettings(url=Secret("http://h.example"), secret=Secret(secret)), context()
        )
        body = text.encode("utf-8", "replace")
        Verifier(secret).verify(body, channel._signed("5e" * 16, body), json_parse=False)


class TestEveryAttempt:
    def test_has_the_same_id_and_body_and_a_timestamp_and_signature_of_its_own(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now, secret, seen = datetime.now(UTC).timestamp(), new_secret(), list[bytes]()
        told = notification()
        for late in (-200, -100, 0):
            monkeypatch.setattr("gatekeeper_channels.webhook.time.time", lambda late=late: now + late)
            with Server(answering(unavailable(), seen=seen)) as server:
                assert isinstance(sent(server, told, secret=secret), TryAgain)
        first, second, third = requests(seen)
        assert {request.body for request in (first, second, third)} == {first.body}
        assert {request.headers["webhook-id"] for request in (first, second, third)} == {told.id}
        assert len({request.headers["webhook-timestamp"] for request in (first, second, third)}) == 3
        for request in (first, second, third):
            Verifier(secret).verify(request.body, request.headers)

    def test_after_the_record_was_read_again_is_the_same(self) -> None:
        import msgspec

        told = notification(event(), event("resolved", gate="pre.storage"), more=3)
        again = msgspec.json.decode(strict_json(told), type=Notification)
        assert received(told).body == received(again).body

    def test_another_notification_is_another(self) -> None:
        first, second = notification(), replace(notification(), id="6f" * 16)
        assert received(first).headers["webhook-id"] != received(second).headers["webhook-id"]


class TestWhatTheReceiverDoes:
    @pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content"])
    def test_2xx_is_delivered(self, status: str) -> None:
        with Server(answering(response(b"", status))) as server:
            assert sent(server) == Delivered()

    def test_500_is_tried_again(self) -> None:
        with Server(answering(response(b"boom", "500 Internal Server Error"))) as server:
            assert sent(server) == TryAgain("it answered 500 Internal Server Error: boom")

    @pytest.mark.parametrize("form", ["seconds", "a date", "a word", "negative"])
    def test_429_says_when(self, form: str) -> None:
        said, seconds = retry_afters()[form]
        with Server(answering(unavailable("429 Too Many Requests", Retry_After=said))) as server:
            found = sent(server)
        assert isinstance(found, TryAgain)
        assert found.after == (None if seconds is None else pytest.approx(seconds, abs=60))

    def test_a_redirect_is_not_followed(self) -> None:
        with Server(answering(response())) as target:
            with Server(answering(response(b"", "307 Temporary Redirect", Location=url(target)))) as server:
                assert isinstance(sent(server), TryAgain)
            assert not target.accepted

    def test_410_disables(self) -> None:
        with Server(answering(response(b"", "410 Gone"))) as server:
            assert sent(server) == Refused("it answered 410 Gone", disable=True)

    @pytest.mark.parametrize("how", SILENT)
    def test_one_that_hangs_or_trickles_is_given_up_in_time(self, how: str) -> None:
        with Server(SILENT[how]) as server, ends(WITHIN, server):
            assert isinstance(sent(server), TryAgain)

    @pytest.mark.parametrize("how", BREAKING)
    def test_one_that_breaks_off_is_tried_again(self, how: str) -> None:
        with Server(BREAKING[how]) as server, ends(WITHIN, server):
            assert isinstance(sent(server), TryAgain)

    def test_one_that_repeats_our_secrets_learns_nothing_and_shows_nothing(self) -> None:
        token = "t0ken-" + "y" * 20
        with Server(answering(response(f"unknown Bearer {token}".encode(), "401 Unauthorized"))) as server:
            found = sent(server, headers={"Authorization": f"Bearer {token}"})
        assert found == TryAgain("it answered 401 Unauthorized: unknown ***")


class TestSettings:
    def test_are_strict_and_say_what_was_expected(self) -> None:
        assert problems_of(mode="batched")
        assert problems_of(adress="x")
        assert problems_of(url="hooks.example/x") == [
            'url: expected a URL such as "https://host/path"; what it holds is none'
        ]

    @pytest.mark.parametrize(
        "secret",
        [
            "",
            "whsec_",
            "sesame-open",
            "whsec_c2VzYW1l",
            "QUJD" * 7 + "QUI",
            "QUJD" * 21 + "QUJD",
            "QUJD" * 10 + "\n",
            "whsk_" + "QUJD" * 10,
            "QUJD" * 8 + "QUJDé",
        ],
    )
    def test_a_key_that_is_none_is_refused_and_not_shown(self, secret: str) -> None:
        (problem,) = problems_of(secret=secret)
        assert problem.startswith("secret: expected whsec_ and 24 to 64 bytes in base64")
        assert "openssl rand -base64 32" in problem
        assert "sesame" not in problem
        assert "QUJD" not in problem

    def test_one_of_several_keys_that_is_none_is_named(self) -> None:
        (problem,) = problems_of(secrets=[new_secret(), "short"])
        assert problem.startswith("secrets: number 2: expected whsec_")

    def test_one_key_and_several_do_not_go_together(self) -> None:
        assert problems_of(secret=new_secret(), secrets=[new_secret()]) == [
            'secrets: takes the place of "secret"; give one of the two'
        ]

    @pytest.mark.parametrize(
        "name", ["webhook-signature", "Webhook-Id", "CE-Id", "Content-Type", "content-length"]
    )
    def test_its_own_headers_can_not_be_set(self, name: str) -> None:
        (problem,) = problems_of(headers={name: "x"})
        assert problem.startswith("headers: ")
        assert "set by the channel itself" in problem

    def test_secrets_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        secret = new_secret()
        monkeypatch.setenv("HOOK_KEY", secret)
        request = received(secret="env:HOOK_KEY")
        Verifier(secret).verify(request.body, request.headers)

    def test_a_secret_that_is_not_there_is_all_that_is_wrong(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_HOOK", raising=False)
        found: list[Problem] = []
        convert(
            WebhookSettings,
            {"url": "env:NO_HOOK", "secret": "env:NO_HOOK", "headers": {"X": "env:NO_HOOK"}},
            found,
        )
        assert len(found) == 3
        assert all(problem.secret for problem in found)

    def test_a_channel_shows_no_secret(self) -> None:
        secret = new_secret()
        settings = WebhookSettings(
            url=Secret("https://h.example/t0ken"), secret=Secret(secret), headers={"X": Secret("s3same")}
        )
        assert not any(hidden in repr(settings) for hidden in ("t0ken", "s3same", secret))

    def test_by_default_it_is_told_of_high_and_up(self) -> None:
        assert CHANNEL.min_severity == "high"
