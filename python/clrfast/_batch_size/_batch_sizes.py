"""What batch sizes were tried, how their rates and steps compare, and which one still pays."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clrfast._aligned import aligned
from clrfast.analysis._analysis import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from clrfast._batch_size._gradient_noise import NoiseScale
    from clrfast.analysis import Analysis

_FORMAT = 1  # of to_dict()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BatchSizes:
    """What :func:`clrfast.batch_sizes` found: a rate for each batch size, and the largest size that pays.

    Doubling a small batch halves the steps; doubling a large one saves nothing and costs twice the samples.
    At the critical size between them a training takes twice the fewest steps possible and twice the fewest
    samples (McCandlish et al., arXiv:1812.06162). Two witnesses say where it is: trainings of each size to
    one loss (`critical`), and the noise of the gradients (`noise`). The first is the one that counts; the
    second is within a factor of some of it, for SGD.

    Attributes:
        sizes: samples of each step, ascending, int64, shape (sizes,).
        accumulate: how many batches of ``size / accumulate`` share a step, int64, shape (sizes,).
        analyses: what the range test of each size says; its `suggestion` has intervals and reasons.
        lr: the rate at which each was trained the fastest, float64, shape (sizes,): one of those that differ
            by factors of 2 from the suggested `max_lr`.
        loss: the loss of training that all were trained to; NaN if there was none.
        steps: after how many steps each had it, float64, shape (sizes,); NaN where it never did.
        spent_steps: steps of each size's tests and trainings, int64, shape (sizes,).
        spent_samples: samples of them, int64, shape (sizes,).
        lr_exponent: the power of the batch size that `lr` grows by, and its standard error, NaN of less than
            three sizes. In theory it is 1 for SGD and 1/2 for Adam below the critical size, and 0 above it.
        max_lr_exponent: the same of the suggested `max_lr`, which grows less.
        critical: the critical size by the steps of the trainings; NaN where they do not tell.
        critical_interval: where it lies, as (low, high).
        noise: the noise scale of the gradients along one of the trainings; None where it could not be
            measured.
        batch_size: the largest of `sizes` that still pays: at most half a doubling above the critical size;
            the smallest where all are above it.
        confidence: "high", "medium" or "low".
        reasons: what lowers it, a sentence each.
    """

    __module__ = "clrfast"

    sizes: NDArray[np.int64]
    accumulate: NDArray[np.int64]
    analyses: tuple[Analysis, ...]
    lr: NDArray[np.float64]
    loss: float
    steps: NDArray[np.float64]
    spent_steps: NDArray[np.int64]
    spent_samples: NDArray[np.int64]
    lr_exponent: tuple[float, float]
    max_lr_exponent: tuple[float, float]
    critical: float
    critical_interval: tuple[float, float]
    noise: NoiseScale | None
    batch_size: int
    confidence: Literal["high", "medium", "low"]
    reasons: tuple[str, ...]

    @property
    def max_lr(self) -> NDArray[np.float64]:
        """The `max_lr` that each range test suggests, float64, shape (sizes,); NaN where it suggests none."""
        found = (analysis.suggestion.bounds[1] for analysis in self.analyses)
        return np.array([math.nan if lr is None else lr for lr in found])

    @property
    def samples(self) -> NDArray[np.float64]:
        """After how many samples each had the loss, float64, shape (sizes,)."""
        return self.steps * self.sizes

    @property
    def best_lr(self) -> float:
        """The rate for `batch_size`: that of its fastest training."""
        return float(self.lr[self._place])

    @property
    def _place(self) -> int:
        return int(np.flatnonzero(self.sizes == self.batch_size)[0])

    @property
    def code(self) -> str:
        """Lines of Python that use it, with the names that the arguments had."""
        count = int(self.accumulate[self._place])
        size, steps, note = self.batch_size, "epochs * len(loader)", ""
        if count > 1:
            size, steps, note = size // count, f"{steps} // {count}", f"  # {count} batches share a step"
        return (
            f"loader = make_loader({size}){note}\n"
            f"rate = clrfast.schedules.one_cycle({self.best_lr:.3g}, {steps})"
        )

    def __repr__(self) -> str:
        """One line: the size, its rate, how sure it is."""
        return f"<BatchSizes: {self._summary()}, confidence {self.confidence}>"

    def _summary(self) -> str:
        tried = f"{self.sizes[0]} to {self.sizes[-1]}"
        return f"{self.batch_size} of {tried} samples, at a rate of {self.best_lr:.3g}"

    def __str__(self) -> str:
        """A table with a row for each size, what both witnesses say, the size, and the code that uses it."""
        rows = [["size", "max_lr", "between", "confidence", "fastest at", "steps", "samples", ""]]
        for i, analysis in enumerate(self.analyses):
            found = analysis.suggestion
            low, high = found.max_lr_interval or (math.nan, math.nan)
            count = int(self.accumulate[i])
            note = f"{count} batches of {self.sizes[i] // count}" if count > 1 else ""
            if i == self._place:
                note = f"pays{', ' if note else ''}{note}"
            bounds, reached = ["none", ""], ["", "not reached", ""]
            if found:
                bounds = [f"{found.max_lr:.3g}", f"{low:.2g} to {high:.2g}"]
            if np.isfinite(self.steps[i]):
                reached = [f"{self.lr[i]:.3g}", f"{self.steps[i]:,.0f}", f"{self.samples[i]:,.0f}"]
            rows.append([str(self.sizes[i]), *bounds, found.confidence or "", *reached, note])
        low, high = self.critical_interval
        lines = [
            *aligned(rows),
            f"steps and samples are those to a loss of {self.loss:.4g}, at the rate that is the fastest",
            f"this rate grows as the batch size to the power {_power(self.lr_exponent)}, "
            f"max_lr to the power {_power(self.max_lr_exponent)}",
            "critical batch size by steps to the loss: "
            + (
                "not seen"
                if math.isnan(self.critical)
                else f"{self.critical:.3g} (between {low:.3g} and {high:.3g})"
            ),
            f"by the noise of gradients: {'not measured' if self.noise is None else self.noise._summary()}",
            f"largest size that pays: {self.batch_size}, at a rate of {self.best_lr:.3g}",
            f"confidence: {self.confidence}",
            *(f"  - {reason}" for reason in self.reasons),
            f"spent: {self.spent_steps.sum():,} steps, {self.spent_samples.sum():,} samples",
            *("    " + line for line in self.code.splitlines()),
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dictionaries, fit for JSON.

        Returns:
            The number of this layout, `format`, 1, `max_lr`, a `suggestion` for each size, and the other
            fields by their names; what is not a finite number is None.
        """
        arrays = ("sizes", "accumulate", "max_lr", "lr", "steps", "samples", "spent_steps", "spent_samples")
        others = (
            "loss",
            "lr_exponent",
            "max_lr_exponent",
            "critical",
            "critical_interval",
            "batch_size",
            "best_lr",
        )
        return {
            "format": _FORMAT,
            **{name: plain(getattr(self, name).tolist()) for name in arrays},
            **{name: plain(getattr(self, name)) for name in others},
            "suggestions": [plain(analysis.suggestion.to_dict()) for analysis in self.analyses],
            "noise": None if self.noise is None else self.noise.to_dict(),
            "confidence": self.confidence,
            "reasons": list(self.reasons),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the fitted loss of each size's range test on one axis, coloured by the size.

        Args:
            ax: where to draw; a new figure's axes by default.

        Returns:
            The axes drawn into. Nothing is shown or saved.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from clrfast._pictures._batch_sizes import plot

        curves = [(analysis.grid_lr, analysis.grid_loss) for analysis in self.analyses]
        return plot(self.sizes, curves, self.max_lr, self.batch_size, ax)


def _power(found: tuple[float, float]) -> str:
    power, error = found
    return f"{power:.2f}" if math.isnan(error) else f"{power:.2f} +- {error:.2f}"
