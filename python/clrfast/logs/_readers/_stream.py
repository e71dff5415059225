"""Runs as a stream of chunks of rates, losses and steps, at a memory that does not grow with the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clrfast._require import require
from clrfast.logs._readers import format_of
from clrfast.logs._readers._input import Input
from clrfast.logs._readers._join import Columns, Joiner
from clrfast.logs._readers._names import find
from clrfast.logs._readers._sources import PathOrPaths, Source, sources, total_size
from clrfast.logs._readers._table import Rows, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Chunk(NamedTuple):
    """Some rows of one run, in their order."""

    lr: NDArray[np.float64]
    loss: NDArray[np.float64]
    step: NDArray[np.int64] | None
    run: str


class Choice(NamedTuple):
    """Columns that the caller names; None where the usual names decide."""

    lr: str | None = None
    loss: str | None = None
    step: str | None = None
    run: str | None = None


class Found(NamedTuple):
    """The columns of a table that are read."""

    lr: str
    loss: str
    step: str | None
    run: str | None


def stream(
    path_or_paths: PathOrPaths,
    choice: Choice,
    report: Callable[[str], None],
    *,
    progress: bool = False,
    found: Callable[[Found], object] = lambda columns: None,
) -> Iterator[Chunk]:
    """Yield all rows of all runs that the paths hold, run after run where each has a file of its own.

    Args:
        path_or_paths: Files, folders, patterns.
        choice: The columns.
        report: Takes a sentence on each thing that could not be read.
        progress: Show a bar.
        found: Takes the columns that are read, for each run's table.
    """
    runs = sources(path_or_paths, report)
    if progress:
        require("tqdm", "a progress bar", extra="logs")
        from tqdm import tqdm

        with tqdm(total=total_size(runs), unit="B", unit_scale=True, desc="Reading") as bar:
            yield from _all(runs, choice, report, bar.update, found)
    else:
        yield from _all(runs, choice, report, lambda size: None, found)


def status(tables: Sequence[Found], rows: Sequence[int], path_or_paths: PathOrPaths) -> str:
    """Return the sentence that says what was read: the columns of each table, the rows of each run."""
    what = f"{tables[0].lr!r} and {tables[0].loss!r}" if len(tables) == 1 else f"{len(rows):,} runs"
    where = path_or_paths if isinstance(path_or_paths, (str, Path)) else f"{len(tables):,} places"
    return f"Read {sum(rows):,} rows of {what} from {where}."


def _all(
    runs: Sequence[Source],
    choice: Choice,
    report: Callable[[str], None],
    advance: Callable[[int], object],
    found: Callable[[Found], object],
) -> Iterator[Chunk]:
    read = 0
    errors: list[str] = []
    for source in runs:
        name = "" if len(runs) == 1 else source.name
        try:
            for chunk in _run(source, name, choice, report, advance, found):
                read += 1
                yield chunk
        except ValueError as error:  # what else lies in a folder need not be a log
            if not source.sought or len(runs) == 1:
                raise
            errors.append(str(error))
    if errors and not read:
        raise ValueError(errors[0])
    for text in errors:
        report(text)


def _run(
    source: Source,
    name: str,
    choice: Choice,
    report: Callable[[str], None],
    advance: Callable[[int], object],
    found: Callable[[Found], object],
) -> Iterator[Chunk]:
    problems: list[str] = []
    rows = 0
    with Input(source.paths, problems.append, advance) as file:
        form = format_of(file.path)
        assert form is not None
        try:
            table = form.table(file)
            columns = _columns(file, table, choice)
        except ValueError as error:  # a damaged file may lack the columns of which it complains
            raise ValueError("; ".join([str(error), *problems])) from error
        found(columns)
        for chunk in _chunks(table, columns, name or source.name, joined_names=bool(name)):
            rows += len(chunk.lr)
            yield chunk
        file.done()
    if problems and not rows:
        raise ValueError(f"no row can be read; {'; '.join(problems)}")
    for problem in problems:
        report(problem)


def _columns(file: Input, table: Table, choice: Choice) -> Found:
    lr, loss, step, run = (
        find(file.path, table.names, role, given, optional=role in ("step", "run"))
        for role, given in choice._asdict().items()
    )
    assert lr is not None
    assert loss is not None
    if run in (lr, loss):
        raise ValueError(f"{file.path}: {run!r} cannot tell the runs apart and be the rate or the loss too")
    return Found(lr, loss, None if step == run else step, run)


def _chunks(table: Table, columns: Found, name: str, *, joined_names: bool) -> Iterator[Chunk]:
    numbers = [columns.lr, columns.loss, *([] if columns.step is None else [columns.step])]
    joiners: dict[str, Joiner] = {}
    for rows in table.rows(numbers, columns.run):
        for label, part in _by_run(rows):
            run = name if label is None else f"{name}: {label}" if joined_names else label
            joiner = joiners.setdefault(run, Joiner(joins=table.sparse))
            whole = joiner(part)
            yield Chunk(whole.lr.values, whole.loss.values, _whole_steps(whole.step), run)


def _by_run(rows: Rows) -> Iterator[tuple[str | None, Columns]]:
    lr, loss = rows.numbers[:2]
    columns = Columns(lr, loss, rows.numbers[2].values if len(rows.numbers) > 2 else None)
    if rows.labels is None:
        yield None, columns
        return
    labels = [_text(label) for label in rows.labels]
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    of_rows = np.fromiter((numbers[label] for label in labels), np.intp, len(labels))
    order = np.argsort(of_rows, kind="stable")
    ends = np.cumsum(np.bincount(of_rows, minlength=len(numbers)))
    for label, begin, end in zip(numbers, [0, *ends], ends):
        yield label, columns.take(order[begin:end])


def _text(label: Any) -> str:
    whole = isinstance(label, float) and label.is_integer()
    return str(int(label) if whole else label)


def _whole_steps(step: NDArray[np.float64] | None) -> NDArray[np.int64] | None:
    """Return the steps as integers, or None if one of them is missing, broken or not exact in a float."""
    if step is None or not np.all((np.abs(step) < 2**53) & (step == np.floor(step))):
        return None
    return step.astype(np.int64)
