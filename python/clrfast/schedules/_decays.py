"""Schedules that go one way: constants, lines, decays, and the ramp of a range test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import SupportsIndex

from clrfast import _check
from clrfast.schedules._curve import DECAYS, check_rate, check_steps, piece, row
from clrfast.schedules._schedule import _UNMAPPED, Schedule


def constant(lr: float) -> Schedule:
    """The same rate forever."""
    rate = check_rate("lr", lr)
    return row(piece(math.inf, "constant", rate, rate))


def linear(start_lr: float, end_lr: float, total_steps: SupportsIndex) -> Schedule:
    """A straight line from `start_lr` at step 0 to `end_lr` at `total_steps`, held from there on."""
    ends = check_rate("start_lr", start_lr), check_rate("end_lr", end_lr)
    return row(piece(check_steps("total_steps", total_steps), "linear", *ends))


def cosine(base_lr: float, total_steps: SupportsIndex, eta_min: float = 0.0) -> Schedule:
    """Half a cosine period from `base_lr` to `eta_min` at `total_steps`, held from there on.

    The closed form of torch's CosineAnnealingLR within its first period; unlike it, the rate does not rise
    again. Loshchilov and Hutter, arXiv:1608.03983, equation 5.
    """
    ends = check_rate("base_lr", base_lr), check_rate("eta_min", eta_min)
    return row(piece(check_steps("total_steps", total_steps), "cosine", *ends))


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
    start = check_rate("base_lr", base_lr)
    end = _check.real("end_lr", end_lr, least=0.0, most=start)
    exponent = _check.real("power", power, above=0.0)
    length = check_steps("total_steps", total_steps)
    shape = "linear" if exponent == 1.0 else "power"  # the same values, and a vector kernel
    return row(piece(length, shape, start, end, 0.0 if exponent == 1.0 else exponent))


def exponential(base_lr: float, gamma: float) -> Schedule:
    """``base_lr * gamma ** step``, as torch's ExponentialLR.

    Args:
        base_lr: The rate at step 0.
        gamma: The factor of each step, > 0.
    """
    rate = check_rate("base_lr", base_lr)
    scaling = ("step", _check.real("gamma", gamma, above=0.0), 0.0, ())
    return Schedule((piece(math.inf, "constant", rate, rate),), 1, 1.0, scaling, _UNMAPPED)


def inverse_sqrt(base_lr: float, timescale: float) -> Schedule:
    """``base_lr * sqrt(timescale / (timescale + step))``, without an end.

    After a warm-up of `timescale` steps this is the schedule of Vaswani et al., arXiv:1706.03762,
    section 5.3, and of transformers' get_inverse_sqrt_schedule.

    Args:
        base_lr: The rate at step 0.
        timescale: The step at which the rate has fallen to ``base_lr / sqrt(2)``, > 0.
    """
    rate = check_rate("base_lr", base_lr)
    scale = _check.real("timescale", timescale, above=0.0)
    return row(piece(math.inf, "inverse_root", rate, 0.0, scale))


def step(base_lr: float, step_size: SupportsIndex, gamma: float = 0.1) -> Schedule:
    """The rate times `gamma` after each `step_size` steps, as torch's StepLR.

    Args:
        base_lr: The rate of the first `step_size` steps.
        step_size: Steps between two falls, >= 1.
        gamma: The factor of each fall, > 0.
    """
    rate = check_rate("base_lr", base_lr)
    curve = piece(check_steps("step_size", step_size), "constant", rate, rate)
    scaling = ("cycle", _check.real("gamma", gamma, above=0.0), 0.0, ())
    return Schedule((curve,), 0, 1.0, scaling, _UNMAPPED)


def multistep(base_lr: float, milestones: Sequence[SupportsIndex], gamma: float = 0.1) -> Schedule:
    """The rate times `gamma` at each milestone, as torch's MultiStepLR.

    Args:
        base_lr: The rate until the first milestone.
        milestones: Steps >= 1, each at least the one before; one that is given twice counts twice.
        gamma: The factor of each milestone, > 0.
    """
    rate = check_rate("base_lr", base_lr)
    factor = _check.real("gamma", gamma, above=0.0)
    curves, reached = [], 0
    for index, milestone in enumerate(milestones):
        here = _check.whole(f"milestones[{index}]", milestone, least=max(reached, 1))
        if here > reached:
            level = rate * factor**index
            curves.append(piece(here, "constant", level, level))
        reached = here
    level = rate * factor ** len(milestones)
    return row(*curves, piece(math.inf, "constant", level, level))


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
    peak = check_rate("base_lr", base_lr)
    end = _check.real("end_lr", end_lr, least=0.0, most=peak)
    steps = check_steps("total_steps", total_steps)
    flat = round(steps * _check.real("pct_start", pct_start, least=0.0, most=1.0))
    curves = [(flat, "constant", peak, peak), (steps, "cosine", peak, end)]
    return row(*(piece(*curve) for curve in curves[flat == 0 : 1 + (flat < steps)]))


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
    peak = check_rate("base_lr", base_lr)
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
    fall = DECAYS[_check.choice("decay", decay, DECAYS)]
    forms = [("linear", start, peak), ("constant", peak, peak), (fall, peak, last)]
    ends = itertools.accumulate(lengths)
    curves = [piece(end, *form) for end, length, form in zip(ends, lengths, forms) if length > 0]
    if not curves:
        raise ValueError("one of warmup_steps, stable_steps and decay_steps must be > 0, got 0, 0 and 0")
    return row(*curves)


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
        return row(piece(count - 1, shape, start, end))
    levels = -(-count // held)
    rise = row(piece(max(levels - 1, 1), shape, start, end)).values(0, levels)
    stairs = (((i + 1) * held, "constant", float(v), float(v)) for i, v in enumerate(rise))
    return row(*(piece(*stair) for stair in stairs))
