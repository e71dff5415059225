"""Neptune's exported Parquet: a row for each value of each attribute of each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._sweep._columns import Metric, peak_lr_in
from clrfast._sweep._histories import Histories, Rows
from clrfast._sweep._run import SettingValue
from clrfast._sweep._sources._source import FoundRun, Question, Report, Source, found_run
from clrfast.logs._readers._arrow import Parquet, numbers_in
from clrfast.logs._readers._files import File
from clrfast.logs._readers._run_files import RunFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = frozenset(
    {"run_id", "attribute_path", "step", "float_value", "int_value", "string_value", "bool_value"}
)
_OWN = "sys/"  # attributes that Neptune itself sets


class NeptuneExport(Source):
    """All files of an export: the rows of a run may be spread over several."""

    def __init__(self, paths: Sequence[File]) -> None:
        """Read nothing yet."""
        self._paths = paths
        self.files = paths

    def names(self) -> Sequence[str]:
        """Return the attributes of the first file."""
        found: dict[str, None] = {}
        with RunFiles(self._paths[:1], lambda problem: None, lambda size: None) as files:
            decoder = Parquet(files)
            for part in decoder.columns(["attribute_path"], range(len(decoder.group_rows))):
                found.update(dict.fromkeys(part["attribute_path"].unique().to_pylist()))
        return [name for name in found if name and not name.startswith(_OWN)]

    def runs(self, question: Question, report: Report) -> Iterator[FoundRun]:
        """Yield the runs in order of appearance."""
        histories = question.histories()
        settings: dict[Any, dict[str, SettingValue]] = {}
        for path in self._paths:
            try:
                with RunFiles([path], report, lambda size: None, question.budget) as files:
                    decoder = Parquet(files)
                    for part in decoder.columns(sorted(COLUMNS), range(len(decoder.group_rows))):
                        _add(part, histories, settings, question, path)
            except ValueError as error:
                report(str(error))
        for run, own in settings.items():
            number = histories.labels.get(run)
            if number is None:
                yield FoundRun(str(run), own, None)
            else:
                histories.rows[number] = (
                    histories.last_at[number] + 1
                )  # other attributes have rows of their own
                yield found_run(histories, number, str(run), own, question.take, question.metric.given or "")


def _add(
    part: dict[str, Any],
    histories: Histories,
    settings: dict[Any, dict[str, SettingValue]],
    question: Question,
    where: object,
) -> None:
    paths = part["attribute_path"].dictionary_encode()
    names: list[Any] = paths.dictionary.to_pylist()
    metric, rate = _pair([name for name in names if name], question.metric, question.lr)
    of_row = paths.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    runs = part["run_id"].to_pylist()
    step = numbers_in(where, part["step"], "step").values
    value = numbers_in(where, part["float_value"], "float_value").values
    whole = numbers_in(where, part["int_value"], "int_value")
    value = np.where(np.isnan(value) & ~_empty(whole.missing, value), whole.values, value)
    series = ~np.isnan(step)
    for run in dict.fromkeys(runs):
        settings.setdefault(run, {})
    for row in np.flatnonzero(~series):
        name = names[of_row[row]] if of_row[row] >= 0 else None
        if name and not name.startswith(_OWN):
            settings[runs[row]][name] = _single(part, int(row), float(value[row]))
    for name in (metric, rate):
        rows = (
            np.flatnonzero(series & (of_row == names.index(name)))
            if name is not None
            else np.empty(0, np.intp)
        )
        labels = list(dict.fromkeys(runs[row] for row in rows))
        places = {label: place for place, label in enumerate(labels)}
        number = np.array([places[runs[row]] for row in rows], np.intp)
        nothing = np.full(len(rows), np.nan)
        lr, of_metric = (nothing, value[rows]) if name == metric else (value[rows], nothing)
        missing = np.full(len(rows), name != metric)
        histories.add(Rows(number, labels, lr, of_metric, missing, step[rows], np.zeros((0, len(rows)))))


def _pair(names: list[str], metric: Metric, lr: str | None) -> tuple[str | None, str | None]:
    return metric.name_in(names), peak_lr_in(names, lr)


def _empty(missing: NDArray[np.bool_] | None, like: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.zeros(len(like), np.bool_) if missing is None else missing


def _single(part: dict[str, Any], row: int, number: float) -> SettingValue:
    for name in ("string_value", "bool_value"):
        value = part[name][row].as_py()
        if value is not None:
            return value  # type: ignore[no-any-return]
    return None if np.isnan(number) else number
