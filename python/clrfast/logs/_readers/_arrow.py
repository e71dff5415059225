"""Parquet, and Arrow's own format (Feather): read by pyarrow, a batch at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._require import require
from clrfast.logs._readers import _limits
from clrfast.logs._readers._decoder import DecodedRows, Decoder, Numbers
from clrfast.logs._readers._run_files import RunFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC = b"ARROW1"  # first and last in a file
_END = b"\xff\xff\xff\xff\0\0\0\0"  # last in a stream


class Parquet(Decoder):
    """The columns of a Parquet file that hold numbers or text, not what is nested."""

    def __init__(self, file: RunFiles) -> None:
        """Read the footer."""
        require("pyarrow", "reading Parquet", extra="logs")
        from pyarrow import parquet

        self._file = file
        try:
            self._parquet = parquet.ParquetFile(file.seekable(), page_checksum_verification=True)
            self.names = self._parquet.schema_arrow.names
            self.words = _words(self._parquet.schema_arrow)
            footer = self._parquet.metadata
            self.group_rows = [footer.row_group(k).num_rows for k in range(footer.num_row_groups)]
        except _damage() as error:
            raise ValueError(
                f"{file.path}: not a Parquet file, or cut short ({error}): its end says which columns it has "
                "and where they are, without which nothing can be read; copy or write it again"
            ) from error

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[DecodedRows]:
        """Yield the cells of the columns asked for; a damaged row group is reported and passed over."""
        names = list(dict.fromkeys([*numbers, *([] if label is None else [label])]))
        for columns in self.columns(names, range(len(self.group_rows))):
            yield _decoded(self._file, columns, numbers, label)

    def columns(self, names: Sequence[str], groups: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield rows of these columns as Arrow's arrays; a damaged row group is reported and passed over."""
        count = len(self.group_rows)
        meter = self._file.meter()
        for group in groups:
            meter.check(self._claimed(group, names))
            try:
                for batch in self._parquet.iter_batches(
                    _limits.ROWS, row_groups=[group], columns=list(names)
                ):
                    meter.count(batch.nbytes)
                    yield sound_columns(batch, names)
            except _damage() as error:
                self._file.problem(f"row group {group} of {count} cannot be read: {error}")
            self._file.advance(self._file.size() // count)

    def _claimed(self, group: int, names: Sequence[str]) -> int:
        """Return how large the columns of a row group say they become: a page of them is held whole."""
        footer = self._parquet.metadata.row_group(group)
        columns = map(footer.column, range(footer.num_columns))
        return max((c.total_uncompressed_size for c in columns if c.path_in_schema in names), default=0)


class Arrow(Decoder):
    """The columns of an Arrow IPC file or stream; Feather is the former."""

    def __init__(self, file: RunFiles) -> None:
        """Read the schema."""
        require("pyarrow", "reading Arrow files", extra="logs")
        self._file = file
        try:
            self._batches, self._ends = _batches(file)
            self.names = self._batches.schema.names
            self.words = _words(self._batches.schema)
        except _damage() as error:
            raise ValueError(f"{file.path}: not an Arrow file, or cut short: {error}") from error

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[DecodedRows]:
        """Yield the cells of the columns asked for, up to where the file ends or is damaged."""
        names = [*numbers, *([] if label is None else [label])]
        done = 0
        meter = self._file.meter()
        try:
            for batch in self._batches:
                meter.count(batch.nbytes)
                for start in range(0, batch.num_rows, _limits.ROWS):
                    part = sound_columns(batch.slice(start, _limits.ROWS), names)
                    yield _decoded(self._file, part, numbers, label)
                done += batch.num_rows
        except _damage() as error:
            self._file.problem(f"only the first {done:,} rows can be read: {error}")
        else:
            if not self._ends:
                self._file.problem(f"only {done:,} rows can be read: what marks the end is missing")
        self._file.advance(self._file.size())


def _batches(file: RunFiles) -> tuple[Any, bool]:
    """Return the stream of batches that a file is, or holds after its first 8 bytes, and whether it is whole.

    To pyarrow, a stream that is cut between two batches is whole.
    """
    import pyarrow as pa

    stream = file.seekable()
    end = stream.seek(0, os.SEEK_END)
    stream.seek(max(end - 8, 0))
    last = stream.read(8)
    stream.seek(0)
    if stream.read(6) == _MAGIC:
        stream.seek(8)
        return pa.ipc.open_stream(stream), last.endswith(_MAGIC)
    stream.seek(0)
    return pa.ipc.open_stream(stream), last == _END


def _damage() -> tuple[type[Exception], ...]:
    """Return what pyarrow raises for damaged bytes; of text in them, Python's decoder raises."""
    import pyarrow as pa

    return (OSError, pa.ArrowException, UnicodeDecodeError)


def _words(schema: Any) -> list[str]:
    """Return the columns that cannot be cast to numbers whatever they hold."""
    import pyarrow as pa

    kinds = pa.types
    return [
        field.name
        for field in schema
        if not (kinds.is_integer(field.type) or kinds.is_floating(field.type) or kinds.is_decimal(field.type))
        and not (kinds.is_boolean(field.type) or kinds.is_null(field.type))
    ]


def _decoded(
    file: RunFiles, columns: Mapping[str, Any], numbers: Sequence[str], label: str | None
) -> DecodedRows:
    found = [numbers_in(file.path, columns[name], name) for name in numbers]
    return DecodedRows(found, None if label is None else columns[label].to_pylist())


def sound_columns(batch: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return columns whose sizes, offsets and texts are in order: pyarrow trusts them ever after."""
    columns = {name: batch.column(batch.schema.names.index(name)) for name in names}
    for column in columns.values():
        column.validate(full=True)
    return columns


def numbers_in(where: object, column: Any, name: str) -> Numbers:
    """Return one of Arrow's arrays as numbers, or say where it holds something else."""
    import pyarrow as pa

    try:
        values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except pa.ArrowException as error:
        raise ValueError(f"{where}: {name!r} holds {column.type}, not numbers ({error})") from error
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    return Numbers(values, missing)
