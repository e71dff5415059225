"""MLflow's file store: a folder a run, with a file a parameter and a file a metric."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clrfast._sweep._columns import peak_lr_in
from clrfast._sweep._run import SettingValue
from clrfast._sweep._sources._source import FoundRun, Question, Report, Source, end_of, highest
from clrfast.logs._readers._files import OnDisk
from clrfast.logs._readers._run_files import RunFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONGEST = 1 << 16  # bytes of a parameter: MLflow itself allows 6,000 characters


def is_mlflow_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return (folder / "meta.yaml").is_file() and (
        (folder / "metrics").is_dir() or (folder / "params").is_dir()
    )


class MlflowRun(Source):
    """The folder of one run."""

    def __init__(self, folder: Path) -> None:
        """Read nothing yet."""
        self._folder = folder

    def names(self) -> Sequence[str]:
        """Return the names of metrics and parameters."""
        return [*_files(self._folder / "metrics"), *_files(self._folder / "params")]

    def runs(self, question: Question, report: Report) -> Iterator[FoundRun]:
        """Yield the run, unless it was deleted."""
        meta = _text(self._folder / "meta.yaml")
        if re.search(r"^lifecycle_stage: *deleted", meta, re.MULTILINE):
            return
        name = self._folder / "tags" / "mlflow.runName"
        called = _text(name) if name.is_file() else self._folder.name
        settings: dict[str, SettingValue] = {
            key: _text(path) for key, path in _files(self._folder / "params").items()
        }
        metrics = _files(self._folder / "metrics")
        metric, rate = question.metric.name_in(metrics), peak_lr_in(metrics, question.lr)
        value = steps = peak = None
        if metric is not None:
            value, steps = end_of(*_column(metrics[metric], question, report), question)
        if rate is not None:
            peak = highest(_column(metrics[rate], question, report)[1])
        yield FoundRun(called, settings, value, peak, steps, metric=metric or "")


def _files(folder: Path) -> dict[str, Path]:
    """Return the files below a folder by their path in it, which is what MLflow makes of a name with "/"."""
    if not folder.is_dir():
        return {}
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def _text(path: Path) -> str:
    with OnDisk(path) as file:
        return file.read(_LONGEST).decode(errors="replace").strip("\n")


def _column(
    path: Path, question: Question, report: Report
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the steps and the values of a metric: each line has a time, a value, and mostly a step."""
    steps, values = [], []
    with RunFiles([path], report, lambda size: None, question.budget) as files:
        line = 0
        for block in files.lines():
            for text in block.decode(errors="replace").splitlines():
                line += 1
                try:
                    _, value, *step = text.split(" ")[:3]
                    values.append(float(value))
                    steps.append(float(step[0]) if step else len(values) - 1.0)
                except ValueError:
                    del values[len(steps) :]
                    files.bad_row(f"line {line:,}", f"{text[:40]!r} is no time, value and step")
        files.done()
    return np.array(steps, float), np.array(values, float)
