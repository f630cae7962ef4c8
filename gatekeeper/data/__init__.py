"""Reading and validating data files, hostile ones too.

- `load(path)`: a whole JSON, TOML or YAML document.
- `records(path)`, `batches(path)`: JSON Lines, CSV, a list in a document, Parquet, as a stream.
- `Schema`: JSON Schema; `validate(path, schema)`: each record of a file, in constant memory.
- `DataFile`: one open file, whose pieces others (a digest, a text search) may watch.

Whatever is wrong with a file is a `gatekeeper.DataError` with file and line. Strict by default: UTF-8, no duplicate keys, no
NaN, bounded depth, size and line length; pipes and devices are refused; nothing is fetched.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatekeeper.data.documents import load, load_given
    from gatekeeper.data.opening import MAX_DEPTH, MAX_DOCUMENT, MAX_LINE, DataFile, format_of
    from gatekeeper.data.schema import Refusals, Schema, Violation, validate
    from gatekeeper.data.streams import MISSING, Batch, batches, items, records, value_at

_HOMES = {
    "documents": ("load", "load_given"),
    "opening": ("MAX_DEPTH", "MAX_DOCUMENT", "MAX_LINE", "DataFile", "format_of"),
    "schema": ("Refusals", "Schema", "Violation", "validate"),
    "streams": ("MISSING", "Batch", "batches", "items", "records", "value_at"),
}

__all__ = [
    "MAX_DEPTH",
    "MAX_DOCUMENT",
    "MAX_LINE",
    "MISSING",
    "Batch",
    "DataFile",
    "Refusals",
    "Schema",
    "Violation",
    "batches",
    "format_of",
    "items",
    "load",
    "load_given",
    "records",
    "validate",
    "value_at",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for: a run that reads no data file pays for none of this."""
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"gatekeeper.data.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
