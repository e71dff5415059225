"""The range tests of several batch sizes on one axis (needs matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clrfast._pictures._axes import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_ROOM = 0.15  # of the range of the losses that matter, above and below


def plot(
    sizes: NDArray[np.int64],
    curves: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    max_lr: NDArray[np.float64],
    chosen: int,
    ax: Axes | None,
) -> Axes:
    """Draw a curve for each batch size, with a dot at its `max_lr`, and a bar that explains the colours.

    Args:
        sizes: The batch sizes, ascending, shape (sizes,).
        curves: The rates and the fitted losses of each.
        max_lr: The suggested rates, shape (sizes,); NaN where there is none.
        chosen: The size whose curve is drawn the thickest.
        ax: Where to draw; None makes new axes.
    """
    if ax is None:
        ax = new_axes(figsize=(8, 5))
    import matplotlib as mpl
    from matplotlib.colors import BoundaryNorm

    colours = mpl.colormaps["viridis"].resampled(len(sizes))
    starts = [losses[: max(1, len(losses) // 10)].mean() for _, losses in curves]
    lowest = min(float(losses.min()) for _, losses in curves)
    room = _ROOM * (max(starts) - lowest) or 1.0
    for i, (lr, losses) in enumerate(curves):
        is_chosen = int(sizes[i]) == chosen
        ax.plot(lr, losses, color=colours(i), lw=3 if is_chosen else 1.5, zorder=3 if is_chosen else 2)
        if np.isfinite(max_lr[i]):
            there = float(np.interp(np.log(max_lr[i]), np.log(lr), losses))
            ax.plot(max_lr[i], there, "o", color=colours(i), mec="black", ms=9 if is_chosen else 6, zorder=4)
    ax.set_xscale("log")
    ax.set_xlabel("Learning rate")
    ax.set_ylabel("Loss")
    ax.set_ylim(lowest - room, max(starts) + 2 * room)
    norm = BoundaryNorm(np.arange(len(sizes) + 1) - 0.5, len(sizes))
    bar = ax.figure.colorbar(mpl.cm.ScalarMappable(norm, colours), ax=ax, ticks=range(len(sizes)))
    bar.set_ticklabels([f"{size:,}" for size in sizes])
    bar.minorticks_off()
    bar.set_label("Batch size")
    ax.set_title(f"dots: max_lr; thick: {chosen:,}, the largest that pays", loc="right", fontsize="small")
    return ax
