"""What a range test's log says: the loss against ln(lr), its phases, and a range of rates.

The method is a local linear regression of the raw loss on ln(lr), computed from statistics on a
fixed grid, so that the answer does not depend on how many rows a log has, on their spacing or on
their order. See :func:`analyze`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from clrfast import _core

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Analysis", "Phases", "Suggestion", "analyze"]


def __dir__() -> list[str]:
    return __all__


@dataclasses.dataclass(frozen=True)
class Phases:
    """Where the loss changes its character along the ramp; rates, or None where it does not.

    Attributes:
        plateau_end_lr: the loss has begun to fall (the flat phase ends).
        steepest_lr: it falls fastest against ln(lr).
        min_lr: the fitted loss is lowest.
        turn_lr: it has begun to rise again (the steep phase ends).
        divergence_lr: it is back at its starting level, or no longer finite.
    """

    plateau_end_lr: float | None
    steepest_lr: float | None
    min_lr: float | None
    turn_lr: float | None
    divergence_lr: float | None


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A range of rates to cycle in, with how far it can be trusted.

    Attributes:
        base_lr: the lower bound.
        max_lr: the upper bound; the peak for one-cycle training.
        base_lr_interval: rates between which `base_lr` may lie, as (low, high).
        max_lr_interval: rates between which `max_lr` may lie, as (low, high).
        confidence: "high", "medium" or "low".
        reasons: what lowered the confidence, a sentence each; empty if nothing did.
        rule: the name of the rule that made the suggestion.
    """

    base_lr: float
    max_lr: float
    base_lr_interval: tuple[float, float]
    max_lr_interval: tuple[float, float]
    confidence: Literal["high", "medium", "low"]
    reasons: tuple[str, ...]
    rule: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """What :func:`analyze` found in one log.

    Attributes:
        lr: the rates, float64, shape (rows,).
        loss: the losses as given, float64, shape (rows,).
        smoothed: their debiased exponential moving average, float64, shape (rows,); a non-finite
            loss leaves it where it was.
        beta: the factor of that average.
        grid_lr: rates at which the loss was fitted, ascending, float64, shape (cells,).
        grid_loss: the fitted loss there, float64, shape (cells,).
        grid_loss_se: its standard error, float64, shape (cells,).
        grid_slope: fitted d loss / d ln(lr) there, float64, shape (cells,).
        grid_slope_se: its standard error, float64, shape (cells,).
        window: half-width of the fit's kernel, in units of ln(lr).
        phases: where the curve changes its character.
        suggestion: the range of rates to train with.
        n: number of rows.
        n_nonfinite: how many of them have a loss that is NaN, infinite or beyond 1e100.
    """

    lr: NDArray[np.float64]
    loss: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    beta: float
    grid_lr: NDArray[np.float64]
    grid_loss: NDArray[np.float64]
    grid_loss_se: NDArray[np.float64]
    grid_slope: NDArray[np.float64]
    grid_slope_se: NDArray[np.float64]
    window: float
    phases: Phases
    suggestion: Suggestion
    n: int
    n_nonfinite: int

    def __repr__(self) -> str:
        """One line: the range, its confidence, the number of rows."""
        s = self.suggestion
        return (
            f"<Analysis base_lr={s.base_lr:.3g} max_lr={s.max_lr:.3g} "
            f"confidence={s.confidence!r} n={self.n}>"
        )

    def __str__(self) -> str:
        """The three phases and the suggestion, for people."""
        p, s = self.phases, self.suggestion
        bad = f", {self.n_nonfinite:,} not finite" if self.n_nonfinite else ""

        def rate(lr: float | None) -> str:
            return "(not reached)" if lr is None else f"{lr:.2e}"

        def bounds(interval: tuple[float, float]) -> str:
            return f"{interval[0]:.2e} to {interval[1]:.2e}"

        lines = [
            f"{self.n:,} rows{bad}, rates {self.lr.min():.2e} to {self.lr.max():.2e}",
            f"  flat     until lr {rate(p.plateau_end_lr)}",
            f"  falling  steepest at lr {rate(p.steepest_lr)}, lowest at {rate(p.min_lr)}",
            f"  rising   from lr {rate(p.turn_lr)}, diverged at {rate(p.divergence_lr)}",
            f"base_lr {s.base_lr:.2e}   (between {bounds(s.base_lr_interval)})",
            f"max_lr  {s.max_lr:.2e}   (between {bounds(s.max_lr_interval)})",
            f"confidence: {s.confidence}",
            *(f"  - {reason}" for reason in s.reasons),
        ]
        return "\n".join(lines)

    def to_dict(self, *, curve: bool = False) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dictionaries, fit for JSON.

        Args:
            curve: also give the fitted curve (keys `grid_lr`, `grid_loss`, `grid_loss_se`,
                `grid_slope`, `grid_slope_se`). The rows themselves are never included.

        Returns:
            The fields `n`, `n_nonfinite`, `lr_range`, `window`, `phases` and `suggestion`; what is
            not a finite number is None.
        """
        summary: dict[str, Any] = {
            "n": self.n,
            "n_nonfinite": self.n_nonfinite,
            "lr_range": [float(self.lr.min()), float(self.lr.max())],
            "window": self.window,
            "phases": dataclasses.asdict(self.phases),
            "suggestion": dataclasses.asdict(self.suggestion),
        }
        if curve:
            names = ("grid_lr", "grid_loss", "grid_loss_se", "grid_slope", "grid_slope_se")
            summary.update({name: getattr(self, name).tolist() for name in names})
        return cast("dict[str, Any]", _plain(summary))

    def plot(self, ax: Axes | None = None, *, intervals: bool = True, legend: bool = True) -> Axes:
        """Draw the curve, its phases and the suggested range over a logarithmic axis of rates.

        Args:
            ax: where to draw; a new figure's axes by default.
            intervals: shade the intervals of both bounds.
            legend: add a legend.

        Returns:
            The axes drawn into. Nothing is shown or saved. Needs matplotlib.
        """
        from clrfast._plot_analysis import plot_analysis

        return plot_analysis(self, ax, intervals=intervals, legend=legend)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _column(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return `values` as contiguous float64, or say why they are no column of numbers."""
    detach = getattr(values, "detach", None)  # a torch tensor that records gradients
    array = np.asarray(detach() if callable(detach) else values)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, not of shape {array.shape}")
    if array.dtype.kind not in "iuf" and array.size:
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.float64)


