"""Logs of any size on Dask: read where its workers are, at whatever scheduler is active (needs dask).

The answers are those of :mod:`clrfast.analysis` for the same rows, to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from clrfast import _core
from clrfast._require import require
from clrfast._sweep._collect import options_of, swept
from clrfast._sweep._sources._frame import is_frame
from clrfast.analysis._columns import bad_rate, in_groups
from clrfast.analysis._runs import table_of
from clrfast.analysis._state import State
from clrfast.logs._readers import format_of
from clrfast.logs._readers._arrow import Parquet, numbers_in, sound_columns
from clrfast.logs._readers._files import File
from clrfast.logs._readers._find_runs import PathOrPaths, find_runs
from clrfast.logs._readers._limits import MAX_EXPANSION
from clrfast.logs._readers._names import find
from clrfast.logs._readers._run_files import RunFiles
from clrfast.logs._readers._walk import natural

require("dask", "clrfast.dask", "dask")

from dask.delayed import Delayed, delayed  # noqa: E402 - after the check that says how to install it

from clrfast._sweep._sources._on_dask import FrameParts, ParquetParts  # noqa: E402 - likewise

if TYPE_CHECKING:
    from dask.dataframe import DataFrame
    from numpy.typing import NDArray

    from clrfast._sweep import Sweep
    from clrfast.analysis._analysis import Analysis

__all__ = ["analyze", "analyze_runs", "sweep"]

PathsOrFrame = Union[PathOrPaths, "DataFrame"]

_ROWS_A_TASK = 1 << 22  # with fewer, Dask's own time begins to show
_STATES_A_TASK = 8  # merged at once


def __dir__() -> list[str]:
    return __all__


def analyze(source: PathsOrFrame, *, lr: str | None = None, loss: str | None = None) -> Analysis:
    """Find the phases of one log, written in parts, and suggest `base_lr` and `max_lr`.

    Only the columns needed are read, a batch at a time, and each task returns statistics whose size does
    not depend on the number of rows. A row without a rate (missing or NaN) was logged at another moment
    and is left out, as by :func:`clrfast.logs.read`.

    Args:
        source: a folder or zip archive of Parquet files (all below, numbers in names in numeric order), a
            pattern such as ``"logs/*.parquet"``, a list of paths in the order of the rows, or a
            `dask.dataframe`, whose partitions follow each other. The workers must see the same files.
        lr: the column of rates; by default found by its usual names, as by :func:`clrfast.logs.read`.
        loss: the column of losses, likewise.

    Returns:
        What :func:`clrfast.analyze` does for all rows; its `lr` and `loss` are empty.

    Raises:
        FileNotFoundError: there is no such file or folder, or no Parquet in it.
        TypeError: `source` is something else.
        ValueError: there are no such columns, or they do not hold numbers; a file is damaged; a rate is
            not positive and finite; there are too few rates with a finite loss to lay a curve through.
    """
    states: _States = _merged(_tasks(source, lr, loss)).compute()
    return states.get(None, State()).analyze()


def analyze_runs(
    source: PathsOrFrame, *, lr: str | None = None, loss: str | None = None, run: str | None = None
) -> NDArray[np.void]:
    """Analyse many logs at once, as :func:`clrfast.analysis.analyze_runs` does.

    The rows of a run may lie in any number of files and partitions, between those of others.

    Args:
        source: as :func:`analyze` takes it.
        lr: the column of rates, likewise.
        loss: the column of losses, likewise.
        run: the column that tells runs apart; by default found by its usual names.

    Returns:
        A structured array, one record a run, in the order in which the runs appear.

    Raises:
        FileNotFoundError, TypeError, ValueError: as :func:`analyze` does; or a row has no run.
    """
    states = _merged(_tasks(source, lr, loss, run, per_run=True))
    table: NDArray[np.void] = delayed(_table)(states).compute()
    return table


def sweep(
    source: PathsOrFrame,
    *,
    metric: str | None = None,
    mode: str | None = None,
    take: str | int = "last",
    lr: str | None = None,
    run: str | None = None,
    step: str | None = None,
    by: Iterable[str] | None = None,
    settings: Iterable[str] | None = None,
) -> Sweep:
    """Read what a search left behind in Parquet, and say what it shows, as :func:`clrfast.sweep` does.

    Each task reads some row groups and returns a few numbers of each run; the answer is, bit for bit, that of
    :func:`clrfast.sweep` on the same files.

    Args:
        source: as :func:`analyze` takes it. A file without a column of runs is a run, or, where it is the
            only one, has a row a run.
        metric, mode, take, lr, run, step, by, settings: as :func:`clrfast.sweep` takes them.

    Returns:
        What was found; what could not be read is in `problems`.

    Raises:
        FileNotFoundError, TypeError, ValueError: as :func:`clrfast.sweep` does.
    """
    asked = options_of(metric, mode, take, lr, run, step, by, settings, MAX_EXPANSION)
    if is_frame(source):
        return swept([FrameParts(source)], asked, [])
    return swept([ParquetParts(_files(source), _ROWS_A_TASK)], asked, [])


class _Columns(NamedTuple):
    lr: str
    loss: str
    run: str | None

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for name in self if name is not None))


# What a task returns: the statistics of each run by its label, in order of appearance, its steps counted
# from its first row in the part that the task read. The label of a log that is one run is None.
_States = dict[Any, State]


def _tasks(
    source: Any, lr: str | None, loss: str | None, run: str | None = None, *, per_run: bool = False
) -> list[Delayed]:
    """Return what makes the states of each part of the source, in the order of its rows."""

    def columns(where: object, names: Sequence[str]) -> _Columns:
        def name(role: str, given: str | None) -> str:
            found = find(where, names, role, given, optional=False)
            assert found is not None
            return found

        return _Columns(name("lr", lr), name("loss", loss), name("run", run) if per_run else None)

    if hasattr(source, "to_delayed") and hasattr(source, "columns"):
        found = columns("source", [name for name in source.columns if isinstance(name, str)])
        parts = source[found.names()].to_delayed()
        return [delayed(_of_frame)(part, found, f"partition {k}") for k, part in enumerate(parts)]
    tasks = []
    for path in _files(source):
        with _open(path) as file:
            parquet = Parquet(file)
            found = columns(path, parquet.names)
            for groups, first_row in _cuts(parquet.group_rows):
                tasks.append(delayed(_of_parquet)(path, groups, found, first_row))
    return tasks


def _files(source: Any) -> list[File]:
    if not isinstance(source, (str, os.PathLike, Sequence)):
        raise TypeError(
            "source must be a folder, a pattern, a list of paths or a dask.dataframe, "
            f"got {type(source).__name__}"
        )
    files: list[File] = []
    for path in [source] if isinstance(source, (str, os.PathLike)) else source:
        found = {file for one in find_runs(path, _refuse) for file in one.paths}
        files += sorted(filter(_is_parquet, found), key=natural)
    if not files:
        raise FileNotFoundError(f"{source}: no Parquet file there")
    return files


def _is_parquet(path: File) -> bool:
    form = format_of(path)
    return form is not None and form.decoder is Parquet


def _open(path: File) -> RunFiles:
    return RunFiles([path], _refuse, lambda size: None)


def _refuse(problem: str) -> None:
    raise ValueError(problem)


def _cuts(group_rows: Sequence[int]) -> Iterator[tuple[range, int]]:
    """Yield the row groups of each task, and the number of their first row in the file."""
    start = first_row = rows = 0
    for group, more in enumerate(group_rows, 1):
        rows += more
        if rows >= _ROWS_A_TASK or group == len(group_rows):
            yield range(start, group), first_row
            start, first_row, rows = group, first_row + rows, 0


def _of_parquet(path: File, groups: range, columns: _Columns, first_row: int) -> _States:
    with _open(path) as file:
        return _states(Parquet(file).columns(columns.names(), groups), columns, path, first_row)


def _of_frame(frame: Any, columns: _Columns, where: str) -> _States:
    import pyarrow as pa

    batches = pa.Table.from_pandas(frame, preserve_index=False).to_batches()
    return _states((sound_columns(batch, columns.names()) for batch in batches), columns, where, 0)


def _states(parts: Iterable[Mapping[str, Any]], columns: _Columns, where: object, first_row: int) -> _States:
    states: _States = {}
    for part in parts:
        lr = numbers_in(where, part[columns.lr], columns.lr).values
        loss = numbers_in(where, part[columns.loss], columns.loss).values
        rows = np.flatnonzero(~np.isnan(lr))
        if columns.run is None:
            runs: Iterable[tuple[Any, NDArray[np.intp]]] = [(None, rows)]
        else:
            labels = part[columns.run].take(rows)
            missing = labels.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
            if missing.any():
                row = first_row + int(rows[missing.argmax()])
                raise ValueError(f"{where}: row {row} has no run in the column {columns.run!r}")
            runs = _by_run(labels, rows)
        for run, of_run in runs:
            bad = states.setdefault(run, State())._core.add(lr[of_run], loss[of_run], None, 1)
            if bad is not None:
                row = int(of_run[bad])
                raise bad_rate(float(lr[row]), f" ({where}, row {first_row + row})")
        first_row += len(lr)
    return states


def _by_run(labels: Any, rows: NDArray[np.intp]) -> Iterator[tuple[Any, NDArray[np.intp]]]:
    """Yield each label, in order of appearance, with those of the rows that have it."""
    if hasattr(labels, "dictionary_decode"):  # its dictionary has an order of its own
        labels = labels.dictionary_decode()
    encoded = labels.dictionary_encode()
    order, starts = in_groups(encoded.indices.to_numpy(), len(encoded.dictionary))
    rows = rows[order]
    for label, start, stop in zip(encoded.dictionary.to_numpy(zero_copy_only=False), starts, starts[1:]):
        yield label, rows[start:stop]


def _merged(tasks: list[Delayed]) -> Any:
    """Return what merges the results of tasks, in their order, by a tree."""
    merge = delayed(_appended)
    while len(tasks) > _STATES_A_TASK:
        tasks = [merge(tasks[k : k + _STATES_A_TASK]) for k in range(0, len(tasks), _STATES_A_TASK)]
    return merge(tasks)


def _appended(parts: Sequence[_States]) -> _States:
    whole: _States = {}
    for part in parts:
        for run, state in part.items():
            whole.setdefault(run, State()).append(state)
    return whole


def _table(states: _States) -> NDArray[np.void]:
    found = _core.analyze_states([state._core for state in states.values()])
    return table_of(np.array(list(states)), found)
