"""Which momenta and weight decays are tried, and where none is, why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Union

from clrfast import _check
from clrfast._tune._choice import Confidence
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

MomentumAsked = Union[bool, None, Iterable[Momentum]]
DecayAsked = Union[bool, None, Iterable[float]]
Momenta = Union[bool, None, list[Momentum]]  # such an argument, checked
Decays = Union[bool, None, list[float]]
_MOMENTA: tuple[Momentum, ...] = (0.8, 0.9, 0.95, 0.99, CYCLED)
# Up to this one, at the rate that goes with it, no other gains what it costs to find it (docs/tune.md). Above
# it, a ramp lags too far behind its rate.
LONG, USUAL = 0.95, 0.9
_OTHERS = "weight_decay=True tries others"
_SLOW = 0.5  # and a weight decay for which lr * weight_decay * steps is at most this
_FACTOR = 3.0  # from one weight decay to the next
_TIME_SCALES = (0.1, 0.3, 1.0)  # of all steps, where there is no decay to start from
_BOUND = 10.0  # how far the centre moves from what the optimizer has


def check_momentum(asked: Any) -> Momenta:
    """Return whether momentum is tuned, None where that depends on it, or the candidates.

    Raises:
        TypeError, ValueError: It is neither.
    """
    if asked is None or isinstance(asked, bool):
        return asked
    return [_one_momentum(f"momentum[{i}]", one) for i, one in enumerate(_listed("momentum", asked))]


def _one_momentum(name: str, value: Any) -> Momentum:
    if not isinstance(value, (tuple, list)):
        return _check.real(name, value, least=0.0, below=1.0)
    if len(value) != 2:
        raise ValueError(f"{name} must be a number or (base_momentum, max_momentum), got {value!r}")
    low = _check.real(f"{name}[0]", value[0], least=0.0, below=1.0)
    return low, _check.real(f"{name}[1]", value[1], above=low, below=1.0)


def check_weight_decay(asked: Any) -> Decays:
    """Return whether weight decay is tuned, None where that depends on it, or the candidates.

    Raises:
        TypeError, ValueError: It is neither.
    """
    if asked is None or isinstance(asked, bool):
        return asked
    listed = _listed("weight_decay", asked)
    return [_check.real(f"weight_decay[{i}]", one, least=0.0) for i, one in enumerate(listed)]


def _listed(name: str, asked: Any) -> list[Any]:
    if isinstance(asked, (str, bytes, Mapping)) or not isinstance(asked, Iterable):
        raise TypeError(f"{name} must be True, False, None or a list of candidates, got {asked!r}")
    listed = list(asked)
    if not listed:
        raise ValueError(f"{name} must be True, False, None or a list of candidates, got an empty one")
    return listed


class Grid(NamedTuple):
    """What is tried of one hyperparameter.

    Attributes:
        values: That of now first, if there is one; no others where nothing is tried.
        said: Where nothing is tried, why; otherwise what is to be said of them.
        confidence: Where nothing is tried, how sure it is that nothing is lost.
    """

    values: list[Any]
    said: list[str]
    confidence: Confidence = "low"

    @property
    def now(self) -> Any:
        """What the optimizer has; None where it has none."""
        return self.values[0] if self.values else None

    @property
    def others(self) -> int:
        """How many are tried beside that of now."""
        return max(len(self.values) - 1, 0)

    def without(self, reason: str) -> Grid:
        """Return that of now alone, with the reason, unless there already is one."""
        return Grid(self.values[:1], [reason]) if self.others else self


def momenta(asked: Momenta, groups: list[Group], cycles: bool) -> Grid:
    """Return the momenta to try.

    Args:
        asked: What `check_momentum` returned.
        groups: The parameter groups of all optimizers.
        cycles: Whether the schedule of the rate rises and falls, so that a momentum can go against it.
    """
    now = one_momentum(groups)
    if now is None:
        some = any(map(has_momentum, groups))
        return Grid([], ["the groups have different momenta" if some else "the optimizer has no momentum"])
    if asked is False:
        return Grid([now], ["not asked for"])
    if asked is None and now <= LONG:
        said = "another one gains little at the rate that goes with it: momentum=True tries others"
        return Grid([now], [said], "medium")
    every = asked if isinstance(asked, list) else _MOMENTA
    tried = [m for m in every if m != now and (cycles or not isinstance(m, tuple))]
    said = "lr / (1 - momentum) is held" if all(map(sums_up, groups)) else "the rate is the same for all"
    return Grid([now, *tried], [said])


def rate_for(max_lr: float, now: Momentum, momentum: Momentum, groups: list[Group]) -> float:
    """Return the rate at which another momentum makes steps as long as that of now does at `max_lr`."""
    if not all(map(sums_up, groups)):
        return max_lr
    return max_lr * (1 - mean_of(momentum)) / (1 - mean_of(now))


def weight_decays(
    asked: Decays,
    optimizers: Iterable[Any],
    lrs: tuple[float, float],
    momentum: float | None,
    total_steps: int,
) -> Grid:
    """Return the weight decays to try.

    Args:
        asked: What `check_weight_decay` returned.
        optimizers: The optimizers.
        lrs: The highest rate that they have, and the one that was chosen.
        momentum: That which goes with the latter, if there is one.
        total_steps: Steps of the training to come.
    """
    pairs = [(optimizer, group) for optimizer in optimizers for group in optimizer.param_groups]
    groups = [group for _, group in pairs]
    each = decays(groups)
    if each is None:
        return Grid([], ["the optimizer has no weight decay"])
    now, kinds = max(each), {is_decoupled(*pair) for pair in pairs}
    if asked is False:
        return Grid([now], ["not asked for"])
    if isinstance(asked, list):
        return Grid([now, *(one for one in asked if one != now)], [])
    if len(kinds) > 1:
        return Grid([now], ["the optimizers decay in different ways"])
    divides = kinds == {False} and not all("dampening" in group for group in groups)
    if divides and (asked is None or now == 0):
        said = "as a part of the gradient, which this optimizer divides by its size, it acts otherwise"
        return Grid([now], [f"{said}: AdamW's is tuned" if now == 0 else f"{said}: {_OTHERS}"])
    # What a weight that gets no gradient loses at the peak, in the steps of the training: SGD's momentum
    # multiplies that too.
    lag = 1 - momentum if momentum is not None and all(map(sums_up, groups)) else 1.0
    at_one = lrs[1] * total_steps / lag
    if asked is None and now * at_one <= _SLOW:
        said = f"lr * weight_decay * steps is {now * at_one:.2g}, which matters little: {_OTHERS}"
        return Grid([now], [said], "medium")
    if now == 0:
        said = f"such that lr * weight_decay * steps is {', '.join(map(str, _TIME_SCALES))}"
        return Grid([0.0, *(scale / at_one for scale in _TIME_SCALES)], [said])
    centre, said = now, f"in steps of a factor of {_FACTOR:g}"
    if kinds == {True} and lrs[0] > 0:
        centre = now * min(max(lrs[0] / lrs[1], 1 / _BOUND), _BOUND)
        said += f" around {centre:.2g}, which holds lr * weight_decay (arXiv:2505.13738)"
    tried = [0.0, centre / _FACTOR, centre, centre * _FACTOR]
    return Grid([now, *(one for one in tried if abs(one - now) > 0.2 * now)], [said])
