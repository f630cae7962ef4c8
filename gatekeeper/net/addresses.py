"""Which addresses may be asked where only public ones may: what a name leads to is not always what it says.

The ranges are those of IANA's registries of special-purpose addresses (RFC 6890) and of multicast; an IPv6 address
that carries an IPv4 one is judged by that. Python's own `is_global` is not used: what it says differs between patch
releases.
"""

from functools import cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    IP: TypeAlias = IPv4Address | IPv6Address
    Network: TypeAlias = IPv4Network | IPv6Network

V4 = {
    "0.0.0.0/8": "an unspecified",
    "10.0.0.0/8": "a private",
    "100.64.0.0/10": "a carrier's private",
    "127.0.0.0/8": "a loopback",
    "168.63.129.16/32": "a cloud's metadata",  # Azure's "wire server": public by its number only
    "169.254.169.254/32": "a cloud's metadata",
    "169.254.0.0/16": "a link-local",
    "172.16.0.0/12": "a private",
    "192.0.0.0/24": "a reserved",
    "192.0.2.0/24": "a documentation",
    "192.88.99.0/24": "a reserved",
    "192.168.0.0/16": "a private",
    "198.18.0.0/15": "a benchmark",
    "198.51.100.0/24": "a documentation",
    "203.0.113.0/24": "a documentation",
    "224.0.0.0/4": "a multicast",
    "240.0.0.0/4": "a reserved",
}
V6 = {
    "::/128": "an unspecified",
    "::1/128": "a loopback",
    "fd00:ec2::254/128": "a cloud's metadata",
    "fd20:ce::254/128": "a cloud's metadata",
    "fc00::/7": "a unique local (private)",
    "fe80::/10": "a link-local",
    "fec0::/10": "a site-local (private)",
    "ff00::/8": "a multicast",
    "2001:db8::/32": "a documentation",
    "3fff::/20": "a documentation",
    "2001::/23": "a reserved",  # Teredo among others, which leads to an IPv4 address behind a NAT
}
GLOBAL = "2000::/3"
"""All that is routed in the Internet; the rest of IPv6 is for other uses, or none yet (RFC 4291 section 2.4)."""

CARRIERS = {
    "::/96": 0,  # IPv4-compatible, RFC 4291 section 2.5.5.1
    "::ffff:0:0/96": 0,  # IPv4-mapped, RFC 4291 section 2.5.5.2
    "::ffff:0:0:0/96": 0,  # IPv4-translated, RFC 2765 section 2.1
    "64:ff9b::/96": 0,  # NAT64, RFC 6052 section 2.1
    "2002::/16": 80,  # 6to4, RFC 3056 section 2
}
"""Where an IPv6 address carries an IPv4 one, and how many bits to the left of its end."""


def kind_of(address: str) -> str:
    """What kind of address it is that is not public, with its article: `a loopback`; empty for a public one."""
    import ipaddress

    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "an unknown"
    if found.version == 4:
        return _named(found, V4)
    if kind := _named(found, V6):
        return kind
    for network, shift in _parsed(tuple(CARRIERS.items())):
        if found in network:
            return _named(ipaddress.IPv4Address(int(found) >> int(shift) & 0xFFFF_FFFF), V4)
    return "" if found in ipaddress.IPv6Network(GLOBAL) else "a reserved"


def _named(address: "IP", ranges: dict[str, str]) -> str:
    return next((str(kind) for network, kind in _parsed(tuple(ranges.items())) if address in network), "")


@cache
def _parsed(ranges: tuple[tuple[str, str | int], ...]) -> "tuple[tuple[Network, str | int], ...]":
    import ipaddress

    return tuple((ipaddress.ip_network(network), value) for network, value in ranges)
