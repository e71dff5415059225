"""JSON: columns by name, a list of rows, such a list as ``log_history`` (Hugging Face), or runs by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from clrfast.logs._readers._input import Input
from clrfast.logs._readers._table import Rows, Table, cells


class Json(Table):
    """The columns of a JSON file; what is nested is named as a path."""

    def __init__(self, file: Input) -> None:
        """Read all of the file."""
        self._file = file
        found = _load(file)
        if isinstance(found, dict) and isinstance(found.get("log_history"), list):
            found = found["log_history"]
        columns = _columns(found)
        if columns is None:
            raise ValueError(f"{file.path}: neither an object of columns nor a list of rows")
        self._runs = _runs(found) or {"": columns}
        self.names = [*next(iter(self._runs.values())), *(["run"] if len(self._runs) > 1 else [])]

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[Rows]:
        """Yield all rows of a run at once."""
        before = 0
        for run, columns in self._runs.items():
            wanted = [name for name in (*numbers, label) if name in columns]
            lengths = {name: len(columns[name]) for name in wanted}
            rows = min(lengths.values())
            if len(set(lengths.values())) > 1:
                each = ", ".join(f"{name!r} {length:,}" for name, length in lengths.items())
                self._file.problem(
                    f"the columns{f' of {run!r}' if run else ''} differ in length ({each}); what exceeds the "
                    "shortest is left out"
                )
            part: dict[str, Sequence[Any]] = {name: columns[name][:rows] for name in wanted}
            if label is not None and label not in columns:
                part[label] = [run] * rows

            def place(row: int, first: int = before + 1) -> str:
                return f"row {first + row:,}"

            yield rows_of(self._file, part, numbers, label, place)
            before += rows


def _columns(found: Any) -> dict[str, list[Any]] | None:
    if isinstance(found, dict):
        return {name: column for name, column in flat(found).items() if isinstance(column, list)}
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return columns_of([flat(row) for row in found])
    return None


def _runs(found: Any) -> dict[str, dict[str, list[Any]]] | None:
    """Return the columns of each run, if these are several by name that all have the same columns."""
    if not isinstance(found, dict) or len(found) < 2:
        return None
    runs = {name: _columns(run) or {} for name, run in found.items()}
    alike = len({frozenset(columns) for columns in runs.values()}) == 1
    return runs if alike and all(columns and "run" not in columns for columns in runs.values()) else None


def flat(nested: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object with what is nested in it at the top, named as a path."""
    found: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            found.update({f"{name}/{inner}": item for inner, item in flat(value).items()})
        else:
            found[name] = value
    return found


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return columns of the cells, None where a row has none."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def rows_of(
    file: Input,
    columns: Mapping[str, Sequence[Any]],
    numbers: Sequence[str],
    label: str | None,
    where: Callable[[int], str],
) -> Rows:
    """Return the rows whose cells are numbers or missing; others are reported with their place."""
    if all(set(map(type, columns[name])) <= {float, type(None)} for name in numbers):  # nothing to check
        labels = None if label is None else list(map(str, columns[label]))
        return Rows([cells(columns[name]) for name in numbers], labels)
    kept: list[int] = []
    found: list[list[float | None]] = [[] for _ in numbers]
    for row, values in enumerate(zip(*(columns[name] for name in numbers))):
        try:
            converted = [_number(name, value) for name, value in zip(numbers[:2], values)]
        except ValueError as error:
            file.bad_row(where(row), str(error))
            continue
        converted += [_number_or_none(value) for value in values[2:]]
        kept.append(row)
        for column, number in zip(found, converted):
            column.append(number)
    labels = None if label is None else [str(columns[label][row]) for row in kept]
    return Rows([cells(column) for column in found], labels)


def _number(name: str, value: object) -> float | None:
    if value is None or isinstance(value, float):
        return value
    try:
        if isinstance(value, (int, str)):  # some writers put nan and inf into strings
            return float(value)
    except (OverflowError, ValueError):
        pass
    raise ValueError(f"{name!r} is {str(value)[:40]!r}, not a number")


def _number_or_none(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and abs(value) < 2**53 else None


def _load(file: Input) -> Any:
    try:
        text = file.contents().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file.path}: not text in UTF-8: {error}") from error
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(f"{file.path}: nested too deeply") from error
    except json.JSONDecodeError as error:
        try:
            found = json.loads(_closed(text[: error.pos]))
        except (ValueError, RecursionError):
            raise ValueError(f"{file.path}: not JSON: {error}") from error
        file.problem(f"only what precedes character {error.pos:,} can be read ({error.msg})")
        return found


_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[][{},]')


def _closed(text: str) -> str:
    """Return the beginning of some JSON up to its last whole item of a list, with all brackets closed.

    Raises:
        ValueError: There is no such item.
    """
    closers: list[str] = []
    end, closing = 0, ""
    for mark in _MARK.finditer(text):
        character = mark[0]
        if character in "[{":
            closers.append("]" if character == "[" else "}")
        elif character in "]}":
            if not closers or closers.pop() != character:
                break
            if closers and closers[-1] == "]":  # a row, or a nested list, has just ended
                end, closing = mark.end(), "".join(reversed(closers))
        elif character == "," and closers and closers[-1] == "]":
            end, closing = mark.start(), "".join(reversed(closers))
    if not end:
        raise ValueError("nothing whole")
    return text[:end] + closing
