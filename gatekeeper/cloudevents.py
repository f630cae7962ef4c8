"""The envelope of events: CloudEvents 1.0 in structured JSON (github.com/cloudevents/spec, spec.md and json-format.md).

For whoever tells other programs that something happened to a subject: the report `cloudevents`, alert channels.
"""

import re
from collections.abc import Iterable

from gatekeeper.model import JSON
from gatekeeper.plain import strict_json
from gatekeeper.wording import one_line

MEDIA_TYPE = "application/cloudevents+json"
BATCH_MEDIA_TYPE = "application/cloudevents-batch+json"
TYPE_PREFIX = "dev.gatekeeper."

_LAST_OF_PLANES = "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17))
_NONCHARACTER = re.compile(f"[\ufdd0-\ufdef{_LAST_OF_PLANES}]")


def event(
    kind: str,
    data: JSON,
    *,
    id: str,
    source: str,
    subject: str = "",
    time: str = "",
    schema: str = "",
    prefix: str = TYPE_PREFIX,
    **extensions: str | int | bool,
) -> dict[str, JSON]:
    """One event.

    Args:
        kind: its type below `dev.gatekeeper.`, such as `run.finished`.
        data: a JSON value, or records that encode to one. What carries events need not pass on more than 64 KiB
            (spec.md, "Size Limits").
        id: the same whenever the same event is told again; `source` and `id` name it together.
        source: the name of the subject of a run, for whose sake the event is told.
        subject: what the event is about, among those of this source: a run, a gate.
        time: when it happened, UTC, RFC 3339.
        schema: an absolute URI that names the schema of `data`.
        prefix: what `kind` is below, for events whose types others have defined.
        extensions: further attributes, for those who route events by what is outside of `data`; names of lower-case
            letters and digits.
    """
    attributes: dict[str, JSON] = {
        "specversion": "1.0",
        "type": f"{prefix}{kind}",
        "source": source_of(source),
        "id": string(id) or "-",
        "time": time,
        "subject": string(subject),
        **{name: string(value) if isinstance(value, str) else value for name, value in extensions.items()},
        "datacontenttype": "application/json",
        "dataschema": schema,
    }
    return {name: value for name, value in attributes.items() if value != ""} | {"data": data}


def source_of(subject: str) -> str:
    """A subject as the URI of a source: `urn:gatekeeper:subject:checkout`."""
    from urllib.parse import quote

    return f"urn:gatekeeper:subject:{quote(string(subject), safe='') or '-'}"


def batch(events: Iterable[dict[str, JSON]]) -> str:
    """Events as a batch, a JSON array with one event on a line."""
    lines = [strict_json(each).decode() for each in events]
    return "[\n{}\n]\n".format(",\n".join(lines)) if lines else "[]\n"


def string(text: str) -> str:
    """Text on one line; control and non-characters and surrogates, which no attribute may hold, are shown as escapes.

    See spec.md, "Type System".
    """
    return _NONCHARACTER.sub(lambda match: f"\\U{ord(match[0]):08x}", one_line(text))
