"""The colours of several curves: one each, or along a bar by a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clrfast._pictures._axes import is_dark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from numpy.typing import NDArray

_DASHES = ("-", "--", "-.", ":")  # a turn each of the ten colours that a style has
_WIDE = 10.0  # values that span more than such a factor are told apart by their logarithms
_MOST_TICKS = 8
_UNKNOWN = "#888888"  # of a curve whose number is not known


class Stroke(NamedTuple):
    """How a curve is drawn."""

    colour: Any
    dashes: str = "-"


def by_name(count: int) -> list[Stroke]:
    """Return as many strokes, in the colours of the style in use."""
    return [Stroke(f"C{number % 10}", _DASHES[number // 10 % len(_DASHES)]) for number in range(count)]


def by_value(ax: Axes, values: NDArray[np.float64], label: str) -> list[Stroke]:
    """Return a stroke for each value, and add the bar that explains them; NaN is drawn grey."""
    import matplotlib as mpl
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap

    whole = mpl.colormaps["viridis"]  # ordered, and read in print and by the colour-blind
    low, high = (0.2, 1.0) if is_dark(ax) else (0.0, 0.85)  # without the end that the ground swallows
    colours = ListedColormap(whole(np.linspace(low, high, 256)))
    known = np.unique(values[np.isfinite(values)])
    shown = ScalarMappable(_norm(known), colours)
    bar = ax.figure.colorbar(shown, ax=ax, pad=0.02, fraction=0.06)
    bar.set_label(label)
    if 0 < len(known) <= _MOST_TICKS:
        bar.set_ticks(known.tolist(), labels=[f"{value:g}" for value in known])
        bar.minorticks_off()
    return [Stroke(shown.to_rgba(value) if np.isfinite(value) else _UNKNOWN) for value in values]


def _norm(known: NDArray[np.float64]) -> Normalize:
    """Return the scale of ascending values: logarithmic where they span much, 0 aside."""
    from matplotlib.colors import LogNorm, Normalize, SymLogNorm

    if not len(known):
        return Normalize(0.0, 1.0)
    low, high = float(known[0]), float(known[-1])
    if low == high:
        return Normalize(low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0))
    positive = known[known > 0]
    if low < 0 or high < _WIDE * positive[0]:
        return Normalize(low, high)
    return LogNorm(low, high) if low > 0 else SymLogNorm(linthresh=float(positive[0]), vmin=low, vmax=high)
