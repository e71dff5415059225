"""What other learning-rate finders suggest for the same log, under their names.

Each rule takes the curve as its own library records it: smoothed by that library, and cut where it
stops. :func:`recorded` makes such a curve from raw losses; :func:`suggest` asks a rule by its name,
and :func:`compare` asks all of them. The rules are here to compare with and to move from;
:func:`clrfast.analyze` is the one to use.

=================  ===========================================================================
rule               its library
=================  ===========================================================================
`fastai_valley`    fastai 2.8, `lr_find(suggest_funcs=valley)`, its default
`fastai_slide`     fastai 2.8, `slide`
`fastai_minimum`   fastai 2.8, `minimum`
`fastai_steep`     fastai 2.8, `steep`
`torch_lr_finder`  davidtvs/pytorch-lr-finder, `LRFinder.plot(suggest_lr=True)`
`lightning`        Lightning 2.5.3 and later, `Tuner.lr_find().suggestion()`
`ignite`           pytorch/ignite, `FastaiLRFinder.lr_suggestion()`
`dataiku`          dataiku-research/lr_finder_keras_fastai, `compute_range`, both bounds
=================  ===========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Literal, NamedTuple

import numpy as np

from clrfast import _core
from clrfast._check import choice
from clrfast.analysis._columns import columns
from clrfast.analysis._suggestion import Suggestion

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "RULES",
    "compare",
    "dataiku",
    "fastai_minimum",
    "fastai_slide",
    "fastai_steep",
    "fastai_valley",
    "ignite",
    "lightning",
    "recorded",
    "suggest",
    "torch_lr_finder",
]

Recorder = Literal["fastai", "torch_lr_finder", "lightning", "ignite", "dataiku"]


# Infinite losses and repeated rates are data, about which NumPy's arithmetic would warn.
_quiet = np.errstate(divide="ignore", invalid="ignore", over="ignore")


def __dir__() -> list[str]:
    return __all__


def _rows(
    lr: ArrayLike, loss: ArrayLike, skip_start: int, skip_end: int, least: int, rule: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both columns without the rows that a rule leaves out, of which at least `least` remain."""
    rates, losses = columns(lr, loss)
    bad = np.flatnonzero(~((rates > 0) & np.isfinite(rates)))
    if len(bad):
        row = int(bad[0])
        raise ValueError(f"lr must be positive and finite, got {float(rates[row])!r} (row {row})")
    kept = slice(skip_start, max(len(rates) - skip_end, 0))
    rates, losses = rates[kept], losses[kept]
    if len(rates) < least:
        raise ValueError(
            f"lr must leave {rule} at least {least} rows beyond the first {skip_start} and the "
            f"last {skip_end}, got {len(rates)}"
        )
    return rates, losses


