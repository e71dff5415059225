"""Smoothers for the losses of a log, and its slope against ln(lr).

:func:`clrfast.analyze` needs none of them: they are for curves to look at, and to compare with.
A loss that is NaN, infinite or beyond 1e100 is left out by all of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clrfast import _core
from clrfast.analysis._columns import bad_rate, column, columns, thread_count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LocalLinear", "ema", "ema_by_half_life", "local_linear", "running_median"]


def __dir__() -> list[str]:
    return __all__


def ema(losses: ArrayLike, *, beta: float = 0.98) -> NDArray[np.float64]:
    """Average exponentially over steps, without bias at the start (as fastai and Adam do).

    Args:
        losses: a column of real numbers, shape (rows,).
        beta: how much of the average each step keeps, in [0, 1).

    Returns:
        The average after each row, shape (rows,); NaN before the first finite loss.

    Raises:
        ValueError: `beta` is out of range, or the column is not one-dimensional.
        TypeError: the column does not hold real numbers.
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be in [0, 1), not {beta!r}")
    return _core.ema(column("losses", losses), beta)


def ema_by_half_life(
    lrs: ArrayLike, losses: ArrayLike, *, half_life: float = 0.1 * math.log(10)
) -> NDArray[np.float64]:
    """Average exponentially over ln(lr), so that the answer hardly depends on the number of rows.

    Args:
        lrs: positive rates, shape (rows,), in the order in which they were used.
        losses: a column of real numbers, as long as `lrs`.
        half_life: change of ln(lr), up or down, after which a loss weighs half as much; positive.
            The default is a tenth of a decade.

    Returns:
        The average after each row, shape (rows,); NaN before the first finite loss.

    Raises:
        ValueError: a rate is not positive and finite, `half_life` is not, or the columns do not
            fit each other.
        TypeError: a column does not hold real numbers.
    """
    if not 0 < half_life < math.inf:
        raise ValueError(f"half_life must be positive and finite, not {half_life!r}")
    lr, loss = columns(lrs, losses)
    smoothed = _core.ema_by_half_life(lr, loss, half_life)
    if isinstance(smoothed, int):
        raise bad_rate(float(lr[smoothed]), f" (row {smoothed})")
    return smoothed


def running_median(losses: ArrayLike, *, width: int = 9) -> NDArray[np.float64]:
    """Take the median of the rows around each row, which single spikes do not move.

    Args:
        losses: a column of real numbers, shape (rows,).
        width: number of rows, odd and at least 1; near the ends there are fewer.

    Returns:
        The medians, shape (rows,); NaN where no loss around is finite.

    Raises:
        ValueError: `width` is even or below 1, or the column is not one-dimensional.
        TypeError: the column does not hold real numbers.
    """
    if width < 1 or width % 2 == 0:
        raise ValueError(f"width must be odd and at least 1, not {width!r}")
    return _core.running_median(column("losses", losses), width)


class LocalLinear(NamedTuple):
    """A local linear regression; all float64, shape (cells,).

    Attributes:
        lr: rates, ascending: one for each 64th of a decade that holds a finite loss.
        loss: the fitted loss there.
        loss_se: its standard error.
        slope: the fitted d loss / d ln(lr) there.
        slope_se: its standard error.
    """

    lr: NDArray[np.float64]
    loss: NDArray[np.float64]
    loss_se: NDArray[np.float64]
    slope: NDArray[np.float64]
    slope_se: NDArray[np.float64]


def local_linear(
    lrs: ArrayLike,
    losses: ArrayLike,
    *,
    window: float = 0.4 * math.log(10),
    threads: int | None = None,
) -> LocalLinear:
    """Fit a line to the losses around each rate: a smoothed loss and a slope, with errors.

    The kernel is Epanechnikov's. Rows may come in any order, and rates may repeat.

    Args:
        lrs: positive rates, shape (rows,).
        losses: a column of real numbers, as long as `lrs`.
        window: half-width of the kernel in units of ln(lr), positive; wider where it would hold
            fewer than eight rows. The default is 0.4 of a decade.
        threads: how many to use at most, at least 1; by default one for each core.

    Returns:
        The fit, uncapped: unlike in :func:`clrfast.analyze`, a diverged loss moves it.

    Raises:
        ValueError: a rate is not positive and finite, `window` or `threads` is out of range, or
            the columns do not fit each other.
        TypeError: a column does not hold real numbers.
    """
    if not 0 < window < math.inf:
        raise ValueError(f"window must be positive and finite, not {window!r}")
    lr, loss = columns(lrs, losses)
    state = _core.State()
    bad = state.add(lr, loss, 0, thread_count(threads))
    if bad is not None:
        raise bad_rate(float(lr[bad]), f" (row {bad})")
    fit = state.fit(window)
    return LocalLinear(np.exp(fit["x"]), fit["loss"], fit["loss_se"], fit["slope"], fit["slope_se"])
