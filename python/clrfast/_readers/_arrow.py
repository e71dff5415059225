"""Parquet, and Arrow's own format (Feather): read by pyarrow, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._readers._input import Input
from clrfast._readers._table import Cells, Rows, Table
from clrfast._require import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 1 << 18  # a batch


class Parquet(Table):
    """The columns of a Parquet file; what is nested is named as a path."""

    def __init__(self, file: Input) -> None:
        """Read the footer."""
        require("pyarrow", "reading Parquet", extra="logs")
        import pyarrow as pa
        from pyarrow import parquet

        self._file = file
        try:
            self._parquet = parquet.ParquetFile(file.open(), page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"{file.path}: not a Parquet file, or cut short: {error}") from error
        self.names = self._parquet.schema_arrow.names
        footer = self._parquet.metadata
        self.group_rows = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[Rows]:
        """Yield the cells of the columns asked for; a damaged row group is reported and passed over."""
        names = list(dict.fromkeys([*numbers, *([] if label is None else [label])]))
        for batch in self.batches(names, range(len(self.group_rows))):
            yield _rows(self._file, batch, numbers, label)

    def batches(self, names: Sequence[str], groups: Iterable[int]) -> Iterator[Any]:
        """Yield record batches of these columns; a damaged row group is reported and passed over."""
        import pyarrow as pa

        count = len(self.group_rows)
        for group in groups:
            try:
                yield from self._parquet.iter_batches(_ROWS, row_groups=[group], columns=list(names))
            except (OSError, pa.ArrowException) as error:
                self._file.problem(f"row group {group} of {count} cannot be read: {error}")
            self._file.advance(self._file.size() // count)


class Arrow(Table):
    """The columns of an Arrow IPC file or stream; Feather is the former."""

    def __init__(self, file: Input) -> None:
        """Read the schema."""
        require("pyarrow", "reading Arrow files", extra="logs")
        import pyarrow as pa

        self._file = file
        try:
            self._batches = _batches(file)
            self.names = self._batches.schema.names
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"{file.path}: not an Arrow file, or cut short: {error}") from error

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[Rows]:
        """Yield the cells of the columns asked for, up to where the file ends or is damaged."""
        import pyarrow as pa

        done = 0
        try:
            for batch in self._batches:
                for start in range(0, batch.num_rows, _ROWS):
                    yield _rows(self._file, batch.slice(start, _ROWS), numbers, label)
                done += batch.num_rows
        except (OSError, pa.ArrowException) as error:
            self._file.problem(f"only the first {done:,} rows can be read: {error}")
        self._file.advance(self._file.size())


def _batches(file: Input) -> Any:
    """Return the stream of batches that a file is, or holds after its first 8 bytes, before its footer."""
    import pyarrow as pa

    stream = file.open()
    if stream.read(6) != b"ARROW1":
        stream.seek(0)
    else:
        stream.seek(8)
    return pa.ipc.open_stream(stream)


def _rows(file: Input, batch: Any, numbers: Sequence[str], label: str | None) -> Rows:
    columns = [cells_of(file.path, batch, name) for name in numbers]
    return Rows(columns, None if label is None else batch.column(label).to_pylist())


def cells_of(where: object, batch: Any, name: str) -> Cells:
    """Return a column of a record batch as numbers, or say where it holds something else."""
    import pyarrow as pa

    column = batch.column(name)
    try:
        values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except pa.ArrowException as error:
        raise ValueError(f"{where}: {name!r} holds {column.type}, not numbers ({error})") from error
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    return Cells(values, missing)
