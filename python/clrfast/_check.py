"""Checks of arguments: each names the argument, the value and what is allowed."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex, TypeVar

T = TypeVar("T")


def real(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
) -> float:
    """The finite number that `value` is: greater than `above`, from `least` to `most`, less than `below`."""
    if isinstance(value, (bool, str)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if math.isfinite(number) and above < number < below and least <= number <= most:
        return number
    bounds = []
    if above > -math.inf:
        bounds.append(f"> {_text(above)}")
    if least > -math.inf:
        bounds.append(f">= {_text(least)}")
    if most < math.inf:
        bounds.append(f"<= {_text(most)}")
    if below < math.inf:
        bounds.append(f"< {_text(below)}")
    raise ValueError(f"{name} must be {' and '.join(['finite', *bounds])}, got {value!r}")


def _text(bound: float) -> str:
    """A bound as people write it, and exactly."""
    number = float(bound)
    return repr(int(number)) if number.is_integer() and abs(number) < 1e17 else repr(number)


def whole(name: str, value: SupportsIndex, *, least: int = 0, most: int = 2**53) -> int:
    """The integer that `value` is, from `least` to `most`."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} must be an integer from {least} to {most}, got {number}")
    return number


def choice(name: str, value: T, allowed: Iterable[T]) -> T:
    """The value itself, where it is one of those allowed."""
    options = list(allowed)
    if value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise ValueError(f"{name} must be one of {listed}, got {value!r}")
    return value


def beta(value: float) -> float:
    """The share that a moving average keeps in each step, at least 0 and less than 1."""
    return real("beta", value, least=0.0, below=1.0)
