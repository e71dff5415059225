"""A recipe put into optimizers, and the scheduler that drives them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from clrfast._range_test._arguments import by_name
from clrfast._range_test._rates import group_ratios, put
from clrfast._tune._settings import decays, has_momentum, momentum_of, put_momentum, shared_out

if TYPE_CHECKING:
    from clrfast._tune._settings import Group, Momentum
    from clrfast.schedules import Schedule

# How something is written, what is there, and what is to be there.
Change = tuple[Callable[[Any], object], Any, Any]


def apply(
    optimizer: Any,
    momentum: Momentum | None,
    weight_decay: float | None,
    rate: Schedule,
    cycled: Schedule | None,
) -> Any:
    """Write a recipe into optimizers, and return their scheduler: see `Recipe.apply`.

    Args:
        optimizer: One, or several.
        momentum: The momentum, or the bounds of one that is cycled, or None.
        weight_decay: That of the group which has the largest, or None.
        rate: The schedule of the rate.
        cycled: That of the momentum, None where it is constant.
    """
    optimizers = by_name("optimizer", optimizer)
    for name, one in optimizers.items():
        if not hasattr(one, "param_groups"):
            raise TypeError(f"{name} must be a torch.optim.Optimizer, got {type(one).__name__}")
    groups = [group for one in optimizers.values() for group in one.param_groups]
    changes = _changes(groups, momentum, weight_decay)
    try:
        for write, _, after in changes:
            write(after)
        return _scheduler(optimizers, rate, cycled)
    except BaseException:
        for write, before, _ in changes:
            write(before)
        raise


def _changes(groups: list[Group], momentum: Momentum | None, weight_decay: float | None) -> list[Change]:
    """Return what is to be written, and write nothing."""
    changes: list[Change] = []
    if momentum is not None:
        if not all(map(has_momentum, groups)):
            raise ValueError("optimizer must have a momentum or betas in each group, got one without")
        if isinstance(momentum, float):  # one that is cycled is the scheduler's
            for group in groups:
                changes.append((partial(put_momentum, group), momentum_of(group), momentum))
    if weight_decay is not None:
        now = decays(groups)
        if now is None:
            raise ValueError("optimizer must have a weight_decay in each group, got one without")
        for group, before, after in zip(groups, now, shared_out(weight_decay, now)):
            changes.append((partial(put, group, "weight_decay"), before, after))
    return changes


def _scheduler(optimizers: dict[str, Any], rate: Schedule, cycled: Schedule | None) -> Any:
    from clrfast import lr_scheduler

    if len(optimizers) > 1:
        return lr_scheduler.JointScheduleLR(list(optimizers.values()), lr=rate, momentum=cycled)
    (optimizer,) = optimizers.values()
    named = [(f"param_groups[{i}]", group) for i, group in enumerate(optimizer.param_groups)]
    ratios = group_ratios(named)
    rates = {ratio: rate if ratio == 1 else rate.scaled(ratio) for ratio in ratios}
    return lr_scheduler.ScheduleLR(optimizer, lr=[rates[ratio] for ratio in ratios], momentum=cycled)
