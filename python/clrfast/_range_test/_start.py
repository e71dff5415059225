"""Where a ramp begins: a little below the rate at which its steps could be felt in the loss."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clrfast.schedules import ramp

if TYPE_CHECKING:
    from clrfast._range_test._rates import Rates
    from clrfast._range_test._snapshot import Snapshot

# The first rate costs one step and helps where 1e-7 is too much. Ramps that start above the last one place
# the rate no better, and what the first steps say is wrong where an optimizer warms itself up, as RAdam does.
_LADDER = (1e-8, 1e-7, 1e-6, 1e-5)
FEWEST = 4 * len(_LADDER)  # steps of a test: most of them are for the ramp
_UNSEEN = 0.01  # of the range of the losses so far: noise hides a smaller change ...
_UNMOVED = 1e-4  # ... and of the parameters' norm, for gradients that were clipped tell of too small a change


class Climb:
    """Takes a decade at each step while the next step cannot be felt, and then lets the ramp begin.

    What a step does to the loss is, to first order, the parameters' way times their gradients. Where there
    are no gradients after a step, because they were zeroed or somebody else has them, the ramp begins at
    1e-7.

    Args:
        rates: The ramp, whose first rates are set here.
        optimizers: The optimizers that it drives.
        before: What the parameters were.
    """

    def __init__(self, rates: Rates, optimizers: Iterable[Any], before: Snapshot) -> None:
        """Set nothing yet."""
        self._rates, self._before = rates, before
        self._trained = [
            [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
            for optimizer in optimizers
        ]
        self._losses: list[Tensor | float] = []
        self._highest = rates.recorded[-1] / 1e3  # three decades at least are for the ramp

    def add(self, loss: Tensor | float) -> None:
        """See the loss of the last step, which stays where it is."""
        self._losses.append(loss.detach().clone() if isinstance(loss, Tensor) else loss)

    def sets(self, step: int) -> bool:
        """Make the rate of this step, or the ramp from here on; return whether the climb goes on."""
        if step < 2 or (step < len(_LADDER) and _LADDER[step] <= self._highest and self._is_unfelt()):
            self._rates.replace(step, [_LADDER[step]])
            return True
        count = len(self._rates.recorded) - step + 1
        rest = ramp(_LADDER[step - 1], self._rates.recorded[-1], count).values(1, count)
        self._rates.replace(step, rest.tolist())
        return False

    def _is_unfelt(self) -> bool:
        """Return whether steps ten times as long as the last one would still be lost in the noise."""
        with torch.no_grad():
            parts = [self._parts(parameters) for parameters in self._trained]
        losses = [float(loss) for loss in self._losses]
        if any(part is None for part in parts):
            return False
        change, moved, size = (sum(column) for column in zip(*parts))
        noise = max(losses) - min(losses)
        return 10 * change < _UNSEEN * noise and 10 * math.sqrt(moved) < _UNMOVED * math.sqrt(size)

    def _parts(self, parameters: list[Tensor]) -> tuple[float, float, float] | None:
        """Return the change of the loss, and the squares of the way and of the parameters' norm.

        None where it cannot be told.
        """
        rows = []
        for parameter, before in zip(parameters, self._before.copies(parameters)):
            gradient = parameter.grad
            if gradient is None:  # no part of this loss
                continue
            if before is None or before.shape != parameter.shape:
                return None
            if gradient.layout != torch.strided or not gradient.is_floating_point():
                return None
            way, gradient, before = (parameter - before).float(), gradient.float(), before.float()
            row = [(gradient * way).sum().abs(), *(each.square().sum() for each in (way, before, gradient))]
            rows.append(torch.stack(row))
        if not rows:
            return None
        change, moved, size, steepness = torch.stack([row.to(rows[0].device) for row in rows]).sum(0).tolist()
        return (change, moved, size) if 0 < steepness < math.inf else None
