"""Which batch size still pays, by two witnesses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from clrfast._batch_size._gradient_noise import NoiseScale
from clrfast._batch_size._steps_to_loss import Critical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Trust = Literal["high", "medium", "low"]

_AGREE = 5.0  # times: the noise scale and the critical size differ by a factor of some, in the paper too
_VAGUE = 10.0  # times from the low to the high end of an interval that says little
_NEAR = 2**0.5  # half a doubling: a size so near to the critical one is as good


def verdict(
    sizes: NDArray[np.int64], critical: Critical | None, noise: NoiseScale | None
) -> tuple[int, Trust, list[str]]:
    """Return the largest size that pays, the confidence, and what lowers it."""
    by_noise = math.nan if noise is None else noise.scale
    size = by_noise if critical is None else critical.size
    if math.isnan(size):
        return int(sizes[0]), "low", ["neither the steps nor the noise tell where doubling stops to pay"]
    paying = sizes[sizes <= size * _NEAR]
    chosen = int(paying[-1]) if len(paying) else int(sizes[0])
    doubts: list[str] = []
    trust: Trust = "high"
    if critical is None:
        trust = "low"
        doubts.append("fewer than three sizes reached the loss, so that the noise alone decides")
    else:
        low, high = critical.interval
        if high > _VAGUE * low:
            trust = "medium"
            doubts.append(f"the steps tell the critical size roughly: between {low:.3g} and {high:.3g}")
        if math.isnan(by_noise):
            trust = "medium" if trust == "high" else "low"
        elif not 1 / _AGREE <= by_noise / size <= _AGREE:
            trust = "medium" if trust == "high" else "low"
            doubts.append(f"the witnesses do not agree: {size:.3g} by the steps, {by_noise:.3g} by the noise")
    if not len(paying):
        trust = "low"
        doubts.append("the smallest size is too large already: test smaller ones")
    elif size > 2 * sizes[-1]:
        trust = "medium" if trust == "high" else trust
        doubts.append("the largest size still pays: test larger ones")
    return chosen, trust, doubts