@_quiet
def _fastai(
    lr: ArrayLike, loss: ArrayLike, num_it: int | None, least: int, rule: str
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Leave out the first tenth of the planned rows, the last five, and all from a NaN on."""
    planned = np.size(lr) if num_it is None else num_it
    rates, losses = _rows(lr, loss, planned // 10, 5, 1, rule)
    single = losses.astype(np.float32)
    bad = np.flatnonzero(np.isnan(single))
    stop = int(bad[0]) if len(bad) else len(rates)
    if stop < least:
        raise ValueError(f"loss must leave {rule} at least {least} rows before a NaN, got {stop}")
    return rates[:stop], single[:stop]


def fastai_valley(lr: ArrayLike, loss: ArrayLike, *, num_it: int | None = None) -> float:
    """Half way down the longest descent of the loss.

    Args:
        lr: rates as recorded, shape (rows,).
        loss: losses as recorded (see :func:`recorded`), shape (rows,).
        num_it: number of rows the test was planned to have; by default as many as there are.

    Returns:
        The suggested rate; the very one of fastai, in O(n log n) instead of O(n^2) steps.

    Raises:
        ValueError: too few rows remain.
    """
    rates, losses = _fastai(lr, loss, num_it, 1, "fastai_valley")
    length, end = _core.longest_descent(losses)
    # fastai takes the descent for contiguous and for starting a row before it does.
    start, length = (end - length, length) if length > 1 else (0, 0)
    return float(rates[start + length // 3 + length // 6])


@_quiet
def fastai_slide(
    lr: ArrayLike,
    loss: ArrayLike,
    *,
    num_it: int | None = None,
    lr_diff: int = 15,
    thresh: float = 0.005,
    adjust_value: float = 1.0,
) -> float:
    """Where, coming from the end, the slope differs by at most `thresh` from that `lr_diff` later.

    Args:
        lr: rates as recorded, shape (rows,).
        loss: losses as recorded (see :func:`recorded`), shape (rows,).
        num_it: number of rows the test was planned to have; by default as many as there are.
        lr_diff: number of rows between the slopes, at least 1.
        thresh: slopes per row that differ by no more are equal.
        adjust_value: factor of the answer.

    Returns:
        The suggested rate.

    Raises:
        ValueError: too few rows remain.
    """
    rates, losses = _fastai(lr, loss, num_it, lr_diff + 1, "fastai_slide")
    slope = np.gradient(losses)
    differ = np.abs(slope[lr_diff:] - slope[:-lr_diff]) > thresh  # NaN does not
    equal = np.flatnonzero(~differ)
    # The answer is that of the pair after the last equal one, but never after the last pair.
    row = min(int(equal[-1]) + 1, len(differ) - 1) if len(equal) else 0
    return float(rates[row]) * adjust_value


def fastai_minimum(lr: ArrayLike, loss: ArrayLike, *, num_it: int | None = None) -> float:
    """A tenth of the rate at which the loss is lowest.

    Args:
        lr: rates as recorded, shape (rows,).
        loss: losses as recorded (see :func:`recorded`), shape (rows,).
        num_it: number of rows the test was planned to have; by default as many as there are.

    Returns:
        The suggested rate, that of fastai.

    Raises:
        ValueError: too few rows remain.
    """
    rates, losses = _fastai(lr, loss, num_it, 1, "fastai_minimum")
    return float(rates[int(np.argmin(losses))]) / 10


@_quiet
def fastai_steep(lr: ArrayLike, loss: ArrayLike, *, num_it: int | None = None) -> float:
    """Where the loss falls most, against ln(lr), to the next row.

    Args:
        lr: rates as recorded, shape (rows,).
        loss: losses as recorded (see :func:`recorded`), shape (rows,).
        num_it: number of rows the test was planned to have; by default as many as there are.

    Returns:
        The suggested rate, that of fastai.

    Raises:
        ValueError: too few rows remain.
    """
    rates, losses = _fastai(lr, loss, num_it, 2, "fastai_steep")
    slope = np.diff(losses) / np.diff(np.log(rates.astype(np.float32)))
    return float(rates[int(np.argmin(slope))])


@_quiet
def torch_lr_finder(lr: ArrayLike, loss: ArrayLike, *, skip_start: int = 10, skip_end: int = 5) -> float:
    """Where the loss falls most from row to row (central differences).

    Args:
        lr: rates as recorded, shape (rows,).
        loss: losses as recorded (see :func:`recorded`), shape (rows,).
        skip_start: rows to leave out at the start.
        skip_end: rows to leave out at the end.

    Returns:
        The suggested rate.

    Raises:
        ValueError: fewer than two rows remain.
    """
    rates, losses = _rows(lr, loss, skip_start, skip_end, 2, "torch_lr_finder")
    return float(rates[int(np.gradient(losses.astype(np.float64)).argmin())])


@_quiet
def lightning(lr: ArrayLike, loss: ArrayLike, *, skip_begin: int = 10, skip_end: int = 1) -> float:
    """Where the loss falls fastest against the rate itself.

    Args:
        lr: rates as recorded, shape (rows,).
        loss: losses as recorded (see :func:`recorded`), shape (rows,); others than finite ones
            are left out.
        skip_begin: rows to leave out at the start.
        skip_end: rows to leave out at the end.

    Returns:
        The suggested rate.

    Raises:
        ValueError: fewer than two rows remain.
    """
    rates, losses = _rows(lr, loss, skip_begin, skip_end, 2, "lightning")
    finite = np.isfinite(losses)
    rates, losses = rates[finite], losses[finite]
    if len(rates) < 2:
        raise ValueError(f"loss must leave lightning at least 2 finite rows, got {len(rates)}")
    slope = np.gradient(losses.astype(np.float32), rates.astype(np.float32))
    return float(rates[int(np.argmin(slope))])


@_quiet
def ignite(lr: ArrayLike, loss: ArrayLike) -> float:
    """Where the loss falls most from row to row, before it is lowest.

    Args:
        lr: rates as recorded, shape (rows,).
        loss: losses as recorded (see :func:`recorded`), shape (rows,).

    Returns:
        The suggested rate.

    Raises:
        ValueError: the loss is lowest in one of the first two rows.
    """
    rates, losses = _rows(lr, loss, 0, 0, 1, "ignite")
    single = losses.astype(np.float32)
    lowest = int(np.argmin(single))
    if lowest < 2:
        raise ValueError(f"loss must be lowest in row 2 or later for ignite, got row {lowest}")
    fall = single[2 : lowest + 1] - single[: lowest - 1]
    return float(rates[int(np.argmin(fall)) + 1])


@_quiet
def dataiku(lr: ArrayLike, loss: ArrayLike, *, skip_begin: int = 5, skip_end: int = 1) -> tuple[float, float]:
    """Both bounds: the steepest row of the final descent, and a tenth of the rate at its end.

    Args:
        lr: rates as recorded, shape (rows,).
        loss: losses as recorded (see :func:`recorded`), shape (rows,).
        skip_begin: rows to leave out at the start.
        skip_end: rows to leave out at the end.

    Returns:
        The lower and the upper bound, both among `lr`.

    Raises:
        ValueError: fewer than two rows remain.
    """
    rates, losses = _rows(lr, loss, skip_begin, skip_end, 2, "dataiku")

    def nearest(rate: float) -> int:
        return int(np.argmin(np.abs(rates - rate)))

    lowest = int(np.argmin(losses))
    high = nearest(rates[lowest] / 10)
    low = nearest(rates[high] / 10)
    if lowest > 0:
        slope = np.gradient(losses)
        start = lowest - int(np.argmax(slope[:lowest][::-1] >= 0))
        if start < lowest:
            steepest = start + int(np.argmin(slope[start:lowest]))
            if steepest < high and rates[steepest] / rates[high] <= 0.1:
                low = steepest
    return float(rates[low]), float(rates[high])


def recorded(
    recorder: Recorder, lr: ArrayLike, loss: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the log that a library would have recorded where the raw losses are these.

    Args:
        recorder: "fastai" (debiased average, beta .98; stops above 4 times the best loss),
            "torch_lr_finder" or "ignite" (average of factor .05 that starts at the first loss;
            stop above 5 times), "lightning" (as fastai, but the debiasing is a step late),
            "dataiku" (as fastai, never stops).
        lr: rates, shape (rows,).
        loss: raw losses, shape (rows,).

    Returns:
        The rates and the smoothed losses up to where the library stops.

    Raises:
        TypeError, ValueError: as :func:`clrfast.analyze`; or the recorder is unknown.
    """
    beta, ratio = _RECORDERS[choice("recorder", recorder, _RECORDERS)]
    rates, losses = (column.astype(np.float64) for column in columns(lr, loss))
    smoothed = _core.ema(losses, beta)
    decay = beta ** np.arange(1, len(losses) + 1)
    if recorder in ("torch_lr_finder", "ignite"):
        # What the bias of a zero start takes away is what a start at the first loss adds.
        smoothed = smoothed * (1 - decay) + decay * losses[:1]
    elif recorder == "lightning":
        smoothed *= (1 - decay) / (1 - beta * decay)
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):  # the libraries' averages never recover
        smoothed[bad[0] :] = losses[bad[0]]
    best = np.fmin.accumulate(smoothed)
    if recorder == "lightning":  # it compares before it takes note of a new best
        best = np.append(np.inf, best[:-1])[: len(best)]
    stop = np.flatnonzero(smoothed > ratio * best)
    rows = int(stop[0]) + 1 if len(stop) else len(losses)
    return rates[:rows], smoothed[:rows]


