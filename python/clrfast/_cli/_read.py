"""Reads the runs that ``clrfast analyze`` is asked about, and analyses each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from clrfast import rules
from clrfast._cli._output import tell, warn
from clrfast._pictures._picture import MOST_ROWS
from clrfast.analysis import Analysis, State, Suggestion
from clrfast.analysis._runs import repeats_of
from clrfast.logs._read import collect
from clrfast.logs._readers._find_runs import RunPaths
from clrfast.logs._readers._stream import Request, UsedColumns, status, stream

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

T = TypeVar("T")
OURS = "clrfast"
_MOST_ROWS_IN_ALL = 1_000_000  # of a page with many runs


class Run(NamedTuple):
    """What was found in a run, and what other rules suggest for it, or why they do not."""

    analysis: Analysis
    others: Mapping[str, Suggestion | str]


Results = Mapping[str, "Run | str"]  # each run by its name, or why it cannot be analysed


class Reading(NamedTuple):
    """What is to be read, and how.

    Attributes:
        paths: Files, folders, patterns, as they were given.
        runs: What was found there.
        request: What of them is read.
        problems: What was wrong with the archives among them.
        progress: Show a bar.
    """

    paths: str | Sequence[str]
    runs: Sequence[RunPaths]
    request: Request
    problems: list[str]
    progress: bool


class KeptRows:
    """The rows of runs so short that a picture shows each row; it shows a band of all others."""

    def __init__(self) -> None:
        """Start without rows."""
        self._chunks: dict[str, list[tuple[ArrayLike, ArrayLike]]] = {}
        self._seen: dict[str, float] = {}
        self._kept = 0.0

    def add(self, run: str, lr: ArrayLike, loss: ArrayLike) -> None:
        """Take note of rows of a run, or forget the run if they are too many."""
        count, before = np.size(lr), self._seen.get(run, 0.0)
        if before + count <= MOST_ROWS and self._kept + count <= _MOST_ROWS_IN_ALL:
            self._chunks.setdefault(run, []).append((lr, loss))
            self._seen[run] = before + count
            self._kept += count
        elif before < math.inf:
            self._chunks.pop(run, None)
            self._seen[run] = math.inf
            self._kept -= before

    def on(self, run: str, analysis: Analysis) -> Analysis:
        """Return the analysis with the rows of its run, if they are known, and else with none."""
        lr, loss = zip(*self._chunks.get(run, [([], [])]))
        return dataclasses.replace(analysis, lr=np.concatenate(lr), loss=np.concatenate(loss))


def streamed(reading: Reading, rows: KeptRows | None) -> Results:
    """Feed each run's state, so that no more than a chunk of rows is in memory, and those of short runs.

    Args:
        reading: What is read.
        rows: Keeps the rows that a picture shows; None if none is drawn.
    """
    states, refused = _fed(reading, rows)
    found: dict[str, Run | str] = {}
    for name, state in states.items():
        result = refused[name] if name in refused else _attempt(state.analyze)
        if isinstance(result, Analysis):
            found[name] = Run(result if rows is None else rows.on(name, result), {})
        else:
            found[name] = result
    return found


def repeats(reading: Reading) -> Results:
    """Take the runs for repeats of one test, and feed their states as :func:`streamed` does."""
    states, refused = _fed(reading, None)
    if not states:
        return {}
    if refused:
        run, why = next(iter(refused.items()))
        return {"": f"{run}: {why}"}
    nothing = np.empty(0)
    result = _attempt(lambda: repeats_of([state._core for state in states.values()], nothing, nothing))
    return {"": Run(result, {}) if isinstance(result, Analysis) else result}


def _fed(reading: Reading, rows: KeptRows | None) -> tuple[dict[str, State], dict[str, str]]:
    """Return each run's state, and why runs were refused."""
    runs, request, problems = reading.runs, reading.request, reading.problems
    used: list[UsedColumns] = []
    states: dict[str, State] = {}
    refused: dict[str, str] = {}
    for chunk in stream(runs, request, problems.append, progress=reading.progress, used=used.append):
        try:
            states.setdefault(chunk.run, State()).add(chunk.lr, chunk.loss)
        except ValueError as error:
            refused.setdefault(chunk.run, str(error))
        if rows is not None:
            rows.add(chunk.run, chunk.lr, chunk.loss)
    _tell(problems, status(used, [state.n for state in states.values()], reading.paths))
    return states, refused


def ruled(reading: Reading, names: Sequence[str], *, smoothed: bool, rows: KeptRows | None) -> Results:
    """Read all rows, which other rules need, and ask rules about each run.

    Args:
        reading: What is read.
        names: The rules: the first one's suggestion becomes that of the analysis, and a run for which it
            has none cannot be analysed.
        smoothed: Whether the losses were smoothed already; see :func:`clrfast.rules.compare`.
        rows: As for :func:`streamed`.
    """
    log = collect(reading.runs, reading.request, reading.problems, reading.paths, progress=reading.progress)
    _tell(log.problems, log.status)
    found: dict[str, Run | str] = {}
    for name, run in log.split().items():
        analysis = _attempt(run.analyze)
        if isinstance(analysis, str):
            found[name] = analysis
            continue
        asked = {rule: _suggest(rule, analysis, smoothed=smoothed) for rule in names}
        first = asked.pop(names[0])
        if isinstance(first, str):
            found[name] = first
            continue
        if rows is not None:
            rows.add(name, run.lr, run.loss)
            analysis = rows.on(name, analysis)
        found[name] = Run(dataclasses.replace(analysis, suggestion=first), asked)
    return found


def _suggest(rule: str, analysis: Analysis, *, smoothed: bool) -> Suggestion | str:
    if rule == OURS:
        return analysis.suggestion
    return _attempt(lambda: rules.suggest(rule, analysis.lr, analysis.loss, smoothed=smoothed))


def _attempt(find: Callable[[], T]) -> T | str:
    """Return what is found, or why it cannot be."""
    try:
        return find()
    except ValueError as error:
        return str(error)


def _tell(problems: Sequence[str], status: str) -> None:
    for problem in problems:
        warn(problem)
    tell(status)
