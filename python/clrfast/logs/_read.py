"""Logs from files: all of them at once, or a chunk at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from clrfast import _check
from clrfast._visible import visible
from clrfast.logs._log import Log
from clrfast.logs._readers._find_runs import PathOrPaths, RunPaths, find_runs
from clrfast.logs._readers._limits import MAX_EXPANSION
from clrfast.logs._readers._stream import Chunk, Request, UsedColumns, status, stream


class ReadWarning(UserWarning):
    """Some of a file could not be read; the message says what, and why."""

    __module__ = "clrfast.logs"


def read(
    path_or_paths: PathOrPaths,
    *,
    lr: str | None = None,
    loss: str | None = None,
    step: str | None = None,
    run: str | None = None,
    progress: bool = False,
    max_expansion: float = MAX_EXPANSION,
) -> Log:
    """Read logs from files, folders, or patterns such as ``"logs/**/*.csv"``, in the format that names say.

    ====================================  ==================================================================
    ``.csv`` ``.tsv`` ``.txt``            text separated by commas, tabs or semicolons, with a header: also
                                          what Lightning's CSVLogger and Weights & Biases write
    ``.jsonl`` ``.ndjson``                JSON lines, an object a row
    ``.json``                             columns by name, a list of rows, Hugging Face's
                                          ``trainer_state.json``, or any of these for each run by name; what
                                          else is nested is named ``"train/loss"``
    ``.npz`` ``.npy``                     columns by name; an array's fields, its columns ``"0"``, ``"1"``...,
                                          or several arrays in one folder, each a column
    ``.parquet``                          Parquet (pyarrow)
    ``.arrow`` ``.feather``               Arrow files and streams (pyarrow)
    ``*tfevents*``                        TensorBoard's event files: scalars, old and new; those in one folder
                                          are one run
    ``.gz`` ``.bz2`` ``.xz`` ``.zst``     after any of these: compressed (``.zst``: pyarrow)
    ``.zip``                              a folder of any of these, read where they are; of a name that was
                                          written twice, the last
    ====================================  ==================================================================

    Columns are found by their usual names, in this order, in any case and with any punctuation: rates by
    ``lr``, ``learning_rate``, plural or after ``train_``, then ``..._lr``, then ``lr_...`` (``lr-Adam``);
    losses by ``loss``, ``train_loss``, ``loss_step`` or ``batch_loss``, ``loss_train``, then any
    ``..._loss`` that is not of validation or an epoch; steps by ``global_step``, ``step``, ``iteration``;
    runs by ``run``, ``run_id``, ``run_name``.

    Each file is a run, and so is each value of a column of runs. A row without a rate was logged at
    another moment (an evaluation, for instance) and is left out; a missing loss is NaN. But where the
    rate and the loss of a step stand on different rows, as in Lightning's and TensorBoard's files, rows
    are joined by their step, and steps that lack one of both are left out.

    What is damaged or cut short is read as far as it can be; the rest is told in a :class:`ReadWarning` and
    in `Log.problems`. (Nothing shows that the last number of a text without a last end of line is cut.) Of
    a folder or a pattern, files without such columns are passed over, and told likewise, as is what is no
    regular file (a FIFO would have to be waited for). Links to folders below them are not followed.

    A small compressed file can become very large. So all files of a call together may become `max_expansion`
    times their sizes on the disk, and 16 MiB more; JSON, which is held whole, a tenth of that. A log with a
    step or a loss that moves comes to 2 to 100 times its size; only one whose rows are all equal, or hundreds
    of columns that never change, can come to more than 1,000.

    CSV and JSON lines are read many times faster where Polars is installed: ``pip install 'clrfast[logs]'``.

    Args:
        path_or_paths: A file, a folder or a zip archive (with all below it), a pattern, or several of them.
        lr: The column of rates; by default found by its usual names.
        loss: The column of losses, likewise.
        step: The column of step numbers, likewise, if there is one.
        run: The column that tells runs apart, likewise, if there is one.
        progress: Whether to show a progress bar (tqdm).
        max_expansion: How many times larger compressed files may become, 1 or more.

    Returns:
        The rows of each run in the order of its file, run after run. There are no steps where one is not
        whole.

    Raises:
        OSError: A file cannot be opened.
        ValueError: A format is unknown, a file holds no such columns or several that it could be, no row
            can be read, a path is a FIFO, a socket or a device, or a file becomes too large.
        TypeError: `max_expansion` is no number.
        ImportError: A library that the format needs is missing.
    """
    request = _request(lr, loss, step, run, max_expansion)
    problems: list[str] = []
    runs = find_runs(path_or_paths, problems.append)
    log = collect(runs, request, problems, path_or_paths, progress=progress)
    for problem in log.problems:
        warnings.warn(problem, ReadWarning, stacklevel=2)
    return log


def collect(
    found: Sequence[RunPaths],
    request: Request,
    problems: list[str],
    path_or_paths: PathOrPaths,
    *,
    progress: bool,
) -> Log:
    """Return the log of runs that were found, to whose problems those of reading them are added."""
    used: list[UsedColumns] = []
    runs: dict[str, list[Chunk]] = {}
    for chunk in stream(found, request, problems.append, progress=progress, used=used.append):
        runs.setdefault(chunk.run, []).append(chunk)
    chunks = [chunk for parts in runs.values() for chunk in parts]
    steps = [chunk.step for chunk in chunks if chunk.step is not None]
    rows = [sum(len(chunk.lr) for chunk in parts) for parts in runs.values()]
    return Log(
        np.concatenate([[], *(chunk.lr for chunk in chunks)]),
        np.concatenate([[], *(chunk.loss for chunk in chunks)]),
        np.concatenate(steps) if steps and len(steps) == len(chunks) else None,
        status(used, rows, path_or_paths),
        tuple(runs) if len(runs) > 1 else (),
        np.cumsum([0, *rows]) if len(runs) > 1 else None,
        tuple(map(visible, problems)),
    )


def _request(
    lr: str | None, loss: str | None, step: str | None, run: str | None, max_expansion: float
) -> Request:
    return Request(lr, loss, step, run, _check.real("max_expansion", max_expansion, least=1))


def iter_chunks(
    path_or_paths: PathOrPaths,
    *,
    lr: str | None = None,
    loss: str | None = None,
    step: str | None = None,
    run: str | None = None,
    progress: bool = False,
    max_expansion: float = MAX_EXPANSION,
) -> Iterator[Chunk]:
    """Read logs a chunk at a time, at a memory that does not grow with them.

    A chunk comes from a few megabytes of a file, or a few hundred thousand rows, and holds rows of one
    run; runs that a column tells apart alternate as they do in the file. (Read whole are JSON other than JSON
    lines, and Parquet, Arrow and .npz files that are compressed once more or lie in an archive.) To analyse
    a file of any size::

        state = clrfast.analysis.State()
        for chunk in clrfast.logs.iter_chunks("log.csv"):
            state.add(chunk.lr, chunk.loss)
        print(state.analyze())

    Args:
        path_or_paths: A file, a folder or a zip archive (with all below it), a pattern, or several of them.
        lr: The column of rates; by default found by its usual names.
        loss: The column of losses, likewise.
        step: The column of step numbers, likewise, if there is one.
        run: The column that tells runs apart, likewise, if there is one.
        progress: Whether to show a progress bar (tqdm).
        max_expansion: How many times larger compressed files may become, 1 or more.

    Yields:
        Named tuples `lr`, `loss` (float64), `step` (int64, or None) and `run` (its name).

    Raises:
        OSError, ValueError, TypeError, ImportError: As :func:`read`; those about a file when it is read.
    """
    request = _request(lr, loss, step, run, max_expansion)
    problems: list[str] = []
    runs = find_runs(path_or_paths, problems.append)
    yield from stream(runs, request, problems.append, progress=progress)
    for problem in problems:
        warnings.warn(visible(problem), ReadWarning, stacklevel=2)