def compare(
    lr: ArrayLike, loss: ArrayLike, *, smoothed: bool = False
) -> dict[str, float | tuple[float, float] | None]:
    """Return what each rule suggests for one log.

    Args:
        lr: rates, shape (rows,).
        loss: losses, shape (rows,).
        smoothed: whether the losses are a library's record already; otherwise they are taken for raw
            ones, and smoothed and cut as each library does.

    Returns:
        The suggestion of every rule in `RULES`, None where a rule has none.

    Raises:
        TypeError, ValueError: as :func:`clrfast.analyze`, of the columns.
    """
    rates, losses = columns(lr, loss)
    suggestions: dict[str, float | tuple[float, float] | None] = {}
    for name, rule in RULES.items():
        try:
            suggestions[name] = _answer(rule, rates, losses, smoothed=smoothed)
        except ValueError:
            suggestions[name] = None
    return suggestions


def suggest(rule: str, lr: ArrayLike, loss: ArrayLike, *, smoothed: bool = False) -> Suggestion:
    """Return what one rule suggests for one log.

    Args:
        rule: its name in `RULES`.
        lr: rates, shape (rows,).
        loss: losses, shape (rows,).
        smoothed: as for :func:`compare`.

    Returns:
        Its rate as `max_lr`, and its lower bound, where it gives one, as `base_lr`. No rule says how
        sure it is: there are no intervals and no confidence.

    Raises:
        TypeError: a column does not hold real numbers.
        ValueError: there is no such rule, or it has no suggestion for this log; the message says why.
    """
    answer = _answer(RULES[choice("rule", rule, RULES)], *columns(lr, loss), smoothed=smoothed)
    return Suggestion(
        bounds=answer if isinstance(answer, tuple) else (None, answer),
        base_lr_interval=None,
        max_lr_interval=None,
        confidence=None,
        still_falling=False,
        reasons=(),
        rule=rule,
    )


