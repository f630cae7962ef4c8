"""`gatekeeper.channels.http`: any answer means something, none takes longer than it may, none shows a secret."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from badservers import (
    BREAKING,
    ENDLESS,
    SILENT,
    WITHIN,
    context,
    date,
    endless,
    requests,
    retry_afters,
    unavailable,
    url,
)
from hypothesis import given
from hypothesis import strategies as st

from certificates import Authority
from gatekeeper import Secret, printable
from gatekeeper.channels import Delivered, Outcome, Refused, TryAgain
from gatekeeper.channels.http import check_headers, check_url, outcome, post, retry_after
from gatekeeper.net import Deadline, HttpResponse
from loopback import Server, answering, ends, free_port, response


def sent(server: Server, path: str = "/hook", **options: Any) -> Outcome:
    given: dict[str, Any] = {"headers": {}, "context": context()} | options
    answer = post(url(server, path), b"{}", **given)
    return outcome(answer) if isinstance(answer, HttpResponse) else answer


def answered(
    status: int, body: bytes = b"", reason: str = "", at: str = "http://h.example/", **headers: str
) -> HttpResponse:
    return HttpResponse(
        status=status,
        reason=reason,
        headers=headers,
        body=body,
        truncated=False,
        elapsed_s=0.0,
        url=at,
        address="192.0.2.1",
    )


class TestWhatAnAnswerMeans:
    @given(st.integers(200, 299))
    def test_2xx_is_delivered(self, status: int) -> None:
        assert outcome(answered(status)) == Delivered()

    @given(st.integers(100, 999).filter(lambda status: not 200 <= status < 300), st.text(), st.binary())
    def test_nothing_else_is_delivered(self, status: int, reason: str, body: bytes) -> None:
        assert not isinstance(outcome(answered(status, body, reason)), Delivered)

    @pytest.mark.parametrize("status", [400, 413, 415, 422])
    def test_what_is_about_the_content_is_refused(self, status: int) -> None:
        assert outcome(answered(status, b"no")) == Refused(f"it answered {status}: no")

    def test_410_disables_the_channel(self) -> None:
        assert outcome(answered(410, reason="Gone")) == Refused("it answered 410 Gone", disable=True)

    @pytest.mark.parametrize(
        "status", [401, 402, 403, 404, 405, 408, 409, 418, 421, 425, 429, 451, 500, 501, 502, 503, 504, 599]
    )
    def test_what_can_be_mended_is_tried_again(self, status: int) -> None:
        assert outcome(answered(status)) == TryAgain(f"it answered {status}")

    def test_413_with_a_time_is_tried_again(self) -> None:
        assert outcome(answered(413, **{"retry-after": "5"})) == TryAgain("it answered 413", 5.0)

    @pytest.mark.parametrize("status", [300, 304, 305])
    def test_3xx_that_leads_nowhere_is_tried_again(self, status: int) -> None:
        assert outcome(answered(status)) == TryAgain(f"it answered {status}")


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_they_are_not_followed(self, status: int) -> None:
        with Server(answering(response(b"ok"))) as target:
            away = answering(response(b"", f"{status} Moved", Location=url(target, "/token-of-theirs")))
            with Server(away) as server, ends(WITHIN, server, target):
                found = sent(server)
            assert not target.accepted
        assert isinstance(found, TryAgain)
        assert f"it has moved to http://127.0.0.1:{target.port}; redirects are not followed" in found.why
        assert "token" not in found.why

    def test_to_the_same_host_is_said(self) -> None:
        found = outcome(answered(302, at="https://h.example/a/b", location="/login"))
        assert isinstance(found, TryAgain)
        assert "moved to another path of https://h.example;" in found.why

    @given(st.text())
    def test_to_anything_is_said_in_one_safe_line(self, location: str) -> None:
        found = outcome(answered(301, location=location))
        assert isinstance(found, TryAgain)
        assert found.why.isprintable()
        assert len(found.why) < 500


class TestRetryAfter:
    @pytest.mark.parametrize("form", retry_afters())
    @pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
    def test_every_form(self, form: str, status: str) -> None:
        said, seconds = retry_afters()[form]
        if not said.isascii():
            found = outcome(answered(503, **{"retry-after": said}))
        else:
            with Server(answering(unavailable(status, Retry_After=said))) as server, ends(WITHIN, server):
                found = sent(server)
        assert isinstance(found, TryAgain)
        if seconds is None:
            assert found.after is None
        else:
            assert found.after == pytest.approx(seconds, abs=60)

    def test_a_date_is_held_against_the_servers_own_clock(self) -> None:
        headers = {"retry-after": date(7_200 + 30), "date": date(7_200)}
        assert retry_after(headers) == pytest.approx(30, abs=1)

    def test_a_servers_date_that_is_none_is_passed_over(self) -> None:
        assert retry_after({"retry-after": date(300), "date": "today"}) == pytest.approx(300, abs=60)

    @given(
        st.text()
        | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d [A-Z+-]\w*\Z")
    )
    def test_any_text_is_a_time_within_a_day_or_none(self, said: str) -> None:
        seconds = retry_after({"retry-after": said})
        assert seconds is None or 0 <= seconds <= 86_400


class TestDeadline:
    @pytest.mark.parametrize("how", SILENT)
    def test_it_holds_whatever_the_receiver_does(self, how: str) -> None:
        with Server(SILENT[how]) as server, ends(WITHIN, server):
            found = sent(server)
        assert isinstance(found, TryAgain)
        assert "timed out" in found.why

    def test_several_requests_share_one(self) -> None:
        deadline = Deadline(WITHIN)
        with (
            Server(answering(response(b"ok"), b"")) as server,
            Server(SILENT["hangs before the headers"]) as hung,
        ):
            with ends(WITHIN, server, hung):
                assert sent(server, context=context(within=60), deadline=deadline) == Delivered()
                assert isinstance(sent(hung, context=context(within=60), deadline=deadline), TryAgain)
            assert isinstance(sent(server, context=context(within=60), deadline=deadline), TryAgain)
            assert server.accepted == 1

    @pytest.mark.parametrize("how", BREAKING)
    def test_what_breaks_off_is_tried_again(self, how: str) -> None:
        with Server(BREAKING[how]) as server, ends(WITHIN, server):
            assert isinstance(sent(server), TryAgain)

    def test_where_nothing_listens_it_is_tried_again(self) -> None:
        found = post(f"http://127.0.0.1:{free_port()}/", b"", headers={}, context=context())
        assert isinstance(found, TryAgain)
        assert "nothing listens there" in found.why

    @pytest.mark.parametrize("how", ENDLESS)
    def test_a_body_without_end_is_read_to_64_kb(self, how: str) -> None:
        with Server(endless("200 OK", how)) as server, ends(5, server):
            answer = post(url(server), b"", headers={}, context=context(within=5))
        assert isinstance(answer, HttpResponse)
        assert len(answer.body) == 65_536
        assert outcome(answer) == Delivered()


class TestTls:
    def test_trusts_the_authorities_of_a_file_beside_the_project(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        with Server(answering(response()), tls=authority.server("127.0.0.1")) as server:
            options: dict[str, Any] = {"headers": {}, "context": context(tmp_path, within=10)}
            place = f"https://127.0.0.1:{server.port}/"
            assert isinstance(post(place, b"", **options, ca_file=authority.file.name), HttpResponse)
            assert isinstance(post(place, b"", **options, ca_file=str(authority.file)), HttpResponse)
            unknown, missing = post(place, b"", **options), post(place, b"", **options, ca_file="none.pem")
        assert isinstance(unknown, TryAgain)
        assert "certificate" in unknown.why
        assert isinstance(missing, TryAgain)
        assert "none.pem can't be read" in missing.why


class TestWhereItMayGo:
    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "0.0.0.0"],
    )
    def test_private_addresses_only_where_the_channel_allows_them(self, host: str) -> None:
        with Server(answering(response())) as server:
            found = post(
                f"http://{host}:{server.port}/", b"", headers={}, context=context(allow_private=False)
            )
            assert not server.accepted
        assert isinstance(found, TryAgain)

    def test_no_proxy_of_the_environment_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        with Server(answering(response())) as server:
            assert sent(server) == Delivered()

    def test_no_credentials_of_the_users_netrc_are_sent(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
        (tmp_path / ".netrc").chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        seen: list[bytes] = []
        with Server(answering(response(), seen=seen)) as server:
            assert sent(server) == Delivered()
        assert "authorization" not in requests(seen)[0].headers


class TestNoSecretIsShown:
    TOKEN = "T0K3N-" + "x" * 20

    @pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "500 Oops"])
    def test_of_the_address_though_the_receiver_repeats_it(self, status: str) -> None:
        path = f"/services/T1/{self.TOKEN}?key={self.TOKEN[::-1]}"
        with Server(answering(response(f"no such hook: {path}".encode(), status))) as server:
            found = sent(server, path)
        assert isinstance(found, TryAgain | Refused)
        assert "no such hook: /services/T1/***?key=***" in found.why

    def test_of_a_header_though_the_receiver_repeats_it(self) -> None:
        answer = answered(401, f"bad token {self.TOKEN}".encode(), f"Unknown {self.TOKEN}")
        assert outcome(answer, hidden=[f"Bearer {self.TOKEN}"]) == TryAgain(
            "it answered 401 Unknown ***: bad token ***"
        )

    def test_that_is_cut_in_two_where_the_text_ends(self) -> None:
        answer = answered(400, b"x" * 190 + self.TOKEN.encode(), "x" * 50 + self.TOKEN)
        assert "T0K" not in str(outcome(answer, hidden=[self.TOKEN]))

    @pytest.mark.parametrize(
        ("url", "headers"),
        [
            ("http://h.example/", {"Authorization": "secret-1\r\nHost: evil"}),
            ("http://h.example/", {"Authorization": "schlüssel-☃"}),
            ("no url secret-1", {}),
            ("http://[secret-1/", {}),
            ("http://h.example:secret-1/", {}),
        ],
    )
    def test_that_can_not_be_sent(self, url: str, headers: dict[str, str]) -> None:
        found = post(url, b"", headers=headers, context=context(within=0.2, allow_private=False))
        assert isinstance(found, TryAgain)
        assert "secret" not in found.why
        assert "☃" not in found.why

    @given(st.binary(), st.text(), st.integers(300, 599))
    def test_any_answer_is_shown_in_one_short_safe_line(self, body: bytes, reason: str, status: int) -> None:
        found = outcome(answered(status, body, reason))
        assert isinstance(found, TryAgain | Refused)
        assert found.why == printable(found.why)
        assert len(found.why) < 400


class TestSettings:
    @pytest.mark.parametrize(
        "good", ["https://h.example", "http://[::1]:8080/x?y=z", "https://user:pass@h.example/ü"]
    )
    def test_an_address(self, good: str) -> None:
        check_url(good)

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "h.example",
            "ftp://h.example",
            "https://",
            "https:///x",
            "https://h:99999",
            "https://h:0",
            "https://[h",
            "https://h ost/",
            "https://h/\n",
            "https://h/ x",
        ],
    )
    def test_what_is_no_address(self, bad: str) -> None:
        with pytest.raises(
            ValueError, match=r'^url: expected a URL such as "https://host/path"; what it holds is none$'
        ):
            check_url(Secret(bad))

    def test_an_address_that_is_not_there_on_this_machine(self) -> None:
        missing = Secret("")
        missing.reference = "env:HOOK"
        check_url(missing)

    @pytest.mark.parametrize(
        ("headers", "said"),
        [
            ({"X Y": "1"}, "'X Y' is no name of a header"),
            ({"": "1"}, "'' is no name of a header"),
            ({"X\r\nY": "1"}, r"'X\\\\r\\\\nY' is no name of a header"),
            ({"Content-length": "1"}, "Content-length is set by the channel itself"),
            ({"Webhook-Id": "1"}, "Webhook-Id is set by the channel itself"),
            ({"X": "sesame\n"}, "the value of X must be printable ASCII on one line"),
            ({"X": "sesamü"}, "the value of X must be printable ASCII on one line"),
        ],
    )
    def test_headers_that_http_does_not_allow(self, headers: dict[str, str], said: str) -> None:
        with pytest.raises(ValueError, match=said) as caught:
            check_headers(headers, own=["webhook-id"])
        assert "sesam" not in str(caught.value)

    def test_headers_that_it_allows(self) -> None:
        check_headers({"Authorization": "Bearer abc", "X-Tab": "a\tb", "X-Empty": ""})


def test_a_channel_that_is_not_used_loads_no_client() -> None:
    modules = "gatekeeper.channels.http, gatekeeper_channels.webhook, gatekeeper_channels.slack, gatekeeper_channels.alertmanager"
    heavy = "ssl socket hmac hashlib email urllib3 http.client concurrent.futures"
    program = f"import sys, {modules}; print(*[name for name in {heavy!r}.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
