"""The channel `email`: mails as mail programs read them, never without TLS by accident, every answer understood."""

import base64
import email
import email.policy
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from badservers import context, event, notification
from hypothesis import given
from hypothesis import strategies as st

from certificates import Authority
from gatekeeper.channels import ChannelContext, Delivered, Notification, Outcome, Refused, TryAgain
from gatekeeper.channels.wording import headline
from gatekeeper.settings.convert import Problem, convert
from gatekeeper_channels.email import CHANNEL, EmailSettings, Mailbox
from gatekeeper_channels.email.message import html, message
from loopback import Server, ends

PASSWORD = "pässword of 2 wörds"
WITHIN = 5.0


class Postbox:
    """What a server accepted, and what it says to whom."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.refuses: dict[str, str] = {}
        """Answer to a recipient, or to the step `MAIL`, `DATA`."""
        self.logins: list[tuple[str, str]] = []

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "MAIL" in self.refuses:
            return self.refuses["MAIL"]
        envelope.mail_from, envelope.mail_options = address, options
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" in self.refuses:
            return self.refuses["DATA"]
        self.mails.append(envelope)
        return "250 OK"

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=self.logins[-1] == ("ci", PASSWORD), handled=False)


def only_mail(box: Postbox) -> EmailMessage:
    (envelope,) = box.mails
    return read(envelope.content)


def read(content: Any) -> EmailMessage:
    found = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert isinstance(found, EmailMessage)
    return found


class _Controller(Controller):
    """Listens on a port that the system chooses."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def smtp(box: Postbox, **options: Any) -> Iterator[int]:
    server = _Controller(box, hostname="127.0.0.1", port=0, **options)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def settings(port: int, **values: Any) -> EmailSettings:
    problems: list[Problem] = []
    given = {
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "from": "gate@example.org",
        "to": ["ops@example.org"],
    }
    made = convert(EmailSettings, given | values, problems)
    assert made is not None, problems
    return made


def sent(
    port: int,
    told: Notification | None = None,
    *,
    within: float = WITHIN,
    open_with: ChannelContext | None = None,
    **values: Any,
) -> Outcome:
    opened = CHANNEL.open(settings(port, **values), open_with or context(within=within))
    return opened.send(told or notification())


def secured(authority: Authority) -> dict[str, Any]:
    return {"tls": "starttls", "ca_file": str(authority.file)}


# what arrives


def test_a_mail_has_text_and_html_and_says_that_a_program_wrote_it(authority):
    box = Postbox()
    with smtp(box, tls_context=authority.server("127.0.0.1"), require_starttls=True) as port:
        assert isinstance(sent(port, **secured(authority)), Delivered)
    mail = only_mail(box)
    assert mail["Subject"] == "[gatekeeper] FIRING high: pre.components warehouse of checkout"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"
    text, page = (part.get_content() for part in mail.iter_parts())
    assert "answer time 2.31 s > 2 s" in text
    assert "systemctl status warehouse" in text
    assert '<a href="https://ci.example/run/2"' in page


def test_all_recipients_get_the_same_mail_in_one_session():
    box = Postbox()
    with smtp(box) as port:
        sent(port, to=["a@example.org", "Night Shift <b@example.org>", "a@example.org"])
    (envelope,) = box.mails
    assert envelope.rcpt_tos == ["a@example.org", "b@example.org"]
    assert "Night Shift <b@example.org>" in only_mail(box)["To"]


def test_each_attempt_sends_the_same_bytes():
    box, told = Postbox(), notification()
    with smtp(box) as port:
        sent(port, told)
        sent(port, told)
    first, second = box.mails
    assert first.content == second.content


def test_what_follows_in_a_group_answers_to_its_first_mail():
    box = Postbox()
    with smtp(box) as port:
        first = sent(port, notification(id="1" * 32))
        assert isinstance(first, Delivered)
        second = sent(port, notification(id="2" * 32, thread=first.ref))
    mails = [read(envelope.content) for envelope in box.mails]
    assert second == first
    assert mails[1]["In-Reply-To"] == mails[1]["References"] == mails[0]["Message-ID"] == first.ref
    assert mails[0]["In-Reply-To"] is None


@pytest.mark.parametrize(
    "thread", ["C0OPS/1700.1", "<a@b>\r\nBcc: x@example.org", "<a b@c>", "", "<" + "a" * 600 + "@b>"]
)
def test_a_thread_that_is_no_message_id_is_left_out(thread):
    mail = message(notification(thread=thread), Mailbox("", "gate", "example.org"), [], "")
    assert mail["References"] is None
    assert mail["Bcc"] is None


