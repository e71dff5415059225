"""The picture of a schedule (needs matplotlib)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clrfast._pictures._axes import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 2000  # more than any figure has columns


def steps_to_show(last: int) -> npt.NDArray[np.int64]:
    """The steps from 0 to `last`, or so many of them as a picture can show, evenly spread."""
    return np.unique(np.linspace(0, last, _POINTS + 1).round().astype(np.int64))


def plot(steps: npt.NDArray[np.int64], values: npt.NDArray[np.float64], ax: Axes | None) -> Axes:
    """Draw values against steps, both of shape (n,), into `ax` or new axes."""
    if ax is None:
        ax = new_axes()
    ax.plot(steps, values)
    ax.set_xlabel("Step")
    ax.set_ylabel("Learning rate")
    ax.margins(x=0)
    return ax
