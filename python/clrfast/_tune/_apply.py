"""A recipe put into optimizers, and the scheduler that drives them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from clrfast._range_test._arguments import by_name
from clrfast._range_test._rates import group_ratios, put
from clrfast._tune._settings import decays, has_momentum, momentum_of, put_momentum, shared_out

if TYPE_CHECKING:
    from clrfast._tune._recipe import Recipe
    from clrfast._tune._settings import Group

# How something is written, what is there, and what is to be there.
Change = tuple[Callable[[Any], object], Any, Any]


def apply(recipe: Recipe, optimizer: Any) -> Any:
    """Write a recipe into optimizers, and return their scheduler: see `Recipe.apply`."""
    optimizers = by_name("optimizer", optimizer)
    for name, one in optimizers.items():
        if not hasattr(one, "param_groups"):
            raise TypeError(f"{name} must be a torch.optim.Optimizer, got {type(one).__name__}")
    groups = [group for one in optimizers.values() for group in one.param_groups]
    changes = _changes(recipe, groups)
    try:
        for write, _, after in changes:
            write(after)
        return _scheduler(recipe, optimizers)
    except BaseException:
        for write, before, _ in changes:
            write(before)
        raise


def _changes(recipe: Recipe, groups: list[Group]) -> list[Change]:
    """Return what is to be written, and write nothing."""
    changes: list[Change] = []
    if recipe.momentum is not None:
        if not all(map(has_momentum, groups)):
            raise ValueError("optimizer must have a momentum or betas in each group, got one without")
        if isinstance(recipe.momentum, float):  # one that is cycled is the scheduler's
            for group in groups:
                changes.append((partial(put_momentum, group), momentum_of(group), recipe.momentum))
    if recipe.weight_decay is not None:
        now = decays(groups)
        if now is None:
            raise ValueError("optimizer must have a weight_decay in each group, got one without")
        for group, before, after in zip(groups, now, shared_out(recipe.weight_decay, now)):
            changes.append((partial(put, group, "weight_decay"), before, after))
    return changes


def _scheduler(recipe: Recipe, optimizers: dict[str, Any]) -> Any:
    from clrfast import lr_scheduler

    if len(optimizers) > 1:
        return lr_scheduler.JointScheduleLR(
            list(optimizers.values()), lr=recipe.schedule, momentum=recipe.momentum_schedule
        )
    (optimizer,) = optimizers.values()
    rates = {
        ratio: recipe.schedule if ratio == 1 else recipe.schedule.scaled(ratio) for ratio in _of(optimizer)
    }
    return lr_scheduler.ScheduleLR(
        optimizer, lr=[rates[ratio] for ratio in _of(optimizer)], momentum=recipe.momentum_schedule
    )


def _of(optimizer: Any) -> list[float]:
    return group_ratios([(f"param_groups[{i}]", group) for i, group in enumerate(optimizer.param_groups)])
