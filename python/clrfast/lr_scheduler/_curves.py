"""Which schedule drives what: the arguments of the schedulers that take schedules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Optional, Union

from torch import Tensor
from torch.optim import Optimizer

from clrfast import _check
from clrfast.lr_scheduler._groups import copy_of, like, place_of

Curve = Callable[[int], float]
Curves = Union[Curve, Sequence[Optional[Curve]]]


def curves_by_name(
    given: Mapping[str, Curves | None], optimizer: Optimizer, step: int
) -> dict[str, list[Curve | None]]:
    """One schedule or None for each group, by the name of what it drives; all are tried at `step`."""
    groups = len(optimizer.param_groups)
    curves = {name: _one_each(name, value, groups) for name, value in given.items() if value is not None}
    if not curves:
        raise ValueError("give a schedule for at least one of lr, momentum, weight_decay, ...")
    for name, each in curves.items():
        _check_curves(name, each, optimizer, step)
    return curves


def note_initial_rates(optimizer: Optimizer, curves: Sequence[Curve | None]) -> None:
    """Note each group's first rate in it, which torch asks for where a run is resumed."""
    for group, curve in zip(optimizer.param_groups, curves):
        if curve is not None:
            group.setdefault("initial_lr", like(group["lr"], float(curve(0))))
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", copy_of(group["lr"]))


def _check_curves(name: str, curves: Sequence[Curve | None], optimizer: Optimizer, step: int) -> None:
    for index, (curve, group) in enumerate(zip(curves, optimizer.param_groups)):
        if curve is None:
            continue
        place = place_of(name, group)
        if place.key not in group:
            raise ValueError(f"{name} must be None: group {index} of {type(optimizer).__name__} has none")
        now = place.get(group)
        if isinstance(now, bool) or not isinstance(now, (int, float, Tensor)):
            raise TypeError(f"{name} must be a number in group {index} of the optimizer, got {now!r}")
        least = 0.0 if name in ("lr", "momentum", "weight_decay") else -math.inf
        _check.real(f"{name} at step {step}", curve(step), least=least)


def _one_each(name: str, curves: Curves, groups: int) -> list[Curve | None]:
    if callable(curves):
        return [curves] * groups
    if not isinstance(curves, Sequence):
        raise TypeError(f"{name} must be a schedule or a sequence of schedules, got {curves!r}")
    if len(curves) != groups:
        raise ValueError(f"{name} must have one schedule for each of {groups} groups, got {len(curves)}")
    for index, curve in enumerate(curves):
        if curve is not None and not callable(curve):
            raise TypeError(f"{name}[{index}] must be a schedule or None, got {curve!r}")
    return list(curves)
