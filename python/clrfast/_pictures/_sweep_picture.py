"""What every picture of a sweep shows, whichever library draws it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RUN_COLOUR = "#1f77b4"
RAW_COLOUR = "#b0b0b0"
BEST_COLOUR = "#ff7f0e"
BASIN_COLOUR = "#2ca02c"
DIVERGED_COLOUR = "#d62728"


@dataclasses.dataclass(frozen=True)
class ValleyCurve:
    """The fitted curve.

    Attributes:
        lr: its rates, ascending, shape (cells,), as those that follow.
        value: the metric.
        low: the lower end of what the runs leave possible, 95 % of it.
        high: the upper end.
        best_lr: where it is best.
        interval: the rates between which that lies.
        basins: what rates around it cost, and from where to where.
        moved: the rates of all runs, moved to the reference of other settings, and their metric without the
            effects of these; both of shape (runs,).
    """

    lr: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    best_lr: float
    interval: tuple[float, float]
    basins: Sequence[tuple[float, tuple[float, float]]]
    moved: tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclasses.dataclass(frozen=True)
class SweepPicture:
    """All that is drawn of a sweep: numbers and labels, and nothing that has to be asked.

    Attributes:
        metric: what the runs are judged by.
        lr: their peak rates, shape (runs,).
        value: the metric of each, NaN where it diverged, shape (runs,).
        logarithmic: whether the metric is drawn by its logarithm.
        curve: what was fitted, or None.
        adjusted: whether other settings differ, so that runs are drawn where the fit would move them.
        trust: how sure the best rate is.
        text: the whole sweep in words.
        table: a header, and a row for each run.
    """

    metric: str
    lr: NDArray[np.float64]
    value: NDArray[np.float64]
    logarithmic: bool
    curve: ValleyCurve | None
    adjusted: bool
    trust: str
    text: str
    table: Sequence[tuple[str, ...]]

    @property
    def diverged(self) -> NDArray[np.float64]:
        """The rates of the runs that diverged."""
        return self.lr[np.isnan(self.value)]

    @property
    def value_limits(self) -> tuple[float, float]:
        """Those of nearly all runs and of the curve: one run that went wrong does not flatten the rest."""
        sound = self.value[~np.isnan(self.value)]
        parts = [np.quantile(sound, [0.01, 0.95])] if len(sound) else [np.array([0.0, 1.0])]
        if self.curve is not None:
            parts += [self.curve.value, np.quantile(self.curve.moved[1], [0.01, 0.95])]
        whole = np.concatenate(parts)
        if self.logarithmic:
            low, high = np.log(whole.min()), np.log(whole.max())
            margin = 0.05 * (high - low) or 0.1
            return float(np.exp(low - margin)), float(np.exp(high + margin))
        low, high = whole.min(), whole.max()
        margin = 0.05 * (high - low) or 0.1
        return float(low - margin), float(high + margin)
