"""The picture of an analysis: the curve, its phases, the suggested range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clrfast.analysis import Analysis

_MOST_ROWS = 20_000  # more are drawn as a band
_PHASE_COLOURS = {"flat": "0.5", "falling": "C2", "rising": "C3"}


def plot_analysis(analysis: Analysis, ax: Axes | None, *, intervals: bool, legend: bool) -> Axes:
    """Draw `analysis` into `ax`; see :meth:`clrfast.Analysis.plot`."""
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    if 0 < len(analysis.lr) <= _MOST_ROWS:
        order = np.argsort(analysis.lr, kind="stable")
        rates, losses = analysis.lr[order], analysis.loss[order]
        ax.plot(rates, losses, color="C0", alpha=0.3, lw=0.8, label="loss")
    else:
        band = (analysis.grid_lr, analysis.grid_lowest, analysis.grid_highest)
        ax.fill_between(*band, color="C0", alpha=0.15, lw=0, label="loss, lowest to highest")
    width = f"fit over ±{analysis.window / np.log(10):.1f} decades"
    ax.plot(analysis.grid_lr, analysis.grid_loss, color="C0", lw=2, label=width)
    ax.set_xscale("log")
    ax.set_xlabel("Learning rate")
    ax.set_ylabel("Loss")
    ax.set_ylim(*_loss_limits(analysis))
    ax.set_xlim(*analysis.lr_range)
    _shade_phases(analysis, ax)

    suggestion = analysis.suggestion
    for name, lr, interval, colour in (
        ("base_lr", suggestion.base_lr, suggestion.base_lr_interval, "C4"),
        ("max_lr", suggestion.max_lr, suggestion.max_lr_interval, "C1"),
    ):
        if lr is None or interval is None:
            continue
        low, high = interval
        ax.axvline(lr, color=colour, lw=1.5, label=f"{name} {lr:.2g}")
        level = float(np.interp(np.log(lr), np.log(analysis.grid_lr), analysis.grid_loss))
        around = [[lr - low], [high - lr]] if intervals else None
        ax.errorbar([lr], [level], xerr=around, fmt="o", color=colour, ms=6, capsize=4, lw=2.5)
        left, right = ax.get_xlim()
        ax.set_xlim(min(left, lr / 1.5), max(right, lr * 1.5) if lr > right else right)
    ax.set_title(f"confidence: {suggestion.confidence}", loc="right", fontsize="small")
    if legend:
        ax.legend(loc="best", fontsize="small", ncols=2)
    return ax


def _loss_limits(analysis: Analysis) -> tuple[float, float]:
    """Show each loss below the curve, but keep the diverged part from flattening the rest."""
    if not len(analysis.grid_loss):
        return 0.0, 1.0
    low, high = float(np.min(analysis.grid_loss)), float(np.max(analysis.grid_loss))
    height = (high - low) or abs(high) or 1.0
    lowest = analysis.grid_lowest[np.isfinite(analysis.grid_lowest)]
    if len(lowest):
        low = max(low - 3.0 * height, min(low, float(lowest.min())))
    return low - 0.06 * height, high + 0.3 * height


def _shade_phases(analysis: Analysis, ax: Axes) -> None:
    phases = analysis.phases
    lowest, highest = analysis.lr_range
    rising_from = highest if phases.turn_lr is None else phases.turn_lr
    flat_until = rising_from if phases.plateau_end_lr is None else phases.plateau_end_lr
    for name, start, stop in (
        ("flat", lowest, flat_until),
        ("falling", flat_until, rising_from),
        ("rising", rising_from, highest),
    ):
        if stop > start:
            ax.axvspan(start, stop, color=_PHASE_COLOURS[name], alpha=0.08, lw=0, label=name)
    if phases.divergence_lr is not None:
        ax.axvline(phases.divergence_lr, color="C3", lw=1, ls=":", label="diverged")
