"""Tables in any format that logs come in: a row for each run, or for each step of one run or of many."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from clrfast._sweep._histories import Histories, Rows
from clrfast._sweep._run import SettingValue
from clrfast._sweep._sources._beside import settings_beside, settings_in_name
from clrfast._sweep._sources._events import hparams_of
from clrfast._sweep._sources._parquet import add_parquet
from clrfast._sweep._sources._source import FoundRun, Question, Report, Source, found_run
from clrfast._sweep._sources._table_columns import Columns, columns_of, row_labels
from clrfast.logs._readers import EVENTS, format_of
from clrfast.logs._readers._arrow import Parquet
from clrfast.logs._readers._decoder import DecodedRows, Decoder
from clrfast.logs._readers._files import File, Member
from clrfast.logs._readers._find_runs import RunPaths
from clrfast.logs._readers._run_files import RunFiles


@functools.lru_cache(maxsize=64)  # tables by the thousand have the same columns
def _cached_columns(names: tuple[str, ...], question: Question, alone: bool) -> Columns | None:
    return columns_of(names, question, alone=alone)


class Tables(Source):
    """Some tables, a few of which may hold the same runs."""

    def __init__(self, tables: Sequence[RunPaths]) -> None:
        """Read nothing yet."""
        self._tables = tables
        self.files = [path for table in tables for path in table.paths]

    def names(self) -> Sequence[str]:
        """Return the names of all columns of one in the middle that can be read."""
        order = sorted(range(len(self._tables)), key=lambda place: abs(place - len(self._tables) // 2))
        for place in order:
            try:
                return self._names(self._tables[place])
            except ValueError:
                if place == order[-1]:
                    raise
        return []

    def _names(self, table: RunPaths) -> Sequence[str]:
        form = format_of(table.paths[0])
        assert form is not None
        with RunFiles(table.paths, lambda problem: None, lambda size: None) as files:
            return form.decoder(files).names

    def runs(self, question: Question, report: Report) -> Iterator[FoundRun]:
        """Yield the runs of one table after another, and those that several share at the end."""
        shared: dict[Columns, Histories] = {}
        alone = len(self._tables) == 1
        for table in self._tables:
            try:
                with RunFiles(table.paths, report, lambda size: None, question.budget) as files:
                    yield from _read(table, files, question, shared, alone=alone)
                    files.done()
            except ValueError as error:
                if alone:
                    raise
                report(str(error))
        for columns, histories in shared.items():
            yield from runs_of(histories, columns, question, {}, "")


def _read(
    table: RunPaths, files: RunFiles, question: Question, shared: dict[Columns, Histories], *, alone: bool
) -> Iterator[FoundRun]:
    form = format_of(files.path)
    assert form is not None
    decoder = form.decoder(files)
    columns = _cached_columns(tuple(decoder.names), question, alone)
    shares = columns is not None and columns.shared and form.decoder is Parquet
    beside = {} if shares else beside_of(files.paths, table.name)
    if columns is None:
        yield FoundRun(table.name, beside, None)
        return
    if form is EVENTS:  # which have a scalar a row, and settings elsewhere
        columns = columns._replace(settings=())
    if isinstance(decoder, Parquet):
        histories = shared.get(columns) if columns.shared else None
        histories = histories or question.histories(len(columns.settings))
        add_parquet(histories, decoder, range(len(decoder.group_rows)), columns, files.path)
        if columns.shared:
            shared[columns] = histories
            return
    else:
        histories = _decoded(files, decoder, columns, question)
    yield from runs_of(histories, columns, question, beside, "" if alone else table.name)


def beside_of(paths: Sequence[File], name: str) -> dict[str, SettingValue]:
    """Return the settings that stand beside the files of a run of this name."""
    first = paths[0]
    if isinstance(first, Member):
        return settings_in_name(name)
    found = {**settings_in_name(name), **settings_beside(first.parent)}
    return {**found, **hparams_of(paths)} if format_of(first) is EVENTS else found


def _decoded(files: RunFiles, decoder: Decoder, columns: Columns, question: Question) -> Histories:
    """Return the state of the runs of a table whose format does not say what its columns hold."""
    words = [name for name in columns.settings if name in decoder.words]
    numeric = [name for name in columns.settings if name not in decoder.words]
    histories = question.histories(len(columns.settings))
    numbers = [*columns.numbers, *([columns.metric] if len(columns.numbers) < 2 else []), *numeric]
    at = {name: place for place, name in enumerate(columns.settings)}
    for part in decoder.rows(numbers, columns.run):
        histories.add(_rows(part, numbers, columns, numeric, histories))
    for name in [*words, *(name for name in numeric if np.isnan(histories.settings[at[name]]).all())]:
        _take_words(files, histories, numbers[:2], name, at[name])
    return histories


def _rows(
    part: DecodedRows, numbers: Sequence[str], columns: Columns, numeric: Sequence[str], histories: Histories
) -> Rows:
    found = dict(zip(numbers, part.numbers))
    count = len(part.numbers[0].values)
    nothing = np.full(count, np.nan)
    metric = found[columns.metric]
    labels: Sequence[Hashable]
    if columns.rows_are_runs:
        labels, run = row_labels(histories.seen, part.labels or [""] * count), np.arange(count)
    elif part.labels is None:
        labels, run = [""], np.zeros(count, np.intp)
    else:
        places = {label: place for place, label in enumerate(dict.fromkeys(part.labels))}
        labels, run = list(places), np.fromiter((places[label] for label in part.labels), np.intp, count)
    settings = np.full((len(columns.settings), count), np.nan)
    for place, name in enumerate(columns.settings):
        if name in numeric:
            settings[place] = found[name].values
    return Rows(
        run,
        labels,
        nothing if columns.lr is None else found[columns.lr].values,
        metric.values,
        np.zeros(count, np.bool_) if metric.missing is None else metric.missing,
        nothing if columns.step is None else found[columns.step].values,
        settings,
    )


def _take_words(files: RunFiles, histories: Histories, numbers: list[str], name: str, place: int) -> None:
    """Read a setting of words, once more through the file, where each run begins."""
    form = format_of(files.path)
    assert form is not None
    wanted = {int(row): run for run, row in enumerate(histories.first_row[: len(histories)])}
    row = 0
    with RunFiles(files.paths, lambda problem: None, lambda size: None) as again:
        for part in form.decoder(again).rows(numbers, name):
            assert part.labels is not None
            for word in part.labels:
                run = wanted.get(row)
                if run is not None and word not in (None, ""):
                    histories.settings[place, run] = histories.code(place, str(word))
                row += 1


def runs_of(
    histories: Histories,
    columns: Columns,
    question: Question,
    beside: dict[str, SettingValue],
    table: str,
) -> Iterator[FoundRun]:
    """Yield the runs of which rows were read, with what stands beside them."""
    one = columns.run is None and not columns.rows_are_runs
    settings = [place for place in range(len(columns.settings)) if not histories.varies[place]]
    for label, number in histories.labels.items():
        own = {columns.settings[place]: histories.setting(place, number) for place in settings}
        name = table if one else _name(label, columns, table)
        found = found_run(histories, number, name, {**beside, **own}, question.take, columns.metric)
        yield found if not columns.rows_are_runs else found._replace(steps=None)


def _name(label: Any, columns: Columns, table: str) -> str:
    if columns.rows_are_runs:
        row, cell = label
        text = str(cell) if cell not in (None, "") else f"row {row + 1}"
    else:
        text = str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
    return f"{table}: {text}" if table else text
