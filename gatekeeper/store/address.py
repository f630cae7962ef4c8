"""A PostgreSQL server's URL: what libpq is given of it, and what may be shown of it.

The URL is taken apart here and not by libpq, whose complaints repeat what they could not read: a part of the password,
where a character of it was not escaped.
"""

import re
from functools import cached_property
from urllib.parse import quote, unquote

from msgspec import Struct

from gatekeeper.errors import UsageError
from gatekeeper.quantities import Secret

SCHEMES = ("postgresql", "postgres")

SCHEMA = "gatekeeper"
"""Where the tables lie, unless `?schema=` says otherwise."""

EXPECTED = "expected postgresql://user:password@host:port/database"

_HIDDEN = ("password", "sslpassword")
_HOST = r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d*))?"
_SCHEMA_NAME = r"[a-z_][a-z0-9_]{0,62}"


class Address(Struct, frozen=True, dict=True):
    """Parameters of libpq (https://www.postgresql.org/docs/current/libpq-connect.html), and the schema's name."""

    options: dict[str, str]
    schema: str = SCHEMA

    @cached_property
    def name(self) -> str:
        """The server, the database and the schema, for messages; without a password."""
        known = self.options
        user = f"{quote(known['user'])}@" if "user" in known else ""
        hosts = known.get("host", "").split(",")
        ports = known.get("port", "").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        places = [
            f"{_shown_host(h)}:{p}" if p else _shown_host(h) for h, p in zip(hosts, ports, strict=False)
        ]
        schema = "" if self.schema == SCHEMA else f"?schema={self.schema}"
        return f"postgresql://{user}{','.join(places)}/{quote(known.get('dbname', ''))}{schema}"

    @property
    def hidden(self) -> tuple[Secret, ...]:
        """The passwords in it, as they are and as a URL has them."""
        given = [self.options[key] for key in _HIDDEN if self.options.get(key)]
        return tuple(dict.fromkeys(Secret(form) for text in given for form in (text, quote(text, safe=""))))


def _shown_host(host: str) -> str:
    return f"[{host}]" if ":" in host else quote(host, safe="")


def address_of(url: str) -> Address:
    """Take a URL apart: `postgresql://[user[:password]@][host[:port][,…]][/database][?name=value[&…]]`.

    Raises:
        UsageError: it is none; nothing of it is repeated.
    """
    rest, _, query = url.partition("://")[2].partition("?")
    place, _, database = rest.partition("/")
    if place.count("@") > 1 or "@" in database + query:
        raise _wrong("write @, /, ? and : in a name or password as %40, %2F, %3F and %3A")
    account, _, hosts = place.rpartition("@")
    user, _, password = account.partition(":")
    found = {"user": user, "password": password, "dbname": database}
    options = {key: _decoded(text) for key, text in found.items() if text} | _hosts(hosts)
    for pair in filter(None, query.split("&")):
        key, separator, value = pair.partition("=")
        if not separator or "=" in value:
            raise _wrong("after the ? come name=value pairs with & between them")
        options[_decoded(key)] = _decoded(value)
    schema = options.pop("schema", SCHEMA)
    if not re.fullmatch(_SCHEMA_NAME, schema) or schema.startswith("pg_"):
        raise _wrong("schema: expected a name of lower-case letters, digits and underscores")
    return Address(options, schema)


def _hosts(text: str) -> dict[str, str]:
    if not text:
        return {}
    matches = [re.fullmatch(_HOST, each) for each in text.split(",")]
    found = [(_decoded(match[1].strip("[]")), match[2] or "") for match in matches if match]
    if len(found) < len(matches) or any(port and not 0 < int(port) < 65_536 for _, port in found):
        raise _wrong("the host or its port can't be read")
    hosts, ports = zip(*found, strict=True)
    given = {"host": ",".join(hosts), "port": ",".join(ports)}
    return {key: value for key, value in given.items() if value.strip(",")}


def _decoded(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise _wrong("write % as %25")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _wrong("what is written with % is not UTF-8") from None
    if "\0" in decoded:
        raise _wrong("it contains %00")
    return decoded


def _wrong(why: str) -> UsageError:
    return UsageError(f"store postgresql://…: {why}; {EXPECTED}")


def is_server(url: str) -> bool:
    """Whether a store's URL means a database on a server."""
    scheme, separator, _ = url.partition("://")
    return bool(separator) and scheme in SCHEMES


def passwords(url: str) -> tuple[Secret, ...]:
    """The passwords in a store's URL, to be kept out of all that a run says; of a URL that is wrong, none."""
    try:
        return address_of(url).hidden if is_server(url) else ()
    except UsageError:
        return ()


def shown(url: str) -> str:
    """A store's URL as it may be shown: with stars in place of passwords."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "sqlite":
        return url
    if not is_server(url):
        return f"{scheme}://***"
    try:
        address_of(url)
    except UsageError:
        return f"{scheme}://***"
    place, question, query = rest.partition("?")
    place = re.sub(r"^([^:@/]*):[^@/]*@", r"\1:***@", place)
    pairs = [
        f"{p.partition('=')[0]}=***" if _decoded(p.partition("=")[0]) in _HIDDEN else p
        for p in query.split("&")
    ]
    return f"{scheme}://{place}{question}{'&'.join(pairs)}"
