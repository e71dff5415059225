"""Axes for those who bring none, and the axis of rates that all pictures share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clrfast._require import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 5_000  # of one line in a vector format; of more, it holds an image
_FEW_DECADES = 2.0  # below that, labels at the powers of ten alone would be too few


def new_axes(figsize: tuple[float, float] | None = None) -> Axes:
    """Return the axes of a new figure, of matplotlib's usual size or this one in inches.

    Raises:
        ImportError: matplotlib is not installed.
    """
    require("matplotlib", "plot()", extra="plot")
    from matplotlib import pyplot as plt

    return plt.figure(figsize=figsize, layout="constrained").add_subplot()


def axis_of_rates(ax: Axes, lr_limits: tuple[float, float]) -> None:
    """Make the axis below logarithmic, from one rate to another, with labels that do not overlap."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = lr_limits
    ax.set_xscale("log")
    ax.set_xlabel("Learning rate")
    if not low < high:
        low, high = low / 2, high * 2
    ax.set_xlim(low, high)
    if high < low * 10**_FEW_DECADES:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())


def is_dark(ax: Axes) -> bool:
    """Whether what is drawn into these axes stands on a dark ground."""
    from matplotlib.colors import to_rgba

    red, green, blue, alpha = to_rgba(ax.get_facecolor())
    figure = ax.get_figure()
    if alpha < 0.5 and figure is not None:
        red, green, blue, alpha = to_rgba(figure.get_facecolor())
    return alpha >= 0.5 and 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
