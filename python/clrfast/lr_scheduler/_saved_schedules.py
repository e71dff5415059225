"""Schedules in checkpoints: kept as text, and compared with those of the scheduler that goes on."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from clrfast.lr_scheduler._curves import Curve
from clrfast.schedules import Schedule

Schedules = Mapping[str, Sequence[Optional[Curve]]]  # by the name of what they drive, one a group


def saved(schedules: Schedules) -> dict[str, Any]:
    """The schedules in plain strings, lists and numbers.

    Returns:
        Under ``json``, each different schedule as `Schedule.to_json` gives it, or None for any other
        function; under ``groups``, by name, which of them drives each group, or None for one left alone.
    """
    texts: list[str | None] = []
    index_of: dict[int | str, int] = {}  # by the id of a curve, and by its text

    def index(curve: Any) -> int:
        if id(curve) not in index_of:
            text = curve.to_json() if isinstance(curve, Schedule) else None
            known = len(texts) if text is None else index_of.setdefault(text, len(texts))
            if known == len(texts):
                texts.append(text)
            index_of[id(curve)] = known
        return index_of[id(curve)]

    groups = {
        name: [None if curve is None else index(curve) for curve in curves]
        for name, curves in schedules.items()
    }
    return {"json": texts, "groups": groups}


def check(name: str, value: Any) -> None:
    """Raise a ValueError for what `saved` cannot have made."""
    try:
        for text in value["json"]:
            if not isinstance(text, (str, type(None))):
                raise TypeError(f"{text!r} is no text")
        for indices in value["groups"].values():
            for index in indices:
                if index is not None and not 0 <= operator.index(index) < len(value["json"]):
                    raise TypeError(f"{index!r} is no index")
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{name} must be what state_dict() gives for schedules, got {value!r}: {error!r}"
        ) from error


def warn_of_others(state: Mapping[str, Any] | None, own: Schedules, step: float, *, stacklevel: int) -> None:
    """Warn where a run goes on with other schedules than the state's, saying what both give at `step`."""
    if state is None:  # it was saved before states had schedules
        return
    differences = list(_differences(state, own, max(step, 0)))
    if differences:
        warnings.warn(
            "The state is of a run with other schedules; this scheduler keeps its own. "
            f"At step {max(step, 0)}, {' and '.join(differences)}.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def _differences(state: Mapping[str, Any], own: Schedules, step: float) -> Iterator[str]:
    """For each hyperparameter, what differs in the first group where something does."""
    for name in dict.fromkeys([*state["groups"], *own]):
        theirs, mine = state["groups"].get(name), own.get(name)
        groups = min(len(each) for each in (theirs, mine) if each is not None)
        for group in range(groups):
            index = None if theirs is None else theirs[group]
            before = None if index is None else _read(state["json"][index])
            now = None if mine is None else mine[group]
            if not _same(before, now):
                values = f"{_value(before, step)} in the state and {_value(now, step)} here"
                yield f"{name} of group {group} is {values}"
                break


_A_FUNCTION = "what a function gives"


def _read(text: str | None) -> Schedule | str:
    """The schedule, or why there is none."""
    if text is None:
        return _A_FUNCTION
    try:
        return Schedule.from_json(text)
    except ValueError as error:
        return f"unknown ({error})"


def _same(before: Schedule | str | None, now: Any) -> bool:
    if isinstance(now, Schedule) or now is None:
        return before == now
    return before == _A_FUNCTION  # of which nothing was saved to compare


def _value(curve: Any, step: float) -> str:
    if curve is None:
        return "left alone"
    return curve if isinstance(curve, str) else f"{float(curve(step)):.6g}"
