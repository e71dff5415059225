"""JointScheduleLR: one schedule for the groups of several optimizers, as Muon beside AdamW."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, SupportsIndex, Union

from torch import Tensor
from torch.optim import Optimizer

from clrfast import _check
from clrfast.lr_scheduler import _state
from clrfast.lr_scheduler._arguments import optimizer_of
from clrfast.lr_scheduler._curves import Curves, curves_by_name
from clrfast.lr_scheduler._schedule_lr import ScheduleLR
from clrfast.schedules import Schedule

PerOptimizer = Union[Curves, Sequence[Optional[Curves]]]


def ratios(*optimizers: Optimizer) -> list[list[float]]:
    """Each group's rate divided by the largest of all: what stays the same while one schedule drives them.

    Args:
        *optimizers: One or several.

    Returns:
        A list for each optimizer with a number from 0 to 1 for each of its groups: factors for
        `schedules.discriminative`.

    Raises:
        TypeError: One of them is not an optimizer.
        ValueError: A rate is negative or not finite, or none is above 0.
    """
    rates = [
        [
            _check.real(f"the rate of group {index} of {type(optimizer).__name__}", group["lr"], least=0.0)
            for index, group in enumerate(optimizer_of(optimizer).param_groups)
        ]
        for optimizer in optimizers
    ]
    largest = max((rate for each in rates for rate in each), default=0.0)
    if largest == 0.0:
        raise ValueError(f"one group's rate must be > 0 for the others to have a ratio to it, got {rates}")
    return [[rate / largest for rate in each] for each in rates]


class JointScheduleLR:
    """One schedule drives all groups of several optimizers, each group keeping its ratio to the largest rate.

    The ratios are those of the rates that the groups have when it is made: with 0.02 in Muon's group and
    0.0005 in AdamW's, AdamW has a fortieth of the schedule's rate at each step. For a program that asks for
    one scheduler an optimizer, hand it those in `schedulers`.

    Args:
        optimizers: The optimizers; one is enough, if its groups differ.
        lr: The rate of the group that has the largest.
        momentum: As of ScheduleLR, for all groups of all optimizers; or a sequence with one such argument or
            None for each optimizer.
        weight_decay: The same.
        last_epoch: As of ScheduleLR. The rates that the ratios are taken from must then be in the groups.
        **others: The same as momentum.

    Attributes:
        schedulers: A ScheduleLR for each optimizer.
        ratios: A list for each optimizer, with a number for each group.

    Raises:
        TypeError: `lr` is not a Schedule, or as ScheduleLR.
        ValueError: There is no optimizer or one is there twice, no rate is above 0, or as ScheduleLR.

    >>> scheduler = JointScheduleLR([muon, adamw], lr=rate)  # doctest: +SKIP
    """

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        *,
        lr: Schedule,
        momentum: PerOptimizer | None = None,
        weight_decay: PerOptimizer | None = None,
        last_epoch: SupportsIndex = -1,
        **others: PerOptimizer | None,
    ) -> None:
        driven = list(optimizers)
        if not driven or len({id(optimizer) for optimizer in driven}) < len(driven):
            raise ValueError(f"optimizers must be at least one, each given once, got {driven!r}")
        if not isinstance(lr, Schedule):
            raise TypeError(f"lr must be a Schedule, got {lr!r}")
        last = _state.check_last_epoch(last_epoch)
        self.ratios = ratios(*driven)
        scaled = {ratio: lr if ratio == 1.0 else lr.scaled(ratio) for each in self.ratios for ratio in each}
        given = {"momentum": momentum, "weight_decay": weight_decay, **others}
        for name, value in given.items():
            if isinstance(value, Sequence) and len(value) != len(driven):
                raise ValueError(
                    f"{name} must have one entry for each of {len(driven)} optimizers, got {len(value)}"
                )
        arguments: list[dict[str, Any]] = [
            {name: value[i] if isinstance(value, Sequence) else value for name, value in given.items()}
            for i in range(len(driven))
        ]
        for optimizer, each, its in zip(driven, arguments, self.ratios):
            each["lr"] = [scaled[ratio] for ratio in its]
            curves_by_name(each, optimizer, last + 1)  # all are tried before one is changed
        self.schedulers = [
            ScheduleLR(optimizer, last_epoch=last, **each) for optimizer, each in zip(driven, arguments)
        ]

    @property
    def last_epoch(self) -> float:
        """The current step."""
        return self.schedulers[0].last_epoch

    def step(self) -> None:
        """Count on, and write the values of the new step into all groups, after all optimizers' own steps.

        Where one of them fails, none has taken the step.
        """
        taken: list[ScheduleLR] = []
        try:
            for scheduler in self.schedulers:
                scheduler.step()
                taken.append(scheduler)
        except BaseException:
            for scheduler in taken:
                scheduler._step_count -= 1
                scheduler.last_epoch -= 1
                scheduler._write_now()
            raise

    def get_last_lr(self) -> list[float | Tensor]:
        """The rates of the last step: of all groups of the first optimizer, of the second, ..."""
        return [rate for scheduler in self.schedulers for rate in scheduler.get_last_lr()]

    def state_dict(self) -> dict[str, Any]:
        """The state of each scheduler, under ``schedulers``; the schedules in them hold the ratios."""
        return {"schedulers": [scheduler.state_dict() for scheduler in self.schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, and write its rates into the optimizers.

        Raises:
            ValueError: The state is of another number of optimizers, or not one. Nothing is changed then.
        """
        states = state_dict.get("schedulers")
        if not isinstance(states, list) or len(states) != len(self.schedulers):
            raise ValueError(
                f"schedulers must be a list of {len(self.schedulers)}, one for each optimizer, got {states!r}"
            )
        before = [scheduler.state_dict() for scheduler in self.schedulers]
        loaded: list[ScheduleLR] = []
        try:
            for scheduler, state in zip(self.schedulers, states):
                scheduler.load_state_dict(state)
                loaded.append(scheduler)
        except BaseException:
            for scheduler, state in zip(loaded, before):
                scheduler.load_state_dict(state)
            raise

    def __repr__(self) -> str:
        """The schedulers."""
        return f"<{type(self).__name__}: {', '.join(map(repr, self.schedulers))}>"
