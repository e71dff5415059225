"""What a range test recorded: rates and losses, from memory or from a file."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._require import require

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from clrfast.analysis import Analysis

__all__ = ["SUFFIXES", "Log", "read", "read_csv"]


def __dir__() -> list[str]:
    return __all__


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Log:
    """A range test's record, one row for each step. Its arrays are read-only copies of what is given.

    Args:
        lr: The rate of each row, shape (rows,), float64.
        loss: The loss of each row before that rate was applied, shape (rows,), float64. NaN and infinite
            losses are data: they are where training broke.
        step: The number of each row's step, shape (rows,), int64, or None.
        status: Why the record ends where it does, a sentence.

    Raises:
        ValueError: A column is not one-dimensional, or the columns differ in length.
    """

    lr: NDArray[np.float64]
    loss: NDArray[np.float64]
    step: NDArray[np.int64] | None = None
    status: str = ""

    def __post_init__(self) -> None:
        """Convert, copy and check the columns."""
        for name, dtype in (("lr", np.float64), ("loss", np.float64), ("step", np.int64)):
            if name == "step" and self.step is None:
                continue
            column = np.array(getattr(self, name), dtype=dtype)
            if column.ndim != 1:
                raise ValueError(f"{name} must be one-dimensional, got shape {column.shape}")
            if len(column) != len(self.lr):
                raise ValueError(f"{name} must be as long as lr, {len(self.lr)}, got {len(column)} rows")
            column.flags.writeable = False
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lr)

    def __repr__(self) -> str:
        """One line: how many rows, between which rates, why it ended."""
        rates = f", lr {self.lr.min():.3g} to {self.lr.max():.3g}" if len(self) else ""
        return f"<Log of {len(self):,} rows{rates}: {self.status or 'no status'}>"

    def analyze(self, **options: Any) -> Analysis:
        """Find the phases and suggest a range: :func:`clrfast.analyze` of this record, with its options."""
        from clrfast.analysis import analyze

        return analyze(self.lr, self.loss, **options)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses as recorded over a logarithmic axis of rates; ``analyze().plot()`` shows more.

        Args:
            ax: Where to draw; a new figure's axes by default.

        Returns:
            The axes drawn into. Nothing is shown or saved. Needs matplotlib.
        """
        if ax is None:
            require("matplotlib", "plot()", extra="plot")
            from matplotlib import pyplot as plt

            _, ax = plt.subplots(layout="constrained")
        ax.plot(self.lr, self.loss, lw=1)
        ax.set_xscale("log")
        ax.set_xlabel("Learning rate")
        ax.set_ylabel("Loss")
        return ax

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write the columns (step where there is one, lr, loss) so that `read_csv` gives the same numbers."""
        names = ["lr", "loss"] if self.step is None else ["step", "lr", "loss"]
        columns = [getattr(self, name).tolist() for name in names]
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows(zip(*columns))


# What a file holds, whatever its format: named columns of cells, None where a row says nothing.
_Columns = Mapping[str, Sequence[Any]]

# The usual names in order of preference, lower case, with anything but letters and digits as "_".
_LR = (r"(train_)?(lrs?|learning_rates?)", r"lr_.+")
_LOSS = (r"loss(es)?", r"train(ing)?_loss(es)?", r"(train(ing)?_)?((batch|step)_loss|loss_(batch|step))")
_STEP = (r"((trainer_)?global_)?step|iteration",)
_MOST_LISTED = 20  # names of columns in an error


def read(path: str | PathLike[str], *, lr: str | None = None, loss: str | None = None) -> Log:
    """Read a log in the format that the file's name says.

    ``.csv``, ``.tsv`` and ``.txt`` are read by :func:`read_csv`. ``.json`` may hold an object of columns
    (``{"lr": [...], "loss": [...]}``), a list of rows, or a list of rows under ``log_history``, as Hugging
    Face's ``trainer_state.json`` does. What is nested is named as a path: ``"train/loss"``.

    Args:
        path: The file.
        lr: The column of rates; by default found by its usual names (lr, learning_rate, ...).
        loss: The column of losses, likewise (loss, train_loss, train/loss, ...).

    Returns:
        The rows that give a rate, in the file's order. A row without one was logged at another moment (an
        evaluation, for instance) and is left out; a missing loss is NaN.

    Raises:
        OSError: The file cannot be opened.
        ValueError: The format is unknown, the file does not hold such columns, or a cell is not a number.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise ValueError(f"{path}: the file's name must end in one of {known}, got {path.suffix!r}")
    return _log(path, reader(path), lr, loss)


