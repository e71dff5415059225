"""Tables in Parquet, and `dask.dataframe`, read where Dask's workers are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dask.delayed import Delayed, delayed

from clrfast._sweep._histories import Histories
from clrfast._sweep._sources._frame import FrameSource
from clrfast._sweep._sources._parquet import add_batch, add_parquet
from clrfast._sweep._sources._source import FoundRun, Question, Report, Source
from clrfast._sweep._sources._table_columns import Columns, columns_of
from clrfast._sweep._sources._tables import beside_of, runs_of
from clrfast.logs._readers._arrow import Parquet, sound_columns
from clrfast.logs._readers._files import File
from clrfast.logs._readers._run_files import RunFiles

_STATES_A_TASK = 8  # merged at once
_NAMES_ASKED = 8  # files whose names say what there is


class _File(NamedTuple):
    """What the beginning of a file says: its columns, its rows by group, its problem if it has one."""

    columns: Columns | None
    groups: Sequence[int]
    problem: str


class ParquetParts(Source):
    """Some Parquet files, a few row groups a task.

    Args:
        paths: The files.
        rows: How many rows a task reads, at least.
    """

    def __init__(self, paths: Sequence[File], rows: int) -> None:
        """Read nothing yet."""
        self.files = paths
        self._rows = rows

    def names(self) -> Sequence[str]:
        """Return the names of all columns of a few files."""
        found: dict[str, None] = {}
        for path in self.files[:: max(1, len(self.files) // _NAMES_ASKED)]:
            with RunFiles([path], lambda problem: None, lambda size: None) as files:
                found.update(dict.fromkeys(Parquet(files).names))
        return list(found)

    def runs(self, question: Question, report: Report) -> Iterator[FoundRun]:
        """Yield the runs of files without a column of runs, and then all others."""
        alone = len(self.files) == 1
        looked_at = _all_of([delayed(_look)(path, question, alone) for path in self.files])
        own: list[tuple[File, Columns | None, Delayed | None]] = []
        shared: dict[Columns, list[Delayed]] = {}
        for path, (columns, groups, problem) in zip(self.files, looked_at):
            if problem:
                if alone:
                    raise ValueError(problem)
                report(problem)
            elif columns is None:
                own.append((path, None, None))
            else:
                parts = [
                    delayed(_read)(path, some, columns, question) for some in self._cuts(groups, columns)
                ]
                if not columns.shared:
                    own.append((path, columns, _merged(parts)))
                else:
                    shared.setdefault(columns, []).extend(parts)
        states = [*(state for *_, state in own if state is not None), *map(_merged, shared.values())]
        rest = iter(_all_of(states))
        for path, columns, _ in own:
            name = self._called(path)
            beside = beside_of([path], name)
            if columns is None:
                yield FoundRun(name, beside, None)
                continue
            histories, problems = next(rest)
            for told in problems:
                report(told)
            yield from runs_of(histories, columns, question, beside, "" if alone else name)
        for columns, (histories, problems) in zip(shared, rest):
            for told in problems:
                report(told)
            yield from runs_of(histories, columns, question, {}, "")

    def _called(self, path: File) -> str:
        """Return the file's name below the folder that all are in."""
        folder = os.path.commonpath([str(file.parent) for file in self.files])
        return os.path.relpath(str(path), folder)

    def _cuts(self, group_rows: Sequence[int], columns: Columns) -> Iterator[range]:
        """Yield the row groups of each task; a table with a row a run is read in one."""
        start = rows = 0
        for group, more in enumerate(group_rows, 1):
            rows += more
            if (rows >= self._rows and not columns.rows_are_runs) or group == len(group_rows):
                yield range(start, group)
                start, rows = group, 0


class FrameParts(FrameSource):
    """A `dask.dataframe`, whose partitions follow each other."""

    def runs(self, question: Question, report: Report) -> Iterator[FoundRun]:
        """Yield its runs."""
        columns = columns_of(self.names(), question, alone=True)
        if columns is None:
            return
        if columns.rows_are_runs:
            yield from FrameSource(self._frame.compute()).runs(question, report)
            return
        names = [name for name in (*columns.numbers, columns.run, *columns.settings) if name is not None]
        parts = self._frame[names].to_delayed()
        states = [delayed(_of_frame)(part, names, columns, question) for part in parts]
        histories, _ = _merged(states).compute()
        yield from runs_of(histories, columns, question, {}, "")


def _look(path: File, question: Question, alone: bool) -> _File:
    problems: list[str] = []
    try:
        with RunFiles([path], problems.append, lambda size: None, question.budget) as files:
            decoder = Parquet(files)
            return _File(columns_of(decoder.names, question, alone=alone), decoder.group_rows, "")
    except (OSError, ValueError) as error:
        return _File(None, (), str(error))


def _read(path: File, groups: range, columns: Columns, question: Question) -> tuple[Histories, list[str]]:
    problems: list[str] = []
    histories = question.histories(len(columns.settings))
    with RunFiles([path], problems.append, lambda size: None, question.budget) as files:
        add_parquet(histories, Parquet(files), groups, columns, path)
    return histories, problems


def _of_frame(
    frame: Any, names: list[str], columns: Columns, question: Question
) -> tuple[Histories, list[str]]:
    import pyarrow as pa

    histories = question.histories(len(columns.settings))
    for batch in pa.Table.from_pandas(frame, preserve_index=False).to_batches():
        add_batch(histories, sound_columns(batch, names), columns, "source")
    return histories, []


def _all_of(tasks: list[Any]) -> list[Any]:
    """Return the results of all tasks, in their order."""
    found: list[Any] = delayed(list)(tasks).compute()
    return found


def _merged(parts: list[Delayed]) -> Any:
    """Return what puts the results of tasks together, in their order, by a tree."""
    merge = delayed(_appended)
    while len(parts) > _STATES_A_TASK:
        parts = [merge(parts[k : k + _STATES_A_TASK]) for k in range(0, len(parts), _STATES_A_TASK)]
    return merge(parts)


def _appended(parts: Sequence[tuple[Histories, list[str]]]) -> tuple[Histories, list[str]]:
    first, *rest = parts
    histories, problems = first
    for more, told in rest:
        histories.append(more)
        problems = [*problems, *told]
    return histories, problems
