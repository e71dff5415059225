"""Runs as a stream of chunks of rates, losses and steps, at a memory that does not grow with the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clrfast._require import require
from clrfast._visible import visible
from clrfast.analysis._columns import in_groups
from clrfast.logs._readers import _limits, format_of
from clrfast.logs._readers._budget import Budget, ExpansionError
from clrfast.logs._readers._decoder import DecodedRows, Decoder
from clrfast.logs._readers._find_runs import PathOrPaths, RunPaths, total_size
from clrfast.logs._readers._join import Joiner, LogRows
from clrfast.logs._readers._names import find
from clrfast.logs._readers._run_files import RunFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Chunk(NamedTuple):
    """Some rows of one run, in their order.

    Attributes:
        lr: Their rates, float64, shape (rows,).
        loss: Their losses, float64, shape (rows,).
        step: Their steps, int64, shape (rows,); None where there are none.
        run: The name of the run.
    """

    lr: NDArray[np.float64]
    loss: NDArray[np.float64]
    step: NDArray[np.int64] | None
    run: str

    def __repr__(self) -> str:
        """One line: how many rows, of which run."""
        return f"<Chunk of {len(self.lr):,} rows of {self.run!r}>"


Chunk.__module__ = "clrfast.logs"  # where users find it


class Request(NamedTuple):
    """What the caller asks for: columns, None where the usual names decide, and how far files may expand.

    `spelling` gives the caller's name for an argument, so that errors can say what to write: ``lr=`` in
    Python, ``--lr`` in a shell.
    """

    lr: str | None = None
    loss: str | None = None
    step: str | None = None
    run: str | None = None
    max_expansion: float = _limits.MAX_EXPANSION
    spelling: Callable[[str], str] = "{}=".format


class UsedColumns(NamedTuple):
    """The columns of a run's files that are read."""

    lr: str
    loss: str
    step: str | None
    run: str | None


class _Listener(NamedTuple):
    """What hears of the reading."""

    report: Callable[[str], None]
    advance: Callable[[int], object]
    used: Callable[[UsedColumns], object]


def stream(
    runs: Sequence[RunPaths],
    request: Request,
    report: Callable[[str], None],
    *,
    progress: bool = False,
    used: Callable[[UsedColumns], object] = lambda columns: None,
) -> Iterator[Chunk]:
    """Yield all rows of the runs, run after run where each has a file of its own.

    Args:
        runs: Where they are.
        request: What of them is read.
        report: Takes a sentence on each thing that could not be read.
        progress: Show a bar.
        used: Takes the columns that are read, for each run's files.
    """
    if progress:
        require("tqdm", "a progress bar", extra="logs")
        from tqdm import tqdm

        with tqdm(total=total_size(runs), unit="B", unit_scale=True, desc="Reading") as bar:
            yield from _all(runs, request, _Listener(report, bar.update, used))
    else:
        yield from _all(runs, request, _Listener(report, lambda size: None, used))


def status(used: Sequence[UsedColumns], rows: Sequence[int], path_or_paths: PathOrPaths) -> str:
    """Return the sentence that says what was read: the columns of each file, the rows of each run."""
    what = f"{used[0].lr!r} and {used[0].loss!r}" if len(used) == 1 else f"{len(rows):,} runs"
    where = str(path_or_paths) if isinstance(path_or_paths, (str, Path)) else f"{len(used):,} places"
    return f"Read {sum(rows):,} rows of {what} from {visible(where)}."


def _all(runs: Sequence[RunPaths], request: Request, listener: _Listener) -> Iterator[Chunk]:
    budget = Budget(request.max_expansion, request.spelling("max_expansion"))
    read = 0
    too_large = 0
    errors: list[str] = []
    for run in runs:
        name = "" if len(runs) == 1 else run.name
        try:
            for chunk in _run(run, name, request, budget, listener):
                read += 1
                yield chunk
        except ValueError as error:  # what else lies in a folder need not be a log
            too_large += isinstance(error, ExpansionError)
            if not run.sought or len(runs) == 1 or too_large > _limits.MOST_TOO_LARGE:
                raise
            errors.append(str(error))
    if errors and not read:
        raise ValueError(errors[0])
    for text in errors:
        listener.report(text)


def _run(run: RunPaths, name: str, request: Request, budget: Budget, listener: _Listener) -> Iterator[Chunk]:
    problems: list[str] = []
    rows = 0
    with RunFiles(run.paths, problems.append, listener.advance, budget) as files:
        form = format_of(files.path)
        assert form is not None
        try:
            decoder = form.decoder(files)
            columns = _columns(files, decoder, request)
        except ExpansionError:
            raise
        except ValueError as error:  # a damaged file may lack the columns of which it complains
            raise ValueError("; ".join([str(error), *problems])) from error
        listener.used(columns)
        for chunk in _chunks(decoder, columns, name or run.name, joined_names=bool(name)):
            rows += len(chunk.lr)
            yield chunk
        files.done()
    if problems and not rows:
        raise ValueError(f"no row can be read; {'; '.join(problems)}")
    for problem in problems:
        listener.report(problem)


def _columns(files: RunFiles, decoder: Decoder, request: Request) -> UsedColumns:
    def name(role: str, given: str | None, *, optional: bool = False) -> str | None:
        return find(files.path, decoder.names, role, given, optional=optional, spelling=request.spelling)

    lr, loss = name("lr", request.lr), name("loss", request.loss)
    step, run = name("step", request.step, optional=True), name("run", request.run, optional=True)
    assert lr is not None
    assert loss is not None
    if run in (lr, loss):
        raise ValueError(f"{files.path}: {run!r} cannot tell the runs apart and be the rate or the loss too")
    return UsedColumns(lr, loss, None if step == run else step, run)


def _chunks(decoder: Decoder, columns: UsedColumns, name: str, *, joined_names: bool) -> Iterator[Chunk]:
    numbers = [columns.lr, columns.loss, *([] if columns.step is None else [columns.step])]
    joiners: dict[str, Joiner] = {}
    for rows in decoder.rows(numbers, columns.run):
        for label, part in _by_run(rows):
            run = name if label is None else f"{name}: {label}" if joined_names else label
            joiner = joiners.setdefault(run, Joiner(joins=decoder.sparse))
            whole = joiner(part)
            yield Chunk(whole.lr.values, whole.loss.values, _whole_steps(whole.step), run)


def _by_run(rows: DecodedRows) -> Iterator[tuple[str | None, LogRows]]:
    lr, loss = rows.numbers[:2]
    columns = LogRows(lr, loss, rows.numbers[2].values if len(rows.numbers) > 2 else None)
    if rows.labels is None:
        yield None, columns
        return
    labels = [_text(label) for label in rows.labels]
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    of_rows = np.fromiter((numbers[label] for label in labels), np.intp, len(labels))
    order, starts = in_groups(of_rows, len(numbers))
    for label, begin, end in zip(numbers, starts, starts[1:]):
        yield label, columns.take(order[begin:end])


def _text(label: Any) -> str:
    whole = isinstance(label, float) and label.is_integer()
    return str(int(label) if whole else label)


def _whole_steps(step: NDArray[np.float64] | None) -> NDArray[np.int64] | None:
    """Return the steps as integers, or None if one of them is missing, broken or not exact in a float."""
    if step is None or not np.all((np.abs(step) < 2**53) & (step == np.floor(step))):
        return None
    return step.astype(np.int64)
