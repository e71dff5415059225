"""Schedules that go up and down: the cyclical policies, one-cycle, warm restarts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import SupportsIndex

from clrfast import _check, _core
from clrfast.schedules._curve import check_gamma, check_rate, check_steps, held, piece, row
from clrfast.schedules._schedule import Schedule


def cyclic(
    base_lr: float,
    max_lr: float,
    step_size_up: float = 2000,
    step_size_down: float | None = None,
    *,
    shape: str = "linear",
    gamma: float = 1.0,
    scale_fn: Callable[[float], float] | None = None,
    scale_mode: str = "cycle",
    scale_steps: SupportsIndex | None = None,
) -> Schedule:
    """The rate goes up and down between two bounds, forever: the general form of the cyclical policies.

    Smith, arXiv:1506.01186, with the arguments of torch's CyclicLR.

    Args:
        base_lr: The lowest rate, >= 0.
        max_lr: The highest rate of the first cycle, at least `base_lr`.
        step_size_up: Steps from `base_lr` to `max_lr`, > 0.
        step_size_down: Steps back down, >= 0 (0 drops at once); None means `step_size_up`.
        shape: 'linear' (triangular), 'cosine' (Hann) or 'welch' (parabolic).
        gamma: The amplitude is multiplied by ``gamma ** index``, > 0 and <= 1.
        scale_fn: A function of the index that takes gamma's place. It is called once for each index of the
            first `scale_steps` steps when the schedule is made, and never afterwards.
        scale_mode: Whether the index counts each 'cycle' (from 0 for gamma, from 1 for `scale_fn`, as torch
            does) or 'iterations', the steps from 0.
        scale_steps: For how many steps `scale_fn` is tabulated, >= 1; its last value holds from there on.

    Raises:
        ValueError: An argument is out of its range, or `scale_fn` returns what is not finite.
        TypeError: `scale_fn` is given without `scale_steps`.
    """
    low = check_rate("base_lr", base_lr)
    high = _check.real("max_lr", max_lr, least=low)
    most = 2.0**52
    up = _check.real("step_size_up", step_size_up, above=0.0, most=most)
    down = up
    if step_size_down is not None:
        down = _check.real("step_size_down", step_size_down, least=0.0, most=most)
    form = _check.choice("shape", shape, ["linear", "cosine", "welch"])
    per = {"cycle": "cycle", "iterations": "step"}[
        _check.choice("scale_mode", scale_mode, ["cycle", "iterations"])
    ]
    factor = check_gamma(gamma)
    scaling = _core.Scaling(per if factor < 1.0 else "none", gamma=factor, floor=low)
    if scale_fn is not None:
        if scale_steps is None:
            raise TypeError("scale_steps must be given with scale_fn: for how many steps it is tabulated")
        steps = check_steps("scale_steps", scale_steps)
        indices = range(steps) if per == "step" else range(1, math.ceil(steps / (up + down)) + 1)
        factors = [_check.real(f"scale_fn({i})", scale_fn(i)) for i in indices]
        scaling = _core.Scaling(per, floor=low, factors=factors)
    return cycles_of(low, high, up, down, shape=form, scaling=scaling)


def cycles_of(
    low: float, high: float, up: float, down: float, *, shape: str = "linear", scaling: _core.Scaling
) -> Schedule:
    """Return the cycles of `up` steps from `low` to `high` and `down` steps back, of whatever scaling."""
    period = up + down
    rest = math.fsum([up, down, -period])  # what the sum lost to rounding, or far cycles would drift
    rise = _core.Piece(up, _core.Curve(shape, low, high))
    fall = _core.Piece(period, _core.Curve(shape, high, low), rest=rest)
    return Schedule([rise, fall] if down > 0 else [rise], cycles=0, scaling=scaling)


def triangular(
    base_lr: float, max_lr: float, step_size_up: float = 2000, step_size_down: float | None = None
) -> Schedule:
    """Straight up from `base_lr` to `max_lr` and down again, forever: Smith, arXiv:1506.01186, section 3.

    Args:
        base_lr: The lowest rate, >= 0.
        max_lr: The highest rate, at least `base_lr`.
        step_size_up: Steps up, > 0 (the paper's stepsize).
        step_size_down: Steps down, >= 0; None means `step_size_up`.
    """
    return cyclic(base_lr, max_lr, step_size_up, step_size_down)


def triangular2(
    base_lr: float, max_lr: float, step_size_up: float = 2000, step_size_down: float | None = None
) -> Schedule:
    """As `triangular`, with half the amplitude in each next cycle: Smith, arXiv:1506.01186, section 3.

    Args:
        base_lr: The lowest rate, >= 0.
        max_lr: The highest rate of the first cycle, at least `base_lr`.
        step_size_up: Steps up, > 0.
        step_size_down: Steps down, >= 0; None means `step_size_up`.
    """
    return cyclic(base_lr, max_lr, step_size_up, step_size_down, gamma=0.5)


def exp_range(
    base_lr: float,
    max_lr: float,
    step_size_up: float = 2000,
    step_size_down: float | None = None,
    gamma: float = 0.99994,
) -> Schedule:
    """As `triangular`, with the amplitude times ``gamma ** step``: Smith, arXiv:1506.01186, section 3.

    Args:
        base_lr: The lowest rate, >= 0.
        max_lr: The highest rate at step 0, at least `base_lr`.
        step_size_up: Steps up, > 0.
        step_size_down: Steps down, >= 0; None means `step_size_up`.
        gamma: The factor of each step, > 0 and <= 1.
    """
    return cyclic(base_lr, max_lr, step_size_up, step_size_down, gamma=gamma, scale_mode="iterations")


def welch(
    base_lr: float, max_lr: float, step_size_up: float = 2000, step_size_down: float | None = None
) -> Schedule:
    """As `triangular`, with a parabola (Welch's window) for a triangle: arXiv:1506.01186, section 3.1.

    Args:
        base_lr: The lowest rate, >= 0.
        max_lr: The highest rate, at least `base_lr`.
        step_size_up: Steps up, > 0.
        step_size_down: Steps down, >= 0; None means `step_size_up`.
    """
    return cyclic(base_lr, max_lr, step_size_up, step_size_down, shape="welch")


def hann(
    base_lr: float, max_lr: float, step_size_up: float = 2000, step_size_down: float | None = None
) -> Schedule:
    """As `triangular`, with a raised cosine (Hann's window) for a triangle: arXiv:1506.01186, section 3.1.

    Args:
        base_lr: The lowest rate, >= 0.
        max_lr: The highest rate, at least `base_lr`.
        step_size_up: Steps up, > 0.
        step_size_down: Steps down, >= 0; None means `step_size_up`.
    """
    return cyclic(base_lr, max_lr, step_size_up, step_size_down, shape="cosine")


def sawtooth(base_lr: float, max_lr: float, step_size_up: float = 2000) -> Schedule:
    """Straight up from `base_lr` towards `max_lr`, then at once down, forever.

    Args:
        base_lr: The lowest rate, >= 0.
        max_lr: The rate that each rise is cut off at, at least `base_lr`.
        step_size_up: Steps of a rise, > 0.
    """
    return cyclic(base_lr, max_lr, step_size_up, 0)


def one_cycle(
    max_lr: float,
    total_steps: SupportsIndex,
    pct_start: float = 0.3,
    shape: str = "cosine",
    *,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> Schedule:
    """One rise and one fall: Smith and Topin, arXiv:1708.07120, as torch's OneCycleLR.

    The phases end where torch's do, at step ``pct_start * total_steps - 1`` and at ``total_steps - 1``, but
    the last rate is held from there on, where torch's rises again or turns negative.

    Args:
        max_lr: The peak, >= 0.
        total_steps: Steps of the whole cycle, >= 1. One that leaves a phase no room skips it.
        pct_start: The share of the steps that rise, from 0 to 1 (0.5 at most with `three_phase`).
        shape: 'cosine' or 'linear', of each phase.
        div_factor: The first rate is ``max_lr / div_factor``, > 0.
        final_div_factor: The last rate is the first one divided by this, > 0.
        three_phase: Fall back to the first rate as fast as it rose, and only then to the last one.
    """
    peak = check_rate("max_lr", max_lr)
    steps = check_steps("total_steps", total_steps)
    share = _check.real("pct_start", pct_start, least=0.0, most=0.5 if three_phase else 1.0)
    form = _check.choice("shape", shape, ["cosine", "linear"])
    first = peak / _check.real("div_factor", div_factor, above=0.0)
    last = first / _check.real("final_div_factor", final_div_factor, above=0.0)
    end = steps - 1.0
    top = min(max(share * steps - 1.0, 0.0), end)
    joins = [(0.0, first), (top, peak)]
    if three_phase:
        joins.append((min(max(2.0 * share * steps - 2.0, top), end), first))
    joins.append((end, last))
    phases = []
    for (here, start), (there, stop) in zip(joins, joins[1:]):
        if there > here:
            phases.append(piece(there, form, start, stop))
            last = stop
    return row(*phases, held(steps, last))


def sgdr(
    max_lr: float,
    T_0: SupportsIndex,  # noqa: N803 - torch's names
    T_mult: float = 1.0,  # noqa: N803
    min_lr: float = 0.0,
    *,
    gamma: float = 1.0,
    cycles: SupportsIndex | None = None,
) -> Schedule:
    """Cosine annealing with warm restarts: Loshchilov and Hutter, arXiv:1608.03983, equation 5.

    Matches torch's CosineAnnealingWarmRestarts, with right values on every restart however far it is.

    Args:
        max_lr: The rate after each restart, at least `min_lr`.
        T_0: Steps of the first cycle, >= 1.
        T_mult: Cycle c lasts ``round(T_0 * T_mult ** c)`` steps (in float64 where T_mult is no whole number),
            >= 1.
        min_lr: The lowest rate, >= 0.
        gamma: The peak's distance from `min_lr` is multiplied by this at each restart, > 0 and <= 1.
        cycles: How many cycles are run, >= 1, before `min_lr` is held; None means forever.
    """
    low = check_rate("min_lr", min_lr)
    high = _check.real("max_lr", max_lr, least=low)
    fall = piece(check_steps("T_0", T_0), "cosine", high, low)
    factor = check_gamma(gamma)
    return Schedule(
        [fall],
        cycles=0 if cycles is None else _check.whole("cycles", cycles, least=1),
        cycle_mult=_check.real("T_mult", T_mult, least=1.0),
        scaling=_core.Scaling("cycle" if factor < 1.0 else "none", gamma=factor, floor=low),
    )
