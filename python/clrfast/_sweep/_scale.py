"""The scale on which final losses are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_INFINITE = 1e100  # as in an analysis, what lies beyond counts as not finite
_CAP = 2.0  # times as far above the median as the best twentieth lies below
_BEST = 0.05


class Scale(NamedTuple):
    """Turns a metric into what is fitted, low for good, and back."""

    sign: float  # -1 where high values are good
    logarithmic: bool  # differences are then shares of the loss

    def fitted(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return what is fitted."""
        values = np.asarray(values, np.float64)
        return np.log(values) if self.logarithmic else self.sign * values

    def original(self, fitted: ArrayLike) -> NDArray[np.float64]:
        """Return the metric."""
        fitted = np.asarray(fitted, np.float64)
        return np.exp(fitted) if self.logarithmic else self.sign * fitted

    def distance(self, cost: float, best: float, typical: float) -> float:
        """Return how far a share of the best value reaches here; `typical` is that of the median run."""
        if self.logarithmic:
            return float(np.log1p(cost))
        return cost * (abs(best) if self._is_share(best) else abs(typical - best))

    def share(self, distance: float, best: float, typical: float) -> float:
        """Return the share that reaches so far."""
        if self.logarithmic:
            return float(np.expm1(distance))
        whole = self.distance(1.0, best, typical)
        return distance / whole if whole > 0 else np.inf

    def cost_of(self, metric: str, best: float) -> str:
        """Say what costs are shares of."""
        if self.logarithmic or self._is_share(best):
            return f"{metric} at the best rate"
        return f"how far {metric} at the best rate lies from that of the median run"

    def _is_share(self, best: float) -> bool:
        """Whether shares of the value mean something: an accuracy is better the higher it is above 0."""
        return self.sign < 0 and best < 0


def is_finite(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which values are finite, shape (runs,)."""
    return np.abs(values) < _INFINITE  # NaN is not


def scale_of(values: NDArray[np.float64], mode: str) -> Scale:
    """Return the scale for these finite values."""
    return Scale(1.0 if mode == "min" else -1.0, bool(mode == "min" and len(values) and values.min() > 0))


def cap_of(fitted: NDArray[np.float64]) -> float:
    """Return the value above which all runs are equally bad: how bad they are says nothing of the valley."""
    low, middle = np.quantile(fitted, [_BEST, 0.5])
    return float(middle + _CAP * (middle - low))
