"""CyclicLR: torch's class of that name."""

from __future__ import annotations

import math
import types
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch.optim.lr_scheduler as torch_lr_scheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from clrfast import _check, _core, schedules
from clrfast.lr_scheduler import _state
from clrfast.lr_scheduler._arguments import (
    PerGroup,
    bounds,
    extended,
    momentum_place,
    optimizer_of,
    set_momentum,
    uses_beta1,
)
from clrfast.lr_scheduler._driven import Driven
from clrfast.lr_scheduler._groups import LR, copy_of, like
from clrfast.lr_scheduler._plan import Hyperparameter, Mix
from clrfast.lr_scheduler._setting import Setting
from clrfast.schedules import Schedule
from clrfast.schedules._cyclic import cycles_of

_MODES = ("triangular", "triangular2", "exp_range")


class CyclicLR(Driven, torch_lr_scheduler.CyclicLR):
    """The rate goes up and down between two bounds: torch's CyclicLR, for which it can be put in place.

    Smith, arXiv:1506.01186. Arguments, attributes, state and warnings are torch's, and so are the values, but
    they hold at any step: cycles are counted in integers, and triangular2 goes on beyond its 1024th cycle.
    Rates and momenta in tensors are written in place. Groups added later get the bounds of the others.

    Args:
        optimizer: The optimizer to drive.
        base_lr: The lowest rate, >= 0, or one a parameter group.
        max_lr: The highest rate of the first cycle, at least `base_lr`, or one a group.
        step_size_up: Steps from `base_lr` to `max_lr`, > 0.
        step_size_down: Steps back, >= 0; None means `step_size_up`.
        mode: 'triangular', 'triangular2' (half the amplitude in each next cycle) or 'exp_range' (the
            amplitude times ``gamma ** step``). Not used with `scale_fn`.
        gamma: The factor of 'exp_range', > 0.
        scale_fn: A function that gives the amplitude's factor, called once a step.
        scale_mode: Whether `scale_fn` is given the number of the 'cycle', from 1, or of 'iterations', the
            steps from 0.
        cycle_momentum: Whether momentum, or the first of betas, is cycled against the rate.
        base_momentum: The lowest momentum, >= 0, or one a group.
        max_momentum: The highest momentum, at least `base_momentum`, or one a group.
        last_epoch: The step before the first one: -1 starts a run, and n - 1 goes on with step n.

    Raises:
        TypeError: `optimizer` is not one, or an argument is not a number.
        ValueError: An argument is out of its range, a list has another length than there are groups, or the
            optimizer has no momentum to cycle. Nothing is changed then.
    """

    base_lrs = Setting()
    max_lrs = Setting()
    total_size = Setting()
    step_ratio = Setting()
    mode = Setting()
    gamma = Setting()
    scale_mode = Setting()
    cycle_momentum = Setting()
    use_beta1 = Setting()
    base_momentums = Setting()
    max_momentums = Setting()
    _scale_fn_custom = Setting()

    _unsaved: ClassVar[tuple[str, ...]] = ("optimizer", "_scale_fn_ref", "_scale_fn_custom")
    _rules: ClassVar[Mapping[str, _state.Rule]] = {
        "cycle_momentum": _state.boolean,
        "use_beta1": _state.boolean,
        "max_lrs": _state.reals,
        "total_size": _state.real(above=0.0, most=2.0**53),
        "step_ratio": _state.real(least=0.0, most=1.0),
        "gamma": _state.real(),
        "scale_mode": _state.choice("cycle", "iterations"),
        "base_momentums": _state.reals,
        "max_momentums": _state.reals,
    }

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: PerGroup,
        max_lr: PerGroup,
        step_size_up: float = 2000,
        step_size_down: float | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: PerGroup = 0.8,
        max_momentum: PerGroup = 0.9,
        last_epoch: int = -1,
    ) -> None:
        optimizer_of(optimizer)
        base_lrs, max_lrs = bounds("base_lr", base_lr, "max_lr", max_lr, optimizer)
        up = _check.real("step_size_up", step_size_up, above=0.0, most=2.0**52)
        down = up
        if step_size_down is not None:
            down = _check.real("step_size_down", step_size_down, least=0.0, most=2.0**52)
        if scale_fn is None and mode not in _MODES:
            raise ValueError(
                f"mode is invalid and scale_fn is None: mode must be one of {_MODES}, got {mode!r}"
            )
        if scale_fn is None and mode == "exp_range":
            _check.real("gamma", gamma, above=0.0)
        if scale_fn is not None and not callable(scale_fn):
            raise TypeError(f"scale_fn must be a function or None, got {scale_fn!r}")
        _check.choice("scale_mode", scale_mode, ["cycle", "iterations"])
        last = _state.check_last_epoch(last_epoch)
        if cycle_momentum:
            use_beta1 = uses_beta1(optimizer)
            momenta = bounds("base_momentum", base_momentum, "max_momentum", max_momentum, optimizer)

        self.max_lrs = max_lrs
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        self._init_scale_fn()
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = use_beta1
            self.base_momentums, self.max_momentums = momenta
        for group, rate in zip(optimizer.param_groups, base_lrs):
            if last == -1:
                LR.put(group, copy_of(rate))
            group.setdefault("initial_lr", like(group["lr"], float(rate)))
        if cycle_momentum and last == -1:
            set_momentum(optimizer, *momenta, use_beta1)
        self._get_lr_called_within_step = False
        LRScheduler.__init__(self, optimizer, last)
        # Another scheduler may have been there first, and its initial_lr is not the lowest rate of this one.
        self.base_lrs = base_lrs
        self._write_now()

    @staticmethod
    def _triangular2_scale_fn(x: float) -> float:
        return float(2.0 ** (1 - x))  # which underflows to 0, where torch's 1 / 2.0 ** (x - 1) overflows

    def _watched_lists(self) -> list[list[Any]]:
        lists = [self.base_lrs, self.max_lrs]
        return [*lists, self.base_momentums, self.max_momentums] if self.cycle_momentum else lists

    def _driven(self) -> tuple[list[Callable[[Any], float]], list[Hyperparameter]]:
        groups = self.optimizer.param_groups

        def numbers(name: str) -> list[float]:
            return extended(name, getattr(self, name), len(groups))

        ends = zip(numbers("base_lrs"), numbers("max_lrs"))
        driven = [Hyperparameter(LR, [Mix(low, 0, high - low) for low, high in ends])]
        if self.cycle_momentum:
            ends = zip(numbers("base_momentums"), numbers("max_momentums"))
            mixes = [Mix(high, 0, low - high) for low, high in ends]
            driven.append(Hyperparameter(momentum_place(self.use_beta1), mixes))
        return [self._height()], driven

    def _natural_length(self) -> int:
        return math.ceil(4 * float(self.total_size))

    def _height(self) -> Callable[[Any], float]:
        """Where the rate is between its bounds, from 0 to 1, at a step."""
        up = self.total_size * self.step_ratio
        whole = float(round(up))
        if self.total_size.is_integer() and abs(up - whole) <= 4e-16 * self.total_size:
            up = whole  # the ratio was rounded
        down = self.total_size - up
        if self._scale_fn_custom is None and type(self).scale_fn is torch_lr_scheduler.CyclicLR.scale_fn:
            if self.mode == "triangular2":
                return schedules.triangular2(0.0, 1.0, up, down)
            if self.mode == "exp_range":
                # A gamma above 1, which torch's class allows, lets the rate grow.
                return cycles_of(0.0, 1.0, up, down, scaling=_core.Scaling("step", gamma=self.gamma))
            return schedules.triangular(0.0, 1.0, up, down)
        triangle = schedules.triangular(0.0, 1.0, up, down)
        scale_fn = self._scale_fn_custom or _Unbound(self.scale_fn)
        return _Scaled(triangle, self.total_size, scale_fn, self.scale_mode == "cycle")

    def _describe(self) -> str:
        low, high = min(map(float, self.base_lrs)), max(map(float, self.max_lrs))
        form = self.mode if self._scale_fn_custom is None else f"scaled by each {self.scale_mode}"
        return f"{form}, a cycle of {self.total_size:g} steps between {low:g} and {high:g}"

    def state_dict(self) -> dict[str, Any]:
        """As torch's: of a `scale_fn` that is no function it holds the attributes."""
        state = super().state_dict()
        fn = self._scale_fn_custom
        stateless = fn is None or isinstance(fn, types.FunctionType) or not hasattr(fn, "__dict__")
        state["_scale_fn_custom"] = None if stateless else fn.__dict__.copy()
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        if self._scale_fn_custom is None:
            _check.choice("mode", state.get("mode", self.mode), _MODES)
        attributes = state.pop("_scale_fn_custom", None)
        if attributes is not None:
            if not hasattr(self._scale_fn_custom, "__dict__"):
                raise ValueError(
                    "the state has attributes of a scale_fn, but this scheduler was made without one"
                )
            self._scale_fn_custom.__dict__.update(attributes)
        super()._restore(state)
        self._init_scale_fn()


class _Scaled:
    """A triangle whose height a function of the cycle or of the step scales."""

    def __init__(
        self, triangle: Schedule, total_size: float, scale_fn: Callable[[float], float], by_cycle: bool
    ) -> None:
        self._triangle = triangle
        self._size = int(total_size) if total_size.is_integer() else total_size
        self._scale_fn = scale_fn
        self._by_cycle = by_cycle

    def __call__(self, step: float) -> float:
        index = 1 + math.floor(step // self._size) if self._by_cycle else step
        return self._triangle(step) * float(self._scale_fn(index))


class _Unbound:
    """A method that does not keep its object alive: it is held by the object itself."""

    def __init__(self, method: Callable[[float], float]) -> None:
        self._method = weakref.WeakMethod(method)

    def __call__(self, index: float) -> float:
        method = self._method()
        assert method is not None  # the object calls this
        return method(index)
