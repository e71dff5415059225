"""ScheduleLR: any hyperparameter of any parameter group, driven by any schedule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, SupportsIndex

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from clrfast import _check
from clrfast.lr_scheduler._arguments import optimizer_of
from clrfast.lr_scheduler._curves import Curve, Curves, curves_by_name, note_initial_rates, where
from clrfast.lr_scheduler._driven import Column, Driven, Mix, copy_of
from clrfast.schedules import Schedule


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
        self.schedules = curves_by_name(given, optimizer, last + 1)
        note_initial_rates(optimizer, self.schedules.get("lr", []))
        LRScheduler.__init__(self, optimizer, last)

    @property
    def total_steps(self) -> float:
        """For how many steps there are values before all are held: an int, or infinity."""
        return max(
            getattr(curve, "total_steps", math.inf)
            for curves in self.schedules.values()
            for curve in curves
            if curve is not None
        )

    def _natural_length(self) -> int:
        curves: list[Any] = [curve for each in self.schedules.values() for curve in each]
        lengths = (c._natural_length() for c in curves if isinstance(c, Schedule))
        return max(lengths, default=super()._natural_length())

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
            for key, slot in sorted({where(name, group) for group in groups}):
                mixes: list[Mix | None] = []
                for group, curve in zip(groups, curves):
                    if curve is None or where(name, group) != (key, slot):
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
