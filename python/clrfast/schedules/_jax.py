"""A schedule as a function that JAX traces: the core's arithmetic in JAX's integers and floats.

Steps are counted in integers, as in the core, so that each curve is measured from its nearer end without
cancellation however far the step is. All numbers are made once, in float64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import numpy as np

from clrfast import _core

_MOST = 2**31 - 1  # the last step of JAX's integers
_SHORTEST = 1e-3
Function = Callable[[Any], Any]

# Of curves that weigh their ends: the weight of the higher one. b and a are the distances from the lower and
# the higher end as shares of the length, and p is the parameter.
_WEIGHTS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "linear": lambda b, a, p: b,
    "cosine": lambda b, a, p: jnp.sin(jnp.pi / 2 * b) ** 2,
    "welch": lambda b, a, p: b * (2 - b),
    "power": lambda b, a, p: jnp.exp(p * jnp.where(a < b, jnp.log1p(-a), jnp.log(b))),
    "1-sqrt": lambda b, a, p: b / (1 + jnp.sqrt(a)),
    "rex": lambda b, a, p: 2 * b / (1 + b),
}


def traced(schedule: _core.Schedule) -> Function:
    """Return the function that `Schedule.to_optax` describes."""
    inner = _function(schedule)

    def value(step: Any) -> Any:
        steps = jnp.asarray(step)
        if not jnp.issubdtype(steps.dtype, jnp.integer):
            raise TypeError(f"step must be an integer or an array of integers, got {steps.dtype}")
        if np.iinfo(steps.dtype).max > _MOST:
            steps = jnp.minimum(steps, _MOST)
        return inner(jnp.maximum(steps, 0).astype(jnp.int32))

    return value


def _function(schedule: _core.Schedule) -> Function:
    """Return a function of int32 steps >= 0."""
    scaling, mapping, total = schedule._scaling, schedule._map, schedule._total_steps
    period, unit = _period(schedule)
    places = [place for place in _places(schedule) if place[0] * unit <= _MOST]
    row = _row(places, unit)
    cycles = np.array([cycle for *_, cycle in places], np.int32)
    held = schedule(total) if total <= _MOST else None

    def value(step: Any) -> Any:
        parts = step % period * unit if period else step  # every `period` steps `unit` cycles are over
        result, index = row(parts % period if period else parts)
        if scaling.per != "none":
            cycle = step // period * unit + parts // period if period else jnp.asarray(cycles)[index]
            factor = _factor(scaling, cycle if scaling.per == "cycle" else step)
            result = scaling.floor + factor * (result - scaling.floor)
        if not mapping.changes_nothing:
            result = jnp.clip(result * mapping.scale + mapping.shift, mapping.low, mapping.high)
        return result if held is None else jnp.where(step >= total, held, result)

    return value


def _period(schedule: _core.Schedule) -> tuple[int, int]:
    """Return the length of equal cycles as a fraction, whose parts of a step int32 counts; 0 for none."""
    last = schedule._pieces[-1]
    if schedule._cycles == 1 or schedule._cycle_mult > 1.0 or last.until > _MOST:
        return 0, 1
    if last.until < _SHORTEST:
        raise ValueError(f"cycles must last at least {_SHORTEST} steps for JAX, got {last.until}")
    length = Fraction(last.until) + Fraction(last.rest)
    length = length.limit_denominator(max(math.isqrt(_MOST // math.ceil(length)), 1))
    return length.numerator, length.denominator


def _places(schedule: _core.Schedule) -> list[tuple[float, float, _core.Piece, int]]:
    """Return first step, end, piece and cycle of all in one cycle, or in all cycles where they grow."""
    length, mult = schedule._pieces[-1].until, schedule._cycle_mult
    places: list[tuple[float, float, _core.Piece, int]] = []
    begin = 0.0
    for cycle in itertools.count():
        lasts = math.floor(min(length * mult**cycle, 2.0**62) + 0.5) if mult > 1.0 else length
        first = begin
        for piece in schedule._pieces:
            until = begin + (piece.until * (lasts / length) if mult > 1.0 else piece.until)
            places.append((first, until, piece, cycle))
            first = until
        begin += lasts
        if mult == 1.0 or begin > _MOST or cycle + 1 == schedule._cycles:
            return places
    raise AssertionError("not reached: the count has no end")


def _row(places: list[tuple[float, float, _core.Piece, int]], unit: int) -> Function:
    """Return a function of the parts since a cycle began: the value, and which place it is in."""
    curves = [piece.curve or _core.Curve("constant", 0.0, 0.0) for _, _, piece, _ in places]
    first, until = (np.array(ends) * unit for ends in ([p[0] for p in places], [p[1] for p in places]))
    begins = np.ceil(first).astype(np.int32)
    whole_first, whole_until = (np.minimum(np.floor(ends), _MOST) for ends in (first, until))
    logs = [math.log(c.end) - math.log(c.start) if c.shape == "exponential" else 0.0 for c in curves]
    shapes = sorted({curve.shape for curve in curves})
    which = np.array([shapes.index(curve.shape) for curve in curves])
    nested = [(i, _function(place[2].nested)) for i, place in enumerate(places) if place[2].nested]

    def value(parts: Any) -> tuple[Any, Any]:
        real = jnp.result_type(float)
        index = jnp.searchsorted(jnp.asarray(begins), parts, side="right") - 1

        def here(column: Any, dtype: Any = real) -> Any:
            return jnp.asarray(np.asarray(column), dtype)[index]

        start, end, param = (here([getattr(c, name) for c in curves]) for name in ("start", "end", "param"))
        k = (parts - here(whole_first, jnp.int32)).astype(real) - here(first - whole_first)
        r = (here(whole_until, jnp.int32) - parts).astype(real) + here(until - whole_until)
        x, y, steps = k / here(until - first), r / here(until - first), k / unit
        b, a = jnp.where(end >= start, x, y), jnp.where(end >= start, y, x)
        low, span, log = jnp.minimum(start, end), jnp.abs(end - start), here(logs)
        result = jnp.zeros_like(start)
        for i, shape in enumerate(shapes):
            if shape == "constant":
                found = start
            elif shape == "exponential":
                found = jnp.where(x <= y, start * jnp.exp(log * x), end * jnp.exp(-log * y))
            elif shape == "inverse_sqrt":
                found = start * jnp.sqrt(param / (param + steps))
            elif shape == "power_law":
                found = start * steps**param
            else:
                found = low + span * _WEIGHTS[shape](b, a, param)
            result = jnp.where(here(which, jnp.int32) == i, found, result)
        for i, inner in nested:
            result = jnp.where(index == i, inner(jnp.maximum(parts - begins[i], 0)), result)
        return result, index

    return value


def _factor(scaling: _core.Scaling, index: Any) -> Any:
    if scaling.factors:
        return jnp.asarray(scaling.factors)[jnp.minimum(index, len(scaling.factors) - 1)]
    # A product of gamma's powers of two, each rounded once: more exact than an exponential of float32.
    with np.errstate(over="ignore", under="ignore"):
        powers = jnp.asarray(np.float64(scaling.gamma) ** 2.0 ** np.arange(31))
    return jnp.prod(jnp.where(index[..., None] >> jnp.arange(31) & 1 == 1, powers, 1.0), axis=-1)
