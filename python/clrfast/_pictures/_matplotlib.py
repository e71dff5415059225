"""The picture of an analysis, drawn by matplotlib: the curve, its phases, the suggested range."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from clrfast._pictures._axes import MOST_POINTS, axis_of_rates, is_dark, new_axes
from clrfast._pictures._picture import BOUND_COLOURS, LOSS_COLOUR, OTHERS_COLOUR, PHASE_COLOURS, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(picture: Picture, ax: Axes | None, *, intervals: bool, legend: bool) -> Axes:
    """Draw the picture into `ax`; see :meth:`clrfast.Analysis.plot`."""
    if ax is None:
        ax = new_axes(figsize=(8, 5))
    if picture.rows is not None:
        image = len(picture.rows[0]) > MOST_POINTS
        alpha = 0.65 if is_dark(ax) else 0.4
        ax.plot(*picture.rows, color=LOSS_COLOUR, alpha=alpha, lw=0.8, label="loss", rasterized=image)
    else:
        band = (picture.lr, picture.lowest, picture.highest)
        ax.fill_between(*band, color=LOSS_COLOUR, alpha=0.2, lw=0, label="loss, lowest to highest")
    ax.plot(picture.lr, picture.loss, color=LOSS_COLOUR, lw=2, label=picture.fit)
    axis_of_rates(ax, picture.lr_limits)
    ax.set_ylim(*picture.loss_limits)
    ax.set_ylabel("Loss")
    _phases(ax, picture)
    for bound in picture.bounds:
        colour = BOUND_COLOURS[bound.name]
        ax.axvline(bound.lr, color=colour, lw=1.5, label=bound.label)
        around = None
        if intervals and bound.interval is not None:
            around = [[bound.lr - bound.interval[0]], [bound.interval[1] - bound.lr]]
        ax.errorbar([bound.lr], [bound.loss], xerr=around, fmt="o", color=colour, ms=6, capsize=4, lw=2.5)
    for other, marker in zip(picture.others, cycle("v^<>s*DX")):
        ax.plot(other.lr, other.loss, marker, color=OTHERS_COLOUR, ms=5, label=other.label)
    if legend:
        below_names = (0, 0, 1, 0.92)
        columns = 2 if picture.others else 1
        shown = ax.legend(loc="best", bbox_to_anchor=below_names, fontsize="small", ncols=columns)
        shown.set_title(picture.trust)
        shown.get_title().set_fontsize("small")
    else:
        ax.set_title(picture.trust, loc="right", fontsize="small")
    return ax


def _phases(ax: Axes, picture: Picture) -> None:
    """Shade the phases, and write their names at the upper edge."""
    upright = ax.get_xaxis_transform()
    style: Any = {"fontsize": "small", "textcoords": "offset points", "xycoords": upright}
    for phase in picture.phases:
        colour = PHASE_COLOURS[phase.name]
        ax.axvspan(phase.start, phase.stop, color=colour, alpha=0.1, lw=0)
        below = -16 if phase.name == "falling" else -4  # so that it clears its neighbours where it is narrow
        ax.annotate(phase.name, (phase.start, 1), (3, below), color=colour, va="top", **style)
    if picture.divergence_lr is not None:
        colour = PHASE_COLOURS["rising"]
        ax.axvline(picture.divergence_lr, color=colour, lw=1, ls=":")
        style.update(ha="right", rotation="vertical")
        ax.annotate("diverged", (picture.divergence_lr, 1), (-2, -18), color=colour, va="top", **style)
