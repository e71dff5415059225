"""Repeats of one test, analysed as one."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clrfast import _core
from clrfast._student import quantile
from clrfast.analysis._analysis import Analysis
from clrfast.analysis._analyze import analysis_of
from clrfast.analysis._columns import thread_count
from clrfast.analysis._runs import run_rows
from clrfast.analysis._suggestion import Suggestion

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_DISAGREE = 5  # times as high a rate
_PACES = 3  # times as many steps a decade
_ERRORS = 4  # standard errors


def analyze_repeats(
    lr: ArrayLike,
    loss: ArrayLike,
    *,
    run: ArrayLike | None = None,
    offsets: ArrayLike | None = None,
    threads: int | None = None,
) -> Analysis:
    """Analyse repeated runs of one test (other seeds, say) as one, for a surer suggestion.

    Args:
        lr: rates of all runs, as :func:`analyze` takes them.
        loss: losses of all runs, as long as `lr`.
        run: the run of each row, as in :func:`analyze_runs`.
        offsets: where runs start and end, as in :func:`analyze_runs`.
        threads: how many to use at most, at least 1; by default one for each core.

    Returns:
        The analysis of all rows; `lr` and `loss` hold them run by run. With three runs or more
        that have a suggestion of their own, the interval of `base_lr` is a 95 % confidence interval from
        how much these differ, and that of `max_lr` holds such an interval. The confidence is lower if they
        differ more than fivefold, or not more than half of the runs have one. It is low if the runs cannot be
        repeats: their losses begin apart, or one takes three times as many steps a decade as another.

    Raises:
        TypeError, ValueError: as :func:`analyze_runs` does, or :func:`analyze`.
    """
    runs = run_rows(lr, loss, run, offsets)
    states = []
    for start, stop in zip(runs.starts, runs.starts[1:]):
        states.append(_core.State())  # all count their steps from 0
        bad = states[-1].add(runs.lr[start:stop], runs.loss[start:stop], 0, thread_count(threads))
        if bad is not None:
            raise runs.bad_rate(start + bad)
    return repeats_of(states, runs.lr, runs.loss)


def repeats_of(
    states: list[_core.State], lr: NDArray[np.floating[Any]], loss: NDArray[np.floating[Any]]
) -> Analysis:
    """Return the analysis of repeats, each of which left a state behind, and all of them these rows."""
    whole = _core.State()
    for state in states:
        whole.merge(state)
    merged = analysis_of(whole, lr, loss, beta=0.0)
    suggestion = merged.suggestion
    if suggestion.max_lr_interval is None:
        return merged
    base_lr, max_lr = suggestion.bounds
    analyses = list(_analyses(states))
    found = [one.suggestion for one in analyses]
    rates = np.array([one.max_lr for one in found if one.max_lr is not None])
    base = _spread(np.array([one.base_lr for one in found if one.base_lr is not None]), base_lr)
    top = _spread(rates, max_lr)
    if base is not None and top is not None:
        around = _both(top, suggestion.max_lr_interval)
        suggestion = dataclasses.replace(suggestion, base_lr_interval=base, max_lr_interval=around)
    return dataclasses.replace(merged, suggestion=_as_sure(suggestion, len(states), _unlike(analyses), rates))


def _both(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return min(one[0], other[0]), max(one[1], other[1])


def _as_sure(
    suggestion: Suggestion, repeats: int, unlike: str | None, found: NDArray[np.float64]
) -> Suggestion:
    """Return the suggestion, less sure if the repeats disagree, not at all if they cannot be repeats."""
    if unlike is not None:
        reason = f"these runs do not repeat one test: {unlike}"
    elif 2 * len(found) <= repeats:
        reason = f"only {len(found)} of {repeats} repeats suggest a rate"
    elif found.max() > _DISAGREE * found.min():
        reason = f"the repeats disagree: they suggest from {found.min():.2g} to {found.max():.2g}"
    else:
        return suggestion
    sure = suggestion.confidence == "high" and unlike is None
    confidence: Literal["medium", "low"] = "medium" if sure else "low"
    return dataclasses.replace(suggestion, confidence=confidence, reasons=(*suggestion.reasons, reason))


def _analyses(states: Sequence[_core.State]) -> Iterator[_core.Analysis]:
    """Yield the analyses of those runs that are long enough for one."""
    for state in states:
        with contextlib.suppress(ValueError):
            yield state.analyze()


def _unlike(runs: Sequence[_core.Analysis]) -> str | None:
    """Return in what the runs differ that repeats have in common, or None.

    The loss answers a rate some steps later, so that a slower ramp is another test. A loss that begins
    elsewhere is another model's, or another loss.
    """
    if len(runs) < 2:
        return None
    paces = [run.rows / math.log10(run.highest_lr / run.lowest_lr) for run in runs]
    if max(paces) > _PACES * min(paces):
        return f"they take from {min(paces):.3g} to {max(paces):.3g} steps a decade"
    starts = [float(run.curve.loss[0]) for run in runs]
    falls = [float(run.curve.loss[0] - run.curve.loss.min()) for run in runs]
    doubt = _ERRORS * math.hypot(*(float(run.curve.loss_se[0]) for run in runs))
    if max(starts) - min(starts) > max(falls) / 2 + doubt:
        return f"their losses begin at {min(starts):.3g} to {max(starts):.3g}"
    return None


def _spread(rates: NDArray[np.float64], merged: float | None) -> tuple[float, float] | None:
    """Return a 95 % confidence interval of the geometric mean, wide enough to hold `merged`."""
    logs = np.log(rates)
    if merged is None or len(logs) < 3:
        return None
    reach = quantile(len(logs) - 1) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    low, high = math.exp(logs.mean() - reach), math.exp(logs.mean() + reach)
    return min(low, merged), max(high, merged)
