"""Rate, momentum and weight decay as an optimizer's groups hold them, and how they are written there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Union

from clrfast._range_test._rates import put

Group = dict[str, Any]
Momentum = Union[float, tuple[float, float]]
CYCLED = (0.85, 0.95)  # Smith, arXiv:1803.09820, section 4.3: against the rate


@dataclasses.dataclass(frozen=True)
class Settings:
    """What one training is made with.

    Attributes:
        max_lr: The highest rate, that of the group whose rate is the highest.
        momentum: One number, two for a momentum that is cycled against the rate, or None for what is there.
        weight_decay: That of the group which has the largest, or None for what is there.
    """

    max_lr: float
    momentum: Momentum | None
    weight_decay: float | None


def has_momentum(group: Group) -> bool:
    """Return whether there is a momentum or a beta1 to tune.

    RMSprop's, which stands behind the division by the gradient's size, and is 0 by default, is none.
    """
    return "betas" in group or ("momentum" in group and "nesterov" in group)


def momentum_of(group: Group) -> float:
    """Return a group's momentum, or its beta1."""
    return float(group["betas"][0] if "betas" in group else group["momentum"])


def put_momentum(group: Group, value: float) -> None:
    """Set a group's momentum, or its beta1; in place where it is a tensor."""
    if "betas" in group and hasattr(group["betas"][0], "fill_"):
        group["betas"][0].fill_(value)
    else:
        put(group, *with_momentum(group, value))


def with_momentum(group: Group, value: float) -> tuple[str, Any]:
    """Return the name and the value under which a group holds this momentum, or this beta1."""
    return ("betas", (value, *group["betas"][1:])) if "betas" in group else ("momentum", value)


def one_momentum(groups: Iterable[Group]) -> float | None:
    """Return the momentum that all groups share; None where one has none, or another one."""
    listed = list(groups)
    if not all(map(has_momentum, listed)):
        return None
    values = {momentum_of(group) for group in listed}
    return values.pop() if len(values) == 1 else None


def sums_up(group: Group) -> bool:
    """Return whether a momentum m makes steps 1 / (1 - m) times as long, as SGD's does."""
    return "betas" not in group and "dampening" in group and float(group["dampening"]) == 0.0


def mean_of(momentum: Momentum) -> float:
    """Return the momentum, or the middle of the two."""
    return (momentum[0] + momentum[1]) / 2 if isinstance(momentum, tuple) else momentum


def decays(groups: Iterable[Group]) -> list[float] | None:
    """Return each group's weight decay; None where one has none."""
    listed = list(groups)
    if not listed or not all("weight_decay" in group for group in listed):
        return None
    return [float(group["weight_decay"]) for group in listed]


def shared_out(weight_decay: float, now: list[float]) -> list[float]:
    """Return each group's weight decay where the largest is this; one that is 0 beside others stays 0."""
    largest = max(now)
    return [weight_decay * (one / largest if largest > 0 else 1.0) for one in now]


def is_decoupled(optimizer: Any, group: Group) -> bool:
    """Return whether weights decay beside the step, as AdamW's, and not by a term of the gradient."""
    if group.get("decoupled_weight_decay"):
        return True
    names = [cls.__name__ for cls in type(optimizer).__mro__]
    return any(name in ("Muon", "Lion") or name.startswith("AdamW") for name in names)