def analyze(lrs: ArrayLike, losses: ArrayLike, *, beta: float = 0.98) -> Analysis:
    """Find the phases of a range test's curve and suggest `base_lr` and `max_lr`.

    The loss is fitted against ln(lr) by local linear regression, on the raw losses: no
    successive differences, no bias towards the ramp's direction. Rows may come in any order and
    from any ramp (exponential, linear, staircase, repeated); a falling ramp is analysed as the
    data it is, although its losses carry what was learned at higher rates.

    Args:
        lrs: the rate of each row, positive and finite: a list, an array of any real dtype, or a
            CPU tensor, one-dimensional.
        losses: the loss of each row, as long as `lrs`. May be negative, NaN or infinite: a
            non-finite loss counts as divergence.
        beta: factor of the debiased exponential moving average in `Analysis.smoothed`, in [0, 1).
            The suggestion does not depend on it.

    Returns:
        The analysis.

    Raises:
        TypeError: a column does not hold real numbers.
        ValueError: the columns differ in length or are not one-dimensional; a rate is not
            positive and finite; there are too few rows, or too few rates with a finite loss, to
            lay a curve through; `beta` is out of range.
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be in [0, 1), not {beta!r}")
    lr, loss = _column("lrs", lrs), _column("losses", losses)
    if len(lr) != len(loss):
        raise ValueError(f"lrs and losses must be of equal length, not {len(lr)} and {len(loss)}")
    if len(lr) < _core.FEWEST_CELLS:
        raise ValueError(f"lrs must have at least {_core.FEWEST_CELLS} rows, not {len(lr)}")
    state = _core.State()
    bad = state.add(lr, loss, 0)
    if bad is not None:
        raise ValueError(f"lrs must be positive and finite, not {lr[bad]!r} (row {bad})")
    if state.cells_with_loss < _core.FEWEST_CELLS:
        raise ValueError(
            f"lrs must cover at least {_core.FEWEST_CELLS} distinct rates (over 6 % apart) that "
            f"have a finite loss, not {state.cells_with_loss}, between {state.lowest_lr:.6g} and "
            f"{state.highest_lr:.6g}"
        )
    found = state.analyze()
    curve, suggestion = found["curve"], found["suggestion"]
    return Analysis(
        lr=lr,
        loss=loss,
        smoothed=_core.ema(loss, beta),
        beta=beta,
        grid_lr=np.exp(curve["x"]),
        grid_loss=curve["loss"],
        grid_loss_se=curve["loss_se"],
        grid_slope=curve["slope"],
        grid_slope_se=curve["slope_se"],
        window=curve["window"],
        phases=Phases(**found["phases"]),
        suggestion=Suggestion(
            base_lr=suggestion["base_lr"],
            max_lr=suggestion["max_lr"],
            base_lr_interval=suggestion["base_lr_interval"],
            max_lr_interval=suggestion["max_lr_interval"],
            confidence=cast('Literal["high", "medium", "low"]', suggestion["confidence"]),
            reasons=suggestion["reasons"],
            rule="clrfast",
        ),
        n=state.rows,
        n_nonfinite=state.nonfinite,
    )
