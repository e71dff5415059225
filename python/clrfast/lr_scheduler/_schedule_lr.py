"""ScheduleLR: any hyperparameter of any parameter group, driven by any schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Optional, SupportsIndex, Union

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from clrfast import _check
from clrfast.lr_scheduler._arguments import optimizer_of
from clrfast.lr_scheduler._driven import Column, Driven, Mix, copy_of, current, like

Curve = Callable[[int], float]
Curves = Union[Curve, Sequence[Optional[Curve]]]


class ScheduleLR(Driven):
    """Drives the learning rate, and any other hyperparameter, from schedules.

    A `clrfast.Schedule` goes through compiled code; any other function of the step is called once a step.
    Each value is a closed form of `last_epoch`, so a run resumes at any step at once, and beyond its end a
    schedule holds its last value. Tensors are written in place.

    Args:
        optimizer: The optimizer to drive.
        lr: The learning rate at each step from 0: a schedule for all parameter groups, or a sequence with one
            schedule or None (which leaves the group alone) a group. None leaves it alone.
        momentum: The same for ``momentum``, or for ``betas[0]`` in groups that have betas.
        weight_decay: The same for ``weight_decay``.
        last_epoch: The step before the first one, as for torch's schedulers: -1 starts a run, and n - 1
            goes on with step n.
        **others: The same for any other number that the groups hold, by its key; ``beta1`` and ``beta2``
            are the elements of betas.

    Attributes:
        schedules: The lists by name. What is changed in them is used from the next step on; append to them
            when a group is added to an optimizer that has one schedule a group.

    Raises:
        TypeError: `optimizer` is not one, or a schedule cannot be called.
        ValueError: Nothing is driven, a sequence has another length than there are groups, a group does not
            have the hyperparameter, or a schedule gives no finite number at the first
            step, or a negative rate, momentum or weight decay. Nothing is changed then.

    >>> scheduler = ScheduleLR(optimizer, lr=rate, momentum=rate.reciprocal(0.85, 0.95))  # doctest: +SKIP
    """

    _unsaved: ClassVar[tuple[str, ...]] = ("optimizer", "schedules")

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        lr: Curves | None = None,
        momentum: Curves | None = None,
        weight_decay: Curves | None = None,
        last_epoch: SupportsIndex = -1,
        **others: Curves | None,
    ) -> None:
        optimizer_of(optimizer)
        last = _check.whole("last_epoch", last_epoch, least=-1, most=2**62)
        given = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, **others}
        groups = optimizer.param_groups
        self.schedules = {
            name: _one_each(name, curves, len(groups)) for name, curves in given.items() if curves is not None
        }
        if not self.schedules:
            raise ValueError("give a schedule for at least one of lr, momentum, weight_decay, ...")
        for name, curves in self.schedules.items():
            _check_column(name, curves, optimizer, last + 1)
        for group, curve in zip(groups, self.schedules.get("lr", [])):
            if curve is not None:
                group.setdefault("initial_lr", like(group["lr"], float(curve(0))))
        for group in groups:  # those that are not driven; torch asks for it where a run is resumed
            group.setdefault("initial_lr", copy_of(group["lr"]))
        LRScheduler.__init__(self, optimizer, last)

    @property
    def total_steps(self) -> float:
        """Steps until each schedule has reached the value that it holds; infinity where one never does."""
        return max(
            getattr(curve, "total_steps", math.inf)
            for curves in self.schedules.values()
            for curve in curves
            if curve is not None
        )

    def _watched(self) -> list[list[Any]]:
        return list(self.schedules.values())

    def _columns(self) -> tuple[list[Callable[[Any], float]], list[Column]]:
        groups = self.optimizer.param_groups
        sources: list[Curve] = []
        known: dict[int, int] = {}  # equal schedules need not be found, only those given once for all
        columns: list[Column] = []
        for name in ["lr", *(name for name in self.schedules if name != "lr")]:
            curves = self.schedules.get(name, [None] * len(groups))
            if name in self.schedules:
                self._fit(name, curves, len(groups))
            for key, slot in sorted({_where(name, group) for group in groups}):
                mixes: list[Mix | None] = []
                for group, curve in zip(groups, curves):
                    if curve is None or _where(name, group) != (key, slot):
                        mixes.append(None)
                        continue
                    if id(curve) not in known:
                        known[id(curve)] = len(sources)
                        sources.append(curve)
                    mixes.append(Mix(0.0, known[id(curve)], 1.0))
                columns.append(Column(key, slot, mixes))
        return sources, columns

    def _fit(self, name: str, curves: list[Curve | None], groups: int) -> None:
        """One schedule for all groups is also for those that were added."""
        if len(curves) < groups and all(curve is curves[0] for curve in curves):
            curves += [curves[0]] * (groups - len(curves))
        if len(curves) != groups:
            raise ValueError(
                f"the optimizer has {groups} parameter groups, but {name} has {len(curves)} schedules: "
                f"change the list scheduler.schedules[{name!r}]"
            )

    def _rates(self, values: Any) -> list[float | Tensor]:
        curves = self.schedules.get("lr", [])
        rates = super()._rates(values)
        for index, group in enumerate(self.optimizer.param_groups[: len(rates)]):
            if index >= len(curves) or curves[index] is None:
                rates[index] = copy_of(group["lr"])
        return rates


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


def _where(name: str, group: dict[str, Any]) -> tuple[str, int]:
    """The key of a hyperparameter in a group, and its place in the tuple there or -1."""
    if name == "momentum" and "betas" in group:
        return "betas", 0
    if name in ("beta1", "beta2") and name not in group:
        return "betas", int(name == "beta2")
    return name, -1


def _check_column(name: str, curves: Sequence[Curve | None], optimizer: Optimizer, step: int) -> None:
    for index, (curve, group) in enumerate(zip(curves, optimizer.param_groups)):
        if curve is None:
            continue
        key, slot = _where(name, group)
        if key not in group:
            raise ValueError(f"{name} must be None: group {index} of {type(optimizer).__name__} has none")
        now = current(group, key, slot)
        if isinstance(now, bool) or not isinstance(now, (int, float, Tensor)):
            raise TypeError(f"{name} must be a number in group {index} of the optimizer, got {now!r}")
        least = 0.0 if name in ("lr", "momentum", "weight_decay") else -math.inf
        _check.real(f"{name} at step {step}", curve(step), least=least)
