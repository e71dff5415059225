"""ScheduleLR: any hyperparameter of any parameter group, driven by any schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, SupportsIndex

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from clrfast.lr_scheduler import _saved_schedules, _state
from clrfast.lr_scheduler._arguments import optimizer_of
from clrfast.lr_scheduler._curves import Curve, Curves, curves_by_name, note_initial_rates
from clrfast.lr_scheduler._driven import Driven
from clrfast.lr_scheduler._groups import copy_of, place_of
from clrfast.lr_scheduler._plan import Hyperparameter, Mix
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

    A state holds the schedules as text (of other functions, that they were there). The constructor's are the
    ones that count: where they differ from a loaded state's, a UserWarning says what both give.

    >>> scheduler = ScheduleLR(optimizer, lr=rate, momentum=rate.reciprocal(0.85, 0.95))  # doctest: +SKIP
    """

    _unsaved: ClassVar[tuple[str, ...]] = ("optimizer", "schedules")
    _rules: ClassVar[Mapping[str, _state.Rule]] = {"schedules": _saved_schedules.check}

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
        last = _state.check_last_epoch(last_epoch)
        given = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, **others}
        self.schedules = curves_by_name(given, optimizer, last + 1)
        note_initial_rates(optimizer, self.schedules.get("lr", []))
        LRScheduler.__init__(self, optimizer, last)

    @property
    def total_steps(self) -> float:
        """How many steps the longest of the schedules has values for; infinity where one never ends."""
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

    def _describe(self) -> str:
        return describe(self.schedules)

    def _watched_lists(self) -> list[list[Any]]:
        return list(self.schedules.values())

    def _driven(self) -> tuple[list[Callable[[Any], float]], list[Hyperparameter]]:
        groups = self.optimizer.param_groups
        curves: list[Curve] = []
        index_of: dict[int, int] = {}  # equal schedules need not be found, only those given once for all
        driven: list[Hyperparameter] = []
        for name in ["lr", *(name for name in self.schedules if name != "lr")]:
            each = self.schedules.get(name, [None] * len(groups))
            if name in self.schedules:
                self._fit(name, each, len(groups))
            for place in sorted({place_of(name, group) for group in groups}):
                mixes: list[Mix | None] = []
                for group, curve in zip(groups, each):
                    if curve is None or place_of(name, group) != place:
                        mixes.append(None)
                        continue
                    if id(curve) not in index_of:
                        index_of[id(curve)] = len(curves)
                        curves.append(curve)
                    mixes.append(Mix(0.0, index_of[id(curve)], 1.0))
                driven.append(Hyperparameter(place, mixes))
        return curves, driven

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

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on later, in plain numbers and lists, and the schedules as text."""
        return {**super().state_dict(), "schedules": _saved_schedules.saved(self.schedules)}

    def _restore(self, state: dict[str, Any]) -> None:
        others = state.pop("schedules", None)
        super()._restore(state)
        _saved_schedules.warn_of_others(others, self.schedules, self.last_epoch, stacklevel=3)


def describe(schedules: _saved_schedules.Schedules) -> str:
    """What drives what, each different schedule once."""
    return ", ".join(
        f"{name}={' / '.join(dict.fromkeys(map(repr, curves)))}" for name, curves in schedules.items()
    )
