"""PyTorch schedulers that take their values from schedules (needs torch)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex, Union

from clrfast import _check
from clrfast._require import require

require("torch", "clrfast.lr_scheduler", "torch")

from torch import Tensor  # noqa: E402 - after the check that says how to install it
from torch.optim import Optimizer  # noqa: E402
from torch.optim.lr_scheduler import LRScheduler  # noqa: E402

__all__ = ["ScheduleLR"]

Values = Union[Callable[[int], float], Sequence[Callable[[int], float]]]


class ScheduleLR(LRScheduler):
    """Drives hyperparameters of an optimizer from schedules, each value a pure function of the step count.

    A drop-in `torch.optim.lr_scheduler.LRScheduler`: construct it, then call `step` after each
    ``optimizer.step()``. Any step is computed anew, so that a run resumes by ``load_state_dict`` or by
    ``last_epoch=n`` alone, in whatever order the optimizer's state is loaded, and always with the values of
    an uninterrupted run. The schedules are not saved: construct them again, as torch's LambdaLR asks.

    Values held in tensors (the rate, a momentum, a beta) are filled in place; numbers are replaced.

    Args:
        optimizer: The optimizer whose groups are driven.
        lr: The schedule of the rate: a `clrfast.Schedule` or any function of the step, or a sequence with one
            for each group. None leaves the rate alone.
        momentum: Likewise for `momentum`, or for the first of `betas` in optimizers that have those. To
            cycle it against the rate, use ``lr.reciprocal(...)``.
        weight_decay: Likewise for `weight_decay`.
        last_epoch: The step to go on from; -1 begins anew.

    Raises:
        TypeError: `optimizer` is not one, or a schedule cannot be called.
        ValueError: Nothing is driven, a sequence is not as long as the groups, the optimizer lacks the
            hyperparameter, or a schedule's first value is negative or not finite. Nothing has been changed.
        KeyError: `last_epoch` is not -1 and a group has no `initial_lr`, as in torch.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        lr: Values | None = None,
        momentum: Values | None = None,
        weight_decay: Values | None = None,
        last_epoch: SupportsIndex = -1,
    ) -> None:
        """Check everything, and only then write the first values."""
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        start = _check.whole("last_epoch", last_epoch, least=-1, most=2**63 - 2)
        if lr is None and momentum is None and weight_decay is None:
            raise ValueError("one of lr, momentum and weight_decay must be given, got None for each")
        self._driven: dict[str, list[Callable[[int], float]]] = {}
        for name, schedules in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if schedules is not None:
                self._driven[name] = _for_groups(name, schedules, optimizer, max(start, 0))
        super().__init__(optimizer, start)

    def get_lr(self) -> list[Any]:
        """The rate of each group at `last_epoch`: a float, or the group's own where it is not driven."""
        groups = self.optimizer.param_groups
        if "lr" not in self._driven:
            return [group["lr"] for group in groups]
        return [schedule(self.last_epoch) for schedule in self._of("lr")]

    def _update_lr(self, epoch: int | None = None) -> None:
        super()._update_lr(epoch)
        self._write_others()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken, and set the optimizer's values at once."""
        super().load_state_dict(state_dict)
        for group, rate in zip(self.optimizer.param_groups, self.get_lr()):
            if "lr" in self._driven:
                _write(group, "lr", rate)
        self._write_others()

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers only, so that ``torch.load(weights_only=True)`` reads them."""
        state: dict[str, Any] = super().state_dict()
        del state["_driven"]
        return state

    def _write_others(self) -> None:
        for name in self._driven:
            if name != "lr":
                for group, schedule in zip(self.optimizer.param_groups, self._of(name)):
                    _write(group, name, schedule(self.last_epoch))

    def _of(self, name: str) -> list[Callable[[int], float]]:
        """A schedule for each group; one for all also serves groups that were added later."""
        schedules = self._driven[name]
        missing = len(self.optimizer.param_groups) - len(schedules)
        return schedules + schedules[-1:] * missing


def _for_groups(
    name: str, schedules: Values, optimizer: Optimizer, step: int
) -> list[Callable[[int], float]]:
    groups = optimizer.param_groups
    each = list(schedules) if isinstance(schedules, Sequence) else [schedules] * len(groups)
    if len(each) != len(groups):
        raise ValueError(f"{name} must have one schedule for each of {len(groups)} groups, got {len(each)}")
    for index, (group, schedule) in enumerate(zip(groups, each)):
        if not callable(schedule):
            raise TypeError(f"{name} must be a schedule or a sequence of schedules, got {schedule!r}")
        if name not in group and not (name == "momentum" and "betas" in group):
            raise ValueError(f"{name} must be None: group {index} of {type(optimizer).__name__} has none")
        value = schedule(step)
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be finite and >= 0, got {value!r} at step {step}")
    return each


def _write(group: dict[str, Any], name: str, value: float) -> None:
    if name == "momentum" and "betas" in group:
        first, *rest = group["betas"]
        if isinstance(first, Tensor):
            first.fill_(value)
        else:
            group["betas"] = (value, *rest)
    elif isinstance(group[name], Tensor):
        group[name].fill_(value)
    else:
        group[name] = value
