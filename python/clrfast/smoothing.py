"""Smoothers for the losses of a log, and its slope against ln(lr).

:func:`clrfast.analyze` needs none of them: they are for curves to look at, and to compare with.
A loss that is NaN, infinite or beyond 1e100 is left out by all of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clrfast import _check, _core
from clrfast.analysis._analyze import add_columns
from clrfast.analysis._columns import column, columns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LocalLinear", "ema", "local_linear"]


def __dir__() -> list[str]:
    return __all__


def ema(loss: ArrayLike, *, beta: float = 0.98) -> NDArray[np.float64]:
    """Average exponentially over steps, without bias at the start (as fastai and Adam do).

    Args:
        loss: a column of real numbers, shape (rows,).
        beta: how much of the average each step keeps, in [0, 1).

    Returns:
        The average after each row, shape (rows,); NaN before the first finite loss.

    Raises:
        ValueError: `beta` is out of range, or the column is not one-dimensional.
        TypeError: the column does not hold real numbers.
    """
    return _core.ema(column("loss", loss), _check.beta(beta))


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
    lr: ArrayLike,
    loss: ArrayLike,
    *,
    window: float = 0.4 * math.log(10),
    threads: int | None = None,
) -> LocalLinear:
    """Fit a line to the losses around each rate: a smoothed loss and a slope, with errors.

    The kernel is Epanechnikov's. Rows may come in any order, and rates may repeat.

    Args:
        lr: positive rates, shape (rows,).
        loss: a column of real numbers, as long as `lr`.
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
    width = _check.real("window", window, above=0.0)
    rates, losses = columns(lr, loss)
    state = _core.State()
    add_columns(state, rates, losses, None, threads)
    fit = state.fit(width)
    return LocalLinear(np.exp(fit.x), fit.loss, fit.loss_se, fit.slope, fit.slope_se)