def test_names_and_domains_that_are_not_ascii_arrive_as_they_are_written():
    box = Postbox()
    with smtp(box) as port:
        given = {
            "from": "Gäte, the “Keeper” <gate@exämple.org>",
            "to": ["Żółw <ops@example.org>"],
            "prefix": "[größe]",
        }
        assert isinstance(sent(port, **given), Delivered)
    mail = only_mail(box)
    (sender,) = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Gäte, the “Keeper”", "gate@xn--exmple-cua.org")
    assert mail["To"].addresses[0].display_name == "Żółw"
    assert mail["Subject"].startswith("[größe] FIRING")
    assert box.mails[0].content.isascii()  # type: ignore[union-attr]


def test_an_address_that_is_not_ascii_goes_to_servers_that_take_it():
    box = Postbox()
    with smtp(box, enable_SMTPUTF8=True) as port:
        assert isinstance(sent(port, to=["żółw@example.org"]), Delivered)
    assert box.mails[0].rcpt_tos == ["żółw@example.org"]


def test_an_address_that_is_not_ascii_is_explained_by_servers_that_do_not():
    with smtp(Postbox(), enable_SMTPUTF8=False) as port:
        outcome = sent(port, to=["żółw@example.org"])
    assert outcome == TryAgain("an address is not ASCII, and the server takes no such address (SMTPUTF8)")


HOSTILE = "x\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script>\x1b[2J\x00\ud800\u202e.\r\n.\r\n"
BARE = HOSTILE.replace("\ud800", "")


def test_hostile_text_adds_no_header_no_recipient_and_no_markup():
    box = Postbox()
    told = notification(
        event(gate=BARE, finding=BARE, summary=HOSTILE, description=HOSTILE, hint=HOSTILE, link=f"javascript:{HOSTILE}", labels={HOSTILE: HOSTILE}),
        subject=HOSTILE, group={HOSTILE: HOSTILE},
    )  # fmt: skip
    with smtp(box) as port:
        assert isinstance(sent(port, told), Delivered)
    mail = only_mail(box)
    assert box.mails[0].rcpt_tos == ["ops@example.org"]
    assert {name.lower() for name in mail} <= {
        "subject", "from", "to", "date", "message-id", "auto-submitted", "x-auto-response-suppress",
        "x-gatekeeper-state", "x-gatekeeper-severity", "mime-version", "content-type", "x-peer", "x-mailfrom", "x-rcptto",
    }  # fmt: skip
    for part in mail.iter_parts():
        content = part.get_content()
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", content.replace("\r\n", "\n"))
    assert "<script" not in content
    assert "javascript:" not in re.findall(r'href="([^"]*)', content)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=50))
def test_any_text_makes_a_mail_that_reads_back(summary, gate, subject):
    told = notification(event(summary=summary, gate=gate, finding=subject, link=summary), subject=subject)
    mail = message(
        told, Mailbox('Ünï, "q"', "gate", "example.org"), [Mailbox("", "ops", "example.org")], "[x]"
    )
    back = read(mail.as_bytes())
    assert not back.defects
    assert back.get_content_type() == "multipart/alternative"
    assert back["Subject"].split() == f"[x] {cut(headline(told), 196)}".split()
    assert back["From"].addresses[0].addr_spec == "gate@example.org"
    assert [part.get_content_type() for part in back.iter_parts()] == ["text/plain", "text/html"]


@given(st.text(max_size=200))
def test_no_text_becomes_markup(text):
    page = html(notification(event(summary=text, hint=text, link=text, labels={"a": text}), subject=text))
    assert set(re.findall(r"<(/?[a-z0-9!]+)", page)) <= {
        "!doctype", "html", "head", "/head", "/html", "meta", "title", "/title", "body", "/body", "h1", "/h1", "h2", "/h2",
        "table", "/table", "tr", "/tr", "th", "/th", "td", "/td", "p", "/p", "br", "a", "/a",
    }  # fmt: skip


# TLS


def test_a_server_without_starttls_gets_no_mail():
    box = Postbox()
    with smtp(box) as port:
        outcome = sent(port, tls="starttls")
    assert isinstance(outcome, TryAgain)
    assert "offers no STARTTLS" in outcome.why
    assert box.mails == []


def test_an_answer_that_strips_starttls_is_no_way_around_it(authority):
    """Also for a server that says HELO only."""
    seen: list[str] = []
    with Server(script(greeting="220 hi", answers={"EHLO": "502 no", "HELO": "250 hi"}, seen=seen)) as server:
        outcome = sent(server.port, **secured(authority))
    assert isinstance(outcome, TryAgain)
    assert "offers no STARTTLS" in outcome.why
    assert not any(line.startswith("MAIL") for line in seen)


