"""How noisy gradients are: the noise scale from gradients of small parts of batches."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clrfast._student import quantile
from clrfast.analysis._analysis import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORMAT = 1  # of to_dict()
_SURE, _VAGUE = 3.0, 10.0  # times from the low to the high end of an interval that is still high, or medium


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NoiseScale:
    """What :func:`clrfast.noise_scale` found: the batch size at which gradients are as much noise as signal.

    The simple noise scale of McCandlish, Kaplan, Amodei et al., arXiv:1812.06162: the variance of the
    gradient of one sample, summed over all parameters, over the squared norm of the mean gradient. A batch
    far smaller trains as much with each sample, so that twice the batch needs half of the steps; of one far
    larger most samples are wasted. It is made for SGD; under Adam and others, which scale each parameter's
    steps, it tells the order of magnitude. It grows as training goes on.

    Attributes:
        scale: the noise scale in samples, `trace / squared_gradient`; infinite where the gradient is not
            told from its noise.
        interval: where it lies with a probability of 95 %, as (low, high): by Fieller's theorem, from a
            jackknife over blocks of steps. The end of it may be infinite.
        squared_gradient: the squared norm of the mean gradient, estimated without bias: it may be negative.
        trace: the variance of one sample's gradient, summed over all parameters, estimated without bias.
        samples: of each step, int64, shape (steps,).
        losses: of each step, float64, shape (steps,).
        squared_gradients: an estimate from each step alone, float64, shape (steps,); noisy one by one.
        traces: an estimate of `trace` from each step alone, float64, shape (steps,).
        is_trained: whether the steps trained the model, so that this is a mean along a training.
        confidence: "high" where the interval spans less than a factor of 3, "medium" below 10, else "low".
        reasons: what lowers the confidence, or what the number does not say, a sentence each.
    """

    __module__ = "clrfast"

    scale: float
    interval: tuple[float, float]
    squared_gradient: float
    trace: float
    samples: NDArray[np.int64]
    losses: NDArray[np.float64]
    squared_gradients: NDArray[np.float64]
    traces: NDArray[np.float64]
    is_trained: bool
    confidence: Literal["high", "medium", "low"]
    reasons: tuple[str, ...]

    def cost(self, batch_size: float) -> tuple[float, float]:
        """Return how many times the fewest steps and the fewest samples a training at this batch size takes.

        The model of the paper, equation 2.11: ``1 + scale / batch_size`` times the steps of a huge batch and
        ``1 + batch_size / scale`` times the samples of a tiny one. At the noise scale, both are 2.

        Args:
            batch_size: samples of each step, above 0.
        """
        from clrfast import _check

        size = _check.real("batch_size", batch_size, above=0.0)
        return 1 + self.scale / size, 1 + size / self.scale if self.scale > 0 else math.inf

    def __repr__(self) -> str:
        """One line: the scale, its interval, how sure it is."""
        return f"<NoiseScale: {self._summary()}, confidence {self.confidence}>"

    def _summary(self) -> str:
        low, high = self.interval
        return f"{_text(self.scale)} samples (between {_text(low)} and {_text(high)})"

    def __str__(self) -> str:
        """The scale, what it means for the batch size that it was measured with, and how sure it is."""
        size = float(np.mean(self.samples))
        steps, samples = self.cost(size)
        how = "along a training" if self.is_trained else "of one model"
        lines = [
            f"noise scale {self._summary()}",
            f"  from {len(self.samples)} steps of {_text(size)} samples {how}",
            f"  squared gradient {self.squared_gradient:.3g}, variance of a sample's {self.trace:.3g}",
            f"  a batch of {_text(size)} takes {_text(steps)} times the fewest steps, "
            f"and {_text(samples)} times the fewest samples",
            f"confidence: {self.confidence}",
            *(f"  - {reason}" for reason in self.reasons),
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, fit for JSON, without what single steps say.

        Returns:
            The number of this layout, `format`, 1, `steps`, `batch_size` (the mean number of samples of a
            step), and the other fields by their names; what is not a finite number is None.
        """
        names = ("scale", "interval", "squared_gradient", "trace", "is_trained", "confidence", "reasons")
        found = {name: getattr(self, name) for name in names}
        size = float(np.mean(self.samples))
        return {"format": _FORMAT, "steps": len(self.samples), "batch_size": size, **plain(found)}


