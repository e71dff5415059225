"""The rate of each parameter group at each step of a range test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, Union

import numpy as np

from clrfast import _check
from clrfast.schedules import ramp

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from clrfast._range_test._snapshot import Snapshot

Shape = Literal["exponential", "linear"]
OneOrEach = Union[float, Sequence[float]]


class Rates:
    """Ramps for the parameter groups of optimizers: one for all of them at a ratio, or one for each.

    Args:
        optimizers: The optimizers by name; their groups count one after another.
        start_lr: The first rate, or one for each group.
        end_lr: The last rate, or one for each group.
        steps: Steps of the ramps.
        shape: Of the ramps.
        hold: Steps at each rate.

    Attributes:
        recorded: The rates of the group that leads, shape (steps,), float64.
        named_groups: The groups, and what messages call them.
        is_one_ramp: Whether all groups share one ramp of equal ratios without stairs.
        held: What else is set in each step: the group, the name of a hyperparameter, its value.
    """

    held: list[tuple[dict[str, Any], str, Any]]

    def __init__(
        self,
        optimizers: dict[str, torch.optim.Optimizer],
        start_lr: OneOrEach,
        end_lr: OneOrEach,
        steps: SupportsIndex,
        shape: Shape,
        hold: SupportsIndex,
    ) -> None:
        """Check everything; set nothing."""
        self._shape = _check.choice("shape", shape, ("exponential", "linear"))
        count = _check.whole("steps", steps, least=2)
        held = _check.whole("hold", hold, least=1, most=(count + 1) // 2)
        self.named_groups = [
            (f"{name}.param_groups[{i}]", group)
            for name, optimizer in optimizers.items()
            for i, group in enumerate(optimizer.param_groups)
        ]
        groups = [group for _, group in self.named_groups]
        self._optimizers = list(optimizers.values())
        self.held = []
        self._of_each = not (_is_one(start_lr) and _is_one(end_lr))
        if self._of_each:
            firsts = _each("start_lr", start_lr, len(groups))
            lasts = _each("end_lr", end_lr, len(groups))
            ratios = [1.0] * len(groups)
        else:
            firsts, lasts = [start_lr], [end_lr]
            ratios = group_ratios(self.named_groups)
        self.is_one_ramp = not self._of_each and self._shape == "exponential" and held == 1
        self._ends: list[tuple[float, float]] = []
        for i, (first, last) in enumerate(zip(firsts, lasts)):
            place = f"[{i}]" if self._of_each else ""
            low = _check.real(f"start_lr{place}", first, above=0.0)
            self._ends.append((low, _check.real(f"end_lr{place}", last, above=low)))
        different = math.ceil(count / held)
        columns = [
            np.repeat(ramp(low, high, different, shape=self._shape).values(0, different), held)[:count]
            for low, high in self._ends
        ]
        self._leads = max(range(len(columns)), key=lambda i: self._ends[i][1])
        self.recorded: NDArray[np.float64] = columns[self._leads]
        ramps = [column.tolist() for column in columns]
        self._groups = list(zip(groups, ramps if self._of_each else ramps * len(groups), ratios))

    def set(self, step: int) -> None:
        """Set the rate of each group."""
        for group, rates, ratio in self._groups:
            put(group, "lr", rates[step] * ratio)
        for group, name, value in self.held:
            put(group, name, value)
        if step == 0:
            self._check_held()

    def replace(self, step: int, lrs: Sequence[float]) -> None:
        """Give the ramp that all groups share other rates from a step on."""
        stop = step + len(lrs)
        self.recorded[step:stop] = lrs
        self._groups[0][1][step:stop] = lrs

    def _check_held(self) -> None:
        """Raise unless a rate that was set is the rate that an optimizer has."""
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        for (name, kept), group in zip(self.named_groups, groups):
            if isinstance(kept["lr"], float) and group["lr"] != kept["lr"]:
                raise ValueError(f"{name}['lr'] must stay as it is set, {kept['lr']:g}, got {group['lr']!r}")

    def check_effect(self, before: Snapshot, steps: int) -> bool:
        """Return True, or raise if the rates cannot have had an effect.

        Args:
            before: What the parameters were.
            steps: How many there were since.

        Raises:
            ValueError: No parameter was written; or only by a captured graph, which holds a rate.
        """
        parameters = [parameter for _, group in self.named_groups for parameter in group["params"]]
        if not before.has_changed(parameters):
            raise ValueError(
                f"optimizer must change parameters in each step, got none changed in {steps} steps: "
                "the losses do not depend on the rate"
            )
        frozen = [
            name
            for name, group in self.named_groups
            if group.get("capturable") and isinstance(group["lr"], float)
        ]
        if frozen and not before.was_written(parameters):  # only a replayed graph writes unseen
            raise ValueError(
                f"{frozen[0]}['lr'] must be a tensor where steps are replayed from a captured graph, got a "
                "number, which the graph holds as it was: the losses do not depend on the rate"
            )
        return True

    def of_groups(self, lr: float) -> list[float]:
        """Return the rate that each group has where the recorded one is `lr`."""
        if not self._of_each:
            return [lr * ratio for _, _, ratio in self._groups]
        first, last = self._ends[self._leads]
        if self._shape == "linear":
            share = (lr - first) / (last - first)
            return [low + (high - low) * share for low, high in self._ends]
        share = math.log(lr / first) / math.log(last / first)
        return [low * (high / low) ** share for low, high in self._ends]


def put(group: dict[str, Any], name: str, value: Any) -> None:
    """Set a hyperparameter of a parameter group, in place where it is held in a tensor."""
    if hasattr(group[name], "fill_"):  # others hold this tensor: a compiled step, a scheduler
        group[name].fill_(value)
    else:
        group[name] = value


def _is_one(rate: Any) -> bool:
    return not isinstance(rate, (Sequence, np.ndarray)) or isinstance(rate, (str, bytes))


def _each(name: str, rate: Any, groups: int) -> list[Any]:
    if _is_one(rate):
        return [rate] * groups
    if len(rate) != groups:
        raise ValueError(f"{name} must be one number, or one for each of {groups} groups, got {len(rate)}")
    return list(rate)


def group_ratios(named: list[tuple[str, dict[str, Any]]]) -> list[float]:
    """Return the ratio of each group's rate to the largest of all."""
    for key in ("lr", "initial_lr"):
        rates = [
            _check.real(f"{name}[{key!r}]", group.get(key), least=0.0)
            for name, group in named
            if key == "lr" or key in group
        ]
        if len(rates) == len(named) and max(rates) > 0:
            return [rate / max(rates) for rate in rates]
    return [1.0] * len(named)
