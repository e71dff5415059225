"""The picture of a grid: the losses of trainings that differ in one thing, with a colour for its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._pictures._axes import new_axes
from clrfast._require import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_COLOURS = "viridis"
_SMOOTH = 0.05  # of the steps, averaged to each side: the noise of batches, which all share


def new_figure(panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many axes beside each other.

    Raises:
        ImportError: matplotlib is not installed.
    """
    require("matplotlib", "plot()", extra="plot")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, panels, figsize=(5.2 * panels, 4), layout="constrained", squeeze=False)
    return figure, list(axes[0])


def plot(
    losses: NDArray[np.float64],
    values: Sequence[float],
    labels: Sequence[str],
    chosen: int | None,
    title: str,
    ax: Axes | None,
) -> Axes:
    """Draw a curve for each training, and a colour bar with the value of each.

    Args:
        losses: Of each step, float64, shape (trainings, steps); NaN from where on one was not finite.
        values: What tells them apart, in whose order they are coloured.
        labels: What the colour bar calls them.
        chosen: Which one is drawn thicker, on top; None for no one.
        title: What tells them apart, in words.
        ax: Where to draw; None makes new axes.
    """
    if ax is None:
        ax = new_axes()
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    order = np.argsort(values, kind="stable")
    colours = colormaps[_COLOURS](np.linspace(0, 0.92, len(order)))  # its brightest yellow is lost on white
    for place, index in enumerate(order):
        is_chosen = index == chosen
        style: dict[str, Any] = {"lw": 2.5, "zorder": 3} if is_chosen else {"lw": 1.2}
        ax.plot(smooth(losses[index]), color=colours[place], **style)
    ax.set_ylim(*_limits(losses))
    ax.set_xlabel("Step")
    ax.set_ylabel("Loss")
    ax.margins(x=0)
    norm = BoundaryNorm(np.arange(len(order) + 1) - 0.5, len(order))
    listed = ScalarMappable(norm, ListedColormap(colours))
    bar = ax.figure.colorbar(listed, ax=ax, ticks=range(len(order)))
    bar.ax.set_yticklabels([f"{labels[i]} (chosen)" if i == chosen else labels[i] for i in order])
    bar.set_label(title)
    return ax


def smooth(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each step and its neighbours, fewer at the ends; NaN stays."""
    half = max(1, round(_SMOOTH * len(losses)))
    kernel = np.ones(2 * half + 1)
    counts = np.convolve(np.ones(len(losses)), kernel, mode="same")
    return np.asarray(np.convolve(losses, kernel, mode="same") / counts)


def _limits(losses: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of losses that is worth seeing: from the lowest to a little above the start."""
    finite = losses[np.isfinite(losses)]
    curves = np.array([smooth(row) for row in losses])
    low = float(np.nanmin(curves)) if np.isfinite(curves).any() else float(finite.min(initial=0.0))
    high = max(float(np.nanmedian(losses[:, :3])), low + 1e-12)
    return low - 0.05 * (high - low), high + 0.15 * (high - low)
