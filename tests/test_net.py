"""`gatekeeper.net`: what is asked ends in time, whatever the other side does, and says clearly what went
wrong.
"""

import gzip
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates import Authority
from gatekeeper.net import ProbeError, connect, http, resolve, safe_url, tls
from loopback import (
    Handler,
    Server,
    answering,
    ends,
    flooding,
    free_port,
    hanging,
    request_of,
    resetting,
    response,
    trickling,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
WITHIN = 0.4


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def url(server: Server, path: str = "/", scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{server.port}{path}"


class TestDeadlineOfHttp:
    @pytest.mark.parametrize(
        ("handler", "at"),
        [
            (hanging(), "waiting for the headers"),
            (hanging(b"HT"), "waiting for the headers"),
            (hanging(HEAD + b"X-One: 1\r\n"), "waiting for the headers"),
            (hanging(HEAD + b"Content-Length: 5\r\n\r\n"), "body"),
            (hanging(HEAD + b"Content-Length: 5\r\n\r\nab"), "body"),
            (trickling(b"H", b"T"), "waiting for the headers"),
            (trickling(HEAD, b"X-Trickle: 1\r\n"), "waiting for the headers"),
            (trickling(HEAD + b"X-Long: ", b"x"), "waiting for the headers"),
            (trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "waiting for the headers"),
            (trickling(HEAD + b"Content-Length: 1000000\r\n\r\n", b"x"), "body"),
            (trickling(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), "body"),
            (trickling(HEAD + b"\r\n", b"x"), "body"),
        ],
        ids=[
            "hangs before the headers",
            "hangs in the status line",
            "hangs in the headers",
            "hangs after the headers",
            "hangs in the body",
            "trickles the status line",
            "trickles headers",
            "trickles one header",
            "continues for ever",
            "trickles a body of known length",
            "trickles chunks",
            "trickles a body that ends with the connection",
        ],
    )
    def test_it_holds(self, handler: Handler, at: str) -> None:
        with Server(handler) as server, ends(WITHIN, server):
            with pytest.raises(ProbeError) as caught:
                http(url(server), within=WITHIN)
            assert caught.value.kind == "timeout"
            assert "400 ms" in caught.value.message
            assert at in caught.value.message

    def test_it_holds_in_a_tls_handshake_that_never_comes(self) -> None:
        with Server(hanging()) as server, ends(WITHIN, server):
            with pytest.raises(ProbeError, match="TLS handshake") as caught:
                http(url(server, scheme="https"), within=WITHIN)
            assert caught.value.kind == "timeout"

    def test_it_holds_in_a_tls_handshake_that_trickles(self) -> None:
        record = b"\x16\x03\x03\x40\x00"  # announces a handshake record of 16 kB
        with Server(trickling(b"", record)) as server, ends(WITHIN, server), pytest.raises(ProbeError):
            http(url(server, scheme="https"), within=WITHIN)

    def test_it_holds_while_the_request_is_sent(self) -> None:
        with Server(hanging()) as server, ends(WITHIN, server):
            with pytest.raises(ProbeError) as caught:
                http(url(server), method="POST", body=b"x" * 50_000_000, within=WITHIN)
            assert caught.value.kind == "timeout"

    def test_it_is_shared_by_all_redirects(self) -> None:
        again = answering(response(b"", "302 Found", Location="/"), after=0.15)
        with Server(again) as server, ends(WITHIN, server):
            with pytest.raises(ProbeError) as caught:
                http(url(server), within=WITHIN, redirects=100)
            assert caught.value.kind == "timeout"

    def test_it_holds_over_tls_in_a_trickling_body(self, authority: Authority) -> None:
        handler = trickling(HEAD + b"Content-Length: 1000\r\n\r\n")
        with Server(handler, tls=authority.server("127.0.0.1")) as server, ends(WITHIN, server):
            with pytest.raises(ProbeError) as caught:
                http(url(server, scheme="https"), within=WITHIN, ca_file=authority.file)
            assert caught.value.kind == "timeout"


class TestHttp:
    def test_answers_are_told_whatever_their_status(self) -> None:
        down = answering(response(b'{"db":"down"}', "503 Service Unavailable", X_A="1"))
        with Server(down) as server, ends(1, server):
            answer = http(url(server), within=2)
        assert (answer.status, answer.reason) == (503, "Service Unavailable")
        assert answer.text == '{"db":"down"}'
        assert answer.headers["x-a"] == "1"
        assert answer.address == "127.0.0.1"
        assert 0 < answer.elapsed_s < 1

    def test_a_body_without_end_is_cut(self) -> None:
        with Server(flooding(HEAD + b"\r\n")) as server, ends(2, server):
            answer = http(url(server), within=2, max_bytes=10_000)
        assert answer.truncated
        assert len(answer.body) == 10_000

    def test_a_body_of_exactly_the_limit_is_whole(self) -> None:
        with Server(answering(response(b"x" * 100))) as server:
            answer = http(url(server), max_bytes=100)
        assert not answer.truncated
        assert len(answer.body) == 100

    def test_a_bomb_unpacks_no_further_than_what_is_kept(self) -> None:
        bomb = gzip.compress(b"\0" * 50_000_000)
        with Server(answering(response(bomb, Content_Encoding="gzip"))) as server:
            answer = http(url(server), max_bytes=1000)
        assert answer.truncated
        assert len(answer.body) == 1000

    def test_repeated_headers_are_joined(self) -> None:
        with Server(answering(HEAD + b"A: 1\r\na: 2\r\nContent-Length: 0\r\n\r\n")) as server:
            assert http(url(server)).headers["a"] == "1, 2"

    def test_the_request_is_sent_as_asked(self) -> None:
        seen: list[bytes] = []
        with Server(answering(response(), seen=seen)) as server:
            target = f"http://us%20er:p%40ss@127.0.0.1:{server.port}/a b?q=ü"
            http(target, method="POST", headers={"X-Key": "k", "user-agent": "me"}, body="hällo")
        text = seen[0].decode()
        assert text.startswith("POST /a%20b?q=%C3%BC HTTP/1.1\r\n")
        assert "\r\nAuthorization: Basic dXMgZXI6cEBzcw==\r\n" in text
        assert "\r\nX-Key: k\r\n" in text
        assert text.lower().count("user-agent") == 1
        assert text.endswith("hällo")

    def test_ipv6_works(self) -> None:
        seen: list[bytes] = []
        try:
            server = Server(answering(response(), seen=seen), family=socket.AF_INET6)
        except OSError:
            pytest.skip("no IPv6 on this host")
        with server:
            answer = http(f"http://[::1]:{server.port}/")
        assert answer.address == "::1"
        assert f"Host: [::1]:{server.port}".encode() in seen[0]

    def test_a_proxy_of_the_environment_is_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        with Server(answering(response())) as server:
            assert http(url(server)).status == 200

    @pytest.mark.parametrize(
        ("handler", "kind", "words"),
        [
            (resetting(), "reset", "broke the connection off"),
            (resetting(HEAD + b"Content-Length: 9\r\n\r\nabc"), "reset", "broke the connection off"),
            (answering(b""), "reset", "without an answer"),
            (answering(b"SSH-2.0-OpenSSH_9\r\n"), "protocol", "does not answer in HTTP"),
            (answering(b"\0" * 100_000), "protocol", "does not answer in HTTP"),
            (answering(HEAD + b"A: 1\r\n" * 1000 + b"\r\n"), "protocol", "does not answer in HTTP"),
            (answering(HEAD + b"Content-Length: 9\r\n\r\nabc"), "protocol", "incomplete body"),
            (
                answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
                "protocol",
                "broken or incomplete",
            ),
            (answering(response(b"no gzip", Content_Encoding="gzip")), "protocol", "HTTP"),
        ],
    )
    def test_broken_answers_are_told_apart(self, handler: Handler, kind: str, words: str) -> None:
        with Server(handler) as server, ends(2, server):
            with pytest.raises(ProbeError) as caught:
                http(url(server), within=2)
            assert caught.value.kind == kind
            assert words in caught.value.message

    @pytest.mark.parametrize(
        "wrong",
        [
            "",
            "host",
            "ftp://h/",
            "http://",
            "http://h:99999/",
            "http://[::1",
            "file:///etc/passwd",
            "http://h:x/",
        ],
    )
    def test_a_url_that_cannot_be_asked_is_a_value_error(self, wrong: str) -> None:
        with pytest.raises(ValueError, match="URL"):
            http(wrong)

    def test_a_header_that_would_smuggle_another_is_a_value_error(self) -> None:
        with (
            Server(answering(response())) as server,
            ends(2, server),
            pytest.raises(ValueError, match="header"),
        ):
            http(url(server), headers={"X": "a\r\nY: b"})

    def test_an_impossible_host_name_is_a_dns_error(self) -> None:
        with pytest.raises(ProbeError) as caught:
            http(f"http://{'a' * 70}.invalid/", within=2)
        assert caught.value.kind == "dns"


class TestRedirects:
    def test_they_are_not_followed_unless_asked(self) -> None:
        with Server(answering(response(b"", "302 Found", Location="/next"))) as server:
            assert http(url(server)).status == 302
            assert server.accepted == 1

    def test_they_are_followed_as_often_as_asked(self) -> None:
        hop = response(b"", "302 Found", Location="/next")
        with Server(answering(hop, hop, response(b"there"))) as server:
            answer = http(url(server), redirects=2)
        assert answer.text == "there"
        assert answer.url.endswith("/next")

    def test_more_of_them_are_an_error(self) -> None:
        with Server(answering(response(b"", "302 Found", Location="/"))) as server, ends(5, server):
            with pytest.raises(ProbeError, match="more than 3 times"):
                http(url(server), redirects=3)
            assert server.accepted == 4

    def test_headers_and_passwords_stay_with_their_origin(self) -> None:
        seen: list[bytes] = []
        with Server(answering(response(), seen=seen)) as other:
            away = response(b"", "307 Temporary Redirect", Location=url(other))
            with Server(answering(away)) as server:
                target = f"http://u:p@127.0.0.1:{server.port}/"
                http(target, headers={"X-Api-Key": "secret"}, redirects=1)
        assert b"secret" not in seen[0]
        assert b"Authorization" not in seen[0]

    def test_a_redirect_to_a_file_is_an_error(self) -> None:
        away = answering(response(b"", "302 Found", Location="file:///etc/passwd"))
        with Server(away) as server, pytest.raises(ProbeError) as caught:
            http(url(server), redirects=1)
        assert caught.value.kind == "protocol"

    @pytest.mark.parametrize(
        ("status", "method"), [("303 See Other", b"GET"), ("307 T", b"POST"), ("302 F", b"GET")]
    )
    def test_the_method_after_a_post(self, status: str, method: bytes) -> None:
        seen: list[bytes] = []
        with Server(answering(response(b"", status, Location="/n"), response(), seen=seen)) as server:
            http(url(server), method="POST", body=b"data", redirects=1)
        assert seen[1].startswith(method)
        assert seen[1].endswith(b"data") == (method == b"POST")


class TestProxy:
    def test_a_plain_request_goes_through_it(self) -> None:
        seen: list[bytes] = []
        with Server(answering(response(b"via"), seen=seen)) as proxy:
            answer = http("http://never.invalid/p?q=1", proxy=f"http://u:p@127.0.0.1:{proxy.port}")
        assert answer.text == "via"
        assert seen[0].startswith(b"GET http://never.invalid/p?q=1 HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic dTpw" in seen[0]

    def test_tls_goes_through_a_tunnel(self, authority: Authority) -> None:
        inner = authority.server("never.invalid")

        def handle(sock: socket.socket, stop: threading.Event) -> None:
            assert request_of(sock).startswith(b"CONNECT never.invalid:443 HTTP/1.1\r\n")
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with inner.wrap_socket(sock, server_side=True) as secure:
                answering(response(b"deep"))(secure, stop)

        with Server(handle) as proxy, ends(2, proxy):
            answer = http(
                "https://never.invalid/", proxy=f"http://127.0.0.1:{proxy.port}", ca_file=authority.file
            )
        assert answer.text == "deep"

    @pytest.mark.parametrize("handler", [hanging(), trickling(b"H")], ids=["hangs", "trickles"])
    def test_the_deadline_holds_there_too(self, handler: Handler) -> None:
        with Server(handler) as proxy, ends(WITHIN, proxy):
            with pytest.raises(ProbeError) as caught:
                http("https://never.invalid/", proxy=f"http://127.0.0.1:{proxy.port}", within=WITHIN)
            assert caught.value.kind == "timeout"

    def test_a_refusal_is_told(self) -> None:
        refusal = answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        with Server(refusal) as proxy, pytest.raises(ProbeError, match="407"):
            http("https://never.invalid/", proxy=f"http://127.0.0.1:{proxy.port}", within=2)


class TestConnect:
    def test_it_says_which_address_answered(self) -> None:
        with Server(hanging()) as server, ends(1, server):
            found = connect("localhost", server.port, within=2)
        assert found.address in ("127.0.0.1", "::1")
        assert 0 < found.connect_s < 1

    def test_a_family_can_be_asked_for(self) -> None:
        with Server(hanging()) as server:
            assert connect("localhost", server.port, within=2, family="v4").address == "127.0.0.1"
            with pytest.raises(ProbeError):
                connect("127.0.0.1", server.port, within=2, family="v6")

    def test_a_closed_port_is_refused(self) -> None:
        with pytest.raises(ProbeError, match="nothing listens there") as caught:
            connect("127.0.0.1", free_port(), within=2)
        assert caught.value.kind == "refused"

    def test_a_full_backlog_ends_in_time(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            address = listener.getsockname()
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            with ends(WITHIN), pytest.raises(ProbeError, match="400 ms") as caught:
                connect("127.0.0.1", address[1], within=WITHIN)
            for filler in fillers:
                filler.close()
        assert caught.value.kind == "timeout"

    def test_a_dead_address_leaves_time_for_the_next(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Server(hanging()) as server, socket.socket() as dead:
            dead.bind(("127.0.0.1", 0))
            dead.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(dead.getsockname())
            found = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
                for address in (dead.getsockname(), ("127.0.0.1", server.port))
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found)
            with ends(1.0, server):
                assert connect("two.invalid", server.port, within=1.0).connect_s >= 0.4
            for filler in fillers:
                filler.close()


class TestResolve:
    def test_a_name_and_its_addresses(self) -> None:
        assert set(resolve("localhost", within=2)) & {"127.0.0.1", "::1"}

    def test_an_address_is_itself(self) -> None:
        assert resolve("127.0.0.1", within=2) == ("127.0.0.1",)

    @pytest.mark.parametrize("name", ["a..b", "x" * 70, "nul\0l"])
    def test_an_impossible_name_is_an_error_not_a_crash(self, name: str) -> None:
        with pytest.raises(ProbeError) as caught:
            resolve(name, within=2)
        assert caught.value.kind == "dns"

    def test_a_resolver_that_hangs_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        over = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: over.wait(30) and [])
        started = time.monotonic()
        with pytest.raises(ProbeError, match=r"resolving slow\.invalid") as caught:
            resolve("slow.invalid", within=WITHIN)
        assert caught.value.kind == "timeout"
        assert time.monotonic() - started < WITHIN + 1
        over.set()


class TestTls:
    def test_a_good_certificate(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.server("localhost", "127.0.0.1")) as server, ends(2, server):
            info = tls("localhost", server.port, within=2, ca_file=authority.file)
        assert info.verified
        assert info.error == ""
        assert info.version == "TLSv1.3"
        assert info.days_left == pytest.approx(90, abs=0.1)
        assert info.subject_alt_names == ("localhost", "127.0.0.1")
        assert "trustme" in info.issuer
        assert info.not_after is not None
        assert info.not_after.endswith("Z")

    def test_an_expired_one_says_so_and_since_when(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.server("localhost", days=-3)) as server, ends(2, server):
            info = tls("localhost", server.port, within=2, ca_file=authority.file)
        assert not info.verified
        assert info.error == "certificate has expired"
        assert info.days_left == pytest.approx(-3, abs=0.1)

    def test_one_of_another_host_says_so_and_names_its_own(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.server("elsewhere.test")) as server, ends(2, server):
            info = tls("localhost", server.port, within=2, ca_file=authority.file)
        assert not info.verified
        assert "not valid for 'localhost'" in info.error
        assert info.subject_alt_names == ("elsewhere.test",)
        assert info.days_left == pytest.approx(90, abs=0.1)

    def test_a_self_signed_one_says_so(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.self_signed("localhost")) as server, ends(2, server):
            info = tls("localhost", server.port, within=2)
        assert not info.verified
        assert "self-signed" in info.error
        assert info.days_left == pytest.approx(20, abs=0.1)

    def test_one_of_an_unknown_authority_says_so(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.server("localhost")) as server:
            info = tls("localhost", server.port, within=2)
        assert not info.verified
        assert "issuer" in info.error or "self-signed" in info.error
        assert info.days_left is not None

    def test_another_name_can_be_asked_for(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.server("inner.test")) as server:
            info = tls("127.0.0.1", server.port, within=2, server_name="inner.test", ca_file=authority.file)
        assert info.verified

    def test_what_speaks_no_tls_is_told(self) -> None:
        with Server(lambda sock, stop: sock.sendall(b"220 mail.test ESMTP\r\n")) as server, ends(2, server):
            with pytest.raises(ProbeError, match="does not speak TLS") as caught:
                tls("127.0.0.1", server.port, within=0.5)
            assert caught.value.kind == "tls"

    @pytest.mark.parametrize(
        "handler", [hanging(), trickling(b"", b"\x16\x03\x03\x40\x00")], ids=["hangs", "trickles"]
    )
    def test_a_handshake_without_end_ends(self, handler: Handler) -> None:
        with Server(handler) as server, ends(WITHIN, server), pytest.raises(ProbeError):
            tls("127.0.0.1", server.port, within=WITHIN)

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_a_wrong_ca_file_is_named(self, tmp_path: Path, content: str | None) -> None:
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_text(content)
        with pytest.raises(ProbeError, match=r"ca\.pem"):
            tls("127.0.0.1", free_port(), within=1, ca_file=file)

    def test_http_refuses_what_does_not_verify_unless_told(self, authority: Authority) -> None:
        with Server(answering(response()), tls=authority.self_signed("127.0.0.1")) as server:
            with pytest.raises(ProbeError, match="not accepted: self-signed") as caught:
                http(url(server, scheme="https"), within=2)
            assert caught.value.kind == "tls"
            assert http(url(server, scheme="https"), within=2, verify=False).status == 200


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="@"), min_size=4), st.text())
def test_a_password_is_never_in_a_shown_url(user: str, password: str, rest: str) -> None:
    user = user.replace(":", "").replace("/", "").replace("@", "")
    password = password.replace("/", "")
    host = "host/" + rest
    shown = safe_url(f"https://{user}:{password}@{host}")
    assert shown == f"https://{user}:***@{host}"


def test_importing_it_loads_no_http_client() -> None:
    heavy = ["urllib3", "http.client", "asyncio", "concurrent.futures"]
    code = f"import sys, gatekeeper.net; print(*(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