def read_csv(path: str | PathLike[str], *, lr: str | None = None, loss: str | None = None) -> Log:
    """Read a log with a header line from text separated by commas, tabs or semicolons, whatever its name.

    Args, result and errors are those of :func:`read`. Empty cells, ``nan`` and ``inf`` are losses like any
    other.
    """
    path = Path(path)
    return _log(path, _delimited(path), lr, loss)


def _delimited(path: Path) -> _Columns:
    header, *lines = _text(path).splitlines(keepends=True) or [""]
    delimiter = max(",\t;", key=header.count)
    try:
        names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter, strict=True), [])]
        rows = csv.reader(io.StringIO("".join(lines), newline=""), delimiter=delimiter, strict=True)
        cells: list[list[str]] = []
        for row in rows:
            if not row:
                continue
            if len(row) != len(names):
                raise ValueError(f"{path}, line {rows.line_num + 1}: {len(row)} cells, not {len(names)}")
            cells.append([cell.strip() for cell in row])
    except csv.Error as error:
        raise ValueError(f"{path}: {error}") from error
    return {name: [row[i] or None for row in cells] for i, name in enumerate(names)}


def _json(path: Path) -> _Columns:
    try:
        found = json.loads(_text(path))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    if isinstance(found, dict) and isinstance(found.get("log_history"), list):
        found = found["log_history"]
    if isinstance(found, dict):
        return {name: cells for name, cells in _flat(found).items() if isinstance(cells, list)}
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError(f"{path}: neither an object of columns nor a list of rows")
    rows = [_flat(row) for row in found]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _flat(nested: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            flat.update({f"{name}/{inner}": item for inner, item in _flat(value).items()})
        else:
            flat[name] = value
    return flat


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not text in UTF-8: {error}") from error


_READERS: dict[str, Callable[[Path], _Columns]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".txt": _delimited,
    ".json": _json,
}
SUFFIXES = tuple(_READERS)  # the files that `read` reads


def _log(path: Path, columns: _Columns, lr: str | None, loss: str | None) -> Log:
    """Make a log of the columns asked for, or of those with the usual names."""
    lr_name, loss_name = _named(path, columns, "lr", lr, _LR), _named(path, columns, "loss", loss, _LOSS)
    lengths = len(columns[lr_name]), len(columns[loss_name])
    if lengths[0] != lengths[1]:
        raise ValueError(f"{path}: {lr_name!r} has {lengths[0]} rows and {loss_name!r} {lengths[1]}")
    kept = [row for row, rate in enumerate(columns[lr_name]) if rate is not None]
    return Log(
        np.array(_numbers(path, columns, lr_name, kept)),
        np.array(_numbers(path, columns, loss_name, kept)),
        _steps(columns, kept),
        f"Read {len(kept):,} rows of {lr_name!r} and {loss_name!r} from {path}.",
    )


def _named(path: Path, columns: _Columns, option: str, given: str | None, usual: Sequence[str]) -> str:
    name = _usual(columns, usual) if given is None else given
    if name is not None and name in columns:
        return name
    wanted = f"one of the usual names for {option}" if given is None else f"the name {given!r}"
    listed = ", ".join(map(repr, list(columns)[:_MOST_LISTED])) or "none at all"
    more = f" and {len(columns) - _MOST_LISTED} more" if len(columns) > _MOST_LISTED else ""
    raise ValueError(f"{path}: no column has {wanted}; give {option}= one of its columns: {listed}{more}")


def _usual(columns: _Columns, patterns: Sequence[str]) -> str | None:
    for pattern in patterns:
        for name in columns:
            if re.fullmatch(pattern, re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")):
                return name
    return None


def _numbers(path: Path, columns: _Columns, name: str, rows: Sequence[int]) -> list[float]:
    numbers = []
    for row in rows:
        cell = columns[name][row]
        try:
            numbers.append(math.nan if cell is None else float(cell))
        except (TypeError, ValueError):
            raise ValueError(f"{path}: {name!r}, row {row + 1}: {cell!r} is not a number") from None
    return numbers


def _steps(columns: _Columns, rows: Sequence[int]) -> NDArray[np.int64] | None:
    """Return the numbers of the steps, where a column gives a whole one for every row."""
    name = _usual(columns, _STEP)
    try:
        return None if name is None else np.array([int(columns[name][row]) for row in rows], dtype=np.int64)
    except (IndexError, OverflowError, TypeError, ValueError):
        return None