def test_tls_from_the_first_byte(authority):
    box = Postbox()
    with smtp(box, ssl_context=authority.server("127.0.0.1")) as port:
        assert isinstance(sent(port, tls="implicit", ca_file=str(authority.file)), Delivered)
    assert len(box.mails) == 1


CERTIFICATES: dict[str, tuple[Callable[[Authority], Any], str]] = {
    "of another host": (lambda authority: authority.server("mail.example"), "IP address mismatch"),
    "that has expired": (lambda authority: authority.server("127.0.0.1", days=-1), "expired"),
    "that signed itself": (lambda authority: authority.self_signed("127.0.0.1"), "self-signed"),
}


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("which", CERTIFICATES)
def test_no_mail_goes_to_a_certificate(which, tls, authority):
    make, reason = CERTIFICATES[which]
    box, trust = Postbox(), make(authority)
    options = (
        {"tls_context": trust, "require_starttls": True} if tls == "starttls" else {"ssl_context": trust}
    )
    with smtp(box, **options) as port:
        outcome = sent(port, tls=tls, ca_file=str(authority.file))
    assert isinstance(outcome, TryAgain)
    assert "its certificate was refused" in outcome.why
    assert reason in outcome.why.replace("self signed", "self-signed")
    assert box.mails == []


def test_a_ca_file_that_is_none_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    for file, reason in (
        ("ca.pem", "no certificate in PEM format"),
        ("gone.pem", "No such file or directory"),
    ):
        outcome = sent(1, tls="starttls", ca_file=file, open_with=context(tmp_path))
        assert outcome == TryAgain(f"ca_file {file} can't be read: {reason}")


def test_plain_text_after_starttls_is_not_believed(authority):
    """What a stranger put in before the handshake (CVE-2011-0411) does not count as said by the server."""

    def handle(sock: socket.socket, stop: threading.Event) -> None:
        sock.sendall(b"220 hi\r\n")
        sock.recv(1000)
        sock.sendall(b"250-hi\r\n250 STARTTLS\r\n")
        sock.recv(1000)
        sock.sendall(
            b"220 go\r\n250-hi\r\n250 AUTH PLAIN\r\n235 you are in\r\n250 ok\r\n250 ok\r\n354 go\r\n250 got it\r\n"
        )
        stop.wait(5)

    with Server(handle) as server:
        outcome = sent(server.port, **secured(authority), within=0.7)
    assert isinstance(outcome, TryAgain)


# login


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_it_logs_in_over_tls_also_with_what_is_not_ascii(mechanism, authority):
    box = Postbox()
    other = "LOGIN" if mechanism == "PLAIN" else "PLAIN"
    options = {"authenticator": box.authenticate, "auth_required": True, "auth_exclude_mechanism": [other]}
    with smtp(box, tls_context=authority.server("127.0.0.1"), require_starttls=True, **options) as port:
        outcome = sent(port, **secured(authority), user="ci", password=PASSWORD)
    assert isinstance(outcome, Delivered)
    assert box.logins == [("ci", PASSWORD)]


def test_a_refused_login_is_tried_again_and_shows_no_password(authority):
    box = Postbox()
    wrong = "hunter2hunter2"
    with smtp(
        box, tls_context=authority.server("127.0.0.1"), require_starttls=True, authenticator=box.authenticate
    ) as port:
        outcome = sent(port, **secured(authority), user="ci", password=wrong)
    assert isinstance(outcome, TryAgain)
    assert "it refused the login: 535" in outcome.why
    assert wrong not in outcome.why
    assert box.mails == []


def test_an_answer_that_repeats_the_login_does_not_show_it():
    """Base64 is no secret's cover."""
    from gatekeeper_channels.email.session import _hidden, _said

    given = settings(1, tls="starttls", user="ci", password="hunter2hunter2")
    plain = base64.b64encode(b"\0ci\0hunter2hunter2").decode()
    alone = base64.b64encode(b"hunter2hunter2").decode()
    said = _said(535, f"no: {plain} {alone} hunter2hunter2", _hidden(given))
    assert said == "535 no: *** *** ***"


def test_a_server_that_offers_no_login_is_named(authority):
    with smtp(Postbox(), tls_context=authority.server("127.0.0.1"), require_starttls=True) as port:
        outcome = sent(port, **secured(authority), user="ci", password="x")
    assert isinstance(outcome, TryAgain)


# answers


