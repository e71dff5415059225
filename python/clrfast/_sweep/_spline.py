"""Cubic B-splines on equal intervals, as P-splines use them (Eilers and Marx 1996)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Knots(NamedTuple):
    """Where the intervals lie: the first begins at `start`; there are `intervals` of them."""

    start: float
    width: float
    intervals: int

    @property
    def functions(self) -> int:
        """How many B-splines there are, of which four are not 0 in each interval."""
        return self.intervals + 3

    def basis(self, x: NDArray[np.float64], derivative: int = 0) -> NDArray[np.float64]:
        """Return the values, or first derivatives, of all B-splines, shape (x, functions).

        Beyond the ends, those at the ends.
        """
        place = np.clip((x - self.start) / self.width, 0, self.intervals)
        interval = np.minimum(place.astype(np.intp), self.intervals - 1)
        f = place - interval
        if derivative:
            weights = [-((1 - f) ** 2) / 2, (3 * f - 4) * f / 2, (1 + 2 * f - 3 * f * f) / 2, f * f / 2]
            weights = [weight / self.width for weight in weights]
        else:
            weights = [(1 - f) ** 3, (3 * f - 6) * f * f + 4, ((3 - 3 * f) * f + 3) * f + 1, f**3]
            weights = [weight / 6 for weight in weights]
        found = np.zeros((len(x), self.functions))
        rows = np.arange(len(x))
        for offset, weight in enumerate(weights):
            found[rows, interval + offset] = weight
        return found

    def roughness(self) -> NDArray[np.float64]:
        """Return the matrix of the penalty on second differences; a straight line costs nothing."""
        differences = np.diff(np.eye(self.functions), 2, axis=0)
        return np.asarray(differences.T @ differences)


def knots_over(x: NDArray[np.float64], intervals: int) -> Knots:
    """Return so many intervals from the lowest of `x` to the highest."""
    low, high = float(x.min()), float(x.max())
    return Knots(low, (high - low) / intervals, intervals)
