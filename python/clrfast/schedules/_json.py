"""Schedules as JSON, which is also what a pickle holds: versions to come read what this one writes.

The text is not trusted: whatever it holds, reading it gives a schedule or a ValueError.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Iterable
from typing import Any, TypeVar

from clrfast import _core

Made = TypeVar("Made", bound=_core.Schedule)

FORMAT = 1
_DEEPEST = 200  # brackets in brackets; schedules of 64 levels have 130


def text_of(schedule: _core.Schedule) -> str:
    """The text that describes a schedule."""
    return json.dumps({"format": FORMAT, **_plain(schedule)}, allow_nan=False)


def schedule_from(text: str, kind: type[Made]) -> Made:
    """The schedule of that type that the text describes.

    Raises:
        ValueError: The text is no such description, or a newer clrfast wrote it.
        TypeError: It is not a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, got {reprlib.repr(text)}")
    try:
        plain = _parsed(text)
        version = plain.pop("format", None)
        if type(version) is not int or version < 1:
            raise ValueError(f"its format must be an integer >= 1, got {reprlib.repr(version)}")
        if version == FORMAT:
            return kind(**_arguments(plain))
    except (ValueError, TypeError, OverflowError) as error:
        shown = reprlib.repr(text)
        raise ValueError(f"text must be the JSON of a schedule, got {shown}: {error}") from None
    written = f"format {reprlib.repr(version)}, this one reads up to {FORMAT}"
    raise ValueError(f"text was written by a newer clrfast: {written}")


def _parsed(text: str) -> dict[str, Any]:
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):  # the parser recurses, and a thread's stack may be small
        depth += 1 if bracket in "[{" else -1
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")
    plain = json.loads(text, parse_constant=_no_number)
    if not isinstance(plain, dict):
        raise ValueError("it is not an object")
    return plain


def _no_number(name: str) -> float:
    raise ValueError(f"a number must be finite or one of the strings 'inf' and '-inf', got {name}")


def _plain(schedule: _core.Schedule) -> dict[str, Any]:
    scaling, mapping = schedule._scaling, schedule._map
    return {
        "pieces": [_plain_piece(piece) for piece in schedule._pieces],
        "cycles": schedule._cycles,
        "cycle_mult": schedule._cycle_mult,
        "scaling": {
            "per": scaling.per,
            "gamma": scaling.gamma,
            "floor": scaling.floor,
            "factors": list(scaling.factors),
        },
        "map": {
            "scale": mapping.scale,
            "shift": mapping.shift,
            "low": _text(mapping.low),
            "high": _text(mapping.high),
        },
    }


def _plain_piece(piece: _core.Piece) -> dict[str, Any]:
    if piece.nested is not None:
        return {"until": _text(piece.until), "schedule": _plain(piece.nested)}
    curve = piece.curve
    assert curve is not None  # a piece has one or the other
    plain = {
        "until": _text(piece.until),
        "shape": curve.shape,
        "start": curve.start,
        "end": curve.end,
        "param": curve.param,
    }
    return {**plain, "rest": piece.rest} if piece.rest else plain


def _arguments(plain: Any) -> dict[str, Any]:
    _check_keys("a schedule", plain, ["pieces", "cycles", "cycle_mult", "scaling", "map"])
    scaling, mapping = plain["scaling"], plain["map"]
    _check_keys("scaling", scaling, ["per", "gamma", "floor", "factors"])
    _check_keys("map", mapping, ["scale", "shift", "low", "high"])
    if type(plain["cycles"]) is not int:
        raise ValueError(f"cycles must be an integer, got {reprlib.repr(plain['cycles'])}")
    return {
        "pieces": [_piece(piece) for piece in _list("pieces", plain["pieces"])],
        "cycles": plain["cycles"],
        "cycle_mult": _number(plain["cycle_mult"]),
        "scaling": _core.Scaling(
            scaling["per"],
            gamma=_number(scaling["gamma"]),
            floor=_number(scaling["floor"]),
            factors=[_number(factor) for factor in _list("factors", scaling["factors"])],
        ),
        "map": _core.Map(**{name: _number(value) for name, value in mapping.items()}),
    }


def _piece(plain: Any) -> _core.Piece:
    if isinstance(plain, dict) and "schedule" in plain:
        _check_keys("a piece", plain, ["until", "schedule"])
        nested = _core.Schedule(**_arguments(plain["schedule"]))
        return _core.Piece(_number(plain["until"]), nested=nested)
    _check_keys("a piece", plain, ["until", "shape", "start", "end", "param"], ["rest"])
    curve = _core.Curve(
        plain["shape"], _number(plain["start"]), _number(plain["end"]), _number(plain["param"])
    )
    return _core.Piece(_number(plain["until"]), curve, rest=_number(plain.get("rest", 0.0)))


def _check_keys(what: str, plain: Any, names: Iterable[str], more: Iterable[str] = ()) -> None:
    if not isinstance(plain, dict):
        raise ValueError(f"{what} must be an object, got {reprlib.repr(plain)}")
    if not set(names) <= set(plain) <= {*names, *more}:
        raise ValueError(f"{what} must have {', '.join(names)}, got {reprlib.repr(sorted(plain))}")


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, got {reprlib.repr(value)}")
    return value


def _number(value: Any) -> float:
    if value in ("inf", "-inf") or type(value) in (int, float):
        return float(value)
    raise ValueError(
        f"a number must be finite or one of the strings 'inf' and '-inf', got {reprlib.repr(value)}"
    )


def _text(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
