"""NumPy's files: an archive of columns, a table with fields or columns, or a column a file.

Each column is read in its order, a block at a time, so that memory does not grow with it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np
from numpy.lib import format as npy

from clrfast.logs._readers import _limits
from clrfast.logs._readers._archive import members, open_member
from clrfast.logs._readers._budget import Budget
from clrfast.logs._readers._decoder import DecodedRows, Decoder, Numbers
from clrfast.logs._readers._files import File, open_file
from clrfast.logs._readers._run_files import RunFiles
from clrfast.logs._readers._unpack import DamageError, unpacked, unpacked_member

if TYPE_CHECKING:
    from zipfile import ZipInfo

    from numpy.typing import NDArray

_START = 1 << 16  # bytes, of which the header is no more
_Part = Union[str, int, None]  # a field or a column of an array, or all of it


class _Header(NamedTuple):
    """What an array is."""

    shape: tuple[int, ...]
    by_columns: bool  # in Fortran's order
    dtype: np.dtype[Any]
    size: int  # bytes of the header


class _ArrayStream:
    """The cells of an array, or of a field or column of it, in their order: as many as there are."""

    def __init__(self, blocks: Iterator[bytes], part: _Part = None) -> None:
        """Read up to the first cell.

        Raises:
            ValueError: There is no such array.
        """
        self._blocks = blocks
        self._part = part
        self._data = memoryview(b"")
        self.fault = ""
        start = self._ahead(_START)
        try:
            header = _header(start)
        except ValueError as error:
            raise ValueError(self.fault or str(error)) from error
        self._drop(header.size)
        self.rows = self._left = header.shape[0] if header.shape else 0
        self._row = header.shape[1:]
        self._dtype = header.dtype
        if header.by_columns and isinstance(part, int):
            self._drop(part * self.rows * self._dtype.itemsize)
            self._part, self._row = None, ()
        self.width = self._dtype.itemsize * math.prod(self._row)
        nothing = self._of(np.empty((0, *self._row), self._dtype))
        self.dtype, self.shape = nothing.dtype, (*header.shape[:1], *nothing.shape[1:])

    def take(self, most: int) -> NDArray[Any]:
        """Return the next cells, fewer than `most` where the data end."""
        most = min(most, self._left)
        data = self._ahead(most * self.width)
        found = len(data) // self.width
        self._drop(found * self.width)
        self._left -= found
        if found < most:
            self.fault = self.fault or "the file ends"
        return self._of(np.frombuffer(data[: found * self.width], self._dtype).reshape(found, *self._row))

    def problem(self) -> str:
        """Say what is wrong with the cells, or nothing."""
        if not self.fault:
            return ""
        if not self._left:
            return f"the compressed data are damaged: {self.fault}"
        return f"{self._left:,} of {self.rows:,} rows are missing at the end: {self.fault}"

    def _of(self, rows: NDArray[Any]) -> NDArray[Any]:
        column: NDArray[Any] = rows[:, self._part] if isinstance(self._part, int) else rows
        return rows[self._part] if isinstance(self._part, str) else column

    def _ahead(self, size: int) -> memoryview:
        """Return the next bytes, fewer where there are no more."""
        parts = [self._data]
        found = len(self._data)
        try:
            while found < size and (block := next(self._blocks, b"")):
                parts.append(memoryview(block))
                found += len(block)
        except DamageError as damage:
            self.fault = str(damage)
        self._data = parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
        return self._data[:size]

    def _drop(self, size: int) -> None:
        while size and (found := len(self._ahead(min(size, _limits.BLOCK)))):
            self._data = self._data[found:]
            size -= found


class _Arrays(Decoder):
    """Columns in arrays, each opened once its name is asked for."""

    def __init__(self, file: RunFiles, columns: Mapping[str, Callable[[], _ArrayStream]]) -> None:
        self._file = file
        self._columns = columns
        self.names = list(columns)

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[DecodedRows]:
        """Yield the cells of the columns asked for, up to the end of the shortest."""
        columns = {name: self._column(name) for name in (*numbers, *([] if label is None else [label]))}
        for name, column in columns.items():
            if len(column.shape) != 1:
                raise ValueError(f"{self._file.path}: {name!r} must have one dimension, got {column.shape}")
            if name in numbers and column.dtype.kind not in "biuf":
                raise ValueError(f"{self._file.path}: {name!r} holds {column.dtype}, not real numbers")
        lengths = {name: column.rows for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            each = ", ".join(f"{name!r} {length:,}" for name, length in lengths.items())
            self._file.problem(
                f"the columns differ in length ({each}); what exceeds the shortest is left out"
            )
        size, left = self._file.size(), min(lengths.values())
        most = min(_limits.ROWS, *(_limits.BLOCK // column.width for column in columns.values()))
        while left:
            taken = {name: column.take(min(most, left)) for name, column in columns.items()}
            rows = min(map(len, taken.values()))
            if not rows:
                break
            found = [Numbers(taken[name][:rows].astype(np.float64)) for name in numbers]
            yield DecodedRows(found, None if label is None else taken[label][:rows].tolist())
            self._file.advance(size * rows // min(lengths.values()))
            left -= rows
        self._file.advance(size)
        for problem in dict.fromkeys(filter(None, (column.problem() for column in columns.values()))):
            self._file.problem(problem)

    def _column(self, name: str) -> _ArrayStream:
        try:
            return self._columns[name]()
        except ValueError as error:
            raise ValueError(f"{self._file.path}: {name!r} cannot be read: {error}") from error


class Npz(_Arrays):
    """The arrays of a .npz archive."""

    def __init__(self, file: RunFiles) -> None:
        """Read the archive's directory."""
        try:
            found, faults = members(file.seekable())
        except ValueError as error:
            raise ValueError(f"{file.path}: {error}") from error
        for fault in faults:
            file.problem(fault)
        arrays = [info for info in found if info.filename.endswith(".npy")]
        super().__init__(file, {info.filename[:-4]: partial(self._member, info) for info in arrays})

    def _member(self, info: ZipInfo) -> _ArrayStream:
        member = open_member(self._file.seekable(), info)
        return _ArrayStream(unpacked_member(member, self._file.meter(info.compress_size)))


