"""Reading and validating data files, hostile ones too.

- `load(path)`: a whole JSON, TOML or YAML document.
- `records(path)`, `batches(path)`: JSON Lines, CSV, a list in a document, Parquet, as a stream.
- `Schema`: JSON Schema; `validate(path, schema)`: each record of a file, in constant memory.
- `Target`: some files, read once for all that is asked of them; `Unique`, `Nulls`, `Range`, `Keys`,
`Search` look at what streams by.
- `DataFile`: one open file, whose pieces others (a digest, a text search) may watch.

Whatever is wrong with a file is a `gatekeeper.DataError` with file and line. Strict by default: UTF-8, no
duplicate keys, no NaN, bounded depth, size and line length; pipes and devices are refused; nothing is
fetched.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatekeeper.data.columnfindings import ColumnChecks, TextChecks, report_relation
    from gatekeeper.data.columns import Keys, Nulls, Range, Unique
    from gatekeeper.data.documents import load, load_given
    from gatekeeper.data.filesettings import FileSettings, check_settings
    from gatekeeper.data.findings import (
        between,
        found,
        report_content,
        report_files,
        report_rows,
        see,
        target_of,
        unmeasured,
    )
    from gatekeeper.data.opening import MAX_DEPTH, MAX_DOCUMENT, MAX_LINE, DataFile, format_of
    from gatekeeper.data.schema import Refusals, Schema, Violation, validate
    from gatekeeper.data.searches import Lines, Search, linear_pattern
    from gatekeeper.data.streams import MISSING, Batch, batches, items, records, value_at
    from gatekeeper.data.targets import KINDS, Target, matching, similar

_HOMES = {
    "columns": ("Keys", "Nulls", "Range", "Unique"),
    "columnfindings": ("ColumnChecks", "TextChecks", "report_relation"),
    "documents": ("load", "load_given"),
    "filesettings": ("FileSettings", "check_settings"),
    "findings": (
        "between",
        "found",
        "report_content",
        "report_files",
        "report_rows",
        "see",
        "target_of",
        "unmeasured",
    ),
    "opening": ("MAX_DEPTH", "MAX_DOCUMENT", "MAX_LINE", "DataFile", "format_of"),
    "schema": ("Refusals", "Schema", "Violation", "validate"),
    "searches": ("Lines", "Search", "linear_pattern"),
    "streams": ("MISSING", "Batch", "batches", "items", "records", "value_at"),
    "targets": ("KINDS", "Target", "matching", "similar"),
}

__all__ = [
    "KINDS",
    "MAX_DEPTH",
    "MAX_DOCUMENT",
    "MAX_LINE",
    "MISSING",
    "Batch",
    "ColumnChecks",
    "DataFile",
    "FileSettings",
    "Keys",
    "Lines",
    "Nulls",
    "Range",
    "Refusals",
    "Schema",
    "Search",
    "Target",
    "TextChecks",
    "Unique",
    "Violation",
    "batches",
    "between",
    "check_settings",
    "format_of",
    "found",
    "items",
    "linear_pattern",
    "load",
    "load_given",
    "matching",
    "records",
    "report_content",
    "report_files",
    "report_relation",
    "report_rows",
    "see",
    "similar",
    "target_of",
    "unmeasured",
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
