"""From sources to the runs that are judged; what lacks a rate or a metric is told, and the rest goes on."""

from __future__ import annotations

import contextlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from clrfast import _check
from clrfast._require import require
from clrfast._sweep._columns import Metric, metric_of, peak_lr_in
from clrfast._sweep._judge import Judgement, judged
from clrfast._sweep._result import Sweep
from clrfast._sweep._run import SweptRun
from clrfast._sweep._settings import number_of
from clrfast._sweep._sources import FoundRun, Question, Source
from clrfast._sweep._sources._optuna import OptunaStudies, direction
from clrfast._visible import visible
from clrfast.logs._readers._budget import Budget

_LOOKED_AT = 64  # sources whose names decide what the metric is
_NAMED = 3  # runs in a sentence
_MOST_LAST = 10_000  # values that are averaged
_USUAL_LENGTH = 0.8  # the share of runs that must have one length for shorter ones to count as unfinished
_UNFINISHED = 0.9  # of that length
_MOST_LENGTHS = 8  # more differ by chance or by early stopping
_FEWEST_OF_LENGTH = 4  # runs


class Options(NamedTuple):
    """The arguments of :func:`clrfast.sweep`, checked."""

    metric: str | None
    mode: str | None
    take: str | int
    lr: str | None
    run: str | None
    step: str | None
    by: tuple[str, ...] | None
    settings: tuple[str, ...] | None
    max_expansion: float
    spelling: Callable[[str], str]


def options_of(
    metric: str | None,
    mode: str | None,
    take: str | int,
    lr: str | None,
    run: str | None,
    step: str | None,
    by: Iterable[str] | None,
    settings: Iterable[str] | None,
    max_expansion: float,
    *,
    spelling: Callable[[str], str] = "{}=".format,
) -> Options:
    """Return the arguments, or say which is wrong; `spelling` gives what the caller calls one."""
    if mode is not None:
        _check.choice("mode", mode, ("min", "max"))
    if isinstance(take, str):
        _check.choice("take", take, ("last", "best"))
    else:
        take = _check.whole("take", take, least=1, most=_MOST_LAST)
    most = _check.real("max_expansion", max_expansion, least=1)
    moving, others = _names("by", by), _names("settings", settings)
    return Options(metric, mode, take, lr, run, step, moving, others, most, spelling)


def _names(argument: str, given: Iterable[str] | None) -> tuple[str, ...] | None:
    if isinstance(given, str):
        raise TypeError(f"{argument} must be a list of names, got {given!r}")
    return None if given is None else tuple(given)


def swept(
    sources: Sequence[Source], options: Options, problems: list[str], *, progress: bool = False
) -> Sweep:
    """Return what the runs in all sources show; `problems` has what was found wrong with their places.

    Args:
        sources: Where the runs are.
        options: What of them is read, and how it is judged.
        problems: What was found wrong so far.
        progress: Show a bar.

    Raises:
        ValueError: There is no run with a rate and a metric.
    """
    metric = _metric(sources, options, problems)
    wanted = frozenset([*(options.by or ()), *(options.settings or ())])
    budget = Budget(options.max_expansion, options.spelling("max_expansion"))
    question = Question(metric, options.lr, options.run, options.step, options.take, wanted, budget)
    found: list[FoundRun] = []
    with _counted_off(sources, progress) as places:
        for source in places:
            try:
                found += source.runs(question, problems.append)
            except (OSError, ValueError) as error:
                if len(sources) == 1:
                    raise
                problems.append(str(error))
    runs, told = _usable(found, options)
    if not runs:
        told += problems
        raise ValueError("; ".join(["no run has a peak rate and a metric", *told]))
    names = Counter(run.metric for run in found if run.metric)
    name = names.most_common(1)[0][0] if names else metric.given or "the metric"
    if len(names) > 1:
        told.append(f"the metric has several names: {_counted(names)}")
    asked = Judgement(name, metric.mode, options.by, options.settings)
    return judged(runs, asked, [*problems, *told, *_mixed_units(runs, name, metric.mode)])


def _counted_off(
    sources: Sequence[Source], progress: bool
) -> contextlib.AbstractContextManager[Iterable[Source]]:
    if not progress:
        return contextlib.nullcontext(sources)
    require("tqdm", "a progress bar", extra="logs")
    from tqdm import tqdm

    bar: contextlib.AbstractContextManager[Iterable[Source]] = tqdm(sources, unit="place", desc="Reading")
    return bar


