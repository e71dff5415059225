"""JSON lines: one object a row.

Much text is parsed by Polars where it is installed; a little, and blocks in which it finds fault (it
refuses the NaN that Python writes), by Python's json module, a line at a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from clrfast.logs._readers._ahead import ahead
from clrfast.logs._readers._decoder import DecodedRows, Decoder, Numbers
from clrfast.logs._readers._json import flat, rows_of
from clrfast.logs._readers._polars import filled_lines, worth_polars
from clrfast.logs._readers._run_files import RunFiles

_SAMPLE = 10_000  # lines
_ESCAPED = re.compile(rb"\\u00[2-7]")  # a character that needs no escape, of a key perhaps
_ESCAPABLE = re.compile(r'["\\/\x00-\x1f]')


class JsonLines(Decoder):
    """The columns of a file of JSON lines: the names that its first ten thousand have."""

    def __init__(self, file: RunFiles) -> None:
        """Read these lines."""
        self._file = file
        start = next(file.lines(peek=True), b"").decode(errors="surrogateescape")
        found = (_object(line) for _, line in islice(filled_lines(start, 1), _SAMPLE))
        objects = [item for item in found if isinstance(item, dict)]
        self._top = {name for item in objects for name, value in item.items() if not isinstance(value, dict)}
        self.names = list(dict.fromkeys(name for item in objects for name in flat(item)))

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[DecodedRows]:
        """Yield the cells of the columns asked for."""
        wanted = list(dict.fromkeys([*numbers, *([] if label is None else [label])]))
        plain = self._top.issuperset(wanted) and label is None
        line = 1
        for block, rows in ahead(
            lambda block: _parsed(block, numbers) if plain else None, self._file.lines()
        ):
            if rows is None:
                rows = self._by_line(block, wanted, numbers, label, line)
            line += block.count(b"\n")
            yield rows

    def _by_line(
        self, block: bytes, wanted: Sequence[str], numbers: Sequence[str], label: str | None, line: int
    ) -> DecodedRows:
        found: list[dict[str, Any]] = []
        places: list[int] = []
        for place, text in filled_lines(block.decode(errors="surrogateescape"), line):
            item = _object(text)
            if isinstance(item, dict):
                found.append(item if self._top.issuperset(wanted) else flat(item))
                places.append(place)
            else:
                self._file.bad_row(f"line {place:,}", item)
        columns = {name: [item.get(name) for item in found] for name in wanted}
        return rows_of(self._file, columns, numbers, label, lambda row: f"line {places[row]:,}")


def _object(line: str) -> dict[str, Any] | str:
    """Return the object in a line, or what is wrong with it."""
    try:
        item = json.loads(line.encode(errors="surrogateescape"))
    except (RecursionError, ValueError) as error:  # a UnicodeDecodeError is a ValueError
        return f"not JSON: {error}"
    return item if isinstance(item, dict) else "not an object"


def _parsed(block: bytes, numbers: Sequence[str]) -> DecodedRows | None:
    """Return the cells as Polars reads them, or None if it cannot."""
    if not worth_polars(len(block)):
        return None
    try:
        import polars as pl
    except ImportError:
        return None
    try:
        frame = pl.read_ndjson(block, schema=dict.fromkeys(numbers, pl.Float64))
    except pl.exceptions.PolarsError:
        return None
    columns = [frame[name] for name in numbers]
    if not _only_these(block, frame) and any(_may_repeat(block, column) for column in columns):
        return None
    return DecodedRows(
        [Numbers(c.to_numpy(), c.is_null().to_numpy() if c.null_count() else None) for c in columns], None
    )


# Of a key that is twice in a line, Polars takes the first, but the last is meant, as Python's json module and
# JavaScript take it. Such lines are rare; what follows finds out at little cost that a block has none.


def _only_these(block: bytes, frame: Any) -> bool:
    """Say whether each line has each of these keys once, and no other: it then has two quotes for each."""
    quotes = np.count_nonzero(np.frombuffer(block, np.uint8) == ord('"'))
    nulls = sum(column.null_count() for column in frame)
    return bool(b"\\" not in block and not nulls and quotes == 2 * frame.width * frame.height)


def _may_repeat(block: bytes, column: Any) -> bool:
    """Say whether a line may have the column's key twice."""
    name: str = column.name
    if b"\\" in block:
        escapes = _ESCAPED.search(block) or _ESCAPABLE.search(name)
        if escapes or (not name.isascii() and b"\\u" in block):
            return True  # the key may be written in another way too
    key = json.dumps(name, ensure_ascii=False).encode(errors="surrogatepass")
    if block.count(key) == column.len() - column.null_count():
        return False  # or else a line has it twice, or has null for it
    places = np.fromiter((found.start() for found in re.finditer(re.escape(key), block)), np.intp)
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    of_lines = np.searchsorted(ends, places)
    return bool(np.any(of_lines[1:] == of_lines[:-1]))
