"""Hugging Face's ``trainer_state.json``, and W&B's ``wandb-summary.json``: one run in a file of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from clrfast._sweep._columns import peak_lr_in
from clrfast._sweep._run import SettingValue
from clrfast._sweep._settings import number_of
from clrfast._sweep._sources._beside import settings_beside, settings_in_name, settings_of
from clrfast._sweep._sources._source import FoundRun, Question, Report, Source, end_of, highest
from clrfast.logs._readers._files import File, Member
from clrfast.logs._readers._json import flat, load_json
from clrfast.logs._readers._run_files import RunFiles

SUMMARY = "wandb-summary.json"


def is_trainer_state(path: File) -> bool:
    """Whether a file's name says that it is one."""
    return path.name.endswith("trainer_state.json")


class TrainerState(Source):
    """One ``trainer_state.json``, whose rows are in ``log_history``; no binary file beside it is opened."""

    def __init__(self, path: File, name: str) -> None:
        """Read nothing yet."""
        self._path = path
        self._name = name
        self.files = (path,)
        self._found: dict[str, Any] | None = None

    def _load(
        self, question: Question | None = None, report: Report = lambda problem: None
    ) -> dict[str, Any]:
        budget = None if question is None else question.budget
        with RunFiles([self._path], report, lambda size: None, budget) as files:
            found = load_json(files)
        if not isinstance(found, dict) or not isinstance(found.get("log_history"), list):
            raise ValueError(f"{self._path}: has no log_history: not a trainer_state.json")
        return found

    def names(self) -> Sequence[str]:
        """Return the names of metrics and settings."""
        found = self._load()
        return [*_names(_rows(found)), *_settings(found)]

    def runs(self, question: Question, report: Report) -> Iterator[FoundRun]:
        """Yield the run."""
        found = self._load(question, report)
        rows = _rows(found)
        names = _names(rows)
        metric, rate = question.metric.name_in(names), peak_lr_in(names, question.lr)
        value, last = (None, None) if metric is None else end_of(*_column(rows, metric), question)
        peak = None if rate is None else highest(_column(rows, rate)[1])
        beside = {} if isinstance(self._path, Member) else settings_beside(self._path.parent)
        settings = {**settings_in_name(self._name), **beside, **_settings(found)}
        yield FoundRun(self._name, settings, value, peak, last, metric=metric or "")


class Summary(Source):
    """What W&B keeps of the end of a run, beside its ``config.yaml``."""

    def __init__(self, path: File, name: str) -> None:
        """Read nothing yet."""
        self._path = path
        self._name = name
        self.files = (path,)

    def _load(
        self, question: Question | None = None, report: Report = lambda problem: None
    ) -> dict[str, Any]:
        budget = None if question is None else question.budget
        with RunFiles([self._path], report, lambda size: None, budget) as files:
            found = load_json(files)
        if not isinstance(found, dict):
            raise ValueError(f"{self._path}: holds no values by name")
        return flat(found)

    def names(self) -> Sequence[str]:
        """Return the names of metrics."""
        return list(self._load())

    def runs(self, question: Question, report: Report) -> Iterator[FoundRun]:
        """Yield the run."""
        found = self._load(question, report)
        metric = question.metric.name_in(found)
        rate = peak_lr_in(found, question.lr)
        value = None if metric is None else number_of(found[metric])
        beside = {} if isinstance(self._path, Member) else settings_beside(self._path.parent)
        peak = None if rate is None else number_of(found[rate])
        yield FoundRun(self._name, beside, value, peak, number_of(found.get("_step")), metric=metric or "")


def _rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [flat(row) for row in found["log_history"] if isinstance(row, dict)]


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[Any, Any]:
    """Return the steps and the numbers of the rows that have it."""
    found = [(number_of(row.get("step")), number_of(row[name])) for row in rows if name in row]
    known = [(step, value) for step, value in found if value is not None]
    steps = [float(place) if step is None else step for place, (step, _) in enumerate(known)]
    return np.array(steps, float), np.array([value for _, value in known], float)


def _settings(found: Mapping[str, Any]) -> dict[str, SettingValue]:
    """Return what a search varied, and the few arguments that the state itself holds."""
    trial = found.get("trial_params")
    kept = ("train_batch_size", "max_steps", "num_train_epochs")
    settings = settings_of({name: found[name] for name in kept if name in found})
    return {**settings, **settings_of(trial if isinstance(trial, dict) else {})}
