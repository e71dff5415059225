"""What the functions that make schedules share: pieces, and checks of rates and steps."""

from __future__ import annotations

from typing import SupportsIndex

from clrfast import _check, _core
from clrfast.schedules._schedule import Schedule


def row(*pieces: _core.Piece) -> Schedule:
    """Return the schedule that runs these pieces once."""
    return Schedule(pieces)


def piece(until: float, shape: str, start: float, end: float, param: float = 0.0) -> _core.Piece:
    """Return the piece of a row that ends at the step `until`; `param` is that of the shape."""
    return _core.Piece(until, _core.Curve(shape, start, end, param))


def held(until: float, lr: float) -> _core.Piece:
    """Return the piece that stays at one rate."""
    return piece(until, "constant", lr, lr)


def check_rate(name: str, value: float) -> float:
    """Return a rate that is not negative."""
    return _check.real(name, value, least=0.0)


def check_steps(name: str, value: SupportsIndex) -> int:
    """Return a number of steps, at least one."""
    return _check.whole(name, value, least=1)


def check_gamma(value: float) -> float:
    """Return a factor that lets no rate rise."""
    return _check.real("gamma", value, above=0.0, most=1.0)