def _metric(sources: Sequence[Source], options: Options, problems: list[str]) -> Metric:
    names = []
    errors = []
    for source in sources[:: max(1, len(sources) // _LOOKED_AT)]:
        try:
            names.append(source.names())
        except (OSError, ValueError) as error:
            errors.append(error)
    if not names:
        raise errors[0]
    metric = metric_of(names, options.metric, options.mode)
    if options.mode is None:
        for source in sources:
            if isinstance(source, OptunaStudies):
                for name in source.names():
                    if metric.name_in([name]) is not None and (mode := direction(source, name)) is not None:
                        return metric._replace(mode=mode)
    return metric


def _usable(found: Sequence[FoundRun], options: Options) -> tuple[list[SweptRun], list[str]]:
    """Return the runs that have all, under names that differ, and why others are left out."""
    runs: list[SweptRun] = []
    left: dict[str, list[str]] = defaultdict(list)
    kept: dict[str, list[str]] = defaultdict(list)
    rates: Counter[str] = Counter()
    usual = _usual_length(found)
    taken: Counter[str] = Counter()
    for run in found:
        name = peak_lr_in(run.settings, options.lr)
        given = run.settings.get(name) if name is not None else run.peak
        lr = number_of(given)
        value = run.value
        if run.state == "failed" and value is None:
            value = math.nan
            kept["failed, which is how their tracker keeps NaN: taken as diverged"].append(run.name)
        if run.state == "pruned" and value is not None:
            kept["were pruned: the last value that they reported counts"].append(run.name)
        if value is None:
            left["have no value of the metric (some libraries write nothing for NaN)"].append(run.name)
            continue
        if lr is None:
            left["have no rate"].append(run.name)
            continue
        if not 0 < lr < math.inf:
            left[f"have no positive rate ({given!r}; perhaps its logarithm)"].append(run.name)
            continue
        if run.lost:
            kept["have no value of the metric from some step on: taken as diverged"].append(run.name)
        elif _unfinished(run, usual, value):
            left[f"end long before step {usual:,.0f}, where most do: unfinished"].append(run.name)
            continue
        rates[name or "(highest recorded)"] += 1
        taken[run.name] += 1
        called = run.name if taken[run.name] == 1 else f"{run.name} ({taken[run.name]})"
        settings = {key: cell for key, cell in run.settings.items() if key != name}
        runs.append(SweptRun(called, lr, value, settings, run.steps))
    runs = _with_horizons(runs)
    told = [_sentence(names, f"{why}: left out") for why, names in left.items()]
    told += [_sentence(names, why) for why, names in kept.items()]
    if len(rates) > 1:
        told.append(f"the rate has several names: {_counted(rates)}")
    return runs, told


def _with_horizons(runs: list[SweptRun]) -> list[SweptRun]:
    """Return the runs with their recorded length as a setting, where it was set: few lengths, of several."""
    lengths = Counter(run.steps for run in runs)
    if not 2 <= len(lengths) <= _MOST_LENGTHS or None in lengths or min(lengths.values()) < _FEWEST_OF_LENGTH:
        return runs
    return [run._replace(settings={**run.settings, "recorded_steps": run.steps}) for run in runs]


def _usual_length(found: Sequence[FoundRun]) -> float | None:
    """Return the last step of most runs, or None where they have no length in common."""
    lengths = Counter(run.steps for run in found if run.steps is not None)
    if not lengths:
        return None
    length, count = lengths.most_common(1)[0]
    return length if count > 1 and count >= _USUAL_LENGTH * sum(lengths.values()) else None


def _unfinished(run: FoundRun, usual: float | None, value: float) -> bool:
    return bool(
        usual is not None
        and run.steps is not None
        and run.steps < _UNFINISHED * usual
        and math.isfinite(value)
    )


def _mixed_units(runs: Sequence[SweptRun], metric: str, mode: str) -> list[str]:
    """Say so where some runs seem to give a share and others percent."""
    values = np.array([run.value for run in runs], float)
    shares, percent = np.sum((values > 0) & (values <= 1)), np.sum((values > 2) & (values <= 100))
    if mode == "max" and min(shares, percent) >= max(2, 0.05 * len(values)):
        return [f"{metric} looks like a share in {shares} runs and like percent in {percent}: make them one"]
    return []


def _sentence(names: Sequence[str], what: str) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    listed = ", ".join(map(visible, names[:_NAMED]))
    if len(names) == 1:
        for plural, singular in (("have ", "has "), ("end ", "ends "), ("were ", "was ")):
            if what.startswith(plural):
                what = singular + what[len(plural) :]
        return f"1 run {what} ({listed})"
    return f"{len(names):,} runs {what} ({listed}{more})"


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{name!r} in {count:,} runs" for name, count in names.most_common())
