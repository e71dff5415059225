"""JSON: columns by name, a list of rows, such a list as ``log_history`` (Hugging Face), or runs by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Union

from clrfast.logs._readers import _limits
from clrfast.logs._readers._decoder import DecodedRows, Decoder, numbers_of
from clrfast.logs._readers._run_files import RunFiles

# What names columns: an object of them, each a list, or a list of objects, each a row; flat.
_Content = Union[dict[str, list[Any]], list[dict[str, Any]]]


class Json(Decoder):
    """The columns of a JSON file; what is nested is named as a path."""

    def __init__(self, file: RunFiles) -> None:
        """Read all of the file."""
        self._file = file
        found = load_json(file)
        if isinstance(found, dict) and isinstance(found.get("log_history"), list):
            found = found["log_history"]
        content = _content(found)
        if content is None:
            raise ValueError(f"{file.path}: neither an object of columns nor a list of rows")
        self._runs = _runs(found) or {"": content}
        self.names = [*_names(next(iter(self._runs.values()))), *(["run"] if len(self._runs) > 1 else [])]

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[DecodedRows]:
        """Yield all rows of a run at once."""
        before = 0
        for run, content in self._runs.items():
            names = _names(content)
            wanted = [*numbers, *([] if label is None else [label])]
            columns = {name: _column(content, name) for name in wanted if name in names}
            lengths = {name: len(column) for name, column in columns.items()}
            rows = min(lengths.values())
            if len(set(lengths.values())) > 1:
                each = ", ".join(f"{name!r} {length:,}" for name, length in lengths.items())
                self._file.problem(
                    f"the columns{f' of {run!r}' if run else ''} differ in length ({each}); what exceeds the "
                    "shortest is left out"
                )
            part: dict[str, Sequence[Any]] = {name: column[:rows] for name, column in columns.items()}
            if label is not None and label not in columns:
                part[label] = [run] * rows

            def place(row: int, first: int = before + 1) -> str:
                return f"row {first + row:,}"

            yield rows_of(self._file, part, numbers, label, place)
            before += rows


def _content(found: Any) -> _Content | None:
    if isinstance(found, dict):
        return {name: column for name, column in flat(found).items() if isinstance(column, list)}
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return list(map(flat, found))
    return None


def _names(content: _Content) -> Mapping[str, object]:
    return content if isinstance(content, dict) else dict.fromkeys(name for row in content for name in row)


def _column(content: _Content, name: str) -> list[Any]:
    """Return the cells of a column, None where a row has none.

    Made of the columns asked for alone: rows with a name each would make a table of the square of their size.
    """
    return content[name] if isinstance(content, dict) else [row.get(name) for row in content]


def _runs(found: Any) -> dict[str, _Content] | None:
    """Return the columns of each run, if these are several by name that all have the same columns."""
    if not isinstance(found, dict) or len(found) < 2:
        return None
    runs = {name: content for name, run in found.items() if (content := _content(run))}
    alike = len(runs) == len(found) and len({frozenset(_names(content)) for content in runs.values()}) == 1
    return runs if alike and "run" not in _names(next(iter(runs.values()))) else None


def flat(nested: dict[str, Any], before: str = "", level: int = 0) -> dict[str, Any]:
    """Return the object with what is nested in it at the top, named as a path, but for what is too deep."""
    if not before and not any(isinstance(value, dict) for value in nested.values()):
        return nested  # as most rows are
    found: dict[str, Any] = {}
    for name, value in nested.items():
        if not isinstance(value, dict):
            found[before + name] = value
        elif level < _limits.MOST_NESTED:
            found.update(flat(value, f"{before}{name}/", level + 1))
    return found


def rows_of(
    file: RunFiles,
    columns: Mapping[str, Sequence[Any]],
    numbers: Sequence[str],
    label: str | None,
    where: Callable[[int], str],
) -> DecodedRows:
    """Return the rows whose cells are numbers or missing; others are reported with their place."""
    if all(set(map(type, columns[name])) <= {float, type(None)} for name in numbers):  # nothing to check
        labels = None if label is None else list(map(str, columns[label]))
        return DecodedRows([numbers_of(columns[name]) for name in numbers], labels)
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
    return DecodedRows([numbers_of(column) for column in found], labels)


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


def load_json(file: RunFiles) -> Any:
    """Return what a file of JSON holds, or what precedes its damage, which is then reported.

    Raises:
        ValueError: Nothing of it can be read.
    """
    try:
        text = file.whole().decode("utf-8-sig")
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
    end, depth = 0, 0
    for mark in _MARK.finditer(text):
        character = mark[0]
        if character in "[{":
            closers.append("]" if character == "[" else "}")
        elif character in "]}":
            if not closers or closers.pop() != character:
                break
            if closers and closers[-1] == "]":  # a row, or a nested list, has just ended
                end, depth = mark.end(), len(closers)
        elif character == "," and closers and closers[-1] == "]":
            end, depth = mark.start(), len(closers)
    if not end:
        raise ValueError("nothing whole")
    return text[:end] + "".join(reversed(_open_at(text, end)[:depth]))


def _open_at(text: str, end: int) -> list[str]:
    """Return what closes the brackets that are open at a place: once, as noting it at each would be slow."""
    closers: list[str] = []
    for mark in _MARK.finditer(text, 0, end):
        if mark[0] in "[{":
            closers.append("]" if mark[0] == "[" else "}")
        elif mark[0] in "]}":
            closers.pop()
    return closers
