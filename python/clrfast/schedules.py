"""Every schedule that the field uses, as functions that make an immutable `Schedule`.

All of them check their arguments when the schedule is made: a ValueError or TypeError names the argument,
the value and what is allowed. Rates may be 0 but not negative; steps are counted from 0.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import SupportsIndex

from clrfast import _check
from clrfast._schedule import _ONCE, _UNMAPPED, _UNSCALED, Schedule, concatenate

__all__ = [
    "Schedule",
    "concatenate",
    "constant",
    "cosine",
    "cyclic",
    "discriminative",
    "exp_range",
    "exponential",
    "flat_cosine",
    "hann",
    "inverse_sqrt",
    "linear",
    "multistep",
    "one_cycle",
    "polynomial",
    "ramp",
    "sawtooth",
    "sgdr",
    "step",
    "triangular",
    "triangular2",
    "warmup",
    "warmup_stable_decay",
    "welch",
]

_SHAPES = {"linear": "linear", "cos": "cosine", "cosine": "cosine", "welch": "welch"}
_DECAYS = {"linear": "linear", "cosine": "cosine", "1-sqrt": "root"}
_Curve = tuple[float, str, float, float, float]


def _row(*curves: _Curve) -> Schedule:
    return Schedule(curves, *_ONCE)


def _curve(until: float, shape: str, start: float, end: float, param: float = 0.0) -> _Curve:
    return (float(until), shape, start, end, param)


def _rate(name: str, value: float) -> float:
    return _check.real(name, value, least=0.0)


def _steps(name: str, value: SupportsIndex) -> int:
    return _check.whole(name, value, least=1)


def constant(lr: float) -> Schedule:
    """The same rate forever."""
    rate = _rate("lr", lr)
    return _row(_curve(math.inf, "constant", rate, rate))


def linear(start_lr: float, end_lr: float, total_steps: SupportsIndex) -> Schedule:
    """A straight line from `start_lr` at step 0 to `end_lr` at `total_steps`, held from there on."""
    ends = _rate("start_lr", start_lr), _rate("end_lr", end_lr)
    return _row(_curve(_steps("total_steps", total_steps), "linear", *ends))


def cosine(base_lr: float, total_steps: SupportsIndex, eta_min: float = 0.0) -> Schedule:
    """Half a cosine period from `base_lr` to `eta_min` at `total_steps`, held from there on.

    The closed form of torch's CosineAnnealingLR within its first period; unlike it, the rate does not rise
    again. Loshchilov and Hutter, arXiv:1608.03983, equation 5.
    """
    ends = _rate("base_lr", base_lr), _rate("eta_min", eta_min)
    return _row(_curve(_steps("total_steps", total_steps), "cosine", *ends))


def polynomial(
    base_lr: float, total_steps: SupportsIndex, power: float = 1.0, end_lr: float = 0.0
) -> Schedule:
    """``end_lr + (base_lr - end_lr) * (1 - step / total_steps) ** power``, held at its end.

    The closed form of torch's PolynomialLR and of Keras' PolynomialDecay.

    Args:
        base_lr: The rate at step 0.
        total_steps: When `end_lr` is reached, >= 1.
        power: The exponent, > 0.
        end_lr: The last rate, at most `base_lr`.
    """
    start = _rate("base_lr", base_lr)
    end = _check.real("end_lr", end_lr, least=0.0, most=start)
    exponent = _check.real("power", power, above=0.0)
    length = _steps("total_steps", total_steps)
    shape = "linear" if exponent == 1.0 else "power"  # the same values, and a vector kernel
    return _row(_curve(length, shape, start, end, 0.0 if exponent == 1.0 else exponent))


def exponential(base_lr: float, gamma: float) -> Schedule:
    """``base_lr * gamma ** step``, as torch's ExponentialLR.

    Args:
        base_lr: The rate at step 0.
        gamma: The factor of each step, > 0.
    """
    rate = _rate("base_lr", base_lr)
    scaling = ("step", _check.real("gamma", gamma, above=0.0), 0.0, ())
    return Schedule((_curve(math.inf, "constant", rate, rate),), 1, 1.0, scaling, _UNMAPPED)


def inverse_sqrt(base_lr: float, timescale: float) -> Schedule:
    """``base_lr * sqrt(timescale / (timescale + step))``, without an end.

    After a warm-up of `timescale` steps this is the schedule of Vaswani et al., arXiv:1706.03762,
    section 5.3, and of transformers' get_inverse_sqrt_schedule.

    Args:
        base_lr: The rate at step 0.
        timescale: The step at which the rate has fallen to ``base_lr / sqrt(2)``, > 0.
    """
    rate = _rate("base_lr", base_lr)
    scale = _check.real("timescale", timescale, above=0.0)
    return _row(_curve(math.inf, "inverse_root", rate, 0.0, scale))


def step(base_lr: float, step_size: SupportsIndex, gamma: float = 0.1) -> Schedule:
    """The rate times `gamma` after each `step_size` steps, as torch's StepLR.

    Args:
        base_lr: The rate of the first `step_size` steps.
        step_size: Steps between two falls, >= 1.
        gamma: The factor of each fall, > 0.
    """
    rate = _rate("base_lr", base_lr)
    curve = _curve(_steps("step_size", step_size), "constant", rate, rate)
    scaling = ("cycle", _check.real("gamma", gamma, above=0.0), 0.0, ())
    return Schedule((curve,), 0, 1.0, scaling, _UNMAPPED)


def multistep(base_lr: float, milestones: Sequence[SupportsIndex], gamma: float = 0.1) -> Schedule:
    """The rate times `gamma` at each milestone, as torch's MultiStepLR.

    Args:
        base_lr: The rate until the first milestone.
        milestones: Steps >= 1, each at least the one before; one that is given twice counts twice.
        gamma: The factor of each milestone, > 0.
    """
    rate = _rate("base_lr", base_lr)
    factor = _check.real("gamma", gamma, above=0.0)
    curves, reached = [], 0
    for index, milestone in enumerate(milestones):
        here = _check.whole(f"milestones[{index}]", milestone, least=max(reached, 1))
        if here > reached:
            level = rate * factor**index
            curves.append(_curve(here, "constant", level, level))
        reached = here
    level = rate * factor ** len(milestones)
    return _row(*curves, _curve(math.inf, "constant", level, level))


def ramp(
    start_lr: float,
    end_lr: float,
    num_iter: SupportsIndex,
    *,
    mode: str = "exp",
    staircase: SupportsIndex = 1,
) -> Schedule:
    """The rising rate of an LR range test: `start_lr` at step 0, `end_lr` at step ``num_iter - 1``.

    Args:
        start_lr: The first rate, > 0 in mode 'exp'.
        end_lr: The last rate, at least `start_lr`.
        num_iter: Steps, >= 2.
        mode: 'exp' (equal ratios, as fastai) or 'linear' (equal differences, as Smith 2015).
        staircase: Steps for which each rate is held, >= 1.
    """
    shape = {"exp": "exponential", "linear": "linear"}[_check.choice("mode", mode, ["exp", "linear"])]
    above, least = (-math.inf, 0.0) if shape == "linear" else (0.0, -math.inf)
    start = _check.real("start_lr", start_lr, above=above, least=least)
    end = _check.real("end_lr", end_lr, least=start)
    count = _check.whole("num_iter", num_iter, least=2)
    held = _check.whole("staircase", staircase, least=1, most=count)
    if held == 1:
        return _row(_curve(count - 1, shape, start, end))
    levels = -(-count // held)
    rise = _row(_curve(max(levels - 1, 1), shape, start, end)).values(0, levels)
    stairs = (((i + 1) * held, "constant", float(v), float(v)) for i, v in enumerate(rise))
    return _row(*(_curve(*stair) for stair in stairs))


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
    total_steps: SupportsIndex | None = None,
) -> Schedule:
    """The rate goes up and down between two bounds, forever: the general form of the cyclical policies.

    Smith, arXiv:1506.01186, with the arguments of torch's CyclicLR.

    Args:
        base_lr: The lowest rate, >= 0.
        max_lr: The highest rate of the first cycle, at least `base_lr`.
        step_size_up: Steps from `base_lr` to `max_lr`, > 0.
        step_size_down: Steps back down, >= 0 (0 drops at once); None means `step_size_up`.
        shape: 'linear' (triangular), 'cosine' (Hann) or 'welch' (parabolic).
        gamma: The amplitude is multiplied by ``gamma ** index``, > 0.
        scale_fn: A function of the index that takes gamma's place. It is called once for each index of the
            first `total_steps` steps when the schedule is made, and never afterwards.
        scale_mode: Whether the index counts each 'cycle' (from 0 for gamma, from 1 for `scale_fn`, as torch
            does) or 'iterations', the steps from 0.
        total_steps: For how many steps `scale_fn` is tabulated, >= 1; its last value holds from there on.

    Raises:
        ValueError: An argument is out of its range, or `scale_fn` returns what is not finite.
        TypeError: `scale_fn` is given without `total_steps`.
    """
    low = _rate("base_lr", base_lr)
    high = _check.real("max_lr", max_lr, least=low)
    most = 2.0**52
    up = _check.real("step_size_up", step_size_up, above=0.0, most=most)
    down = up
    if step_size_down is not None:
        down = _check.real("step_size_down", step_size_down, least=0.0, most=most)
    form = _SHAPES[_check.choice("shape", shape, _SHAPES)]
    per = {"cycle": "cycle", "iterations": "step"}[
        _check.choice("scale_mode", scale_mode, ["cycle", "iterations"])
    ]
    factor = _check.real("gamma", gamma, above=0.0)
    scaling: tuple[str, float, float, tuple[float, ...]] = _UNSCALED
    if scale_fn is not None:
        if total_steps is None:
            raise TypeError("scale_fn needs total_steps: for how many steps it is tabulated")
        steps = _steps("total_steps", total_steps)
        indices = range(steps) if per == "step" else range(1, math.ceil(steps / (up + down)) + 1)
        table = tuple(_check.real(f"scale_fn({i})", scale_fn(i)) for i in indices)
        scaling = (per, 1.0, low, table)
    elif factor != 1.0:
        scaling = (per, factor, low, ())
    curves = [_curve(up, form, low, high)]
    if down > 0:
        curves.append(_curve(up + down, form, high, low))
    return Schedule(tuple(curves), 0, 1.0, scaling, _UNMAPPED)


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
    """As `triangular`, with half the amplitude in each next cycle, however many there are."""
    return cyclic(base_lr, max_lr, step_size_up, step_size_down, gamma=0.5)


def exp_range(
    base_lr: float,
    max_lr: float,
    step_size_up: float = 2000,
    step_size_down: float | None = None,
    gamma: float = 0.99994,
) -> Schedule:
    """As `triangular`, with the amplitude times ``gamma ** step`` (gamma > 0)."""
    return cyclic(base_lr, max_lr, step_size_up, step_size_down, gamma=gamma, scale_mode="iterations")


def welch(
    base_lr: float, max_lr: float, step_size_up: float = 2000, step_size_down: float | None = None
) -> Schedule:
    """As `triangular`, with a parabola (Welch's window) for a triangle: arXiv:1506.01186, section 3.1."""
    return cyclic(base_lr, max_lr, step_size_up, step_size_down, shape="welch")


def hann(
    base_lr: float, max_lr: float, step_size_up: float = 2000, step_size_down: float | None = None
) -> Schedule:
    """As `triangular`, with a raised cosine (Hann's window) for a triangle: arXiv:1506.01186, section 3.1."""
    return cyclic(base_lr, max_lr, step_size_up, step_size_down, shape="cosine")


def sawtooth(base_lr: float, max_lr: float, step_size: float = 2000) -> Schedule:
    """Straight up from `base_lr` towards `max_lr` in `step_size` steps, then at once down, forever."""
    return cyclic(base_lr, max_lr, step_size, 0)


def one_cycle(
    max_lr: float,
    total_steps: SupportsIndex,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
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
        anneal_strategy: 'cos' or 'linear'.
        div_factor: The first rate is ``max_lr / div_factor``, > 0.
        final_div_factor: The last rate is the first one divided by this, > 0.
        three_phase: Fall back to the first rate as fast as it rose, and only then to the last one.
    """
    peak = _rate("max_lr", max_lr)
    steps = _steps("total_steps", total_steps)
    share = _check.real("pct_start", pct_start, least=0.0, most=0.5 if three_phase else 1.0)
    shape = _SHAPES[_check.choice("anneal_strategy", anneal_strategy, ["cos", "linear"])]
    first = peak / _check.real("div_factor", div_factor, above=0.0)
    last = first / _check.real("final_div_factor", final_div_factor, above=0.0)
    end = steps - 1.0
    top = min(max(share * steps - 1.0, 0.0), end)
    joins = [(0.0, first), (top, peak)]
    if three_phase:
        joins.append((min(max(2.0 * share * steps - 2.0, top), end), first))
    joins.append((end, last))
    curves = [
        _curve(there, shape, start, stop)
        for (here, start), (there, stop) in zip(joins, joins[1:])
        if there > here
    ]
    return _row(*curves) if curves else constant(last)


def sgdr(
    base_lr: float,
    T_0: SupportsIndex,  # noqa: N803 - torch's names
    T_mult: float = 1.0,  # noqa: N803
    eta_min: float = 0.0,
    *,
    gamma: float = 1.0,
    cycles: SupportsIndex | None = None,
) -> Schedule:
    """Cosine annealing with warm restarts: Loshchilov and Hutter, arXiv:1608.03983, equation 5.

    Matches torch's CosineAnnealingWarmRestarts, with right values on every restart however far it is.

    Args:
        base_lr: The rate after each restart, at least `eta_min`.
        T_0: Steps of the first cycle, >= 1.
        T_mult: Cycle c lasts ``round(T_0 * T_mult ** c)`` steps, >= 1 and not only a whole number.
        eta_min: The lowest rate, >= 0.
        gamma: The peak's distance from `eta_min` is multiplied by this at each restart, > 0.
        cycles: How many cycles are run, >= 1, before `eta_min` is held; None means forever.
    """
    low = _rate("eta_min", eta_min)
    high = _check.real("base_lr", base_lr, least=low)
    curve = _curve(_steps("T_0", T_0), "cosine", high, low)
    mult = _check.real("T_mult", T_mult, least=1.0)
    factor = _check.real("gamma", gamma, above=0.0)
    count = 0 if cycles is None else _check.whole("cycles", cycles, least=1)
    scaling = _UNSCALED if factor == 1.0 else ("cycle", factor, low, ())
    return Schedule((curve,), count, mult, scaling, _UNMAPPED)


def warmup(
    following: Schedule,
    warmup_steps: SupportsIndex,
    *,
    start_factor: float | None = None,
    shape: str = "linear",
) -> Schedule:
    """Rise to the first value of a schedule, and then run it from its step 0.

    Args:
        following: The schedule after the warm-up.
        warmup_steps: How many steps the warm-up takes, >= 1.
        start_factor: The first rate as a share of `following`'s first value, from 0 to 1 (above 0 in shape
            'exponential'); None means 0, or 0.001 in shape 'exponential'.
        shape: 'linear', 'cosine' or 'exponential'.
    """
    form = _check.choice("shape", shape, ["linear", "cosine", "exponential"])
    if not isinstance(following, Schedule):
        raise TypeError(f"following must be a Schedule, got {following!r}")
    length = _steps("warmup_steps", warmup_steps)
    share = (1e-3 if form == "exponential" else 0.0) if start_factor is None else start_factor
    if form == "exponential":
        share = _check.real("start_factor", share, above=0.0, most=1.0)
    else:
        share = _check.real("start_factor", share, least=0.0, most=1.0)
    peak = following(0)
    return concatenate([_row(_curve(length, form, share * peak, peak)), following])


def warmup_stable_decay(
    base_lr: float,
    warmup_steps: SupportsIndex,
    stable_steps: SupportsIndex,
    decay_steps: SupportsIndex,
    *,
    decay: str = "1-sqrt",
    start_factor: float = 0.0,
    end_factor: float = 0.0,
) -> Schedule:
    """Rise, stay, fall: Hu et al., arXiv:2404.06395, with the falls of Hägele et al., arXiv:2405.18392.

    Args:
        base_lr: The rate of the stable phase, >= 0.
        warmup_steps: Steps of the linear rise, >= 0.
        stable_steps: Steps at `base_lr`, >= 0.
        decay_steps: Steps of the fall, >= 0; the last rate is held from there on.
        decay: 'linear', 'cosine' or '1-sqrt'.
        start_factor: The first rate as a share of `base_lr`, from 0 to 1.
        end_factor: The last rate as a share of `base_lr`, from 0 to 1.

    Raises:
        ValueError: All three phases are empty, or an argument is out of its range.
    """
    peak = _rate("base_lr", base_lr)
    lengths = [
        _check.whole(name, value)
        for name, value in (
            ("warmup_steps", warmup_steps),
            ("stable_steps", stable_steps),
            ("decay_steps", decay_steps),
        )
    ]
    start = peak * _check.real("start_factor", start_factor, least=0.0, most=1.0)
    last = peak * _check.real("end_factor", end_factor, least=0.0, most=1.0)
    fall = _DECAYS[_check.choice("decay", decay, _DECAYS)]
    forms = [("linear", start, peak), ("constant", peak, peak), (fall, peak, last)]
    ends = itertools.accumulate(lengths)
    curves = [_curve(end, *form) for end, length, form in zip(ends, lengths, forms) if length > 0]
    if not curves:
        raise ValueError("one of warmup_steps, stable_steps and decay_steps must be > 0, got 0, 0 and 0")
    return _row(*curves)


def flat_cosine(
    base_lr: float, total_steps: SupportsIndex, pct_start: float = 0.75, end_lr: float = 0.0
) -> Schedule:
    """Flat for a share of the steps and then half a cosine period, as fastai's fit_flat_cos.

    Args:
        base_lr: The rate of the flat part, >= 0.
        total_steps: Steps in all, >= 1.
        pct_start: The share of them that is flat, from 0 to 1; the join is rounded to a whole step.
        end_lr: The last rate, at most `base_lr`.
    """
    peak = _rate("base_lr", base_lr)
    end = _check.real("end_lr", end_lr, least=0.0, most=peak)
    steps = _steps("total_steps", total_steps)
    flat = round(steps * _check.real("pct_start", pct_start, least=0.0, most=1.0))
    curves = [(flat, "constant", peak, peak), (steps, "cosine", peak, end)]
    return _row(*(_curve(*curve) for curve in curves[flat == 0 : 1 + (flat < steps)]))


def discriminative(
    schedule: Schedule,
    factors: Sequence[float] | None = None,
    *,
    lowest: float | None = None,
    highest: float = 1.0,
    groups: SupportsIndex | None = None,
) -> list[Schedule]:
    """One schedule a layer group: differential (discriminative) learning rates, as fastai's ``slice(lr)``.

    Args:
        schedule: The schedule that each group's is a multiple of.
        factors: The multiples, each >= 0, or None to spread `groups` of them in equal ratios:
        lowest: the multiple of the first group, > 0;
        highest: the multiple of the last group, > 0;
        groups: how many groups there are, >= 2.

    Returns:
        A list of schedules, first layers first.

    Raises:
        TypeError: Neither `factors` nor both of `lowest` and `groups` are given, or all are.
        ValueError: A value is out of its range.
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule must be a Schedule, got {schedule!r}")
    if (factors is None) == (lowest is None) or (lowest is None) != (groups is None):
        raise TypeError("give either factors, or lowest and groups")
    if factors is None:
        assert lowest is not None  # as just checked
        assert groups is not None
        first = _check.real("lowest", lowest, above=0.0)
        last = _check.real("highest", highest, above=0.0)
        count = _check.whole("groups", groups, least=2)
        factors = [first * (last / first) ** (i / (count - 1)) for i in range(count)]
    return [
        schedule.scaled(_check.real(f"factors[{i}]", factor, least=0.0)) for i, factor in enumerate(factors)
    ]
