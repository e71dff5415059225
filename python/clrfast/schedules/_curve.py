"""What the functions that make schedules share: pieces of tables, and checks of rates and steps."""

from __future__ import annotations

from typing import SupportsIndex

from clrfast import _check
from clrfast.schedules._schedule import _ONCE, Schedule

SHAPES = {"linear": "linear", "cos": "cosine", "cosine": "cosine", "welch": "welch"}
DECAYS = {"linear": "linear", "cosine": "cosine", "1-sqrt": "root"}
Curve = tuple[float, str, float, float, float]


def row(*curves: Curve) -> Schedule:
    """Return the schedule that runs these curves once."""
    return Schedule(curves, *_ONCE)


def piece(until: float, shape: str, start: float, end: float, param: float = 0.0) -> Curve:
    """Return a piece of a table."""
    return (float(until), shape, start, end, param)


def check_rate(name: str, value: float) -> float:
    """Return a rate that is not negative."""
    return _check.real(name, value, least=0.0)


def check_steps(name: str, value: SupportsIndex) -> int:
    """Return a number of steps, at least one."""
    return _check.whole(name, value, least=1)
