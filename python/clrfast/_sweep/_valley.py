"""The final loss as a curve over the rate, where other settings differ too, and what runs leave open of it.

The model of a run: its loss is f(ln lr - shifts @ exponents) + effects of other settings + noise. f is a
P-spline, effects are shrunk, both as far as the data say; exponents say how the curve moves along the axis of
rates.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from clrfast._sweep._penalized import Block, solve
from clrfast._sweep._spline import Knots, knots_over

if TYPE_CHECKING:
    from numpy.typing import NDArray

_INTERVALS = 20  # of the spline: more change nothing, as its penalty decides
_SMOOTHNESS = tuple(10.0**k for k in range(-4, 7))
_SHRINKAGE = tuple(10.0**k for k in range(-2, 5))
_DRAWS = 2000
_CELLS = 400
_SEED = 0  # of the draws: the same runs give the same answer
_MOST_ROUNDS = 20  # of the exponents; three to eight do
_UNDAMPED = 8
_SETTLED = 3e-3
_RIDGE_RUNS = 0.25  # the share of runs, the lowest losses, that show first where the valley goes


@dataclasses.dataclass(frozen=True, eq=False)
class Valley:
    """The fitted curve where all shifts are 0, at mean settings.

    Attributes:
        log_lr: ln of the rates, ascending, shape (cells,).
        curves: Losses that the runs leave possible, a curve each, shape (draws, cells).
        exponents: How far the curve moves in ln(lr) per unit of each shift, shape (draws, shifts).
        noise: The standard deviation of a run around it.
        places: ln of each run's rate, moved to where its shifts would be 0, shape (runs,).
        losses: The loss of each run without the effects of other settings, shape (runs,).
    """

    log_lr: NDArray[np.float64]
    curves: NDArray[np.float64]
    exponents: NDArray[np.float64]
    noise: float
    places: NDArray[np.float64]
    losses: NDArray[np.float64]

    @property
    def loss(self) -> NDArray[np.float64]:
        """The mean of all curves, shape (cells,)."""
        return np.asarray(self.curves.mean(axis=0))

    @property
    def lowest(self) -> NDArray[np.intp]:
        """The cell where each curve is lowest, shape (draws,)."""
        return np.asarray(self.curves.argmin(axis=1))

    def price(self) -> NDArray[np.float64]:
        """Return how much more than at the best rate each one is expected to cost, shape (cells,)."""
        return np.asarray((self.curves - self.curves.min(axis=1, keepdims=True)).mean(axis=0))


def fit_valley(
    log_lr: NDArray[np.float64],
    loss: NDArray[np.float64],
    shifts: NDArray[np.float64],
    scales: NDArray[np.float64],
    effects: NDArray[np.float64],
    *,
    below: float,
) -> Valley:
    """Fit the curve.

    Args:
        log_lr: ln of each run's rate, shape (runs,); several of them differ.
        loss: What it ended at, finite, not all equal, shape (runs,).
        shifts: What may move the curve, 0 at the reference, shape (runs, shifts).
        scales: The standard deviation of the prior of each exponent, shape (shifts,).
        effects: Other settings, each with mean 0 and standard deviation 1, shape (runs, effects).
        below: The highest ln(lr) of the curve, if it is not the runs'.
    """
    middle = float(loss.mean())
    level = loss - middle
    exponents = _along_the_valley(log_lr, loss, shifts, effects)
    for round_ in range(_MOST_ROUNDS):  # Gauss-Newton
        place = log_lr - shifts @ exponents
        knots = knots_over(place, _INTERVALS)
        solution = solve([_curve(knots, place), *_shrunk(effects)], level)
        if not len(scales):
            break
        slope = knots.basis(place, 1) @ solution.best[: knots.functions]
        moved = -slope[:, None] * shifts
        prior = Block(moved, np.diag(solution.variance / scales**2), len(scales), (1.0,))
        solution = solve([_curve(knots, place), *_shrunk(effects), prior], level + moved @ exponents)
        off = solution.best[-len(scales) :] - exponents
        if np.abs(off).max() < _SETTLED:
            break
        damping = 1.0 if round_ < _UNDAMPED else 0.5  # where rounds swing to and fro
        exponents = exponents + damping * np.clip(off, -0.5 * scales, 0.5 * scales)
    drawn = solution.draw(_DRAWS, np.random.default_rng(_SEED))
    grid = np.linspace(log_lr.min(), min(log_lr.max(), below), _CELLS)
    curves = middle + drawn[:, : knots.functions] @ knots.basis(grid).T
    kept = slice(knots.functions, knots.functions + effects.shape[1])
    return Valley(
        grid,
        curves,
        drawn[:, kept.stop :],
        solution.variance**0.5,
        log_lr - shifts @ drawn[:, kept.stop :].mean(axis=0),
        loss - effects @ solution.best[kept],
    )


def _curve(knots: Knots, place: NDArray[np.float64]) -> Block:
    return Block(knots.basis(place), knots.roughness(), knots.functions - 2, _SMOOTHNESS)


def _shrunk(effects: NDArray[np.float64]) -> list[Block]:
    count = effects.shape[1]
    return [Block(effects, np.eye(count), count, _SHRINKAGE)] if count else []


def _along_the_valley(
    log_lr: NDArray[np.float64],
    loss: NDArray[np.float64],
    shifts: NDArray[np.float64],
    effects: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return a first guess of the exponents: the direction in which the runs of the lowest losses lie."""
    if not shifts.shape[1]:
        return np.zeros(0)
    level = np.column_stack([np.ones(len(loss)), effects])
    above = loss - level @ np.linalg.lstsq(level, loss, rcond=None)[0]
    low = np.argsort(above, kind="stable")[: max(int(_RIDGE_RUNS * len(loss)), 3)]
    design = np.column_stack([np.ones(len(low)), shifts[low]])
    penalty = np.eye(design.shape[1])
    penalty[0, 0] = 1e-9
    return np.asarray(np.linalg.solve(design.T @ design + penalty, design.T @ log_lr[low])[1:])
