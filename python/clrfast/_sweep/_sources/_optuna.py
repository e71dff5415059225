"""Optuna's storage in SQLite, read by the standard library: nothing is written, and nothing unpickled."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from clrfast._sweep._run import SettingValue
from clrfast._sweep._sources._source import FoundRun, Question, Report, Source
from clrfast.logs._readers._files import refuse_special

SUFFIXES = (".db", ".sqlite", ".sqlite3")
_TABLES = {"studies", "study_directions", "trials", "trial_params", "trial_values"}
_SPECIAL = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}
_STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
_LONGEST = 1 << 20  # bytes of a cell


class OptunaStudies(Source):
    """All studies of one file; each trial is a run, and the study a setting where there are several."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self._path = path
        self.files = (path,)

    def _open(self) -> sqlite3.Connection:
        refuse_special(self._path)
        connection = sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True)
        try:
            connection.text_factory = lambda text: text.decode(errors="replace")
            if hasattr(connection, "setlimit"):  # from Python 3.11 on
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
            connection.execute("PRAGMA trusted_schema=OFF")
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        except sqlite3.Error as error:
            connection.close()
            raise ValueError(f"{self._path}: not an SQLite database, or damaged: {error}") from error
        if not {name for (name,) in found} >= _TABLES:
            connection.close()
            raise ValueError(f"{self._path}: not a storage of Optuna: it lacks some of its tables")
        return connection

    def names(self) -> Sequence[str]:
        """Return the names of the metrics and of the parameters."""
        with closing(self._open()) as connection:
            try:
                parameters = connection.execute("SELECT DISTINCT param_name FROM trial_params").fetchall()
                studies = connection.execute("SELECT study_id FROM studies").fetchall()
                metrics = [name for (study,) in studies for name in _metric_names(connection, study)]
            except sqlite3.Error as error:
                raise ValueError(f"{self._path}: damaged: {error}") from error
        return list(dict.fromkeys([*metrics, *(str(name) for (name,) in parameters)]))

    def runs(self, question: Question, report: Report) -> Iterator[FoundRun]:
        """Yield each trial that has ended, study after study."""
        with closing(self._open()) as connection:
            try:
                studies = connection.execute(
                    "SELECT study_id, study_name FROM studies ORDER BY study_id"
                ).fetchall()
                for study, name in studies:
                    yield from self._study(connection, study, str(name), question, several=len(studies) > 1)
            except sqlite3.Error as error:
                report(f"{self._path}: damaged, what follows is not read: {error}")

    def _study(
        self, connection: sqlite3.Connection, study: int, name: str, question: Question, *, several: bool
    ) -> Iterator[FoundRun]:
        metrics = _metric_names(connection, study)
        metric = question.metric.name_in(metrics)
        objective = metrics.index(metric) if metric is not None else None
        value_type = "value_type" if _has(connection, "trial_values", "value_type") else "'FINITE'"
        values = connection.execute(
            f"SELECT v.trial_id, v.value, v.{value_type} FROM trial_values v JOIN trials t USING (trial_id) "
            "WHERE t.study_id = ? AND v.objective = ?".replace("v.'FINITE'", "'FINITE'"),
            (study, objective),
        )
        ends = {trial: _number(value, kind) for trial, value, kind in values}
        settings: dict[int, dict[str, SettingValue]] = {}
        for trial, parameter, value, distribution in connection.execute(
            "SELECT p.trial_id, p.param_name, p.param_value, p.distribution_json FROM trial_params p "
            "JOIN trials t USING (trial_id) WHERE t.study_id = ?",
            (study,),
        ):
            settings.setdefault(trial, {})[str(parameter)] = _parameter(value, distribution)
        last = _last_reports(connection, study) if objective == 0 and len(metrics) == 1 else {}
        trials = connection.execute(
            "SELECT trial_id, number, state FROM trials WHERE study_id = ? ORDER BY trial_id", (study,)
        )
        for trial, number, state in trials.fetchall():
            if state not in _STATES:
                continue  # running or waiting
            of_study: dict[str, SettingValue] = {"study": name} if several else {}
            end = ends.get(trial, last.get(trial))
            own = {**of_study, **settings.get(trial, {})}
            yield FoundRun(f"{name}: {number}", own, end, metric=metric or "", state=_STATES[state])


def _metric_names(connection: sqlite3.Connection, study: int) -> list[str]:
    """Return the names of a study's objectives: its own, or "value", and "values_1" for a second one."""
    count = connection.execute(
        "SELECT COUNT(*) FROM study_directions WHERE study_id = ?", (study,)
    ).fetchone()[0]
    if _has(connection, "study_system_attributes", "value_json"):
        named = connection.execute(
            "SELECT value_json FROM study_system_attributes WHERE study_id = ? AND key = ?",
            (study, "study:metric_names"),
        ).fetchone()
        found = _json(named[0]) if named else None
        if isinstance(found, list) and len(found) == count:
            return list(map(str, found))
    return ["value"] if count == 1 else [f"values_{place}" for place in range(count)]


def direction(studies: OptunaStudies, metric: str) -> str | None:
    """Return "min" or "max", as the first study with that metric says; None where none does."""
    with closing(studies._open()) as connection:
        for (study,) in connection.execute("SELECT study_id FROM studies ORDER BY study_id").fetchall():
            names = _metric_names(connection, study)
            if metric in names:
                found = connection.execute(
                    "SELECT direction FROM study_directions WHERE study_id = ? AND objective = ?",
                    (study, names.index(metric)),
                ).fetchone()
                return {"MINIMIZE": "min", "MAXIMIZE": "max"}.get(found[0]) if found else None
    return None


def _last_reports(connection: sqlite3.Connection, study: int) -> dict[int, float]:
    """Return the last value that each trial reported on its way."""
    if not _has(connection, "trial_intermediate_values", "intermediate_value_type"):
        return {}
    rows = connection.execute(
        "SELECT i.trial_id, i.intermediate_value, i.intermediate_value_type FROM trial_intermediate_values i "
        "JOIN trials t USING (trial_id) WHERE t.study_id = ? ORDER BY i.step",
        (study,),
    )
    return {trial: _number(value, kind) for trial, value, kind in rows}


def _has(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return any(row[1] == column for row in connection.execute(f"PRAGMA table_info({table})"))


def _number(value: Any, kind: str) -> float:
    return _SPECIAL.get(kind, math.nan if value is None else value)


def _parameter(value: Any, distribution: str) -> SettingValue:
    """Return the parameter: of a choice, the place in its list is stored."""
    found = _json(distribution)
    attributes = found.get("attributes") if isinstance(found, dict) else None
    choices = attributes.get("choices") if isinstance(attributes, dict) else None
    if isinstance(choices, list):
        place = int(value)
        chosen = choices[place] if 0 <= place < len(choices) else None
        return chosen if isinstance(chosen, (bool, float, int, str)) or chosen is None else str(chosen)
    return None if value is None else float(value)


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (RecursionError, TypeError, ValueError):
        return None
