"""The function that reads a search and says what it shows."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import Any

from clrfast._sweep._collect import options_of, swept
from clrfast._sweep._result import Sweep
from clrfast._sweep._sources._find import find_sources
from clrfast._sweep._sources._frame import FrameSource, is_frame
from clrfast._visible import visible
from clrfast.logs._read import ReadWarning
from clrfast.logs._readers._find_runs import PathOrPaths
from clrfast.logs._readers._limits import MAX_EXPANSION


def sweep(
    source: PathOrPaths | Any,
    *,
    metric: str | None = None,
    mode: str | None = None,
    take: str | int = "last",
    lr: str | None = None,
    run: str | None = None,
    step: str | None = None,
    by: Iterable[str] | None = None,
    settings: Iterable[str] | None = None,
    max_expansion: float = MAX_EXPANSION,
    progress: bool = False,
) -> Sweep:
    """Read what a search left behind, and say which peak rate is best, how sure that is, and how it moves.

    Each run counts with its peak rate, the metric that it ended at, and its other settings. The metric is
    fitted as a smooth curve over ln(lr) (a P-spline, Eilers and Marx 1996) beside the effects of the other
    settings, which are shrunk; batch size, width, depth, horizon and optimizer may also move the curve along
    the axis of rates. Penalties are found by restricted maximum likelihood; intervals are those of the
    posterior, their doubt included (Wood 2017, section 6.10). A loss is fitted by its logarithm where all are
    positive. A run that diverged, or went wrong otherwise, counts as bad, however bad it is.

    It reads, below a folder and in any mixture:

    - tables in all formats of :func:`clrfast.logs.read`: a row for each run (W&B's CSV export), or for each
      step of a run (W&B's Parquet history, Lightning's, TensorBoard's files), with what is set in columns, in
      ``config.yaml``, ``hparams.yaml``, ``params.json`` or the like beside it, in folders' names like
      ``lr=0.1``, or left by TensorBoard's hparams plugin;
    - MLflow's file store, Optuna's storage in SQLite, W&B's ``wandb-summary.json``, Hugging Face's
      ``trainer_state.json``, the Parquet of Neptune's exporter.

    Args:
        source: A file, a folder or a zip archive, a pattern, several of them, or a data frame with a row a
            run (or, where it has a column of runs, a row a step).
        metric: The name of what runs are judged by; by default that of a validation loss, or else of what
            most resembles one.
        mode: "min" where low values of it are good, "max" where high ones are; by default as its name says,
            and as Optuna's study does.
        take: Which value of a run counts: "last", "best", or a number: the mean of so many last ones.
        lr: The name of the rate, by default its usual one. Where it is no setting, a run's highest recorded
            rate counts.
        run: The column that tells runs apart, likewise.
        step: The column of steps, likewise.
        by: Settings that may move the best rate; by default those with usual names.
        settings: Other settings that are taken into account; by default all that differ. Of tables, columns
            whose names are those of results are none.
        max_expansion: How many times larger compressed files may become, 1 or more.
        progress: Whether to show a progress bar (tqdm).

    Returns:
        What was found. What could not be read is told in `problems`, and in a warning.

    Raises:
        OSError: A file cannot be opened.
        ValueError: No run can be read, an argument is none of those allowed or names what is not there.
        TypeError: `source` is none of these, or a number is none.
        ImportError: A library that a format needs is missing.
    """
    asked = options_of(metric, mode, take, lr, run, step, by, settings, max_expansion)
    problems: list[str] = []
    if is_frame(source):
        found = swept([FrameSource(source)], asked, problems, progress=progress)
    elif isinstance(source, (str, os.PathLike, Iterable)):
        found = swept(find_sources(source, problems.append), asked, problems, progress=progress)
    else:
        raise TypeError(f"source must be paths or a data frame, got {type(source).__name__}")
    for problem in found.problems:
        warnings.warn(visible(problem), ReadWarning, stacklevel=2)
    return found
