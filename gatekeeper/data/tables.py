"""Records of tables: CSV and Parquet."""

import codecs
import csv
from collections.abc import Callable, Iterator
from typing import Any

from gatekeeper.data.opening import DataFile
from gatekeeper.data.streams import Batch
from gatekeeper.errors import DataError

ROWS = 500
"""Records in a batch."""


class _Lines:
    """The lines of a file as text for the csv module, which asks for as many as a row has.

    It would collect an unclosed quote to the end of the file, so a row's bytes are counted.
    """

    def __init__(self, file: DataFile, encoding: str, max_line: int) -> None:
        self._file, self._encoding, self._max = file, encoding, max_line
        self.number = 0
        self.row_start = 1
        self._row_bytes = 0

    def next_row(self) -> None:
        self.row_start, self._row_bytes = self.number + 1, 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(self._max, self.number + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._row_bytes += len(line)
        if self._row_bytes > self._max:
            raise self._file.error(
                f"the row is longer than {self._max} bytes: is a quote not closed?", self.row_start
            )
        if b"\0" in line:
            raise self._file.error("a NUL byte: is this a binary file, or UTF-16?", self.number)
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError as error:
            message = f"byte 0x{line[error.start]:02x} is not {self._encoding.upper()}"
            raise self._file.error(message, self.number) from None


def rows(
    file: DataFile, delimiter: str, encoding: str, max_line: int, refuse: Callable[[DataError], object]
) -> Iterator[Batch]:
    """The records of CSV text: dicts of texts, by the names in the first row."""
    extends_ascii(file, encoding)
    if csv.field_size_limit() < max_line:
        csv.field_size_limit(max_line)  # the module's own limit is 128 KiB a field, for the whole process
    if codecs.lookup(encoding).name == "utf-8":
        file.begin_text()
    lines = _Lines(file, encoding, max_line)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header = _header(file, _next(reader, lines, file))
    found: list[dict[str, str]] = []
    starts: list[int] = []
    width = len(header)
    while True:
        lines.next_row()
        try:
            row = _next(reader, lines, file)
        except DataError as error:
            refuse(error)
            break  # where a row that can't be read ends is anyone's guess
        if row is None:
            break
        if len(row) == width:
            found.append(dict(zip(header, row, strict=True)))
            starts.append(lines.row_start)
        elif row:
            refuse(file.error(f"the row has {len(row)} fields, the header names {width}", lines.row_start))
        if len(found) >= ROWS:
            yield Batch(found, file.label, 1, starts, textual=True)
            found, starts = [], []
    if found:
        yield Batch(found, file.label, 1, starts, textual=True)


def _next(reader: Any, lines: _Lines, file: DataFile) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        reason = "a quote is not closed" if "end of data" in str(error) else str(error)
        raise file.error(f"is no CSV: {reason}", lines.row_start) from None


def _header(file: DataFile, header: list[str] | None) -> list[str]:
    if not header:
        raise file.error(
            "is empty, expected a row that names the columns" if header is None else "the first row is blank"
        )
    repeated = next((name for index, name in enumerate(header) if name in header[:index]), None)
    if repeated is not None:
        raise file.error(f"two columns have the name {repeated!r}", 1)
    return header


def extends_ascii(file: DataFile, encoding: str) -> None:
    try:
        fits = "a,\n".encode(encoding) == b"a,\n"
    except (LookupError, UnicodeError, ValueError):
        raise file.error(f"unknown encoding {encoding!r}") from None
    if not fits:
        raise file.error(
            f"is read line by line, which {encoding} doesn't allow: iconv -f {encoding} -t UTF-8 FILE"
        )


def parquet(file: DataFile) -> Iterator[Batch]:
    """The records of a Parquet file; dates and decimals are text, as JSON would have them."""
    try:
        import duckdb
    except ImportError:
        message = "Parquet needs the extra `data`: pip install 'gatekeeper-gates[data]'"
        raise file.error(message) from None
    options: dict[str, Any] = {
        "threads": 1,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with duckdb.connect(":memory:", config=options) as connection:
        try:
            # binary_as_string would guess; names with glob characters are escaped, a data file is one file
            result = connection.execute(
                "SELECT * FROM read_parquet([?])", [_no_glob(str(file.path.resolve()))]
            )
            names = [column[0] for column in result.description]
            first = 0
            while found := result.fetchmany(ROWS):
                records = [dict(zip(names, map(_json_value, row), strict=True)) for row in found]
                yield Batch(records, file.label, first, form="{label}[{line}]")
                first += len(found)
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0]
            raise file.error(f"is no Parquet file: {reason[:300]}") from None


def _no_glob(path: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None  # NaN and infinities are no values
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _json_value(item) for key, item in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
