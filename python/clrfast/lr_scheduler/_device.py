"""DeviceScheduleLR: a step that runs on the device, so that a captured graph takes it when it is replayed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import EPOCH_DEPRECATION_WARNING, LRScheduler

from clrfast import _check
from clrfast.lr_scheduler import _history
from clrfast.lr_scheduler._arguments import optimizer_of
from clrfast.lr_scheduler._curves import Curve, Curves, curves_by_name, note_initial_rates, where
from clrfast.lr_scheduler._driven import copy_of, current, own, plain
from clrfast.schedules import Schedule


class DeviceScheduleLR(_history.WithHistory, LRScheduler):
    """As ScheduleLR, but a step is three tensor operations on the device, whatever the number of groups.

    The count of steps and a table of the values live on the device of the rates, so a CUDA graph that holds
    ``optimizer.step()`` and ``scheduler.step()`` goes on in its schedule each time it is replayed, and a step
    can be compiled too. Nothing is read back but by `last_epoch` and what needs it.

    The table has a row for each step of the schedules, of 8 bytes for each different one. No step is told
    from another, so nobody is warned about the order of calls.

    Args:
        optimizer: The optimizer to drive. All that is driven must be tensors, on one device.
        lr: As of ScheduleLR.
        momentum: As of ScheduleLR.
        weight_decay: As of ScheduleLR.
        total_steps: For how many steps the table is made, >= 1; the last value is held from there on. None
            means until all schedules have ended, which they must.
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
        last = _check.whole("last_epoch", last_epoch, least=-1, most=2**62)
        given = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, **others}
        curves = curves_by_name(given, optimizer, last + 1)
        different = list({id(curve): curve for each in curves.values() for curve in each if curve}.values())
        self.total_steps = _length(different, total_steps)
        device = _device(curves, optimizer)
        rows = np.stack([_values(curve, self.total_steps + 1) for curve in different], axis=1)
        kind = torch.float32 if device.type == "mps" else torch.float64
        self._table_of_values = torch.tensor(rows, dtype=kind, device=device)
        self._step = torch.tensor([last], dtype=torch.int64, device=device)
        places = {id(curve): index for index, curve in enumerate(different)}
        # What is driven: the group, the key, the element of a tuple or -1, and the column of the table.
        self._targets = [
            (index, *where(name, group), places[id(curve)])
            for name, each in curves.items()
            for index, (group, curve) in enumerate(zip(optimizer.param_groups, each))
            if curve is not None
        ]
        shared: dict[int, Any] = {}
        for name, each in curves.items():
            for group, curve in zip(optimizer.param_groups, each):
                own(group, *where(name, group), curve and id(curve), shared)
        note_initial_rates(optimizer, curves.get("lr", []))
        super().__init__(optimizer, last)

    @property
    def last_epoch(self) -> int:
        """The current step, read from the device."""
        return int(self._step.item())

    @last_epoch.setter
    def last_epoch(self, step: int) -> None:
        self._step.fill_(step)

    def step(self, epoch: int | None = None) -> None:
        """Count on and write the values of the new step, all on the device: to be captured or compiled."""
        if epoch is None:
            self._step.add_(1)
        else:
            warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)
            self._step.fill_(_check.whole("epoch", epoch))
        self._write()

    def _update_lr(self, epoch: int | None = None) -> None:
        self._step.add_(1) if epoch is None else self._step.fill_(epoch)
        self._write()

    def _write(self) -> None:
        row = self._table_of_values.index_select(0, self._step.clamp(0, self.total_steps))[0]
        values = row.unbind()
        groups = self.optimizer.param_groups
        tensors, sources = [], []
        for index, key, slot, column in self._targets:
            tensors.append(current(groups[index], key, slot))
            sources.append(values[column])
        torch._foreach_copy_(tensors, sources)

    def _history_at(self, steps: npt.NDArray[np.int64]) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
        rows = torch.as_tensor(np.minimum(steps, self.total_steps), device=self._table_of_values.device)
        values = self._table_of_values.index_select(0, rows).cpu().numpy()
        for key, slot in dict.fromkeys((key, slot) for _, key, slot, _ in self._targets):
            column = np.full((len(steps), len(self.optimizer.param_groups)), np.nan)
            for index, its_key, its_slot, source in self._targets:
                if (its_key, its_slot) == (key, slot):
                    column[:, index] = values[:, source]
            yield _history.name_of(key, slot), column

    def _natural_length(self) -> int:
        return self.total_steps

    def get_lr(self) -> list[float | Tensor]:
        """The rates of the groups, copied: the table gives no others."""
        return [copy_of(group["lr"]) for group in self.optimizer.param_groups]

    @property
    def _last_lr(self) -> list[float | Tensor]:  # type: ignore[override]
        return self.get_lr()

    def state_dict(self) -> dict[str, Any]:
        """The current step, read from the device, and the initial rates."""
        return {"last_epoch": self.last_epoch, "base_lrs": plain(self.base_lrs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, here or of ScheduleLR, and write its values into the optimizer.

        Raises:
            ValueError: ``last_epoch`` is missing or no step.
        """
        self._step.fill_(_check.whole("last_epoch", state_dict.get("last_epoch", -2), least=-1, most=2**62))
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
            held = current(group, *where(name, group))
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
