"""Tables in Parquet, whose columns say what they hold, so that one pass reads all; parts of them for Dask."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._sweep._histories import Histories, Rows
from clrfast._sweep._sources._table_columns import Columns, row_labels
from clrfast.logs._readers._arrow import Parquet, numbers_in

if TYPE_CHECKING:
    from numpy.typing import NDArray


def add_parquet(
    histories: Histories, decoder: Parquet, groups: Iterable[int], columns: Columns, where: object
) -> None:
    """Add the rows of some row groups.

    Raises:
        ValueError: The metric, the rate or the step holds no numbers.
    """
    wanted = [*columns.numbers, *([columns.run] if columns.run is not None else []), *columns.settings]
    for part in decoder.columns(list(dict.fromkeys(wanted)), groups):
        add_batch(histories, part, columns, where)


def add_batch(histories: Histories, part: Mapping[str, Any], columns: Columns, where: object) -> None:
    """Add the rows of a batch of Arrow's arrays by name."""
    metric = numbers_in(where, part[columns.metric], columns.metric)
    count = len(metric.values)
    nothing = np.full(count, np.nan)
    run, labels = _runs(part, columns, histories.seen, count)
    settings = np.empty((len(columns.settings), count))
    for place, name in enumerate(columns.settings):
        settings[place] = _setting(histories, place, part[name], where, name)
    histories.add(
        Rows(
            run,
            labels,
            nothing if columns.lr is None else numbers_in(where, part[columns.lr], columns.lr).values,
            metric.values,
            np.zeros(count, np.bool_) if metric.missing is None else metric.missing,
            nothing if columns.step is None else numbers_in(where, part[columns.step], columns.step).values,
            settings,
        )
    )


def _runs(
    part: Mapping[str, Any], columns: Columns, seen: int, count: int
) -> tuple[NDArray[np.intp], Sequence[Hashable]]:
    if columns.rows_are_runs:
        cells = [""] * count if columns.run is None else part[columns.run].to_pylist()
        return np.arange(count), row_labels(seen, cells)
    if columns.run is None:
        return np.zeros(count, np.intp), [""]
    places, values = _encoded(part[columns.run])
    if np.any(places < 0):
        values, places = [*values, "(no name)"], np.where(places < 0, len(values), places)
    return places, values


def _encoded(column: Any) -> tuple[NDArray[np.intp], list[Any]]:
    """Return the place of each cell in a list of different values, by appearance; -1 for an empty one."""
    if hasattr(column, "dictionary_decode"):
        cells = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        found, first, places = np.unique(cells, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        order = order[found[order] >= 0]
        rank = np.full(len(found), -1)
        rank[order] = np.arange(len(order))
        return rank[places], column.dictionary.take(found[order]).to_pylist()
    encoded = column.dictionary_encode()
    places = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return places.astype(np.intp), encoded.dictionary.to_pylist()


def _setting(histories: Histories, place: int, column: Any, where: object, name: str) -> NDArray[np.float64]:
    """Return a setting as numbers: words by their codes."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        cells, words = _encoded(column)
        codes = np.array([*(histories.code(place, word) for word in words), np.nan])
        return codes[cells]  # the last where a cell is empty
    try:
        return numbers_in(where, column, name).values
    except ValueError:  # dates, lists and the like are no settings
        return np.full(len(column), np.nan)
