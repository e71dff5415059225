"""The picture of a schedule (needs matplotlib)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from clrfast._require import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clrfast.schedules._schedule import Schedule

_POINTS = 2000  # more than any figure has columns


def plot(schedule: Schedule, ax: Axes | None, steps: int | None) -> Axes:
    """Draw `schedule` for `steps` steps, or a natural number of them, into `ax` or new axes."""
    if ax is None:
        require("matplotlib", "plot()", extra="plot")
        import matplotlib.pyplot as plt

        ax = plt.figure(layout="constrained").add_subplot()
    shown = _natural_length(schedule) if steps is None else steps
    at = np.unique(np.linspace(0, shown, _POINTS + 1).round().astype(np.int64))
    ax.plot(at, schedule(at))
    ax.set_xlabel("Step")
    ax.set_ylabel("Learning rate")
    ax.margins(x=0)
    return ax


def _natural_length(schedule: Schedule) -> int:
    """To the end where there is one, else four cycles, else as long as all finite pieces and half again."""
    if math.isfinite(schedule.total_steps):
        return max(math.ceil(schedule.total_steps), 1)
    finite = max((piece[0] for piece in schedule._spec[0] if math.isfinite(piece[0])), default=0.0)
    repeated = schedule._spec[1] != 1
    return max(math.ceil(finite * (4 if repeated else 1.5)), 1000)
