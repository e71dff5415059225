"""Schedules that go one way: constants, lines, decays, and the ramp of a range test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from decimal import Context, Decimal
from typing import SupportsIndex

from clrfast import _check, _core
from clrfast.schedules._curve import check_gamma, check_rate, check_steps, held, piece, row
from clrfast.schedules._schedule import Schedule


def constant(lr: float) -> Schedule:
    """The same rate forever.

    Args:
        lr: The rate, >= 0.
    """
    return row(held(math.inf, check_rate("lr", lr)))


def linear(start_lr: float, end_lr: float, total_steps: SupportsIndex) -> Schedule:
    """A straight line, up or down, held at its end.

    Args:
        start_lr: The rate at step 0, >= 0.
        end_lr: The rate at step `total_steps` and beyond, >= 0.
        total_steps: Steps from one to the other, >= 1.
    """
    ends = check_rate("start_lr", start_lr), check_rate("end_lr", end_lr)
    return row(piece(check_steps("total_steps", total_steps), "linear", *ends))


def cosine(max_lr: float, total_steps: SupportsIndex, min_lr: float = 0.0) -> Schedule:
    """Half a cosine period from `max_lr` to `min_lr` at `total_steps`, held from there on.

    The closed form of torch's CosineAnnealingLR within its first period; unlike it, the rate does not rise
    again. Loshchilov and Hutter, arXiv:1608.03983, equation 5.

    Args:
        max_lr: The rate at step 0.
        total_steps: When `min_lr` is reached, >= 1.
        min_lr: The last rate, from 0 to `max_lr`.
    """
    return _fall("cosine", max_lr, total_steps, min_lr)


def polynomial(
    max_lr: float, total_steps: SupportsIndex, power: float = 1.0, *, min_lr: float = 0.0
) -> Schedule:
    """``min_lr + (max_lr - min_lr) * (1 - step / total_steps) ** power``, held at its end.

    The closed form of torch's PolynomialLR and of Keras' PolynomialDecay.

    Args:
        max_lr: The rate at step 0.
        total_steps: When `min_lr` is reached, >= 1.
        power: The exponent, > 0 and at most 2**53.
        min_lr: The last rate, from 0 to `max_lr`.
    """
    exponent = _check.real("power", power, above=0.0, most=2.0**53)
    if exponent == 1.0:  # the same values, and a vector kernel
        return _fall("linear", max_lr, total_steps, min_lr)
    return _fall("power", max_lr, total_steps, min_lr, exponent)


def rex(max_lr: float, total_steps: SupportsIndex, min_lr: float = 0.0) -> Schedule:
    """The reflected exponential: flat at first, and the steeper the nearer the end is.

    ``min_lr + (max_lr - min_lr) * (1 - x) / (1/2 + (1 - x) / 2)`` with ``x = step / total_steps``, held at
    its end: Chen, Wolfe and Kyrillidis, arXiv:2107.04197.

    Args:
        max_lr: The rate at step 0.
        total_steps: When `min_lr` is reached, >= 1.
        min_lr: The last rate, from 0 to `max_lr`.
    """
    return _fall("rex", max_lr, total_steps, min_lr)


def _fall(
    shape: str, max_lr: float, total_steps: SupportsIndex, min_lr: float, param: float = 0.0
) -> Schedule:
    start = check_rate("max_lr", max_lr)
    end = _check.real("min_lr", min_lr, least=0.0, most=start)
    return row(piece(check_steps("total_steps", total_steps), shape, start, end, param))


def exponential(max_lr: float, gamma: float) -> Schedule:
    """``max_lr * gamma ** step``, as torch's ExponentialLR.

    Args:
        max_lr: The rate at step 0.
        gamma: The factor of each step, > 0 and <= 1.
    """
    forever = held(math.inf, check_rate("max_lr", max_lr))
    return Schedule([forever], scaling=_core.Scaling("step", gamma=check_gamma(gamma)))


def inverse_sqrt(max_lr: float, timescale: float) -> Schedule:
    """``max_lr * sqrt(timescale / (timescale + step))``, without an end.

    After a warm-up of `timescale` steps this is the schedule of Vaswani et al., arXiv:1706.03762,
    section 5.3, and of transformers' get_inverse_sqrt_schedule.

    Args:
        max_lr: The rate at step 0.
        timescale: The step at which the rate has fallen to ``max_lr / sqrt(2)``, > 0.
    """
    rate = check_rate("max_lr", max_lr)
    return row(piece(math.inf, "inverse_sqrt", rate, 0.0, _check.real("timescale", timescale, above=0.0)))


def power(
    max_lr: float,
    batch_size: float,
    sequence_length: float,
    *,
    amplitude: float = 4.0,
    power: float = -0.51,
) -> Schedule:
    """``min(max_lr, batch_size * amplitude * n ** power)`` after n tokens, without an end.

    The Power scheduler of Shen et al., arXiv:2408.13359, whose a is `amplitude` and whose b is
    `power`; ``n = step * batch_size * sequence_length`` tokens have been seen at a step. The paper's warm-up
    and decay are `warmup`, or `Schedule.rewarm`, and `Schedule.cooldown_from`.

    Args:
        max_lr: The highest rate, > 0; the paper takes 0.02.
        batch_size: Sequences a step, > 0.
        sequence_length: Tokens a sequence, > 0.
        amplitude: The rate for each sequence of the batch after one token, > 0.
        power: The exponent, from -16 to 0, without 0.
    """
    highest = _check.real("max_lr", max_lr, above=0.0)
    batch = _check.real("batch_size", batch_size, above=0.0)
    length = _check.real("sequence_length", sequence_length, above=0.0)
    factor = _check.real("amplitude", amplitude, above=0.0)
    exponent = _check.real("power", power, least=-16.0, most=0.0)
    if exponent == 0.0:
        raise ValueError(f"power must be below 0, got {power!r}")
    exact = Context(prec=40)  # so that the rate at step 1 is rounded once
    tokens = exact.multiply(Decimal(batch), Decimal(length))
    share = exact.multiply(Decimal(batch), Decimal(factor))
    first = float(exact.multiply(share, exact.power(tokens, Decimal(exponent))))
    if not 0.0 < first < math.inf:
        formula = "batch_size * amplitude * (batch_size * sequence_length) ** power"
        raise ValueError(f"{formula} must be > 0 and finite, got {first}")
    return Schedule([piece(math.inf, "power_law", first, 0.0, exponent)], map=_core.Map(high=highest))


def step(max_lr: float, step_size: SupportsIndex, gamma: float = 0.1) -> Schedule:
    """The rate times `gamma` after each `step_size` steps, as torch's StepLR.

    Args:
        max_lr: The rate of the first `step_size` steps.
        step_size: Steps between two falls, >= 1.
        gamma: The factor of each fall, > 0 and <= 1.
    """
    stair = held(check_steps("step_size", step_size), check_rate("max_lr", max_lr))
    return Schedule([stair], cycles=0, scaling=_core.Scaling("cycle", gamma=check_gamma(gamma)))


def multistep(max_lr: float, milestones: Sequence[SupportsIndex], gamma: float = 0.1) -> Schedule:
    """The rate times `gamma` at each milestone, as torch's MultiStepLR.

    Args:
        max_lr: The rate until the first milestone.
        milestones: Steps >= 1, each at least the one before; one that is given twice counts twice.
        gamma: The factor of each milestone, > 0 and <= 1.
    """
    rate = check_rate("max_lr", max_lr)
    factor = check_gamma(gamma)
    stairs, reached = [], 0
    for index, milestone in enumerate(milestones):
        here = _check.whole(f"milestones[{index}]", milestone, least=max(reached, 1))
        if here > reached:
            stairs.append(held(here, rate * factor**index))
        reached = here
    return row(*stairs, held(math.inf, rate * factor ** len(milestones)))


def flat_cosine(
    max_lr: float, total_steps: SupportsIndex, pct_start: float = 0.75, *, min_lr: float = 0.0
) -> Schedule:
    """Flat for a share of the steps and then half a cosine period, as fastai's fit_flat_cos.

    Args:
        max_lr: The rate of the flat part, >= 0.
        total_steps: Steps in all, >= 1.
        pct_start: The share of them that is flat, from 0 to 1; the join is rounded to a whole step.
        min_lr: The last rate, from 0 to `max_lr`.
    """
    peak = check_rate("max_lr", max_lr)
    end = _check.real("min_lr", min_lr, least=0.0, most=peak)
    steps = check_steps("total_steps", total_steps)
    flat = round(steps * _check.real("pct_start", pct_start, least=0.0, most=1.0))
    begin = [held(flat, peak)] if flat > 0 else []
    fall = [piece(steps, "cosine", peak, end)] if flat < steps else []
    return row(*begin, *fall)


def warmup_stable_decay(
    max_lr: float,
    warmup_steps: SupportsIndex,
    stable_steps: SupportsIndex,
    decay_steps: SupportsIndex,
    *,
    shape: str = "1-sqrt",
    start_lr: float | None = None,
    min_lr: float = 0.0,
) -> Schedule:
    """Rise, stay, fall: Hu et al., arXiv:2404.06395, with the falls of Hägele et al., arXiv:2405.18392.

    Args:
        max_lr: The rate of the stable phase, >= 0.
        warmup_steps: Steps of the linear rise, >= 0.
        stable_steps: Steps at `max_lr`, >= 0.
        decay_steps: Steps of the fall, >= 0; the last rate is held from there on.
        shape: That of the fall: '1-sqrt', 'linear' or 'cosine'.
        start_lr: The first rate, from 0 to `max_lr`; None means 0.
        min_lr: The last rate, from 0 to `max_lr`.

    Raises:
        ValueError: All three phases are empty, or an argument is out of its range.
    """
    peak = check_rate("max_lr", max_lr)
    lengths = [
        _check.whole(name, value)
        for name, value in (
            ("warmup_steps", warmup_steps),
            ("stable_steps", stable_steps),
            ("decay_steps", decay_steps),
        )
    ]
    start = _check.real("start_lr", 0.0 if start_lr is None else start_lr, least=0.0, most=peak)
    end = _check.real("min_lr", min_lr, least=0.0, most=peak)
    fall = _check.choice("shape", shape, ["1-sqrt", "linear", "cosine"])
    forms = [("linear", start, peak), ("constant", peak, peak), (fall, peak, end)]
    ends = itertools.accumulate(lengths)
    pieces = [piece(there, *form) for there, length, form in zip(ends, lengths, forms) if length > 0]
    if not pieces:
        raise ValueError("one of warmup_steps, stable_steps and decay_steps must be > 0, got 0, 0 and 0")
    return row(*pieces)


def ramp(
    start_lr: float,
    end_lr: float,
    total_steps: SupportsIndex,
    *,
    shape: str = "exponential",
    staircase: SupportsIndex = 1,
) -> Schedule:
    """The rising rate of an LR range test: `start_lr` at step 0, `end_lr` at step ``total_steps - 1``.

    Args:
        start_lr: The first rate, > 0 in shape 'exponential'.
        end_lr: The last rate, at least `start_lr`.
        total_steps: Steps, >= 2.
        shape: 'exponential' (equal ratios, as fastai) or 'linear' (equal differences, as Smith 2015).
        staircase: Steps for which each rate is held, >= 1.
    """
    form = _check.choice("shape", shape, ["exponential", "linear"])
    above, least = (-math.inf, 0.0) if form == "linear" else (0.0, -math.inf)
    start = _check.real("start_lr", start_lr, above=above, least=least)
    end = _check.real("end_lr", end_lr, least=start)
    steps = _check.whole("total_steps", total_steps, least=2)
    stair = _check.whole("staircase", staircase, least=1, most=steps)
    if stair == 1:
        return row(piece(steps - 1, form, start, end), held(steps, end))
    levels = -(-steps // stair)
    rise = row(piece(max(levels - 1, 1), form, start, end)).values(0, levels)
    return row(*(held(min((i + 1) * stair, steps), level) for i, level in enumerate(rise.tolist())))
