"""The picture of an analysis, drawn by matplotlib: the curve, its phases, the suggested range."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

from clrfast._pictures import _picture
from clrfast._require import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clrfast.analysis import Analysis, Suggestion


def plot_analysis(
    analysis: Analysis,
    ax: Axes | None,
    *,
    intervals: bool,
    legend: bool,
    others: Mapping[str, Suggestion],
) -> Axes:
    """Draw `analysis` into `ax`, and what other rules suggest; see :meth:`clrfast.Analysis.plot`."""
    if ax is None:
        require("matplotlib", "plot()", extra="plot")
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    colour = _picture.LOSS_COLOUR
    rows = _picture.rows(analysis)
    if rows is not None:
        ax.plot(*rows, color=colour, alpha=0.3, lw=0.8, label="loss")
    else:
        band = (analysis.grid_lr, analysis.grid_lowest, analysis.grid_highest)
        ax.fill_between(*band, color=colour, alpha=0.15, lw=0, label="loss, lowest to highest")
    ax.plot(analysis.grid_lr, analysis.grid_loss, color=colour, lw=2, label=_picture.fit(analysis))
    ax.set_xscale("log")
    ax.set_xlabel("Learning rate")
    ax.set_ylabel("Loss")
    ax.set_xlim(*_picture.lr_limits(analysis))
    ax.set_ylim(*_picture.loss_limits(analysis))
    for name, start, stop in _picture.phases(analysis):
        ax.axvspan(start, stop, color=_picture.PHASE_COLOURS[name], alpha=0.08, lw=0, label=name)
    if analysis.phases.divergence_lr is not None:
        diverged = _picture.PHASE_COLOURS["rising"]
        ax.axvline(analysis.phases.divergence_lr, color=diverged, lw=1, ls=":", label="diverged")
    for name, lr, level, interval, colour in _picture.bounds(analysis):
        ax.axvline(lr, color=colour, lw=1.5, label=f"{name} {lr:.2g}")
        around = [[lr - interval[0]], [interval[1] - lr]] if intervals and interval else None
        ax.errorbar([lr], [level], xerr=around, fmt="o", color=colour, ms=6, capsize=4, lw=2.5)
    for (name, other), marker in zip(others.items(), cycle("v^<>s*DX")):
        if other.max_lr is not None:
            level = _picture.loss_at(analysis, other.max_lr)
            label = f"{name} {other.max_lr:.2g}"
            ax.plot(other.max_lr, level, marker, color=_picture.OTHERS_COLOUR, ms=5, label=label)
    ax.set_title(_picture.trust(analysis), loc="right", fontsize="small")
    if legend:
        ax.legend(loc="best", fontsize="small", ncols=2)
    return ax
