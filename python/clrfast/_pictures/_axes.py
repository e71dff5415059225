"""Axes for those who bring none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clrfast._require import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes(figsize: tuple[float, float] | None = None) -> Axes:
    """Return the axes of a new figure, of matplotlib's usual size or this one in inches.

    Raises:
        ImportError: matplotlib is not installed.
    """
    require("matplotlib", "plot()", extra="plot")
    from matplotlib import pyplot as plt

    return plt.figure(figsize=figsize, layout="constrained").add_subplot()
