"""The picture of a sweep, drawn by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clrfast._pictures._axes import new_axes
from clrfast._pictures._sweep_picture import (
    BASIN_COLOUR,
    BEST_COLOUR,
    DIVERGED_COLOUR,
    RAW_COLOUR,
    RUN_COLOUR,
    SweepPicture,
    ValleyCurve,
)
from clrfast._visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_sweep(picture: SweepPicture, ax: Axes | None, *, legend: bool) -> Axes:
    """Draw the picture into `ax`; see :meth:`clrfast.Sweep.plot`."""
    if ax is None:
        ax = new_axes(figsize=(8, 5))
    moved = picture.curve is not None and picture.adjusted
    (raw,) = ax.plot(picture.lr, picture.value, "o", ms=3, label="runs as they are" if moved else "runs")
    raw.set(color=RAW_COLOUR if moved else RUN_COLOUR, alpha=0.5 if moved else 0.8)
    if picture.curve is not None:
        _draw_curve(ax, picture.curve, adjusted=picture.adjusted)
    ax.set_xscale("log")
    if picture.logarithmic:
        ax.set_yscale("log")
    ax.set_ylim(*picture.value_limits)
    if len(picture.diverged):
        top = ax.get_xaxis_transform()
        height = np.full(len(picture.diverged), 0.98)
        ax.plot(picture.diverged, height, "x", color=DIVERGED_COLOUR, transform=top, label="diverged")
    ax.set_xlabel("Peak learning rate")
    ax.set_ylabel(visible(picture.metric), parse_math=False)
    ax.set_title(picture.trust, loc="right", fontsize="small")
    if legend:
        ax.legend(loc="best", fontsize="small")
    return ax


def _draw_curve(ax: Axes, curve: ValleyCurve, *, adjusted: bool) -> None:
    if adjusted:
        label = "runs, as if at the reference settings"
        ax.plot(*curve.moved, "o", ms=3, color=RUN_COLOUR, alpha=0.6, label=label)
    ax.plot(curve.lr, curve.value, color=RUN_COLOUR, lw=2, label="fitted, with its 95 % interval")
    ax.fill_between(curve.lr, curve.low, curve.high, color=RUN_COLOUR, alpha=0.2, lw=0)
    for cost, ends in curve.basins:
        ax.axvspan(*ends, color=BASIN_COLOUR, alpha=0.1, lw=0, label=f"costs under {cost:.0%}")
    ax.axvline(curve.best_lr, color=BEST_COLOUR, lw=1.5, label=f"best_lr {curve.best_lr:.2g}")
    value = float(np.interp(np.log(curve.best_lr), np.log(curve.lr), curve.value))
    around = [[curve.best_lr - curve.interval[0]], [curve.interval[1] - curve.best_lr]]
    ax.errorbar([curve.best_lr], [value], xerr=around, fmt="o", color=BEST_COLOUR, ms=6, capsize=4, lw=2.5)
