"""What every picture of an analysis shows, whichever library draws it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ROWS = 20_000  # more are drawn as a band
LOSS_COLOUR = "#1f77b4"
PHASE_COLOURS = {"flat": "#7f7f7f", "falling": "#2ca02c", "rising": "#d62728"}
BOUND_COLOURS = {"base_lr": "#9467bd", "max_lr": "#ff7f0e"}
OTHERS_COLOUR = "#808080"  # what other rules suggest


class Phase(NamedTuple):
    """A part of the curve, and the rates between which it lies."""

    name: str
    start: float
    stop: float


class Mark(NamedTuple):
    """A suggested rate, by the name of the bound or of the rule, where it lies on the fitted curve."""

    name: str
    lr: float
    loss: float
    interval: tuple[float, float] | None = None

    @property
    def label(self) -> str:
        """What a legend calls it."""
        return f"{self.name} {self.lr:.2g}"


class Verdict(NamedTuple):
    """A suggestion in words, and what to do with it.

    Attributes:
        rates: each bound by its name, and the interval that it lies in; None for what there is not.
        rule: which rule made the suggestion.
        confidence: "high", "medium" or "low", or None if the rule does not say.
        reasons: what lowered the confidence, a sentence each.
        advice: what to do next, a sentence each, with code between backticks.
    """

    rates: dict[str, tuple[float | None, tuple[float, float] | None]]
    rule: str
    confidence: str | None
    reasons: tuple[str, ...]
    advice: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Picture:
    """All that is drawn of an analysis: numbers and labels, and nothing that has to be asked.

    Attributes:
        rows: rates and losses to draw one by one, or None: then a band from `lowest` to `highest`.
        lr: the rates of the fitted curve, ascending, shape (cells,), as all that follow.
        loss: the fitted loss.
        loss_se: its standard error.
        slope: its slope against ln(lr).
        slope_se: the slope's standard error.
        lowest: the lowest loss of the rows around.
        highest: the highest.
        fit: what the fitted curve is called.
        lr_range: the lowest and the highest rate of the log.
        phases: those that the curve has, by ascending rate.
        divergence_lr: the rate at which the loss diverged, or None.
        bounds: what is suggested.
        others: what other rules suggest.
        verdict: the suggestion in words.
        text: the whole analysis in words.
    """

    rows: tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]] | None
    lr: NDArray[np.float64]
    loss: NDArray[np.float64]
    loss_se: NDArray[np.float64]
    slope: NDArray[np.float64]
    slope_se: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    fit: str
    lr_range: tuple[float, float]
    phases: tuple[Phase, ...]
    divergence_lr: float | None
    bounds: tuple[Mark, ...]
    others: tuple[Mark, ...]
    verdict: Verdict
    text: str

    @property
    def trust(self) -> str:
        """Whose suggestion it is, and how sure."""
        sure = f", confidence: {self.verdict.confidence}" if self.verdict.confidence else ""
        return f"rule: {self.verdict.rule}{sure}"

    @property
    def lr_limits(self) -> tuple[float, float]:
        """The rates of the log, and somewhat more where a bound lies beyond them."""
        low, high = self.lr_range
        for bound in self.bounds:
            low = min(low, bound.lr / 1.5)
            high = max(high, bound.lr * 1.5) if bound.lr > high else high
        return low, high

    @property
    def loss_limits(self) -> tuple[float, float]:
        """Each loss before the rise, but not so much of the diverged part that it flattens the rest."""
        if not len(self.loss):
            return 0.0, 1.0
        low, high = float(np.min(self.loss)), float(np.max(self.loss))
        height = (high - low) or abs(high) or 1.0
        lowest = self.lowest[np.isfinite(self.lowest)]
        if len(lowest):
            low = max(low - 3.0 * height, min(low, float(lowest.min())))
        rising = next((phase.start for phase in self.phases if phase.name == "rising"), np.inf)
        noise = self.highest[np.isfinite(self.highest) & (self.lr < rising)]
        if len(noise):
            high = max(high, min(high + 3.0 * height, float(noise.max())))
        return low - 0.06 * height, high + 0.3 * height


def rows_to_draw(
    lr: NDArray[np.floating[Any]], loss: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]] | None:
    """Return the rows by ascending rate, or None where there are none, or where a band shows more.

    That is so of many rows, and of rates that repeat, over which a line would only go up and down.
    """
    if not 0 < len(lr) <= MOST_ROWS:
        return None
    order = np.argsort(lr, kind="stable")
    rates = lr[order]
    if 2 * np.count_nonzero(rates[1:] == rates[:-1]) >= len(rates):
        return None
    return rates, loss[order]


def loss_at(lr: float, grid_lr: NDArray[np.float64], grid_loss: NDArray[np.float64]) -> float:
    """Return the fitted loss at a rate; NaN where nothing was fitted."""
    return float(np.interp(np.log(lr), np.log(grid_lr), grid_loss)) if len(grid_lr) else math.nan
