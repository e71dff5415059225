"""What every picture of an analysis shows, whichever library draws it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clrfast.analysis import Analysis

MOST_ROWS = 20_000  # more are drawn as a band
LOSS_COLOUR = "#1f77b4"
PHASE_COLOURS = {"flat": "#7f7f7f", "falling": "#2ca02c", "rising": "#d62728"}
BOUND_COLOURS = {"base_lr": "#9467bd", "max_lr": "#ff7f0e"}
OTHERS_COLOUR = "#4d4d4d"  # what other rules suggest


class Bound(NamedTuple):
    """A suggested rate, where it lies on the fitted curve, and what it is drawn with."""

    name: str
    lr: float
    loss: float
    interval: tuple[float, float] | None
    colour: str


def rows(analysis: Analysis) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]] | None:
    """Return the rows by ascending rate, or None where there are none, or where a band shows more.

    That is so of many rows, and of rates that repeat, over which a line would only go up and down.
    """
    if not 0 < len(analysis.lr) <= MOST_ROWS:
        return None
    order = np.argsort(analysis.lr, kind="stable")
    rates = analysis.lr[order]
    if 2 * np.count_nonzero(rates[1:] == rates[:-1]) >= len(rates):
        return None
    return rates, analysis.loss[order]


def bounds(analysis: Analysis) -> Iterator[Bound]:
    """Yield the bounds that are suggested."""
    found = analysis.suggestion
    for name, lr, interval in (
        ("base_lr", found.base_lr, found.base_lr_interval),
        ("max_lr", found.max_lr, found.max_lr_interval),
    ):
        if lr is not None:
            yield Bound(name, lr, loss_at(analysis, lr), interval, BOUND_COLOURS[name])


def loss_at(analysis: Analysis, lr: float) -> float:
    """Return the fitted loss at a rate."""
    return float(np.interp(np.log(lr), np.log(analysis.grid_lr), analysis.grid_loss))


def phases(analysis: Analysis) -> Iterator[tuple[str, float, float]]:
    """Yield the name of each phase that the curve has, and the rates between which it lies."""
    found = analysis.phases
    lowest, highest = analysis.lr_range
    rising_from = highest if found.turn_lr is None else found.turn_lr
    flat_until = rising_from if found.plateau_end_lr is None else found.plateau_end_lr
    for name, start, stop in (
        ("flat", lowest, flat_until),
        ("falling", flat_until, rising_from),
        ("rising", rising_from, highest),
    ):
        if stop > start:
            yield name, start, stop


def lr_limits(analysis: Analysis) -> tuple[float, float]:
    """Return the rates of the log, and somewhat more where a bound lies beyond them."""
    low, high = analysis.lr_range
    for bound in bounds(analysis):
        low = min(low, bound.lr / 1.5)
        high = max(high, bound.lr * 1.5) if bound.lr > high else high
    return low, high


def loss_limits(analysis: Analysis) -> tuple[float, float]:
    """Show each loss below the curve, but keep the diverged part from flattening the rest."""
    if not len(analysis.grid_loss):
        return 0.0, 1.0
    low, high = float(np.min(analysis.grid_loss)), float(np.max(analysis.grid_loss))
    height = (high - low) or abs(high) or 1.0
    lowest = analysis.grid_lowest[np.isfinite(analysis.grid_lowest)]
    if len(lowest):
        low = max(low - 3.0 * height, min(low, float(lowest.min())))
    return low - 0.06 * height, high + 0.3 * height


def fit(analysis: Analysis) -> str:
    """Return what the fitted curve is, and over how much of ln(lr) it averages."""
    return f"fit over ±{analysis.window / np.log(10):.1f} decades"


def trust(analysis: Analysis) -> str:
    """Return which rule made the suggestion, and how sure it is."""
    found = analysis.suggestion
    return f"rule: {found.rule}" + ("" if found.confidence is None else f", confidence: {found.confidence}")
