"""From one log, or from its statistics, to an analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from clrfast import _check, _core
from clrfast.analysis._analysis import Analysis, Phases
from clrfast.analysis._columns import Frame, HasColumns, bad_rate, columns, columns_of, thread_count
from clrfast.analysis._suggestion import Suggestion
from clrfast.analysis._verdict import with_probes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@overload
def analyze(
    lr: ArrayLike, loss: ArrayLike, *, beta: float = 0.98, threads: int | None = None
) -> Analysis: ...
@overload
def analyze(
    lr: HasColumns | Frame, loss: None = None, *, beta: float = 0.98, threads: int | None = None
) -> Analysis: ...
def analyze(
    lr: ArrayLike | HasColumns | Frame,
    loss: ArrayLike | None = None,
    *,
    beta: float = 0.98,
    threads: int | None = None,
) -> Analysis:
    """Find the phases of a range test's curve and suggest `base_lr` and `max_lr`.

    The loss is fitted against ln(lr) by local linear regression, on the raw losses: no
    successive differences, no bias towards the ramp's direction. Rows may come in any order and
    from any ramp (exponential, linear, staircase, repeated); a falling ramp is analysed as the
    data it is, although its losses carry what was learned at higher rates.

    Args:
        lr: the rate of each row, positive and finite: a list, an array of any real dtype, or a
            CPU tensor, one-dimensional. Or, without `loss`, a log with both columns: a
            :class:`clrfast.Log` of one run, whose probes, if any, count too, or a data frame with the columns
            `lr` and `loss`.
        loss: the loss of each row, as long as `lr`. May be negative, NaN or infinite: a
            non-finite loss counts as divergence.
        beta: factor of the debiased exponential moving average in `Analysis.smoothed`, in [0, 1).
            The suggestion does not depend on it.
        threads: how many to use at most, at least 1; by default one for each core. Short logs take
            one anyway.

    Returns:
        The analysis.

    Raises:
        TypeError: a column does not hold real numbers, or `loss` is missing.
        ValueError: the columns differ in length or are not one-dimensional; a rate is not
            positive and finite; there are too few rates with a finite loss to lay a curve
            through; the log holds several runs; `beta` or `threads` is out of range.
    """
    beta = _check.beta(beta)
    given: Any = (lr, loss) if loss is not None else columns_of(lr)
    rates, losses = columns(*given)
    state = _core.State()
    add_columns(state, rates, losses, None, threads)
    return with_probes(analysis_of(state, rates, losses, beta), getattr(lr, "probes", None))


def add_columns(
    state: _core.State,
    lr: NDArray[np.floating[Any]],
    loss: NDArray[np.floating[Any]],
    step: int | None,
    threads: int | None,
) -> None:
    """Add rows, or raise the error for the first bad rate, whose row counts those added before."""
    bad = state.add(lr, loss, step, thread_count(threads))
    if bad is not None:
        raise bad_rate(float(lr[bad]), f" (row {state.rows + bad})")


def analysis_of(
    state: _core.State,
    lr: NDArray[np.floating[Any]],
    loss: NDArray[np.floating[Any]],
    beta: float,
) -> Analysis:
    """Analyse what the core's state holds."""
    found = state.analyze()
    curve, phases, suggestion = found.curve, found.phases, found.suggestion
    return Analysis(
        lr=lr,
        loss=loss,
        beta=beta,
        lr_range=(found.lowest_lr, found.highest_lr),
        grid_lr=np.exp(curve.x),
        grid_loss=curve.loss,
        grid_loss_se=curve.loss_se,
        grid_slope=curve.slope,
        grid_slope_se=curve.slope_se,
        grid_lowest=found.lowest,
        grid_highest=found.highest,
        window=found.window,
        phases=Phases(
            plateau_end_lr=phases.plateau_end_lr,
            steepest_lr=phases.steepest_lr,
            min_lr=phases.min_lr,
            turn_lr=phases.turn_lr,
            divergence_lr=phases.divergence_lr,
        ),
        suggestion=Suggestion(
            bounds=(suggestion.base_lr, suggestion.max_lr),
            base_lr_interval=suggestion.base_lr_interval,
            max_lr_interval=suggestion.max_lr_interval,
            confidence=suggestion.confidence,
            still_falling=suggestion.still_falling,
            reasons=suggestion.reasons,
            rule="clrfast",
        ),
        n=found.rows,
        n_nonfinite=found.nonfinite,
    )
