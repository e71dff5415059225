"""Checks of arguments that the schedulers share, in torch's words where torch has some."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Union

from torch import Tensor
from torch.optim import Optimizer

from clrfast import _check
from clrfast.lr_scheduler._groups import Place, copy_of

PerGroup = Union[float, Tensor, Sequence[Union[float, Tensor]]]


def optimizer_of(optimizer: object) -> Optimizer:
    """The optimizer itself; TypeError for anything else."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def per_group(name: str, value: PerGroup, optimizer: Optimizer) -> list[Any]:
    """One number or tensor a group, each finite and not negative, tensors copied."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(values)} values, param_groups has {groups}."
        )
    for each in values:
        _check.real(name, each, least=0.0)
    return [copy_of(each) for each in values]


def bounds(
    low_name: str, low: PerGroup, high_name: str, high: PerGroup, optimizer: Optimizer
) -> tuple[list[Any], list[Any]]:
    """The lower and the upper bound of each group."""
    lows, highs = per_group(low_name, low, optimizer), per_group(high_name, high, optimizer)
    for least, most in zip(lows, highs):
        if float(least) > float(most):
            raise ValueError(f"{low_name} must be at most {high_name}, got {least!r} and {most!r}")
    return lows, highs


def uses_beta1(optimizer: Optimizer) -> bool:
    """Whether the optimizer's momentum is the first of its betas; ValueError where it has none."""
    for key in ("betas", "momentum"):
        if key in optimizer.defaults or all(key in group for group in optimizer.param_groups):
            return key == "betas"
    raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")


def momentum_place(use_beta1: bool) -> Place:
    """Where a group has its momentum."""
    return Place("betas", 0) if use_beta1 else Place("momentum")


def set_momentum(optimizer: Optimizer, lows: list[Any], highs: list[Any], use_beta1: bool) -> None:
    """Start each group at its highest momentum, and note its bounds in it, as torch does."""
    place = momentum_place(use_beta1)
    if any(place.get(group) == 0 for group in optimizer.param_groups):
        warnings.warn(
            "The optimizer has momentum 0, and cycle_momentum gives it some. If it should have none, pass "
            "cycle_momentum=False.",
            UserWarning,
            stacklevel=3,
        )
    for group, low, high in zip(optimizer.param_groups, lows, highs):
        place.put(group, copy_of(high))
        group["max_momentum"] = copy_of(high)
        group["base_momentum"] = copy_of(low)


def extended(name: str, values: list[Any], groups: int) -> list[float]:
    """The values as numbers, one a group: one that all groups share also serves those added later."""
    numbers = [float(value) for value in values]
    if len(numbers) < groups and len(set(numbers)) == 1:
        values += [copy_of(values[0]) for _ in range(groups - len(values))]
        return numbers[:1] * groups
    if len(numbers) != groups:
        raise ValueError(
            f"the optimizer has {groups} parameter groups, but {name} has {len(numbers)} values: "
            f"change the list scheduler.{name}"
        )
    return numbers
