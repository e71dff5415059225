"""Several curves on one pair of axes, drawn by matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Literal, NamedTuple

import numpy as np

from clrfast._pictures._axes import axis_of_rates, new_axes
from clrfast._pictures._colours import Stroke, by_name, by_value
from clrfast._pictures._picture import Picture
from clrfast._pictures._schedule import steps_to_show
from clrfast._visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

Place = Literal["best", "upper center"]  # of a legend
_FEW = 3  # curves, between which the single losses can still be seen
MOST_IN_LEGEND = 20
_COLUMNS = 3  # of the legend over schedules


class Key(NamedTuple):
    """How curves are told apart: by the colours of a bar where there are values, one each, else by name."""

    values: NDArray[np.float64] | None
    label: str
    legend: bool


def compare_tests(pictures: Mapping[str, Picture], key: Key, ax: Axes | None) -> Axes:
    """Draw the fitted loss of range tests against the rate, and a dot where each has its `max_lr`."""
    ax, strokes = _begin(len(pictures), key, ax)
    for (name, picture), stroke in zip(pictures.items(), strokes):
        mark = next((bound for bound in picture.bounds if bound.name == "max_lr"), None)
        if picture.rows is not None and len(pictures) <= _FEW:
            ax.plot(*picture.rows, color=stroke.colour, alpha=0.25, lw=0.8)
        unsure = picture.verdict.confidence == "low"
        found = "no suggestion" if mark is None else f"{mark.label}{' (low)' if unsure else ''}"
        _line(ax, picture.lr, picture.loss, stroke, f"{name}: {found}")
        if mark is not None:
            _dot(ax, mark.lr, mark.loss, stroke, hollow=unsure)
    low, high = zip(*(picture.lr_limits for picture in pictures.values()))
    axis_of_rates(ax, (min(low), max(high)))
    ax.set_ylim(*loss_limits(list(pictures.values())))
    ax.set_ylabel("Loss")
    return _end(ax, len(pictures), key)


def compare_probes(
    scores: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]],
    key: Key,
    ax: Axes | None,
) -> Axes:
    """Draw scores with their standard errors against rates, and a larger dot at each best one."""
    ax, strokes = _begin(len(scores), key, ax)
    rates = [lr for lr, _, _ in scores.values()]
    for (name, (lr, score, error)), stroke in zip(scores.items(), strokes):
        order = np.argsort(lr, kind="stable")
        shown = order[np.isfinite(score[order])]
        _line(ax, lr[shown], score[shown], stroke, name, yerr=error[shown])
        if len(shown):
            best = int(np.argmin(score))
            _dot(ax, lr[best], score[best], stroke)
    axis_of_rates(ax, (min(lr.min() for lr in rates) / 1.2, max(lr.max() for lr in rates) * 1.2))
    ax.set_ylabel("Mean loss in the middle of the probe")
    return _end(ax, len(scores), key)


def compare_schedules(
    schedules: Mapping[str, Callable[[NDArray[np.int64]], Any]], last: int, key: Key, ax: Axes | None
) -> Axes:
    """Draw schedules from step 0 to the last."""
    ax, strokes = _begin(len(schedules), key, ax)
    steps = steps_to_show(last)
    for (name, schedule), stroke in zip(schedules.items(), strokes):
        _line(ax, steps, schedule(steps), stroke, name)
    ax.set_xlabel("Step")
    ax.set_ylabel("Learning rate")
    ax.margins(x=0)
    if key.values is None:  # a legend has no other place: schedules go up and down everywhere
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + (high - low) * 0.07 * math.ceil(len(schedules) / _COLUMNS))
    return _end(ax, len(schedules), key, loc="upper center", ncols=_COLUMNS)


def _begin(count: int, key: Key, ax: Axes | None) -> tuple[Axes, list[Stroke]]:
    if ax is None:
        ax = new_axes(figsize=(8, 5))
    return ax, by_name(count) if key.values is None else by_value(ax, key.values, key.label)


def _line(ax: Axes, x: Any, y: Any, stroke: Stroke, name: str, yerr: Any = None) -> None:
    points = {} if yerr is None else {"marker": "o", "ms": 4.0}
    style = {"color": stroke.colour, "ls": stroke.dashes, "lw": 1.8, **points}
    ax.errorbar(x, y, yerr, label=shown_name(name), **style)


def shown_name(name: str) -> str:
    """Return a name as a legend takes it, which hides those that begin with an underscore."""
    return visible(f" {name}" if name.startswith("_") else name)


def _dot(ax: Axes, x: float, y: float, stroke: Stroke, *, hollow: bool = False) -> None:
    if not math.isfinite(y):
        return
    ground = ax.get_facecolor()
    fill, edge = (ground, stroke.colour) if hollow else (stroke.colour, ground)
    ax.plot([x], [y], "o", ms=8, mfc=fill, mec=edge, mew=1.5, zorder=3)


def _end(ax: Axes, count: int, key: Key, loc: Place = "best", ncols: int = 1) -> Axes:
    if key.legend and key.values is None and count <= MOST_IN_LEGEND:
        shown = ax.legend(loc=loc, fontsize="small", ncols=ncols)
        if key.label:
            shown.set_title(key.label)
        for text in shown.get_texts():
            text.set_parse_math(False)  # names are text
    return ax


def loss_limits(pictures: Sequence[Picture]) -> tuple[float, float]:
    """Return limits within which every fall is seen, but not all that a few of the curves rise to."""
    low, high = np.array([picture.loss_limits for picture in pictures]).T
    lowest, highest = float(low.min()), float(high.max())
    falls = [
        picture.loss[: int(np.argmin(picture.loss)) + 1].max() for picture in pictures if len(picture.loss)
    ]
    room = lowest + 1.6 * (float(max(falls, default=lowest)) - lowest)
    return lowest, min(highest, max(room, float(np.median(high))))