def test_a_server_that_refuses_all_recipients_is_asked_again_later():
    box = Postbox()
    box.refuses["ops@example.org"] = "550 5.1.1 no such user"
    with smtp(box) as port:
        outcome = sent(port)
    assert outcome == TryAgain("no recipient was accepted: ops@example.org: 550 5.1.1 no such user")


def test_some_refused_for_good_do_not_keep_the_others_from_it_and_are_named(tmp_path):
    box, opened = Postbox(), context(tmp_path, within=WITHIN)
    box.refuses["gone@example.org"] = "550 5.1.1 no such user"
    with smtp(box) as port:
        outcome = sent(port, to=["ops@example.org", "gone@example.org"], open_with=opened)
    assert isinstance(outcome, Delivered)
    assert opened.console.getvalue() == "ops: sent, but not to gone@example.org: 550 5.1.1 no such user\n"  # type: ignore[attr-defined]


def test_some_refused_for_now_are_asked_again_and_the_others_get_no_second_mail():
    box, told = Postbox(), notification()
    box.refuses["slow@example.org"] = "450 4.2.0 greylisted"
    with smtp(box) as port:
        channel = CHANNEL.open(
            settings(port, to=["ops@example.org", "slow@example.org"]), context(within=WITHIN)
        )
        first = channel.send(told)
        box.refuses.clear()
        second = channel.send(told)
    assert first == TryAgain("not all recipients were accepted: slow@example.org: 450 4.2.0 greylisted")
    assert isinstance(second, Delivered)
    assert [envelope.rcpt_tos for envelope in box.mails] == [["ops@example.org"], ["slow@example.org"]]


ANSWERS = [
    ("DATA", "550 5.7.1 looks like spam", Refused),
    ("DATA", "552 5.3.4 too big", Refused),
    ("DATA", "554 5.6.0 no", Refused),
    ("DATA", "451 4.3.0 later", TryAgain),
    ("DATA", "421 4.3.2 going down", TryAgain),
    ("MAIL", "550 5.7.1 you may not send", TryAgain),
    ("MAIL", "552 5.3.4 too big", Refused),
    ("MAIL", "451 4.7.1 later", TryAgain),
    ("MAIL", "530 5.7.0 log in first", TryAgain),
    ("ops@example.org", "450 4.2.0 greylisted", TryAgain),
    ("ops@example.org", "552 5.2.2 mailbox full", TryAgain),
    ("ops@example.org", "421 4.3.2 going down", TryAgain),
]


@pytest.mark.parametrize(("step", "answer", "kind"), ANSWERS)
def test_only_what_is_about_the_mail_itself_is_for_good(step, answer, kind):
    box = Postbox()
    box.refuses[step] = answer
    with smtp(box) as port:
        outcome = sent(port)
    assert isinstance(outcome, kind)
    assert answer in outcome.why


# servers that behave badly


def script(
    greeting: str = "220 hi",
    answers: dict[str, str] | None = None,
    silent_at: str = "",
    seen: list[str] | None = None,
) -> Callable[[socket.socket, threading.Event], None]:
    """A server that answers each command by its first word, and says nothing more at one of them."""
    given = {"EHLO": "250 hi", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", ".": "250 ok"} | (
        answers or {}
    )

    def handle(sock: socket.socket, stop: threading.Event) -> None:
        if silent_at == "greeting":
            stop.wait(30)
            return
        sock.sendall(f"{greeting}\r\n".encode())
        text = False
        for raw in sock.makefile("rb"):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            word = line.split(" ")[0].upper() if not text else line
            if seen is not None:
                seen.append(line)
            if text and line != ".":
                continue
            if word == silent_at:
                stop.wait(30)
                return
            text = word == "DATA" and given["DATA"].startswith("354")
            sock.sendall(f"{given.get(word, '250 ok')}\r\n".encode())

    return handle


STEPS = {
    "greeting": "waiting for the greeting of",
    "EHLO": "greeting (EHLO)",
    "MAIL": "sending the mail to",
    "RCPT": "sending the mail to",
    "DATA": "sending the mail to",
    ".": "sending the mail to",
}


@pytest.mark.parametrize("step", STEPS)
def test_a_server_that_falls_silent_costs_its_time_and_no_more(step):
    with Server(script(silent_at=step)) as server, ends(0.5, server):
        outcome = sent(server.port, within=0.5)
    assert isinstance(outcome, TryAgain)
    assert outcome.why == f"no end within 500 ms: timed out {STEPS[step]} 127.0.0.1:{server.port}"


