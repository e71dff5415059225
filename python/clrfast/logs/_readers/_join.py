"""DecodedRows of a log made whole: the rate and the loss of a step may stand on different rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clrfast.logs._readers._decoder import Numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LogRows(NamedTuple):
    """Some rows of a log. A step is NaN where there is none; there may be no steps at all."""

    lr: Numbers
    loss: Numbers
    step: NDArray[np.float64] | None

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> LogRows:
        """Return only these rows."""
        step = None if self.step is None else self.step[rows]
        return LogRows(_take(self.lr, rows), _take(self.loss, rows), step)


class Joiner:
    """Gives the rows of one run that have a rate, chunk after chunk.

    Once a step is found with its rate on one row and its loss on another, rows are joined by their steps
    from then on, and steps that have only one of both are left out. Before, an empty loss is NaN. The
    rows of a step may be in neighbouring chunks at the furthest.

    Args:
        joins: Whether rows are joined from the start.
    """

    def __init__(self, *, joins: bool) -> None:
        """Begin with no rows."""
        self._joins = joins
        self._waiting: LogRows | None = None

    def __call__(self, rows: LogRows) -> LogRows:
        """Return the rows that are whole."""
        without_rate = np.isnan(rows.lr.values)
        if not without_rate.any() and (rows.loss.missing is None or not self._joins):
            return rows
        if rows.step is None:
            return rows.take(~without_rate)
        if self._waiting is not None:
            rows = _concatenated(self._waiting, rows)
            without_rate = np.isnan(rows.lr.values)
        assert rows.step is not None
        # Where a format cannot tell an empty loss from NaN, NaN may be either.
        without_loss = np.isnan(rows.loss.values) if rows.loss.missing is None else rows.loss.missing
        stepped = ~np.isnan(rows.step)
        rates = np.flatnonzero(~without_rate & without_loss & stepped)
        losses = np.flatnonzero(without_rate & ~without_loss & stepped)
        of_rates, of_losses = _pairs(rows.step[rates], rows.step[losses])
        filled, filling = rates[of_rates], losses[of_losses]
        self._joins = self._joins or len(filled) > 0
        loss = rows.loss.values.copy()
        loss[filled] = loss[filling]
        whole = ~without_rate
        if self._joins:
            if rows.loss.missing is not None:
                whole &= ~rows.loss.missing
            whole[filled] = True
            waits = np.zeros_like(whole)
            waits[rates] = waits[losses] = True
            waits[filling] = False
            self._waiting = rows.take(waits & ~whole)
        return LogRows(Numbers(rows.lr.values), Numbers(loss), rows.step).take(whole)


def _pairs(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair the n-th occurrence of a step in `one` with its n-th in `other`; return the places in both."""
    one_order, other_order = np.argsort(one, kind="stable"), np.argsort(other, kind="stable")
    one, other = one[one_order], other[other_order]
    occurrence = np.arange(len(one)) - np.searchsorted(one, one)
    partner = np.searchsorted(other, one) + occurrence
    found = partner < np.searchsorted(other, one, side="right")
    return one_order[found], other_order[partner[found]]


def _take(cells: Numbers, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Numbers:
    return Numbers(cells.values[rows], None if cells.missing is None else cells.missing[rows])


def _concatenated(first: LogRows, second: LogRows) -> LogRows:
    def both(a: Numbers, b: Numbers) -> Numbers:
        return Numbers(np.concatenate([a.values, b.values]), np.concatenate([_mask(a), _mask(b)]))

    assert first.step is not None
    assert second.step is not None
    step = np.concatenate([first.step, second.step])
    return LogRows(both(first.lr, second.lr), both(first.loss, second.loss), step)


def _mask(cells: Numbers) -> NDArray[np.bool_]:
    return np.zeros(len(cells.values), np.bool_) if cells.missing is None else cells.missing
