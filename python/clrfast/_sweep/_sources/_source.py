"""What every source gives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clrfast._sweep._columns import Metric
from clrfast._sweep._histories import Histories, Rows
from clrfast._sweep._run import SettingValue
from clrfast.logs._readers._budget import Budget
from clrfast.logs._readers._files import File

if TYPE_CHECKING:
    from numpy.typing import NDArray

Report = Callable[[str], None]


class Question(NamedTuple):
    """What is asked of a source.

    Attributes:
        metric: What runs are judged by.
        lr: The name of the rate, or None for the usual ones.
        run: The name of the column that tells runs apart, likewise.
        step: That of the steps, likewise.
        take: "last", "best", or how many of the last values are averaged.
        wanted: Settings that are asked for by name, even where their names are those of results.
        budget: What compressed files may become.
    """

    metric: Metric
    lr: str | None
    run: str | None
    step: str | None
    take: str | int
    wanted: frozenset[str]
    budget: Budget

    def histories(self, settings: int = 0) -> Histories:
        """Return a state without runs."""
        return Histories(self.take if isinstance(self.take, int) else 1, self.metric.mode, settings)


class FoundRun(NamedTuple):
    """A run as a source has it.

    Attributes:
        name: What it is called.
        settings: What it was run with.
        value: Its metric at the end; None where it has none.
        peak: Its highest recorded rate, or None.
        steps: Its last recorded step, or None.
        lost: Whether its metric fell silent before its end.
        metric: What the metric is called there, "" where it has none.
        state: "finished", "failed" or "pruned", where the tracker says so.
    """

    name: str
    settings: Mapping[str, SettingValue]
    value: float | None
    peak: float | None = None
    steps: float | None = None
    lost: bool = False
    metric: str = ""
    state: str = "finished"


class Source(ABC):
    """A place with one run or many."""

    files: Sequence[File] = ()  # that it reads

    @abstractmethod
    def names(self) -> Sequence[str]:
        """Return the names of metrics and settings.

        Raises:
            OSError, ValueError: It cannot be read.
        """

    @abstractmethod
    def runs(self, question: Question, report: Report) -> Iterator[FoundRun]:
        """Yield its runs; what of it cannot be read is reported.

        Raises:
            OSError, ValueError: Nothing of it can be read.
        """


def end_of(
    step: NDArray[np.float64], value: NDArray[np.float64], question: Question
) -> tuple[float | None, float | None]:
    """Return what a run with these values ended at, and its last step; None where there is none."""
    if not len(value):
        return None, None
    histories = question.histories()
    rows = np.zeros(len(value), np.intp), [""], np.full(len(value), np.nan), value
    histories.add(Rows(*rows, np.zeros(len(value), np.bool_), step, np.zeros((0, len(value)))))
    return histories.value(0, question.take), float(histories.last_step[0])


def highest(rates: NDArray[np.float64]) -> float | None:
    """Return the highest rate, or None where there is none."""
    known = rates[~np.isnan(rates)]
    return float(known.max()) if len(known) else None


def found_run(
    histories: Histories,
    number: int,
    name: str,
    settings: Mapping[str, SettingValue],
    take: str | int,
    metric: str,
) -> FoundRun:
    """Return a run of which rows were read."""
    peak, steps = float(histories.peak[number]), float(histories.last_step[number])
    return FoundRun(
        name,
        settings,
        histories.value(number, take) if histories.count[number] else None,
        None if math.isnan(peak) else peak,
        None if math.isnan(steps) else steps,
        histories.lost(number),
        metric,
    )
