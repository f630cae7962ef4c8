"""TLS handshakes, and what a server's certificate says."""

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from gatekeeper.net.deadline import Deadline, ProbeError
from gatekeeper.net.sockets import Family, dial, joined

NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which the ssl module has no name."""

NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


class TlsInfo(Struct, frozen=True, kw_only=True):
    """A handshake that came about.

    `elapsed_s` is what the handshake took, in seconds, the connection being there. `error` says why the
    certificate was not accepted, where `verified` is false. What a certificate says is None or empty where
    even an unverified handshake did not show it.
    """

    address: str
    version: str
    verified: bool
    elapsed_s: float
    error: str = ""
    not_after: str | None = None
    """UTC, ISO 8601."""
    expires_in_s: float | None = None
    """Seconds; negative when the certificate has expired."""
    issuer: str = ""
    subject_alt_names: tuple[str, ...] = ()

    @property
    def days_left(self) -> float | None:
        return None if self.expires_in_s is None else self.expires_in_s / 86_400


class Peer(Struct, frozen=True):
    """Whom a handshake is made with: `server_name` is asked for and verified, `host` is dialled."""

    host: str
    port: int
    server_name: str
    family: Family = "any"

    def __str__(self) -> str:
        return joined(self.host, self.port)


def tls(
    host: str,
    port: int = 443,
    *,
    within: float,
    server_name: str | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    family: Family = "any",
) -> TlsInfo:
    """Make a verified TLS handshake and read the server's certificate.

    A certificate that does not verify (expired, self-signed, of another host) is no exception: it is read
    over further handshakes, so that its expiry and names are known. `server_name` is the name that is asked
    for and verified where it is not `host`; `ca_file` (PEM) replaces the system's authorities.

    Raises:
        ProbeError: no handshake came about; kind `dns`, `refused`, `unreachable`, `timeout`, `reset` or
            `tls`.
    """
    peer = Peer(host, port, server_name or host, family)
    with Deadline(within) as deadline:
        try:
            with _handshake(peer, deadline, context(ca_file=ca_file)) as (sock, seen):
                return _certified(seen, sock)
        except ssl.SSLCertVerificationError as refusal:
            reason = refused(refusal)
        return msgspec.structs.replace(_unverified(peer, deadline), verified=False, error=reason)


def refused(error: ssl.SSLCertVerificationError) -> str:
    """Why a certificate was not accepted, in OpenSSL's words."""
    return str(error.verify_message).rstrip(".")


def _unverified(peer: Peer, deadline: Deadline) -> TlsInfo:
    """Read a certificate that was refused.

    Python decodes only certificates that it has verified. So the certificate is fetched without verification
    first, and a last handshake trusts that very certificate, whatever its dates and names.
    """
    with _handshake(peer, deadline, context(verify=False)) as (sock, seen):
        certificate = sock.getpeercert(binary_form=True)
    if certificate is None:
        return seen
    with contextlib.suppress(ssl.SSLError, ProbeError):
        trusting = context(verify=False)
        trusting.verify_mode = ssl.CERT_REQUIRED
        trusting.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(certificate))
        trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
        with _handshake(peer, deadline, trusting) as (sock, _):
            return _certified(seen, sock)
    return seen


def context(*, verify: bool = True, ca_file: str | os.PathLike[str] | None = None) -> ssl.SSLContext:
    """A client's context.

    Raises:
        ProbeError: `ca_file` can't be read; kind `tls`.
    """
    try:
        made = ssl.create_default_context(cafile=None if ca_file is None else os.fspath(ca_file))
    except OSError as error:  # an SSLError is one
        reason = "no certificate in PEM format" if isinstance(error, ssl.SSLError) else error.strerror
        raise ProbeError("tls", f"ca_file {ca_file} can't be read: {reason}") from None
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


@contextlib.contextmanager
def _handshake(
    peer: Peer, deadline: Deadline, trust: ssl.SSLContext
) -> Iterator[tuple[ssl.SSLSocket, TlsInfo]]:
    sock, address = dial(peer.host, peer.port, deadline, peer.family)
    started = time.perf_counter()
    with secured(sock, peer, deadline, trust) as secure:
        taken = time.perf_counter() - started
        yield (
            secure,
            TlsInfo(address=address, version=secure.version() or "", verified=True, elapsed_s=taken),
        )


def secured(sock: socket.socket, peer: Peer, deadline: Deadline, trust: ssl.SSLContext) -> ssl.SSLSocket:
    """`sock` (taken over) after a handshake.

    Raises:
        ssl.SSLCertVerificationError: the certificate was refused.
        ProbeError: kind `timeout`, `reset` or `tls`.
    """
    deadline.doing = f"in the TLS handshake with {peer}"
    try:
        deadline.watch(sock)
        sock.settimeout(deadline.left())
        return trust.wrap_socket(sock, server_hostname=peer.server_name)
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, ValueError) as error:
        raise _no_handshake(error, peer, deadline) from None
    finally:
        sock.close()  # detached where the handshake came about


def _no_handshake(error: Exception, peer: Peer, deadline: Deadline) -> ProbeError:
    if deadline.passed or isinstance(error, TimeoutError):
        return deadline.error()
    if isinstance(error, ssl.SSLEOFError | ConnectionError):
        return ProbeError("reset", f"{peer} closed the connection in the TLS handshake")
    if isinstance(error, ssl.SSLError) and error.reason in NOT_TLS:
        return ProbeError("tls", f"{peer} does not speak TLS on this port")
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return ProbeError("tls", f"no TLS with {peer}: {(reason or str(error)).replace('_', ' ').lower()}")


def _certified(seen: TlsInfo, sock: ssl.SSLSocket) -> TlsInfo:
    """`seen` with what the verified certificate says."""
    certificate: dict[str, Any] = sock.getpeercert() or {}
    ends = ssl.cert_time_to_seconds(certificate["notAfter"])
    return msgspec.structs.replace(
        seen,
        not_after=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends)),
        expires_in_s=ends - time.time(),
        issuer=", ".join(f"{key}={value}" for part in certificate.get("issuer", ()) for key, value in part),
        subject_alt_names=tuple(value for _, value in certificate.get("subjectAltName", ())),
    )
