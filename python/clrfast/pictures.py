"""Several range tests, probes or schedules on one picture, drawn by matplotlib.

What one of them shows alone, its own ``plot()`` draws.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, Union

import numpy as np

from clrfast import _check
from clrfast._pictures._compare import Key, compare_probes, compare_schedules, compare_tests
from clrfast._require import require
from clrfast.analysis import Analysis, Probes
from clrfast.analysis._analysis import picture_of
from clrfast.logs import Log
from clrfast.schedules import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from clrfast._pictures._picture import Picture

__all__ = ["compare"]

_Drawable = Union[Analysis, Log, Probes, Schedule]
T = TypeVar("T")
_WHAT = "analyses and logs, of probes, or of schedules"


def __dir__() -> list[str]:
    return __all__


def compare(
    curves: Mapping[str, _Drawable] | Iterable[_Drawable],
    ax: Axes | None = None,
    *,
    values: Iterable[float] | None = None,
    label: str = "",
    legend: bool = True,
) -> Axes:
    """Draw several range tests, probes or schedules on one pair of axes.

    Of range tests the fitted loss is drawn against the rate, with a dot where `max_lr` is, hollow where the
    confidence is low (in the legend, "(low)"); of probes the score of each candidate with its standard error,
    against its rate; of schedules the value against the step.

    Args:
        curves: What to draw, by name, or in a row, whose curves are called "1", "2" and so on: analyses and
            logs in any mixture, or probes, or schedules. A log is analysed; one of several runs as repeats of
            one test, but given alone, for `curves` itself, it is drawn run by run.
        ax: Where to draw; a new figure's axes by default.
        values: A number for each curve, its weight decay, say: colours then follow it, and a bar beside the
            axes explains them, logarithmic where the values span more than a factor of 10. NaN is drawn grey.
            None, the default, gives each curve a colour of its own.
        label: What the numbers are, or what the names in the legend are; "" by default.
        legend: Add a legend, where there are no `values`, and 20 curves or fewer.

    Returns:
        The axes drawn into. Nothing is shown or saved.

    Raises:
        TypeError: `curves` holds something else, or not all of one kind.
        ValueError: `curves` is empty, a log cannot be analysed, or `values` has another length.
        ImportError: matplotlib is not installed.

    The figures of L. N. Smith, "A disciplined approach to neural network hyper-parameters", arXiv:1803.09820,
    compare weight decays and momenta so.
    """
    require("matplotlib", "compare()", extra="plot")
    named = _by_name(curves)
    _check_kind(named)
    key = Key(None if values is None else _numbers(values, len(named)), label, legend)
    if schedules := _all(named, Schedule):
        return compare_schedules(schedules, _last_step(schedules.values()), key, ax)
    if probes := _all(named, Probes):
        scores = {name: (each.lr, each.score, each.score_se) for name, each in probes.items()}
        return compare_probes(scores, key, ax)
    return compare_tests({name: _picture(name, curve) for name, curve in named.items()}, key, ax)


def _by_name(curves: Mapping[str, _Drawable] | Iterable[_Drawable]) -> dict[str, _Drawable]:
    if isinstance(curves, Log):
        return dict(curves.split())
    if isinstance(curves, Mapping):
        named = {str(name): curve for name, curve in curves.items()}
    elif isinstance(curves, Iterable):
        named = {str(number): curve for number, curve in enumerate(curves, 1)}
    else:
        raise TypeError(f"curves must be a mapping or a row of {_WHAT}, got {curves!r:.60}")
    if not named:
        raise ValueError("curves must hold one at least, got none")
    return named


def _check_kind(named: Mapping[str, _Drawable]) -> None:
    """Raise a TypeError unless all are of one kind; logs count as analyses."""
    kinds: dict[type, str] = {}
    for name, curve in named.items():
        kind = next((kind for kind in (Analysis, Log, Probes, Schedule) if isinstance(curve, kind)), None)
        if kind is None:
            raise TypeError(f"curves[{name!r}] must be one of {_WHAT}, got {curve!r:.60}")
        kinds.setdefault(Analysis if kind is Log else kind, name)
    if len(kinds) > 1:
        mixed = " and ".join(f"{kind.__name__} ({name!r})" for kind, name in kinds.items())
        raise TypeError(f"curves must be of one kind, got {mixed}")


def _all(named: Mapping[str, _Drawable], kind: type[T]) -> dict[str, T]:
    return {name: curve for name, curve in named.items() if isinstance(curve, kind)}


def _last_step(schedules: Collection[Schedule]) -> int:
    """Return the last step of the longest that ends, or, where none does, of what each would show alone."""
    finite = [schedule for schedule in schedules if math.isfinite(schedule.total_steps)]
    return max(schedule._natural_length() for schedule in finite or schedules)


def _numbers(values: Iterable[float], count: int) -> NDArray[np.float64]:
    given = list(values)
    if len(given) != count:
        raise ValueError(f"values must be as many as curves, {count}, got {len(given)}")
    unknown = [value != value for value in given]  # NaN
    return np.array(
        [
            math.nan if is_nan else _check.real(f"values[{i}]", value)
            for i, (value, is_nan) in enumerate(zip(given, unknown))
        ]
    )


def _picture(name: str, curve: _Drawable) -> Picture:
    try:
        if isinstance(curve, Log):
            curve = curve.analyze_repeats() if curve.runs else curve.analyze()
    except ValueError as error:
        raise ValueError(f"curves[{name!r}]: {error}") from None
    assert isinstance(curve, Analysis)
    return picture_of(curve)
