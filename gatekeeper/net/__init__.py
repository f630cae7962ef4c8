"""Asking hosts, with a total deadline that holds.

`resolve`, `connect`, `dialed`, `tls` and `http` each end by their `within` (seconds, everything included: name
resolution, every address, handshake, redirects, headers, body), whatever the other side does, and leave no
socket and no thread behind. The one exception: a name lookup that the system's resolver never answers stays
in a daemon thread of its own. What can't be reached is a `ProbeError` with a `kind` for programs and a
message for people.

Nothing is taken from the environment: no proxy is used unless it is asked for.
"""

from gatekeeper.net.deadline import Deadline, Kind, ProbeError
from gatekeeper.net.exchange import safe_url
from gatekeeper.net.request import HttpResponse, http
from gatekeeper.net.sockets import Connected, Family, connect, dialed, resolve
from gatekeeper.net.tls import TlsInfo, tls
from gatekeeper.net.together import side_by_side

__all__ = [
    "Connected",
    "Deadline",
    "Family",
    "HttpResponse",
    "Kind",
    "ProbeError",
    "TlsInfo",
    "connect",
    "dialed",
    "http",
    "resolve",
    "safe_url",
    "side_by_side",
    "tls",
]
