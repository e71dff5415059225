"""Which columns of a table are read, and what a row of it is."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from clrfast._sweep._columns import is_result, may_repeat, peak_lr_in, run_in, step_in
from clrfast._sweep._sources._source import Question

_MOST_SETTINGS = 100  # of a table: more are not settings


class Columns(NamedTuple):
    """The columns of a table that are read; None where there is none."""

    metric: str
    lr: str | None
    step: str | None
    run: str | None
    settings: tuple[str, ...]
    rows_are_runs: bool = False

    @property
    def shared(self) -> bool:
        """Whether the rows of a run may be in several tables."""
        return self.run is not None and not self.rows_are_runs

    @property
    def numbers(self) -> list[str]:
        """The columns that must hold numbers, the metric first."""
        return [name for name in (self.metric, self.lr, self.step) if name is not None]


def columns_of(names: Sequence[str], question: Question, *, alone: bool) -> Columns | None:
    """Return what of a table is read, or None if it has no metric.

    Args:
        names: Those of its columns.
        question: What is asked.
        alone: Whether it is the only table, and so cannot be one run among others.
    """
    metric = question.metric.name_in(names)
    if metric is None:
        return None
    run = run_in(names, question.run)
    run = run if run in names else None
    step = step_in(names, question.step)
    step = step if step in names and step not in (metric, run) else None
    lr = peak_lr_in([name for name in names if name not in (metric, run, step)], question.lr)
    taken = {metric, lr, step, run}
    settings = [
        name for name in names if name not in taken and (name in question.wanted or not is_result(name))
    ]
    many = alone and (run is None or (step is None and question.run is None and may_repeat(run)))
    return Columns(
        metric, lr, None if many else step, run, tuple(dict.fromkeys(settings))[:_MOST_SETTINGS], many
    )


def row_labels(first: int, cells: Sequence[Any]) -> list[Hashable]:
    """Return labels that differ for rows that are a run each, whatever they are called."""
    return [(first + row, cell) for row, cell in enumerate(cells)]
