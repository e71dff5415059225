"""Many logs at once, as a table of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clrfast import _core
from clrfast.analysis._columns import bad_rate, columns, in_groups, thread_count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def analyze_runs(
    lr: ArrayLike,
    loss: ArrayLike,
    *,
    run: ArrayLike | None = None,
    offsets: ArrayLike | None = None,
    threads: int | None = None,
) -> NDArray[np.void]:
    """Analyse many logs at once, each as :func:`analyze` would.

    Say which rows belong together by `run` or by `offsets`, not by both.

    Args:
        lr: rates of all runs, as :func:`analyze` takes them.
        loss: losses of all runs, as long as `lr`.
        run: the run of each row, as long as `lr`: numbers or names, in any order.
        offsets: where runs that follow each other start, and the last one ends: ascending
            integers from 0 to the number of rows, one more than there are runs.
        threads: how many to use at most, at least 1; by default one for each core.

    Returns:
        A structured array, one record a run, in the order in which the runs appear (which
        `pandas.DataFrame` takes as it is), with the fields `run`, `n`, `n_nonfinite`, `base_lr`,
        `base_lr_low`, `base_lr_high`, `max_lr`, `max_lr_low`, `max_lr_high`, `plateau_end_lr`,
        `steepest_lr`, `min_lr`, `turn_lr`, `divergence_lr`, `confidence` ("low", "medium",
        "high") and `still_falling`. A rate is NaN where :class:`Suggestion` and :class:`Phases`
        have None, or where a run is too short for an analysis.

    Raises:
        TypeError, ValueError: as :func:`analyze` does; or `run` and `offsets` do not fit.
    """
    runs = run_rows(lr, loss, run, offsets)
    found = _core.analyze_runs(runs.lr, runs.loss, runs.starts.tolist(), thread_count(threads))
    if isinstance(found, int):
        raise runs.bad_rate(found)
    return table_of(runs.names, found)


def table_of(names: NDArray[Any], found: NDArray[np.void]) -> NDArray[np.void]:
    """Return the table of runs with these names, of which the core found this."""
    fields = [("run", names.dtype)]
    for name in found.dtype.names or ():
        fields.append((name, np.dtype("U6") if name == "confidence" else found.dtype[name]))
    table = np.empty(len(found), dtype=fields)
    table["run"] = names
    for name in found.dtype.names or ():
        table[name] = found[name]
    table["confidence"] = np.array(["low", "medium", "high"])[found["confidence"]]
    return table


class RunRows(NamedTuple):
    """Rows run by run: the runs' names, where each starts and the last ends, and where the rows stood."""

    lr: NDArray[np.floating[Any]]
    loss: NDArray[np.floating[Any]]
    names: NDArray[Any]
    starts: NDArray[np.int64]
    order: NDArray[np.int64] | None  # None: where they are now

    def bad_rate(self, row: int) -> ValueError:
        """Return the error for the rate in this row, by the place that it was given in."""
        place = row if self.order is None else self.order[row]
        return bad_rate(float(self.lr[row]), f" (row {place})")


def run_rows(lr: ArrayLike, loss: ArrayLike, run: ArrayLike | None, offsets: ArrayLike | None) -> RunRows:
    """Return the rows run by run, as the arguments say; errors are those of :func:`analyze_runs`."""
    rates, losses = columns(lr, loss)
    names, starts, order = _places(len(rates), run, offsets)
    if order is not None:
        rates, losses = rates[order], losses[order]
    return RunRows(rates, losses, names, starts, order)


def _places(
    rows: int, run: ArrayLike | None, offsets: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64] | None]:
    """Return the runs' names, their offsets, and the order that puts each run's rows together."""
    if (run is None) == (offsets is None):
        given = "neither" if run is None else "both"
        raise TypeError(f"run or offsets must be given, and not both, got {given}")
    if offsets is not None:
        starts = np.asarray(offsets)
        if starts.ndim != 1 or starts.dtype.kind not in "iu" or len(starts) < 1:
            raise TypeError(f"offsets must be a column of integers, got {offsets!r:.60}")
        if starts[0] != 0 or starts[-1] != rows or np.any(starts[1:] < starts[:-1]):
            raise ValueError(f"offsets must ascend from 0 to the number of rows, {rows}, got {offsets!r:.60}")
        return np.arange(len(starts) - 1), starts.astype(np.int64), None
    names = np.asarray(run)
    if names.shape != (rows,):
        raise ValueError(f"run must have one entry a row, shape ({rows},), got {names.shape}")
    starts = np.flatnonzero(np.concatenate([[rows > 0], names[1:] != names[:-1]]))
    if len(np.unique(names[starts])) == len(starts):  # every run in one piece
        return names[starts], np.append(starts, rows), None
    _, first, number = np.unique(names, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))  # as they appear
    order, starts = in_groups(rank[number], len(first))
    return names[np.sort(first)], starts, order
