"""How many steps trainings take to one loss, and what that says of the batch size."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clrfast._student import quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_RECENT = (
    0.2  # the share of the steps so far whose mean is the loss now: it lags by the same factor everywhere
)
_CLEARLY = 3.0  # standard errors
_FINEST = 0.1  # the error of a number of steps that is assumed at least, in ln(steps)
_BEYOND = 64.0  # how far beyond the sizes that were tried a critical size is looked for


@dataclasses.dataclass(frozen=True)
class Critical:
    """The batch size at which a training takes twice the fewest steps, and twice the fewest samples.

    Attributes:
        size: in samples.
        interval: where it lies with a probability of 95 %, as (low, high); 0 or infinity where no end is
            seen.
        fewest_steps: what a huge batch would take.
    """

    size: float
    interval: tuple[float, float]
    fewest_steps: float


def recent_means(losses: ArrayLike) -> NDArray[np.float64]:
    """Return for each step the mean loss of the last fifth of the steps up to it, shape (steps,)."""
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    stop = np.arange(1, len(sums))
    start = np.minimum((stop * (1 - _RECENT)).astype(int), stop - 1)
    return np.asarray((sums[stop] - sums[start]) / (stop - start))


def steps_to(loss: float, losses: Sequence[float]) -> float:
    """Return after how many steps the mean of the recent losses is as low as this; NaN if it never is."""
    means = recent_means(losses)
    (reached,) = np.nonzero(means <= loss)
    if not len(reached):
        return math.nan
    i = int(reached[0])
    if i == 0 or not means[i - 1] > means[i]:
        return float(i + 1)
    return i + float((means[i - 1] - loss) / (means[i - 1] - means[i]))


def has_fallen(losses: Sequence[float]) -> bool:
    """Return whether all losses are finite, and the last fifth of them clearly below the first."""
    count = max(2, round(_RECENT * len(losses)))
    first, last = np.array(losses[:count]), np.array(losses[-count:])
    if not np.isfinite(losses).all():
        return False
    error = math.hypot(first.std(ddof=1), last.std(ddof=1)) / math.sqrt(count)
    return bool(first.mean() - last.mean() > _CLEARLY * error)


def critical_size(sizes: NDArray[np.float64], steps: NDArray[np.float64]) -> Critical | None:
    """Fit ``steps = fewest * (1 + critical / size)``; None where less than three sizes have a number.

    The model is that of McCandlish et al., arXiv:1812.06162, equation 2.7; errors are of ln(steps).

    Args:
        sizes: batch sizes, shape (sizes,).
        steps: the steps that each took, NaN where that is not known, shape (sizes,).
    """
    known = np.isfinite(steps)
    if known.sum() < 3:
        return None
    sizes, logs = sizes[known], np.log(steps[known])
    tried = np.geomspace(sizes.min() / _BEYOND, sizes.max() * _BEYOND, 2000)
    rest = logs - np.log1p(tried[:, None] / sizes)
    levels = rest.mean(axis=1)
    squares = np.sum((rest - levels[:, None]) ** 2, axis=1)
    best = int(np.argmin(squares))
    dof = len(sizes) - 2
    variance = max(squares[best] / dof, _FINEST**2)
    inside = tried[squares <= squares[best] + quantile(dof) ** 2 * variance]
    low = 0.0 if inside[0] == tried[0] else float(inside[0])
    high = math.inf if inside[-1] == tried[-1] else float(inside[-1])
    return Critical(float(tried[best]), (low, high), math.exp(levels[best]))


def exponent(sizes: NDArray[np.float64], rates: NDArray[np.float64]) -> tuple[float, float]:
    """Return the power of the batch size that rates grow by, and its standard error; NaN where unknown."""
    known = np.isfinite(rates)
    if known.sum() < 2:
        return math.nan, math.nan
    x, y = np.log(sizes[known]), np.log(rates[known])
    x = x - x.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread
    if len(x) < 3:
        return slope, math.nan
    rest = y - y.mean() - slope * x
    return slope, math.sqrt(float(rest @ rest) / (len(x) - 2) / spread)


def smoothed_rates(sizes: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rates that are geometric means with their neighbours', and between those where one is missing.

    A range test's answer has an error, of which the neighbours know.
    """
    known = np.isfinite(rates)
    logs = np.interp(np.log(sizes), np.log(sizes[known]), np.log(rates[known]))
    around = np.concatenate([logs[:1], logs, logs[-1:]])
    return np.asarray(np.exp((around[:-2] + 2 * logs + around[2:]) / 4))