class Npy(_Arrays):
    """The fields or columns of one array, or several files with a column each, which has the file's name."""

    def __init__(self, file: RunFiles) -> None:
        """Read the headers."""
        arrays: dict[str, tuple[File, _Part]] = {}
        for path in file.paths:
            try:
                header = _header_of(path)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
            found: dict[str, _Part] = {path.name.partition(".")[0]: None}
            if header.dtype.names is not None and len(header.shape) == 1:
                found = {name: name for name in header.dtype.names}
            elif len(header.shape) == 2:
                found = {str(i): i for i in range(header.shape[1])}
            for name, part in found.items():
                if name in arrays:
                    raise ValueError(f"{path}: {name!r} is the name of a column in {arrays[name][0]} too")
                arrays[name] = (path, part)
        super().__init__(file, {name: partial(self._array, *place) for name, place in arrays.items()})

    def _array(self, path: File, part: _Part) -> _ArrayStream:
        return _ArrayStream(self._file.strict_blocks(path), part)


def _header_of(path: File) -> _Header:
    with open_file(path) as stream:
        try:
            return _header(next(unpacked(stream, path, Budget().meter(path)), b"")[:_START])
        except DamageError as damage:
            raise ValueError(f"the compressed data end before any can be read: {damage}") from damage


def _header(start: bytes | memoryview) -> _Header:
    stream = io.BytesIO(start)
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, by_columns, dtype = read(stream)
    except Exception as error:  # NumPy parses it as Python, and lets through whatever its tokenizer raises
        raise ValueError(f"the header of the array is damaged: {error}") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read")
    fits = 0 < dtype.itemsize * math.prod(shape[1:]) <= _limits.BLOCK
    if not fits or min(shape, default=0) < 0 or max(shape[1:], default=0) > _limits.MOST_COLUMNS:
        raise ValueError(f"an array of shape {shape} and {dtype} is no table of columns")
    return _Header(shape, by_columns, dtype, stream.tell())


def is_column(path: File) -> bool:
    """Whether a .npy file holds a column alone, which belongs with those beside it."""
    try:
        header = _header_of(path)
    except ValueError:
        return False
    return len(header.shape) == 1 and header.dtype.names is None
