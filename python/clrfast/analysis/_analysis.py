"""What an analysis finds: the fitted curve, its phases, a suggestion; in words, as JSON, as a picture."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from clrfast import _core
from clrfast._pictures._picture import Mark, Phase, Picture, loss_at, rows_to_draw
from clrfast.analysis._suggestion import Suggestion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_FORMAT = 1  # of to_dict()
_NONE: Mapping[str, Suggestion] = MappingProxyType({})


@dataclasses.dataclass(frozen=True, repr=False)
class Phases:
    """Where the loss changes its character along the ramp; rates, or None where it does not.

    Attributes:
        plateau_end_lr: the loss has begun to fall (the flat phase ends).
        steepest_lr: it falls fastest against ln(lr).
        min_lr: the fitted loss is lowest.
        turn_lr: it has begun to rise again (the steep phase ends).
        divergence_lr: it has risen by half of what it had fallen, or is no longer finite.
    """

    __module__ = "clrfast.analysis"  # what pickles name

    plateau_end_lr: float | None
    steepest_lr: float | None
    min_lr: float | None
    turn_lr: float | None
    divergence_lr: float | None

    def __repr__(self) -> str:
        """Name those rates that there are."""
        rates = dataclasses.asdict(self)
        found = [f"{name}={lr:.3g}" for name, lr in rates.items() if lr is not None]
        return f"<Phases: {', '.join(found) or 'none'}>"


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
        window: the widest half-width of the fit's kernel, in units of ln(lr), which the suggestion is read
            from. Where the loss turns sharply, the fitted curve takes narrower ones.
        phases: where the curve changes its character.
        suggestion: the range of rates to train with.
        n: number of rows.
        n_nonfinite: how many of them have a loss that is NaN, infinite or beyond 1e100.
    """

    __module__ = "clrfast.analysis"

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
        return f"<Analysis of {self.n:,} rows: {self.suggestion._summary()}>"

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
            bound("base_lr", s.bounds[0], s.base_lr_interval),
            bound("max_lr", s.bounds[1], s.max_lr_interval),
            f"rule: {s.rule}",
            *([] if s.confidence is None else [f"confidence: {s.confidence}"]),
            *([] if s.verified is None else [f"probes: {'confirmed' if s.verified else 'not confirmed'}"]),
            *(f"  - {reason}" for reason in s.reasons),
        ]
        return "\n".join(lines)

    def to_dict(self, *, curve: bool = False) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dictionaries, fit for JSON.

        Args:
            curve: also give the fitted curve (keys `grid_lr`, `grid_loss`, `grid_loss_se`,
                `grid_slope`, `grid_slope_se`). The rows themselves are never included.

        Returns:
            The number of this layout, `format`, 1, and the fields `n`, `n_nonfinite`, `lr_range`, `window`,
            `phases` and `suggestion`; what is not a finite number is None.
        """
        summary: dict[str, Any] = {
            "format": _FORMAT,
            "n": self.n,
            "n_nonfinite": self.n_nonfinite,
            "lr_range": self.lr_range,
            "window": self.window,
            "phases": dataclasses.asdict(self.phases),
            "suggestion": self.suggestion.to_dict(),
        }
        if curve:
            names = ("grid_lr", "grid_loss", "grid_loss_se", "grid_slope", "grid_slope_se")
            summary.update({name: getattr(self, name).tolist() for name in names})
        return cast("dict[str, Any]", plain(summary))

    def plot(self, ax: Axes | None = None, *, intervals: bool = True, legend: bool = True) -> Axes:
        """Draw the curve, its phases and the suggested range over a logarithmic axis of rates.

        Args:
            ax: where to draw; a new figure's axes by default.
            intervals: shade the intervals of both bounds.
            legend: add a legend.

        Returns:
            The axes drawn into. Nothing is shown or saved.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from clrfast._pictures._matplotlib import plot

        return plot(picture_of(self), ax, intervals=intervals, legend=legend)

    def _repr_html_(self) -> str:
        """What a notebook shows: the suggestion, why it is no surer, what next, and the picture."""
        from clrfast._pictures._notebook import analysis_html

        return analysis_html(picture_of(self))

    def to_html(self, title: str = "LR range test") -> str:
        """Return a page for a browser, about 5 MB: the curve and its slope, to zoom into, and the suggestion.

        Args:
            title: its heading, any text.

        Returns:
            HTML that holds all it needs and loads nothing.

        Raises:
            ImportError: Plotly is not installed.
        """
        from clrfast._pictures._html_page import page

        return page(title, {title: picture_of(self)})


def plain(value: Any) -> Any:
    """Return the value with lists for tuples, and None for what is not a finite number."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def picture_of(analysis: Analysis, others: Mapping[str, Suggestion] = _NONE) -> Picture:
    """Return what is drawn of an analysis, and of what other rules suggest, by their names."""

    def mark(name: str, lr: float, interval: tuple[float, float] | None = None) -> Mark:
        return Mark(name, lr, loss_at(lr, analysis.grid_lr, analysis.grid_loss), interval)

    found = analysis.suggestion
    base_lr, max_lr = found.bounds
    bounds = (("base_lr", base_lr, found.base_lr_interval), ("max_lr", max_lr, found.max_lr_interval))
    return Picture(
        rows=rows_to_draw(analysis.lr, analysis.loss),
        lr=analysis.grid_lr,
        loss=analysis.grid_loss,
        loss_se=analysis.grid_loss_se,
        slope=analysis.grid_slope,
        slope_se=analysis.grid_slope_se,
        lowest=analysis.grid_lowest,
        highest=analysis.grid_highest,
        fit="fitted loss",
        lr_range=analysis.lr_range,
        phases=tuple(_phases(analysis)),
        divergence_lr=analysis.phases.divergence_lr,
        bounds=tuple(mark(name, lr, interval) for name, lr, interval in bounds if lr is not None),
        others=tuple(mark(name, other.max_lr) for name, other in others.items() if other),
        verdict=found._verdict(),
        text=str(analysis),
    )


def _phases(analysis: Analysis) -> Iterator[Phase]:
    """Yield each phase that the curve has."""
    found = analysis.phases
    lowest, highest = analysis.lr_range
    rising_from = highest if found.turn_lr is None else found.turn_lr
    flat_until = rising_from if found.plateau_end_lr is None else found.plateau_end_lr
    for phase in (
        Phase("flat", lowest, flat_until),
        Phase("falling", flat_until, rising_from),
        Phase("rising", rising_from, highest),
    ):
        if phase.stop > phase.start:
            yield phase