@dataclasses.dataclass(frozen=True)
class Parts:
    """The gradients of the parts of each step, as far as the noise scale needs them.

    Attributes:
        norms: the sum of the parts' squared norms, float64, shape (steps,).
        norm_of_sum: the squared norm of the parts' sum, float64, shape (steps,).
        counts: how many parts each step has, shape (steps,).
        inverse: the sum of one over the samples of each part, float64, shape (steps,).
        blocks: to which block of successive steps each belongs, ascending from 0, shape (steps,).
        products: the products of the blocks' sums with each other, float64, shape (blocks, blocks); None
            where the gradient was another one in each step.
    """

    norms: NDArray[np.float64]
    norm_of_sum: NDArray[np.float64]
    counts: NDArray[np.int64]
    inverse: NDArray[np.float64]
    blocks: NDArray[np.int64]
    products: NDArray[np.float64] | None

    @functools.cached_property
    def each(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of each step alone, the squared gradient and the trace."""
        return _estimates(self.norms, self.norm_of_sum, self.counts, self.inverse)

    def estimates(self, without: int | None = None) -> NDArray[np.float64]:
        """Return the squared gradient and the trace, shape (2,), from all blocks, or all but one.

        Where the gradient is one and the same, any two parts tell of it, not only those of one step: the
        error falls with the number of steps, not with its root, as long as there is more noise than signal.
        """
        kept = np.ones(len(self.blocks), bool) if without is None else self.blocks != without
        if self.products is None:
            return np.array([values[kept].mean() for values in self.each])
        others = np.ones(len(self.products)) if without is None else np.arange(len(self.products)) != without
        total = others @ self.products @ others
        sums = (values[kept].sum() for values in (self.norms, self.counts, self.inverse))
        norms, count, inverse = sums
        return np.array(_estimates(norms, total, count, inverse))

    def covariance(self) -> NDArray[np.float64]:
        """Return the covariance of both estimates, shape (2, 2), by a jackknife over the blocks."""
        count = int(self.blocks[-1]) + 1
        left = np.array([self.estimates(block) for block in range(count)])
        apart = left - left.mean(axis=0)
        return np.asarray((count - 1) / count * apart.T @ apart)


def _estimates(norms: Any, norm_of_sum: Any, count: Any, inverse: Any) -> tuple[Any, Any]:
    """Return the squared gradient and the trace that some parts tell, without bias.

    The paper's appendix A.1, for any number of parts, which need not be equally large: with two of them the
    squared gradient is their product.
    """
    squared = (norm_of_sum - norms) / (count * (count - 1))
    trace = (norms - norm_of_sum / count) / ((1 - 1 / count) * inverse)
    return squared, trace


def ratio_interval(
    squared: float, trace: float, covariance: NDArray[np.float64], dof: int
) -> tuple[float, float]:
    """Return where trace / squared lies with a probability of 95 %, by Fieller's theorem.

    It knows that the denominator may be 0: the interval then has no upper end.
    """
    squares = quantile(dof) ** 2 * covariance
    # The ratios r for which a r**2 - 2 b r + c is not positive.
    a = float(squared**2 - squares[0, 0])
    b = float(squared * trace - squares[0, 1])
    c = float(trace**2 - squares[1, 1])
    root = math.sqrt(max(b * b - a * c, 0.0))
    if a > 0:
        return max((b - root) / a, 0.0), max((b + root) / a, 0.0)
    low = (b - root) / a if a < 0 else c / (2 * b) if b > 0 else 0.0
    return (low if c > 0 and low > 0 else 0.0), math.inf


def noise_scale_of(
    parts: Parts,
    samples: NDArray[np.int64],
    losses: NDArray[np.float64],
    is_trained: bool,
    reasons: list[str],
) -> NoiseScale:
    """Return what the parts say."""
    squared, trace = map(float, parts.estimates())
    low, high = ratio_interval(squared, trace, parts.covariance(), int(parts.blocks[-1]))
    scale = trace / squared if squared > 0 else math.inf
    trust: Literal["high", "medium", "low"] = "low"
    if high < _VAGUE * low:
        trust = "high" if high < _SURE * low and not reasons else "medium"
    if math.isinf(high):
        reasons = ["the gradient is not told from its noise: give more steps, or larger batches", *reasons]
    each = parts.each
    return NoiseScale(
        scale,
        (low, high),
        squared,
        trace,
        samples,
        losses,
        each[0],
        each[1],
        is_trained,
        trust,
        tuple(reasons),
    )


def _text(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"
