"""The settings in which runs differ: which of them may move the best rate, and columns of all for the fit."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clrfast._sweep._run import SettingValue, SweptRun

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Settings that are known to move the best rate, by names in lower case with "_" for all else.
_MOVING = (
    r"(.*_)?(batch|batch_?size|bsz?|batch_size_per_\w+)",
    r"(.*_)?(width|hidden|hidden_(dim|size|units|layer_size)|d_model|n_embd|embed(ding)?_dim|n_units\w*|units)",
    r"(.*_)?(depth|n_?layers?|num_(hidden_)?layers|blocks|layers)",
    r"(.*_)?(total|max|num|train|training|num_train|n|recorded)_?(steps|iters|iterations|epochs|samples|tokens)",
    r"(.*_)?(steps|epochs|horizon|tokens)",
    r"(.*_)?(optim|optimi[sz]er|opt)(_(name|type|class))?",
)
_NO_SETTING = (
    r"(.*_)?(seed|random_state|run|run_id|run_name|trial|trial_id|fold|name|id|path|dir|folder|host|device)"
)
_MOST_LEVELS = 12  # of a setting of words
_LOG_FROM = 3.0  # a positive number that spans as many times itself acts by its logarithm
_BOUND = 0.98  # a correlation with ln(lr) beyond which nobody can tell the two apart
_SMALLEST_LEVEL = 2  # runs
_WEAK = 1.0  # the prior's standard deviation of an exponent: known ones lie between -2 and 2
_DECADE = math.log(10.0)  # ... and of ln of the ratio of two levels' best rates


class Shift(NamedTuple):
    """A column that may move the best rate: `values` of each run, 0 at the reference."""

    setting: str
    level: str | None  # of a setting of words, against `reference`
    reference: float | str
    values: NDArray[np.float64]
    scale: float
    measure: Callable[[SettingValue], float]  # of one value of the setting


class Design(NamedTuple):
    """What the fit takes of the settings, and what is said of those it does not take."""

    shifts: list[Shift]
    effects: NDArray[np.float64]
    used: list[str]
    notes: list[str]


def design_of(runs: Sequence[SweptRun], by: Sequence[str] | None, settings: Sequence[str] | None) -> Design:
    """Return the columns of the settings that differ.

    Args:
        runs: Those that are fitted.
        by: The settings that may move the best rate; None for those with usual names.
        settings: All that are taken into account; None for all that differ.

    Raises:
        ValueError: A name that is given is no setting of any run.
    """
    names = list(dict.fromkeys(name for run in runs for name in run.settings))
    for argument, given in (("by", by), ("settings", settings)):
        for name in given or ():
            if name not in names:
                listed = ", ".join(map(repr, names[:20])) or "none at all"
                raise ValueError(f"{argument} must hold settings of the runs ({listed}), got {name!r}")
    log_lr = np.log([run.lr for run in runs])
    found = Design([], np.zeros((len(runs), 0)), [], [])
    columns: list[NDArray[np.float64]] = []
    for name in names:
        moving = name in by if by is not None else _is_moving(name)
        chosen = name in settings if settings is not None else not re.fullmatch(_NO_SETTING, plain_name(name))
        values = [run.settings.get(name) for run in runs]
        if not (chosen or (by is not None and moving)) or len(set(map(_key, values))) < 2:
            continue
        more = _columns(name, values, log_lr, moving=moving)
        if isinstance(more, str):
            found.notes.append(more)
            continue
        found.used.append(name)
        shifts, effects, missing = more
        found.shifts.extend(shifts)
        columns += effects
        if missing:
            found.notes.append(f"{missing} of {len(runs)} runs have no {name!r}: taken as the usual one")
    kept = [column for column in map(_standardized, columns) if column is not None]
    return found._replace(effects=np.column_stack(kept) if kept else found.effects)


def plain_name(name: str) -> str:
    """Return a name in lower case, with all but letters and digits as "_"."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def number_of(value: object) -> float | None:
    """Return the number that a setting is, in words perhaps, as some trackers keep them, or None."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        return None


def _is_moving(name: str) -> bool:
    return any(re.fullmatch(pattern, plain_name(name)) for pattern in _MOVING)


def _key(value: SettingValue) -> object:
    """Return what makes two values the same setting: 64 and "64" are."""
    number = number_of(value)
    return str(value) if number is None else number


def _columns(
    name: str, values: Sequence[SettingValue], log_lr: NDArray[np.float64], *, moving: bool
) -> tuple[list[Shift], list[NDArray[np.float64]], int] | str:
    """Return the shifts, the effects, and how many runs lack the setting; or why it is left out."""
    present = [value for value in values if value is not None]
    numbers = [number_of(value) for value in present]
    missing = len(values) - len(present)
    if all(number is not None and math.isfinite(number) for number in numbers):
        column = np.array([number_of(value) if value is not None else math.nan for value in values], float)
        return _of_numbers(name, column, log_lr, missing, moving=moving)
    words = ["" if value is None else str(value) for value in values]
    counts = Counter(words)
    if len(counts) > min(_MOST_LEVELS, len(values) // _SMALLEST_LEVEL):
        return f"{name!r} has {len(counts)} different values: left out"
    reference = counts.most_common(1)[0][0]
    shifts, effects = [], []
    for level in counts:
        if level != reference:
            is_level = np.array([word == level for word in words], float)
            effects.append(is_level)
            if moving:
                shifts.append(_level_shift(name, level, reference, is_level))
    return shifts, effects, missing


def _level_shift(name: str, level: str, reference: str, values: NDArray[np.float64]) -> Shift:
    return Shift(name, level, reference, values, _DECADE, lambda value: float(str(value) == level))


def _of_numbers(
    name: str, column: NDArray[np.float64], log_lr: NDArray[np.float64], missing: int, *, moving: bool
) -> tuple[list[Shift], list[NDArray[np.float64]], int] | str:
    known = np.sort(column[~np.isnan(column)])
    if known[0] == known[-1]:
        return f"{name!r} is only there in some runs: left out"
    usual = float(known[(len(known) - 1) // 2])  # the median, one that was tried
    column = np.where(np.isnan(column), usual, column)
    positive = known[0] > 0
    if positive and (moving or known[-1] > _LOG_FROM * known[0]):
        column = np.log(column)
    if abs(np.corrcoef(column, log_lr)[0, 1]) > _BOUND:
        return f"{name!r} goes with the rate, so that nobody can tell the two apart: left out"
    effects = [column]
    if len(np.unique(column)) > 2:
        effects.append((column - column.mean()) ** 2)
    shifts = []
    if moving and positive:
        reference = math.log(usual)

        def measure(value: SettingValue) -> float:
            number = number_of(value)
            if number is None or not 0 < number < math.inf:
                raise ValueError(f"{name} must be > 0, got {value!r}")
            return math.log(number) - reference

        shifts.append(Shift(name, None, usual, column - reference, _WEAK, measure))
    return shifts, effects, missing


def _standardized(column: NDArray[np.float64]) -> NDArray[np.float64] | None:
    spread = float(column.std())
    return (column - column.mean()) / spread if spread > 1e-12 * (1 + abs(float(column.mean()))) else None
