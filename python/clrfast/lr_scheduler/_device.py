"""DeviceScheduleLR: a step that runs on the device, so that a captured graph takes it when it is replayed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import EPOCH_DEPRECATION_WARNING, LRScheduler

from clrfast import _check
from clrfast.lr_scheduler import _history, _saved_schedules, _state
from clrfast.lr_scheduler._arguments import optimizer_of
from clrfast.lr_scheduler._curves import Curve, Curves, curves_by_name, note_initial_rates
from clrfast.lr_scheduler._groups import Place, copy_of, place_of, separate
from clrfast.lr_scheduler._schedule_lr import describe
from clrfast.schedules import Schedule

_RULES: Mapping[str, _state.Rule] = {
    **_state.COMMON,
    "last_epoch": _state.whole(least=-1, most=_state.MOST_STEPS),
    "total_steps": _state.whole(least=1, most=_state.MOST_STEPS),
    "schedules": _saved_schedules.check,
}


class _Target(NamedTuple):
    """A hyperparameter of a group, and the column of the table that drives it."""

    group: int
    place: Place
    column: int


class DeviceScheduleLR(_history.WithHistory, LRScheduler):
    """As ScheduleLR, but a step is three tensor operations on the device, whatever the number of groups.

    The count of steps and a table of the values live on the device of the rates, so a CUDA graph that holds
    ``optimizer.step()`` and ``scheduler.step()`` goes on in its schedule each time it is replayed, and a step
    can be compiled too. Nothing is read back but by `last_epoch` and what needs it.

    The table has a row for each step of the schedules, and one for what is held then, of 8 bytes for each
    different schedule. No step is told from another, so nobody is warned about the order of calls.

    Args:
        optimizer: The optimizer to drive. All that is driven must be tensors, on one device.
        lr: As of ScheduleLR.
        momentum: As of ScheduleLR.
        weight_decay: As of ScheduleLR.
        total_steps: For how many steps the table is made, >= 1; the value of the step after them is held from
            there on. None means until all schedules have ended, which they must.
        last_epoch: As of ScheduleLR.
        **others: As of ScheduleLR.

    Raises:
        TypeError: As ScheduleLR, or what is driven is no tensor.
        ValueError: As ScheduleLR, or a schedule never ends and `total_steps` is None, or there are tensors on
            two devices. Nothing is changed then.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        lr: Curves | None = None,
        momentum: Curves | None = None,
        weight_decay: Curves | None = None,
        total_steps: SupportsIndex | None = None,
        last_epoch: SupportsIndex = -1,
        **others: Curves | None,
    ) -> None:
        optimizer_of(optimizer)
        last = _state.check_last_epoch(last_epoch)
        given = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, **others}
        curves = curves_by_name(given, optimizer, last + 1)
        different = list({id(curve): curve for each in curves.values() for curve in each if curve}.values())
        self.total_steps = _length(different, total_steps)
        device = _device(curves, optimizer)
        rows = np.stack([_values(curve, self.total_steps + 1) for curve in different], axis=1)
        kind = torch.float32 if device.type == "mps" else torch.float64
        self._table_of_values = torch.tensor(rows, dtype=kind, device=device)
        self._step = torch.tensor([last], dtype=torch.int64, device=device)
        self._schedules = curves
        self._targets: list[_Target] = []
        shared: dict[int, object] = {}
        column_of = {id(curve): index for index, curve in enumerate(different)}
        for name, each in curves.items():
            for index, (group, curve) in enumerate(zip(optimizer.param_groups, each)):
                place = place_of(name, group)
                separate(place, group, None if curve is None else id(curve), shared)
                if curve is not None:
                    self._targets.append(_Target(index, place, column_of[id(curve)]))
        note_initial_rates(optimizer, curves.get("lr", []))
        super().__init__(optimizer, last)

    @property
    def last_epoch(self) -> int:
        """The current step, read from the device."""
        return int(self._step.item())

    @last_epoch.setter
    def last_epoch(self, step: int) -> None:
        self._step.fill_(_state.check_last_epoch(step))

    def step(self, epoch: int | None = None) -> None:
        """Count on and write the values of the new step, all on the device: to be captured or compiled."""
        if epoch is None:
            self._step.add_(1)
        else:
            warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)
            self._step.fill_(_check.whole("epoch", epoch, most=_state.MOST_STEPS))
        self._write()

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None:
            self._step.add_(1)
        else:
            self.last_epoch = epoch
        self._write()

    def _write(self) -> None:
        row = self._table_of_values.index_select(0, self._step.clamp(0, self.total_steps))[0]
        values = row.unbind()
        groups = self.optimizer.param_groups
        tensors, sources = [], []
        for target in self._targets:
            tensors.append(target.place.get(groups[target.group]))
            sources.append(values[target.column])
        torch._foreach_copy_(tensors, sources)

    def _history_at(self, steps: npt.NDArray[np.int64]) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
        rows = torch.as_tensor(np.minimum(steps, self.total_steps), device=self._table_of_values.device)
        values = self._table_of_values.index_select(0, rows).cpu().numpy()
        for place in dict.fromkeys(target.place for target in self._targets):
            history = np.full((len(steps), len(self.optimizer.param_groups)), np.nan)
            for target in self._targets:
                if target.place == place:
                    history[:, target.group] = values[:, target.column]
            yield place.name, history

    def _natural_length(self) -> int:
        return self.total_steps

    def get_lr(self) -> list[float | Tensor]:
        """The rates of the groups, copied: the table gives no others."""
        return [copy_of(group["lr"]) for group in self.optimizer.param_groups]

    @property
    def _last_lr(self) -> list[float | Tensor]:  # type: ignore[override]
        return self.get_lr()

    def _describe(self) -> str:
        return f"{describe(self._schedules)} for {self.total_steps} steps"

    def state_dict(self) -> dict[str, Any]:
        """The current step, read from the device, the initial rates, and the schedules as text."""
        return {
            "last_epoch": self.last_epoch,
            "base_lrs": _state.plain(self.base_lrs),
            "total_steps": self.total_steps,
            "schedules": _saved_schedules.saved(self._schedules),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, here or of ScheduleLR, and write its values into the optimizer.

        The constructor's schedules and `total_steps` are the ones that count; a UserWarning says where other
        ones give another value.

        Raises:
            ValueError: ``last_epoch`` is missing or no step, or the state is otherwise none of these classes.
                Nothing is changed then.
        """
        _state.check({"last_epoch": None, **state_dict}, _RULES)
        last, others = state_dict["last_epoch"], state_dict.get("schedules")
        _saved_schedules.warn_of_others(others, self._schedules, last, stacklevel=2)
        length = state_dict.get("total_steps", self.total_steps)
        if length != self.total_steps and last > min(length, self.total_steps):
            warnings.warn(
                f"The state is of a run of {length} steps; this scheduler keeps its own total_steps, "
                f"{self.total_steps}, and step {last} lies beyond one of them.",
                UserWarning,
                stacklevel=2,
            )
        self._step.fill_(last)
        self._write()


def _length(curves: list[Curve], total_steps: SupportsIndex | None) -> int:
    if total_steps is not None:
        return _check.whole("total_steps", total_steps, least=1)
    total = max(getattr(curve, "total_steps", math.inf) for curve in curves)
    if math.isinf(total):
        raise ValueError("total_steps must be given, got None with a schedule that never ends")
    return math.ceil(total)


def _device(curves: dict[str, list[Curve | None]], optimizer: Optimizer) -> torch.device:
    devices = set()
    for name, each in curves.items():
        for index, (group, curve) in enumerate(zip(optimizer.param_groups, each)):
            if curve is None:
                continue
            held = place_of(name, group).get(group)
            if not isinstance(held, Tensor):
                raise TypeError(f"{name} must be a tensor in group {index} of the optimizer, got {held!r}")
            devices.add(held.device)
    if len(devices) > 1:
        raise ValueError(f"all that is driven must be on one device, got {sorted(map(str, devices))}")
    return devices.pop()


def _values(curve: Any, steps: int) -> Any:
    if isinstance(curve, Schedule):
        return curve.values(0, steps)
    return np.array([_check.real(f"the value at step {step}", curve(step)) for step in range(steps)])
