"""CosineAnnealingWarmRestarts: torch's class of that name."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch.optim.lr_scheduler as torch_lr_scheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from clrfast import _check, schedules
from clrfast.lr_scheduler import _state
from clrfast.lr_scheduler._arguments import extended, optimizer_of
from clrfast.lr_scheduler._driven import Driven
from clrfast.lr_scheduler._groups import LR, copy_of
from clrfast.lr_scheduler._plan import Hyperparameter, Mix
from clrfast.lr_scheduler._setting import Setting

_HALF_PERIOD = schedules.cosine(1.0, 1)  # at T_cur / T_i


class CosineAnnealingWarmRestarts(Driven, torch_lr_scheduler.CosineAnnealingWarmRestarts):
    """Cosine annealing with warm restarts: torch's class, for which it can be put in place.

    Loshchilov and Hutter, arXiv:1608.03983, equation 5. Arguments, attributes, state, errors and warnings are
    torch's, and so are the values, but they are right at every restart, and where a run is resumed by
    `last_epoch` alone. Rates in tensors are written in place, and groups added later start from their own
    rate.

    Args:
        optimizer: The optimizer to drive; its rates are those after each restart.
        T_0: Steps of the first cycle, >= 1.
        T_mult: How many times as long as the one before each cycle is, an integer >= 1.
        eta_min: The lowest rate, >= 0.
        last_epoch: The step before the first one: -1 starts a run, and n - 1 goes on with step n.

    Raises:
        TypeError: `optimizer` is not one.
        ValueError: An argument is out of its range. Nothing is changed then.
        KeyError: `last_epoch` is not -1, and a group has no ``initial_lr`` to start from.
    """

    base_lrs = Setting()
    eta_min = Setting()

    T_cur: Any  # an int, or a float after a step to a fraction of an epoch
    _counts_restarts: ClassVar[bool] = True
    _rules: ClassVar[Mapping[str, _state.Rule]] = {
        "T_0": _state.whole(least=1, most=_state.MOST_STEPS),
        "T_i": _state.whole(least=1, most=_state.MOST_STEPS),
        "T_mult": _state.whole(least=1, most=_state.MOST_STEPS),
        "T_cur": _state.real(least=-1.0, most=_state.MOST_STEPS),
        "eta_min": _state.real(),
    }

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,  # noqa: N803 - torch's names
        T_mult: int = 1,  # noqa: N803
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        first = _whole("T_0", T_0, "Expected positive integer T_0, but got {}")
        mult = _whole("T_mult", T_mult, "Expected integer T_mult >= 1, but got {}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        _check.real("eta_min", eta_min, least=0.0)
        optimizer_of(optimizer)
        last = _state.check_last_epoch(last_epoch)
        self.T_0 = first
        self.T_mult = mult
        self.eta_min = eta_min
        self.T_cur, self.T_i = self._position(last) if last >= 0 else (last, first)
        self._get_lr_called_within_step = False
        LRScheduler.__init__(self, optimizer, last)

    def _position(self, epoch: float) -> tuple[float, int]:
        """The steps since the last restart, and from that to the next, at an epoch."""
        if self.T_mult == 1:
            return epoch % self.T_0, self.T_0
        begin, length = 0, self.T_0
        while epoch >= begin + length:
            begin += length
            length *= self.T_mult
        return epoch - begin, length

    def _step_slowly(self, epoch: Any = None) -> None:
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        elif epoch is not None and not isinstance(epoch, str) and not epoch >= 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        reached = self.last_epoch + 1 if epoch is None else epoch
        _state.check_step("epoch", reached)
        if epoch is None:  # others may have set T_cur, so it is counted on
            position, length = self.T_cur + 1, self.T_i
            if position >= length:
                position, length = position % length, length * self.T_mult
        else:
            position, length = self._position(epoch)
        before = self.T_cur, self.T_i, self.last_epoch
        self.T_cur, self.T_i, self.last_epoch = position, length, math.floor(reached)
        try:
            if self._has_own_get_lr() or not self._write(self._at()):
                super()._update_lr(self.last_epoch)
        except BaseException:
            self.T_cur, self.T_i, self.last_epoch = before
            raise

    def _update_lr(self, epoch: float | None = None) -> None:
        self._step_slowly(epoch)

    def _at(self) -> float:
        return float(max(self.T_cur, 0) / self.T_i)

    def _at_step(self, step: int) -> float:
        position, length = self._position(step)
        return position / length

    def _natural_length(self) -> int:
        return sum(self.T_0 * self.T_mult**cycle for cycle in range(4))

    def _describe(self) -> str:
        return f"T_0={self.T_0}, T_mult={self.T_mult}, eta_min={float(self.eta_min):g}"

    def _driven(self) -> tuple[list[Callable[[Any], float]], list[Hyperparameter]]:
        groups = self.optimizer.param_groups
        low = float(self.eta_min)
        for group in groups[len(self.base_lrs) :]:
            group.setdefault("initial_lr", copy_of(group["lr"]))
            self.base_lrs.append(copy_of(group["initial_lr"]))
        highs = extended("base_lrs", self.base_lrs, len(groups))
        return [_HALF_PERIOD], [Hyperparameter(LR, [Mix(low, 0, high - low) for high in highs])]


def _whole(name: str, value: Any, message: str) -> int:
    try:
        number = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(message.format(value))
    return number