def _answer(
    rule: _Rule, lr: NDArray[Any], loss: NDArray[Any], *, smoothed: bool
) -> float | tuple[float, float]:
    curve = (lr, loss) if smoothed else recorded(rule.recorder, lr, loss)
    more = {"num_it": len(lr)} if rule.recorder == "fastai" else {}
    return rule.suggest(*curve, **more)


_RECORDERS: dict[str, tuple[float, float]] = {
    "fastai": (0.98, 4.0),
    "torch_lr_finder": (0.95, 5.0),
    "ignite": (0.95, 5.0),
    "lightning": (0.98, 4.0),
    "dataiku": (0.98, np.inf),
}


class _Rule(NamedTuple):
    recorder: Recorder
    suggest: Callable[..., float | tuple[float, float]]


#: Every rule by its name, with the recorder that makes its curve.
RULES: dict[str, _Rule] = {
    "fastai_valley": _Rule("fastai", fastai_valley),
    "fastai_slide": _Rule("fastai", fastai_slide),
    "fastai_minimum": _Rule("fastai", fastai_minimum),
    "fastai_steep": _Rule("fastai", fastai_steep),
    "torch_lr_finder": _Rule("torch_lr_finder", torch_lr_finder),
    "lightning": _Rule("lightning", lightning),
    "ignite": _Rule("ignite", ignite),
    "dataiku": _Rule("dataiku", dataiku),
}
