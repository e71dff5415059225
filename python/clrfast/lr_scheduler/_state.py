"""What checkpoints of schedulers hold: how it is made plain, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, SupportsIndex

from torch import Tensor

from clrfast import _check

MOST_STEPS = 2**62

Rule = Callable[[str, Any], object]


def plain(value: Any) -> Any:
    """The value without tensors, and without lists that somebody else holds: what a checkpoint is made of."""
    if isinstance(value, Tensor):
        return value.item()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def check_last_epoch(last_epoch: SupportsIndex) -> int:
    """The step before the first one, as constructors take it."""
    return _check.whole("last_epoch", last_epoch, least=-1, most=MOST_STEPS)


def check_step(name: str, step: Any, least: int = 0) -> None:
    """A step that can be gone to, or the fraction of one."""
    if not isinstance(step, (bool, str)):
        try:  # integers are compared as they are: a float would round them
            if least <= (step if isinstance(step, int) else float(step)) <= MOST_STEPS:
                return
        except (TypeError, ValueError):
            pass
    raise ValueError(f"{name} must be a step from {least} to 2**62, got {step!r}")


def check(state: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Raise a ValueError where the state breaks one of the rules, which are by its keys."""
    for name, rule in rules.items():
        if name in state:
            try:
                rule(name, state[name])
            except (TypeError, OverflowError) as error:
                raise ValueError(str(error)) from None


def real(**bounds: float) -> Rule:
    """A rule for a finite number within the bounds that _check.real takes."""
    return lambda name, value: _check.real(name, value, **bounds)


def whole(**bounds: int) -> Rule:
    """A rule for an integer within the bounds that _check.whole takes."""
    return lambda name, value: _check.whole(name, value, **bounds)


def boolean(name: str, value: Any) -> None:
    """A rule for True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def choice(*allowed: object) -> Rule:
    """A rule for one of a few values."""
    return lambda name, value: _check.choice(name, value, allowed)


def reals(name: str, values: Any) -> None:
    """A rule for a list of finite numbers."""
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{name} must be a list of numbers, got {values!r}")
    for index, value in enumerate(values):
        _check.real(f"{name}[{index}]", value)


# What torch's base class keeps.
COMMON: Mapping[str, Rule] = {
    "last_epoch": lambda name, value: check_step(name, value, least=-1),
    "_step_count": whole(least=0, most=MOST_STEPS),
    "base_lrs": reals,
    "_last_lr": lambda name, values: None if values is None else reals(name, values),
}
