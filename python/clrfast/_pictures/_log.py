"""The picture of losses as they were recorded, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clrfast._pictures._axes import MOST_POINTS, axis_of_rates, new_axes
from clrfast._pictures._colours import by_name
from clrfast._pictures._compare import shown_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_MOST_IN_LEGEND = 10


def plot(
    lr: NDArray[np.float64],
    loss: NDArray[np.float64],
    runs: Sequence[str],
    offsets: NDArray[np.int64] | None,
    ax: Axes | None,
) -> Axes:
    """Draw each run's losses into `ax` or new axes; see :meth:`clrfast.Log.plot`."""
    if ax is None:
        ax = new_axes()
    ends = np.array([0, len(lr)]) if offsets is None else offsets
    for name, stroke, begin, end in zip(runs or [""], by_name(len(ends) - 1), ends, ends[1:]):
        style = {
            "color": stroke.colour,
            "ls": stroke.dashes,
            "lw": 1,
            "rasterized": end - begin > MOST_POINTS,
        }
        ax.plot(lr[begin:end], loss[begin:end], label=shown_name(name), **style)
    positive = lr[(lr > 0) & np.isfinite(lr)]
    if len(positive):
        axis_of_rates(ax, (float(positive.min()), float(positive.max())))
    if limits := _loss_limits(loss, ends):
        ax.set_ylim(*limits)
    ax.set_ylabel("Loss")
    if 1 < len(runs) <= _MOST_IN_LEGEND:
        for text in ax.legend(fontsize="small").get_texts():
            text.set_parse_math(False)
    return ax


def _loss_limits(loss: NDArray[np.float64], ends: NDArray[np.int64]) -> tuple[float, float] | None:
    """Return limits that a diverged end does not stretch: a fall's height above where the runs begin."""
    finite = loss[np.isfinite(loss)]
    if not len(finite):
        return None
    low, high = float(finite.min()), float(finite.max())
    firsts = [loss[begin:end][: max(1, (end - begin) // 10)] for begin, end in zip(ends, ends[1:])]
    first = np.concatenate(firsts)
    start = float(np.max(first[np.isfinite(first)], initial=low))
    usual = float(np.quantile(finite, 0.6))
    high = min(high, max(2 * start - low, usual))
    margin = 0.05 * ((high - low) or abs(high) or 1.0)
    return low - margin, high + margin
