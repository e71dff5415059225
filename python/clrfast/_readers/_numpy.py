"""NumPy's files: an archive of columns, a table with fields or columns, or a column a file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from clrfast._readers._input import COMPRESSED, Input
from clrfast._readers._table import Cells, Rows, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 1 << 18  # a chunk
_DAMAGE = (EOFError, OSError, ValueError, zipfile.BadZipFile, zlib.error)


class _Arrays(Table):
    """Columns that are arrays."""

    def __init__(self, file: Input, names: Sequence[str]) -> None:
        self._file = file
        self.names = names

    def _column(self, name: str) -> NDArray[Any]:
        """Return a column by its name; it is read where it is sliced."""
        raise NotImplementedError

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[Rows]:
        """Yield the cells of the columns asked for, up to the end of the shortest."""
        columns = {name: self._column(name) for name in (*numbers, *([] if label is None else [label]))}
        for name, column in columns.items():
            if column.ndim != 1:
                raise ValueError(f"{self._file.path}: {name!r} must have one dimension, not {column.shape}")
            if name in numbers and column.dtype.kind not in "biuf":
                raise ValueError(f"{self._file.path}: {name!r} holds {column.dtype}, not real numbers")
        rows = min(map(len, columns.values()))
        if any(len(column) != rows for column in columns.values()):
            each = ", ".join(f"{name!r} {len(column):,}" for name, column in columns.items())
            self._file.problem(
                f"the columns differ in length ({each}); what exceeds the shortest is left out"
            )
        for start in range(0, rows, _ROWS):
            part = slice(start, start + _ROWS)
            found = [Cells(columns[name][part].astype(np.float64)) for name in numbers]
            yield Rows(found, None if label is None else columns[label][part].tolist())
        self._file.advance(self._file.size())


class Npz(_Arrays):
    """The arrays of a .npz archive. Those asked for are read whole."""

    def __init__(self, file: Input) -> None:
        """Read the archive's directory."""
        try:
            self._archive = np.load(file.open(), allow_pickle=False)
            super().__init__(file, self._archive.files)
        except (*_DAMAGE, AttributeError) as error:  # a lone array has no directory
            raise ValueError(f"{file.path}: not a .npz archive, or cut short: {error}") from error

    def _column(self, name: str) -> NDArray[Any]:
        try:
            return np.asarray(self._archive[name])
        except _DAMAGE as error:
            raise ValueError(f"{self._file.path}: {name!r} cannot be read: {error}") from error


class Npy(_Arrays):
    """The fields or columns of one array, or several files with a column each, which has the file's name."""

    def __init__(self, file: Input) -> None:
        """Map the files into memory."""
        self._columns: dict[str, NDArray[Any]] = {}
        for path in file.paths:
            array = _mapped(file, path)
            if array.dtype.names is not None and array.ndim == 1:
                self._columns.update({name: array[name] for name in array.dtype.names})
            elif array.ndim == 2:
                self._columns.update({str(i): array[:, i] for i in range(array.shape[1])})
            else:
                self._columns[path.name.partition(".")[0]] = array
        super().__init__(file, list(self._columns))

    def _column(self, name: str) -> NDArray[Any]:
        return self._columns[name]


def _mapped(file: Input, path: Path) -> NDArray[Any]:
    """Return as many of the array's rows as the file holds."""
    with file.open(path) as stream:
        try:
            shape, fortran, dtype = _header(stream)
        except _DAMAGE as error:
            raise ValueError(f"{path}: {error}") from error
        begin = stream.tell()
        data: NDArray[np.uint8]
        if path.suffix.lower() in COMPRESSED:
            data = np.frombuffer(stream.read(), np.uint8)
        elif begin < path.stat().st_size:
            data = np.memmap(path, np.uint8, "r", begin)
        else:
            data = np.empty(0, np.uint8)
    width = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
    rows = min(shape[0], len(data) // width) if width and shape else 0
    if shape and rows < shape[0]:
        file.problem(f"{shape[0] - rows:,} of {shape[0]:,} rows are missing at the end", path)
        if fortran and len(shape) > 1:
            raise ValueError(f"{path}: cut short, and its rows are not together")
    return data[: rows * width].view(dtype).reshape((rows, *shape[1:]), order="F" if fortran else "C")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = read(stream)
    except Exception as error:  # NumPy parses it as Python, and lets through whatever its tokenizer raises
        raise ValueError(f"the header of the array is damaged: {error}") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read")
    return shape, fortran, dtype


def is_column(path: Path) -> bool:
    """Whether a .npy file holds a column alone, which belongs with those beside it."""
    try:
        with path.open("rb") as stream:
            shape, _, dtype = _header(stream)
    except _DAMAGE:
        return False
    return len(shape) == 1 and dtype.names is None
