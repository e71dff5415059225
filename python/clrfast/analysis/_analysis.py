"""What an analysis finds, and :func:`analyze`, which finds it in one log."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from clrfast import _core
from clrfast.analysis._columns import bad_rate, columns, thread_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray


@dataclasses.dataclass(frozen=True)
class Phases:
    """Where the loss changes its character along the ramp; rates, or None where it does not.

    Attributes:
        plateau_end_lr: the loss has begun to fall (the flat phase ends).
        steepest_lr: it falls fastest against ln(lr).
        min_lr: the fitted loss is lowest.
        turn_lr: it has begun to rise again (the steep phase ends).
        divergence_lr: it has risen by half of what it had fallen, or is no longer finite.
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
        base_lr: the lower bound; None if the log shows nothing to suggest a range by, or if the rule
            gives no lower bound.
        max_lr: the upper bound, and the peak for one-cycle training; None if the log shows nothing.
        base_lr_interval: where `base_lr` would probably lie in another test, as (low, high); None if
            there is no bound, or if the rule does not say.
        max_lr_interval: where `max_lr` would; None likewise.
        confidence: "high", "medium" or "low"; None if the rule does not say.
        lower_bound: whether the loss still falls at the highest rate of the log, so that `max_lr`
            may well be higher.
        reasons: what lowered the confidence, a sentence each; empty if nothing did.
        rule: the name of the rule that made the suggestion.
    """

    base_lr: float | None
    max_lr: float | None
    base_lr_interval: tuple[float, float] | None
    max_lr_interval: tuple[float, float] | None
    confidence: Literal["high", "medium", "low"] | None
    lower_bound: bool
    reasons: tuple[str, ...]
    rule: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """What :func:`analyze` found in one log.

    Attributes:
        lr: the rates as given, shape (rows,); empty if a :class:`State` was analysed.
        loss: the losses as given, likewise.
        beta: the factor of `smoothed`.
        lr_range: the lowest and the highest rate.
        grid_lr: rates at which the loss was fitted, ascending, float64, shape (cells,).
        grid_loss: the fitted loss there, float64, shape (cells,).
        grid_loss_se: its standard error, float64, shape (cells,).
        grid_slope: fitted d loss / d ln(lr) there, float64, shape (cells,).
        grid_slope_se: its standard error, float64, shape (cells,).
        grid_lowest: the lowest loss of the rows around each of these rates.
        grid_highest: the highest.
        window: half-width of the fit's kernel, in units of ln(lr).
        phases: where the curve changes its character.
        suggestion: the range of rates to train with.
        n: number of rows.
        n_nonfinite: how many of them have a loss that is NaN, infinite or beyond 1e100.
    """

    lr: NDArray[np.floating[Any]]
    loss: NDArray[np.floating[Any]]
    beta: float
    lr_range: tuple[float, float]
    grid_lr: NDArray[np.float64]
    grid_loss: NDArray[np.float64]
    grid_loss_se: NDArray[np.float64]
    grid_slope: NDArray[np.float64]
    grid_slope_se: NDArray[np.float64]
    grid_lowest: NDArray[np.float64]
    grid_highest: NDArray[np.float64]
    window: float
    phases: Phases
    suggestion: Suggestion
    n: int
    n_nonfinite: int

    @functools.cached_property
    def smoothed(self) -> NDArray[np.float64]:
        """The debiased exponential moving average of `loss`, float64, shape (rows,).

        Computed when first asked for. A non-finite loss leaves it where it was; it is NaN before
        the first finite one.
        """
        return _core.ema(self.loss, self.beta)

    def __repr__(self) -> str:
        """One line: the range, its confidence, the number of rows."""
        s = self.suggestion
        low = "" if s.base_lr is None else f"{s.base_lr:.3g} "
        found = "no range" if s.max_lr is None else f"{low}to {s.max_lr:.3g}"
        trust = f"rule {s.rule}" if s.confidence is None else f"confidence {s.confidence}"
        return f"<Analysis of {self.n:,} rows: {found}, {trust}>"

    def __str__(self) -> str:
        """The three phases and the suggestion, for people."""
        p, s = self.phases, self.suggestion
        bad = f", {self.n_nonfinite:,} not finite" if self.n_nonfinite else ""

        def rate(lr: float | None) -> str:
            return "(not reached)" if lr is None else f"{lr:.2e}"

        def bound(name: str, lr: float | None, interval: tuple[float, float] | None) -> str:
            if lr is None:
                return f"{name:8}no suggestion"
            between = "" if interval is None else f"   (between {interval[0]:.2e} and {interval[1]:.2e})"
            return f"{name:8}{lr:.2e}{between}"

        lines = [
            f"{self.n:,} rows{bad}, rates {self.lr_range[0]:.2e} to {self.lr_range[1]:.2e}",
            f"  flat     until lr {rate(p.plateau_end_lr)}",
            f"  falling  steepest at lr {rate(p.steepest_lr)}, lowest at {rate(p.min_lr)}",
            f"  rising   from lr {rate(p.turn_lr)}, diverged at {rate(p.divergence_lr)}",
            bound("base_lr", s.base_lr, s.base_lr_interval),
            bound("max_lr", s.max_lr, s.max_lr_interval),
            f"rule: {s.rule}",
            *([] if s.confidence is None else [f"confidence: {s.confidence}"]),
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
            "lr_range": self.lr_range,
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
        from clrfast._pictures._matplotlib import plot_analysis

        return plot_analysis(self, ax, intervals=intervals, legend=legend, others={})

    def to_html(self, title: str = "LR range test") -> str:
        """Return a page for a browser, about 5 MB: the curve and its slope, to zoom into, and the suggestion.

        Args:
            title: its heading, any text.

        Returns:
            HTML that holds all it needs and loads nothing. Needs Plotly.
        """
        from clrfast._pictures._html_page import page

        return page(title, {title: (self, {})})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def analyze(lrs: ArrayLike, losses: ArrayLike, *, beta: float = 0.98, threads: int | None = None) -> Analysis:
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
        threads: how many to use at most, at least 1; by default one for each core. Short logs take
            one anyway.

    Returns:
        The analysis.

    Raises:
        TypeError: a column does not hold real numbers.
        ValueError: the columns differ in length or are not one-dimensional; a rate is not
            positive and finite; there are too few rates with a finite loss to lay a curve
            through; `beta` or `threads` is out of range.
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be in [0, 1), not {beta!r}")
    lr, loss = columns(lrs, losses)
    state = _core.State()
    add_columns(state, lr, loss, 0, threads)
    return analysis_of(state, lr, loss, beta)


def add_columns(
    state: _core.State,
    lr: NDArray[np.floating[Any]],
    loss: NDArray[np.floating[Any]],
    first_step: int,
    threads: int | None,
) -> None:
    """Add rows, or raise the error for the first rate that is none: its row counts those added before."""
    bad = state.add(lr, loss, first_step, thread_count(threads))
    if bad is not None:
        raise bad_rate(float(lr[bad]), f" (row {state.extent()['rows'] + bad})")


def analysis_of(
    state: _core.State,
    lr: NDArray[np.floating[Any]],
    loss: NDArray[np.floating[Any]],
    beta: float,
) -> Analysis:
    """Analyse what the core's state holds."""
    found, extent = state.analyze(), state.extent()
    curve, suggestion = found["curve"], found["suggestion"]
    return Analysis(
        lr=lr,
        loss=loss,
        beta=beta,
        lr_range=(extent["lowest_lr"], extent["highest_lr"]),
        grid_lr=np.exp(curve["x"]),
        grid_loss=curve["loss"],
        grid_loss_se=curve["loss_se"],
        grid_slope=curve["slope"],
        grid_slope_se=curve["slope_se"],
        grid_lowest=found["lowest"],
        grid_highest=found["highest"],
        window=found["window"],
        phases=Phases(**found["phases"]),
        suggestion=Suggestion(
            base_lr=suggestion["base_lr"],
            max_lr=suggestion["max_lr"],
            base_lr_interval=suggestion["base_lr_interval"],
            max_lr_interval=suggestion["max_lr_interval"],
            confidence=cast('Literal["high", "medium", "low"]', suggestion["confidence"]),
            lower_bound=suggestion["lower_bound"],
            reasons=suggestion["reasons"],
            rule="clrfast",
        ),
        n=extent["rows"],
        n_nonfinite=extent["nonfinite"],
    )