@pytest.mark.parametrize("step", ["STARTTLS", "handshake"])
def test_a_server_that_falls_silent_on_the_way_to_tls_too(step, authority):
    answers = {"EHLO": "250-hi\r\n250 STARTTLS", "STARTTLS": "220 go"}
    handler = script(answers=answers, silent_at="STARTTLS" if step == "STARTTLS" else "")
    with Server(handler) as server, ends(0.5, server):
        outcome = sent(server.port, **secured(authority), within=0.5)
    assert isinstance(outcome, TryAgain)


def trickling(sock: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        sock.sendall(b"220-a\r\n")


def flooding(sock: socket.socket, stop: threading.Event) -> None:
    while not stop.is_set():
        sock.sendall(b"220-a\r\n" * 10_000)


def one_long_line(sock: socket.socket, stop: threading.Event) -> None:
    while not stop.is_set():
        sock.sendall(b"2" * 65_536)


def not_smtp(sock: socket.socket, stop: threading.Event) -> None:
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def busy(sock: socket.socket, stop: threading.Event) -> None:
    sock.sendall(b"554 no service\r\n")


def closing(sock: socket.socket, stop: threading.Event) -> None:
    pass


def resetting(sock: socket.socket, stop: threading.Event) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


@pytest.mark.parametrize("handler", [trickling, flooding, one_long_line, not_smtp, busy, closing, resetting])
def test_a_server_that_misbehaves_ends_in_time_and_is_tried_again(handler):
    with Server(handler) as server, ends(0.7, server):
        outcome = sent(server.port, within=0.7)
    assert isinstance(outcome, TryAgain)
    assert outcome.why.isprintable()


def test_an_accepted_mail_is_delivered_whatever_comes_after_it():
    with Server(script(silent_at="QUIT")) as server, ends(0.5, server):
        outcome = sent(server.port, within=5)
    assert isinstance(outcome, Delivered)


def test_a_mail_with_lines_of_one_dot_is_whole():
    seen: list[str] = []
    told = notification(event(description="one\n.\nRCPT TO:<evil@example.org>\n..\n"))
    with Server(script(seen=seen)) as server:
        assert isinstance(sent(server.port, told), Delivered)
    assert [line for line in seen if line.upper().startswith("RCPT")] == ["rcpt TO:<ops@example.org>"]


def test_nothing_listens(tmp_path):
    from loopback import free_port

    outcome = sent(free_port())
    assert isinstance(outcome, TryAgain)
    assert "nothing listens there" in outcome.why


def test_private_addresses_are_asked_only_where_that_is_allowed():
    with smtp(box := Postbox()) as port:
        outcome = sent(port, open_with=context(allow_private=False))
    assert isinstance(outcome, TryAgain)
    assert "allow_private" in outcome.why
    assert box.mails == []


# settings

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"host": ""}, "host: expected the name or address"),
    ({"host": "mail.example.org:25"}, "host: expected the name or address"),
    ({"host": "smtp://mail"}, "host: expected the name or address"),
    ({"port": 0}, ""),
    ({"to": []}, "expected one recipient or more"),
    ({"to": ["nobody"]}, "'nobody' is no address"),
    ({"to": ["a@example.org, b@example.org"]}, "is no address"),
    ({"to": ["a@example.org\r\nBcc: b@example.org"]}, "is no address"),
    ({"to": ["Name <a@example.org> <b@example.org>"]}, "is no address"),
    ({"from": "Gate\n <a@example.org>"}, "is no address"),
    ({"from": "a@" + "x" * 70 + ".org"}, "is no domain"),
    ({"prefix": "a\nb"}, "prefix: expected printable text"),
    ({"helo": "a b"}, "helo: expected a host name"),
    ({"user": "ci", "tls": "starttls"}, 'takes both, "user" and "password"'),
    ({"user": "ci", "password": "x", "tls": "none"}, "a password is not sent without TLS"),
    ({"tls": "maybe"}, ""),
]


@pytest.mark.parametrize(("values", "reason"), WRONG)
def test_settings_that_can_not_work_are_refused(values, reason):
    problems: list[Problem] = []
    given = {"host": "mail.example.org", "from": "gate@example.org", "to": ["ops@example.org"]}
    assert convert(EmailSettings, given | values, problems) is None or problems
    assert reason in "; ".join(
        f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in problems
    )


def test_a_relative_ca_file_lies_in_the_projects_folder(authority: Authority):
    box, root = Postbox(), Path(authority.file).parent
    with smtp(box, tls_context=authority.server("127.0.0.1"), require_starttls=True) as port:
        outcome = sent(port, tls="starttls", ca_file="ca.pem", open_with=context(root, within=WITHIN))
    assert isinstance(outcome, Delivered)
