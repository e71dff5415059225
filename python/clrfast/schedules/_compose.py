"""Schedules made of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex

from clrfast import _check
from clrfast.schedules._curve import check_steps, piece, row
from clrfast.schedules._schedule import Schedule, concatenate


def warmup(
    following: Schedule,
    warmup_steps: SupportsIndex,
    *,
    start_lr: float | None = None,
    shape: str = "linear",
) -> Schedule:
    """Rise to the first value of a schedule, and then run it from its step 0.

    Args:
        following: The schedule after the warm-up.
        warmup_steps: How many steps the warm-up takes, >= 1.
        start_lr: The first rate, from 0 (above 0 in shape 'exponential') to `following`'s first value; None
            means 0, or a thousandth of that value in shape 'exponential'.
        shape: 'linear', 'cosine' or 'exponential'.
    """
    form = _check.choice("shape", shape, ["linear", "cosine", "exponential"])
    if not isinstance(following, Schedule):
        raise TypeError(f"following must be a Schedule, got {following!r}")
    length = check_steps("warmup_steps", warmup_steps)
    peak = following(0)
    start = start_lr
    if start is None:
        start = 1e-3 * peak if form == "exponential" else 0.0
    if form == "exponential":
        start = _check.real("start_lr", start, above=0.0, most=peak)
    else:
        start = _check.real("start_lr", start, least=0.0, most=peak)
    return concatenate([row(piece(length, form, start, peak)), following])


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
