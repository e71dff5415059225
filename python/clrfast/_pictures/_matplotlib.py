"""The picture of an analysis, drawn by matplotlib: the curve, its phases, the suggested range."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from clrfast._pictures._axes import new_axes
from clrfast._pictures._picture import BOUND_COLOURS, LOSS_COLOUR, OTHERS_COLOUR, PHASE_COLOURS, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(picture: Picture, ax: Axes | None, *, intervals: bool, legend: bool) -> Axes:
    """Draw the picture into `ax`; see :meth:`clrfast.Analysis.plot`."""
    if ax is None:
        ax = new_axes(figsize=(8, 5))
    if picture.rows is not None:
        ax.plot(*picture.rows, color=LOSS_COLOUR, alpha=0.3, lw=0.8, label="loss")
    else:
        band = (picture.lr, picture.lowest, picture.highest)
        ax.fill_between(*band, color=LOSS_COLOUR, alpha=0.15, lw=0, label="loss, lowest to highest")
    ax.plot(picture.lr, picture.loss, color=LOSS_COLOUR, lw=2, label=picture.fit)
    ax.set_xscale("log")
    ax.set_xlabel("Learning rate")
    ax.set_ylabel("Loss")
    ax.set_xlim(*picture.lr_limits)
    ax.set_ylim(*picture.loss_limits)
    for phase in picture.phases:
        colour = PHASE_COLOURS[phase.name]
        ax.axvspan(phase.start, phase.stop, color=colour, alpha=0.08, lw=0, label=phase.name)
    if picture.divergence_lr is not None:
        ax.axvline(picture.divergence_lr, color=PHASE_COLOURS["rising"], lw=1, ls=":", label="diverged")
    for bound in picture.bounds:
        colour = BOUND_COLOURS[bound.name]
        ax.axvline(bound.lr, color=colour, lw=1.5, label=bound.label)
        around = None
        if intervals and bound.interval is not None:
            around = [[bound.lr - bound.interval[0]], [bound.interval[1] - bound.lr]]
        ax.errorbar([bound.lr], [bound.loss], xerr=around, fmt="o", color=colour, ms=6, capsize=4, lw=2.5)
    for other, marker in zip(picture.others, cycle("v^<>s*DX")):
        ax.plot(other.lr, other.loss, marker, color=OTHERS_COLOUR, ms=5, label=other.label)
    ax.set_title(picture.trust, loc="right", fontsize="small")
    if legend:
        ax.legend(loc="best", fontsize="small", ncols=2)
    return ax
