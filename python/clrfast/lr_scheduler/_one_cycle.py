"""OneCycleLR: torch's class of that name."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import torch.optim.lr_scheduler as torch_lr_scheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from clrfast import _check, schedules
from clrfast.lr_scheduler._arguments import (
    PerGroup,
    bounds,
    momentum_place,
    optimizer_of,
    per_group,
    set_momentum,
    uses_beta1,
)
from clrfast.lr_scheduler._driven import Column, Driven, Mix, Setting, copy_of
from clrfast.schedules import Schedule
from clrfast.schedules._curve import piece, row

_RATES = ("initial_lr", "max_lr", "min_lr")
_MOMENTA = ("max_momentum", "base_momentum")


class OneCycleLR(Driven, torch_lr_scheduler.OneCycleLR):
    """One rise and one fall of the rate: torch's OneCycleLR, for which it can be put in place.

    Smith and Topin, arXiv:1708.07120. Arguments, attributes, state, errors and warnings are torch's, and so
    are the values, but for those that torch has wrong: at step `total_steps` the last rate is held, where
    torch's rises again or turns negative, and a phase without room is skipped. Rates and momenta in tensors
    are written in place, and groups added later get the bounds of the others.

    A state may be loaded into a scheduler with another `total_steps`, to make a run longer: the values are
    then those of a run that was as long from its first step.

    Args:
        optimizer: The optimizer to drive.
        max_lr: The peak, >= 0, or one a parameter group.
        total_steps: Steps of the whole cycle, >= 1; None means ``epochs * steps_per_epoch``.
        epochs: Epochs of the whole cycle, >= 1.
        steps_per_epoch: Steps of each epoch, >= 1.
        pct_start: The share of the steps that rise, from 0 to 1 (at most 0.5 with `three_phase`).
        anneal_strategy: 'cos' or 'linear'.
        cycle_momentum: Whether momentum, or the first of betas, is cycled against the rate.
        base_momentum: The lowest momentum, >= 0, or one a group.
        max_momentum: The highest momentum, at least `base_momentum`, or one a group.
        div_factor: The first rate is ``max_lr / div_factor``, > 0.
        final_div_factor: The last rate is the first one divided by this, > 0.
        three_phase: Fall back to the first rate as fast as it rose, and only then to the last one.
        last_epoch: The step before the first one: -1 starts a run, and n - 1 goes on with step n.

    Raises:
        TypeError: `optimizer` is not one, or an argument is not a number.
        ValueError: An argument is out of its range, a list has another length than there are groups, or the
            optimizer has no momentum to cycle. Nothing is changed then. In `step`: there was the last one.
    """

    total_steps = Setting()
    cycle_momentum = Setting()
    use_beta1 = Setting()
    base_lrs = Setting()
    _schedule_phases = Setting()
    _anneal_func_type = Setting()

    _keys: ClassVar[tuple[str, ...]] = (*_RATES, *_MOMENTA)
    _unsaved: ClassVar[tuple[str, ...]] = ("optimizer", "_bounds")

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: PerGroup,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: PerGroup = 0.85,
        max_momentum: PerGroup = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        optimizer_of(optimizer)
        steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if three_phase and pct_start > 0.5:
            raise ValueError(f"Expected pct_start of at most 0.5 with three_phase, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        max_lrs = per_group("max_lr", max_lr, optimizer)
        first = _check.real("div_factor", div_factor, above=0.0)
        final = _check.real("final_div_factor", final_div_factor, above=0.0)
        last = _check.whole("last_epoch", last_epoch, least=-1, most=2**62)
        if cycle_momentum:
            use_beta1 = uses_beta1(optimizer)
            momenta = bounds("base_momentum", base_momentum, "max_momentum", max_momentum, optimizer)

        self.total_steps = steps
        self._schedule_phases = _phases(steps, float(pct_start), three_phase)
        self._anneal_func_type = anneal_strategy
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = use_beta1
        self._bounds = {
            "initial_lr": [peak / first for peak in max_lrs],
            "max_lr": max_lrs,
            "min_lr": [peak / first / final for peak in max_lrs],
        }
        if cycle_momentum:
            self._bounds |= dict(zip(("base_momentum", "max_momentum"), momenta))
        for index, group in enumerate(optimizer.param_groups):
            for key, values in self._bounds.items():
                if last == -1 or key not in group:
                    group[key] = copy_of(values[index])
        if cycle_momentum and last == -1:
            set_momentum(optimizer, *momenta, use_beta1)
        self._get_lr_called_within_step = False
        LRScheduler.__init__(self, optimizer, last)

    def _at(self) -> float:
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"Tried to step {self.last_epoch} times. "
                f"The specified number of total steps is {self.total_steps}"
            )
        return self.last_epoch

    def _limit(self) -> int:
        return int(self.total_steps)

    def _natural_length(self) -> int:
        return int(self.total_steps)

    def _watched(self) -> list[list[Any]]:
        return [self._schedule_phases]

    def _columns(self) -> tuple[list[Callable[[Any], float]], list[Column]]:
        sources: list[Callable[[Any], float]] = [
            self._weight("lr", "initial_lr"),
            self._weight("lr", "max_lr"),
        ]
        rates = zip(*(self._numbers(key) for key in _RATES))
        columns = [Column("lr", -1, [Mix(low, 0, first - low, 1, high - low) for first, high, low in rates])]
        if self.cycle_momentum:
            sources.append(self._weight("momentum", "base_momentum"))
            momenta = zip(*(self._numbers(key) for key in _MOMENTA))
            mixes = [Mix(high, 2, low - high) for high, low in momenta]
            columns.append(Column(*momentum_place(self.use_beta1), mixes))
        return sources, columns

    def _numbers(self, key: str) -> list[float]:
        """A bound of each group. One that lacks it gets what was given for it, or what the others share."""
        groups = self.optimizer.param_groups
        given = self._bounds.get(key, [])
        for index, group in enumerate(groups):
            if key in group:
                continue
            others = {float(other[key]) for other in groups if key in other}
            if index < len(given):
                group[key] = copy_of(given[index])
            elif len(others) == 1:
                group[key] = others.pop()
            else:
                raise ValueError(
                    f"param_groups[{index}] needs a value for {key!r}, since those of the others differ"
                )
        return [float(group[key]) for group in groups]

    def _weight(self, what: str, name: str) -> Schedule:
        """The share that the bound `name` has in the rate or the momentum at each step."""
        shape = "linear" if self._anneals_linearly() else "cosine"
        curves, end, last = [], 0.0, 0.0
        for phase in self._schedule_phases:
            first, last = (float(phase[f"{side}_{what}"] == name) for side in ("start", "end"))
            if phase["end_step"] > end:
                end = float(phase["end_step"])
                curves.append(piece(end, shape, first, last))
        return row(*curves) if curves else schedules.constant(last)

    def _anneals_linearly(self) -> bool:
        if "_anneal_func_type" in self.__dict__:
            if self._anneal_func_type not in ("cos", "linear"):
                raise ValueError(f"Unknown _anneal_func_type: {self._anneal_func_type}")
            return bool(self._anneal_func_type == "linear")
        # Old states hold the function itself, which is one of two.
        return bool(self.__dict__["anneal_func"](0.0, 1.0, 0.25) == 0.25)

    def _restore(self, state: dict[str, Any]) -> None:
        saved = state.get("total_steps", self.total_steps)
        if saved != self.total_steps:
            warnings.warn(
                f"The state is of a run of {saved} steps; this scheduler keeps its own total_steps, "
                f"{self.total_steps}.",
                UserWarning,
                stacklevel=3,
            )
            state.pop("total_steps")
            state.pop("_schedule_phases", None)
        super()._restore(state)


def _total_steps(total: Any, epochs: Any, steps_per_epoch: Any) -> int:
    if total is not None:
        return _positive("total_steps", total)
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    return _positive("epochs", epochs) * _positive("steps_per_epoch", steps_per_epoch)


def _positive(name: str, value: Any) -> int:
    try:
        number = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = 0
    if number <= 0:
        raise ValueError(f"Expected positive integer {name}, but got {value}")
    return number


def _phases(steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """Torch's description of the phases, which is part of its state."""
    rise = {
        "end_step": float(pct_start * steps) - 1,
        "start_lr": "initial_lr",
        "end_lr": "max_lr",
        "start_momentum": "max_momentum",
        "end_momentum": "base_momentum",
    }
    fall = {
        "end_step": float(2 * pct_start * steps) - 2,
        "start_lr": "max_lr",
        "end_lr": "initial_lr",
        "start_momentum": "base_momentum",
        "end_momentum": "max_momentum",
    }
    if not three_phase:
        return [rise, {**fall, "end_step": steps - 1, "end_lr": "min_lr"}]
    end = {
        "end_step": steps - 1,
        "start_lr": "initial_lr",
        "end_lr": "min_lr",
        "start_momentum": "max_momentum",
        "end_momentum": "max_momentum",
    }
    return [rise, fall, end]
