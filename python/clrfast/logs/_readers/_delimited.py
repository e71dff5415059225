"""Text separated by commas, tabs or semicolons, with a header line.

A line is a row. Much text is parsed by Polars where it is installed; a little, and blocks in which
it finds fault, by Python's csv module, a line at a time, so that a bad line is found and no other is
lost.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

from clrfast.logs._readers._ahead import ahead
from clrfast.logs._readers._decoder import DecodedRows, Decoder, Numbers, numbers_of
from clrfast.logs._readers._polars import filled_lines, worth_polars
from clrfast.logs._readers._run_files import RunFiles

_BOM = b"\xef\xbb\xbf"


class Delimited(Decoder):
    """The columns of a CSV or TSV file."""

    def __init__(self, file: RunFiles) -> None:
        """Read the header."""
        self._file = file
        start = next(file.lines(peek=True), b"")
        header = start.removeprefix(_BOM)
        blank = len(header) - len(header.lstrip(b"\r\n"))
        line = header[blank:].partition(b"\n")[0]
        self._data_at = len(start) - len(header) + blank + len(line) + 1
        self._first_line = header[:blank].count(b"\n") + 2
        try:
            text = line.decode().rstrip("\r")
            self._delimiter = max(",\t;", key=text.count)
            self.names = [name.strip() for name in self._split(text)] if text else []
        except UnicodeDecodeError as error:
            raise ValueError(f"{file.path}: not text in UTF-8: {error}") from error
        except csv.Error as error:
            raise ValueError(f"{file.path}: {error}") from error

    def _split(self, line: str) -> list[str]:
        return next(csv.reader([line], delimiter=self._delimiter, strict=True), [])

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[DecodedRows]:
        """Yield the cells of the columns asked for."""
        places = [self.names.index(name) for name in numbers]
        labels = None if label is None else self.names.index(label)
        line = self._first_line
        for data, rows in ahead(lambda data: self._parsed(data, places, labels), self._blocks()):
            if rows is None:
                rows = self._by_line(data, places, labels, line)
                line += data.count(b"\n")
            else:
                line += len(rows.numbers[0].values)
            yield rows

    def _blocks(self) -> Iterator[bytes]:
        skip = self._data_at
        for block in self._file.lines():
            yield block[skip:] if skip else block
            skip = 0

    def _by_line(self, data: bytes, places: Sequence[int], label: int | None, line: int) -> DecodedRows:
        columns: list[list[float | None]] = [[] for _ in places]
        labels: list[str] = []
        for number, text in filled_lines(data.decode(errors="replace"), line):
            try:
                row = self._split(text.rstrip("\r"))
                if len(row) != len(self.names):
                    raise ValueError(f"{len(row)} cells, not {len(self.names)}")
                found = [self._number(row[place], place) for place in places[:2]]
                found += [self._number_or_none(row[place]) for place in places[2:]]
            except (csv.Error, ValueError) as error:
                self._file.bad_row(f"line {number:,}", str(error))
                continue
            for column, value in zip(columns, found):
                column.append(value)
            if label is not None:
                labels.append(row[label].strip())
        return DecodedRows([numbers_of(column) for column in columns], None if label is None else labels)

    def _number(self, cell: str, place: int) -> float | None:
        try:
            return float(cell) if cell.strip() else None
        except ValueError:
            raise ValueError(f"{self.names[place]!r} is {cell.strip()!r}, not a number") from None

    def _number_or_none(self, cell: str) -> float | None:
        try:
            return float(cell)
        except ValueError:
            return None

    def _parsed(self, data: bytes, places: Sequence[int], label: int | None) -> DecodedRows | None:
        """Return the cells as Polars reads them, or None where that may not be what the file says."""
        if not worth_polars(len(data)):
            return None
        try:
            import polars as pl
        except ImportError:
            return None
        names = list(map(str, range(len(self.names))))
        schema = {name: pl.Float64 if place in places else pl.String for place, name in enumerate(names)}
        try:
            frame = pl.read_csv(
                data,
                has_header=False,
                separator=self._delimiter,
                columns=sorted({*places, *([] if label is None else [label])}),
                schema=schema,
            )
        except pl.exceptions.PolarsError:
            return None
        numbers = []
        for place in places:
            column = frame[names[place]]
            missing = column.is_null().to_numpy() if column.null_count() else None
            numbers.append(Numbers(column.to_numpy(), missing))
        # Polars fills short lines with nothing, skips none, and takes quoted ends of lines for text.
        if b'"' in data or any(column.missing is not None for column in numbers):
            lines = data.count(b"\n") + (not data.endswith(b"\n"))
            delimiters = data.count(self._delimiter.encode())
            if frame.height != lines or delimiters != lines * (len(self.names) - 1):
                return None
        labels = None if label is None else frame[names[label]].str.strip_chars().fill_null("").to_list()
        return DecodedRows(numbers, labels)
