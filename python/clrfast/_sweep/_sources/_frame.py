"""A data frame of pandas, Polars or another library, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._sweep._histories import Histories, Rows
from clrfast._sweep._settings import number_of
from clrfast._sweep._sources._source import FoundRun, Question, Report, Source
from clrfast._sweep._sources._table_columns import columns_of, row_labels
from clrfast._sweep._sources._tables import runs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def is_frame(source: object) -> bool:
    """Whether it has columns by name."""
    return hasattr(source, "columns") and hasattr(source, "__getitem__")


class FrameSource(Source):
    """One data frame."""

    def __init__(self, frame: Any) -> None:
        """Read nothing yet."""
        self._frame = frame

    def names(self) -> Sequence[str]:
        """Return those of its columns that are text."""
        return [name for name in self._frame.columns if isinstance(name, str)]

    def runs(self, question: Question, report: Report) -> Iterator[FoundRun]:
        """Yield its runs."""
        columns = columns_of(self.names(), question, alone=True)
        if columns is None:
            return
        histories = question.histories(len(columns.settings))
        value, missing = self._numbers(columns.metric, strict=True)
        count = len(value)
        nothing = np.full(count, np.nan)
        if columns.rows_are_runs:
            names = [""] * count if columns.run is None else list(self._frame[columns.run])
            labels: Sequence[Any] = row_labels(0, names)
            run = np.arange(count)
        else:
            cells = list(self._frame[columns.run])
            places = {label: place for place, label in enumerate(dict.fromkeys(cells))}
            labels, run = list(places), np.array([places[cell] for cell in cells], np.intp)
            if len(labels) < count:  # of a history, whose other rows have no value
                missing = missing | np.isnan(value)
        settings = np.empty((len(columns.settings), count))
        for place, name in enumerate(columns.settings):
            settings[place] = self._setting(histories, place, name)
        lr = nothing if columns.lr is None else self._numbers(columns.lr, strict=True)[0]
        step = nothing if columns.step is None else self._numbers(columns.step, strict=False)[0]
        histories.add(Rows(run, labels, lr, value, missing, step, settings))
        yield from runs_of(histories, columns, question, {}, "")

    def _numbers(self, name: str, *, strict: bool) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return a column as numbers, and which cells are empty, where the library tells empty from NaN."""
        column = self._frame[name]
        cells = np.asarray(column)
        if cells.ndim != 1:
            raise ValueError(f"source must have one column {name!r}, got {cells.ndim} dimensions")
        if cells.dtype.kind in "iufb":
            empty = (
                np.asarray(column.is_null()) if hasattr(column, "is_null") else np.zeros(len(cells), np.bool_)
            )
            return cells.astype(np.float64), empty
        numbers = [number_of(cell) for cell in cells]
        empty = np.array([number is None for number in numbers], np.bool_)
        if strict:
            bad = next(
                (cell for cell, gap in zip(cells, empty) if gap and cell is not None and cell == cell), None
            )
            if bad is not None and not _is_missing(bad):
                raise ValueError(f"source: {name!r} must hold numbers, got {bad!r}")
        return np.array([np.nan if number is None else number for number in numbers], float), empty

    def _setting(self, histories: Histories, place: int, name: str) -> NDArray[np.float64]:
        numbers, empty = self._numbers(name, strict=False)
        if not empty.any():
            return numbers
        cells = list(np.asarray(self._frame[name]))
        words = [cell for cell, gap in zip(cells, empty) if gap and not _is_missing(cell)]
        if not words:
            return numbers
        codes = [np.nan if _is_missing(cell) else histories.code(place, str(cell)) for cell in cells]
        return np.array(codes, float)


def _is_missing(cell: object) -> bool:
    return (
        cell is None
        or type(cell).__name__ in ("NAType", "NaTType")
        or (isinstance(cell, float) and cell != cell)
    )
