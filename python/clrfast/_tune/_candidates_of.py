"""Which momenta and weight decays are tried, and where none is, why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Union

from clrfast import _check
from clrfast._tune._settings import (
    CYCLED,
    Group,
    Momentum,
    decays,
    has_momentum,
    is_decoupled,
    mean_of,
    one_momentum,
    sums_up,
)

MomentumAsked = Union[bool, Iterable[Momentum]]
DecayAsked = Union[bool, Iterable[float]]
_MOMENTA: tuple[Momentum, ...] = (0.8, 0.9, 0.95, 0.99, CYCLED)
_FACTOR = 3.0  # from one weight decay to the next
_TIME_SCALES = (0.1, 0.3, 1.0)  # of all steps, where there is no decay to start from
_BOUND = 10.0  # how far the centre moves from what the optimizer has


def check_momentum(asked: Any) -> bool | list[Momentum]:
    """Return whether momentum is tuned, or the candidates.

    Raises:
        TypeError, ValueError: It is neither.
    """
    if isinstance(asked, bool):
        return asked
    return [_one_momentum(f"momentum[{i}]", one) for i, one in enumerate(_listed("momentum", asked))]


def _one_momentum(name: str, value: Any) -> Momentum:
    if not isinstance(value, (tuple, list)):
        return _check.real(name, value, least=0.0, below=1.0)
    if len(value) != 2:
        raise ValueError(f"{name} must be a number or (base_momentum, max_momentum), got {value!r}")
    low = _check.real(f"{name}[0]", value[0], least=0.0, below=1.0)
    return low, _check.real(f"{name}[1]", value[1], above=low, below=1.0)


def check_weight_decay(asked: Any) -> bool | list[float]:
    """Return whether weight decay is tuned, or the candidates.

    Raises:
        TypeError, ValueError: It is neither.
    """
    if isinstance(asked, bool):
        return asked
    listed = _listed("weight_decay", asked)
    return [_check.real(f"weight_decay[{i}]", one, least=0.0) for i, one in enumerate(listed)]


def _listed(name: str, asked: Any) -> list[Any]:
    if isinstance(asked, (str, bytes, Mapping)) or not isinstance(asked, Iterable):
        raise TypeError(f"{name} must be True, False or a list of candidates, got {asked!r}")
    listed = list(asked)
    if not listed:
        raise ValueError(f"{name} must be True, False or a list of candidates, got an empty one")
    return listed


def momenta(asked: bool | list[Momentum], groups: list[Group], cycles: bool) -> tuple[list[Momentum], str]:
    """Return the momenta to try beside that of now, which comes first; alone, with a reason, where none is.

    Args:
        asked: What `check_momentum` returned.
        groups: The parameter groups of all optimizers.
        cycles: Whether the schedule of the rate rises and falls, so that a momentum can go against it.
    """
    now = one_momentum(groups)
    if now is None:
        some = any(map(has_momentum, groups))
        return [], "the groups have different momenta" if some else "the optimizer has no momentum"
    if asked is False:
        return [now], "not asked for"
    tried = [m for m in (_MOMENTA if asked is True else asked) if cycles or not isinstance(m, tuple)]
    return [now, *(m for m in tried if m != now)], ""


def rate_for(max_lr: float, now: Momentum, momentum: Momentum, groups: list[Group]) -> float:
    """Return the rate at which another momentum makes steps as long as that of now does at `max_lr`."""
    if not all(map(sums_up, groups)):
        return max_lr
    return max_lr * (1 - mean_of(momentum)) / (1 - mean_of(now))


def weight_decays(
    asked: bool | list[float],
    optimizers: Iterable[Any],
    lrs: tuple[float, float],
    step_length: float,
    total_steps: int,
) -> tuple[list[float], list[str]]:
    """Return the weight decays to try beside that of now, which comes first, and what is to be said of them.

    Args:
        asked: What `check_weight_decay` returned.
        optimizers: The optimizers.
        lrs: The highest rate that they have, and the one that was chosen.
        step_length: By what the chosen rate is multiplied by the momentum, 1 / (1 - m) for SGD's.
        total_steps: Steps of the training to come.
    """
    pairs = [(optimizer, group) for optimizer in optimizers for group in optimizer.param_groups]
    now = decays(group for _, group in pairs)
    if now is None:
        return [], ["the optimizer has no weight decay"]
    kinds = {is_decoupled(optimizer, group) for optimizer, group in pairs}
    largest, lr = max(now), lrs[1]
    if asked is False:
        return [largest], ["not asked for"]
    if asked is not True:
        return [largest, *(one for one in asked if one != largest)], []
    if len(kinds) > 1:
        return [largest], ["the optimizers decay in different ways"]
    if largest == 0:
        if "betas" in pairs[0][1] and kinds == {False}:
            return [0.0], ["it would be a part of the gradient, which Adam divides by its size: see AdamW"]
        scales = [scale / (lr * step_length * total_steps) for scale in _TIME_SCALES]
        return [0.0, *scales], [f"lr * weight_decay * steps = {', '.join(map(str, _TIME_SCALES))} are tried"]
    centre, said = largest, []
    if kinds == {True} and lrs[0] > 0:
        centre = largest * min(max(lrs[0] / lr, 1 / _BOUND), _BOUND)
        said = [f"lr * weight_decay is held around {centre:.2g} (arXiv:2505.13738)"]
    tried = [0.0, centre / _FACTOR, centre, centre * _FACTOR]
    return [largest, *(one for one in tried if abs(one - largest) > 0.2 * largest)], said
