"""Puts a learning rate in place: in an optimizer, and in the schedulers that drive it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from clrfast import _check
from clrfast._require import require

if TYPE_CHECKING:
    import torch
    from torch.optim.lr_scheduler import LRScheduler

# How something is written, what is there, and what is to be there.
Change = tuple[Callable[[Any], object], Any, Any]


def apply_lr(
    optimizer: torch.optim.Optimizer,
    lr: float,
    *,
    scheduler: LRScheduler | Iterable[LRScheduler] | None = None,
) -> None:
    """Make `lr` the highest of the optimizer's rates; all others keep their ratio to it.

    Without a scheduler, `lr` is the rate of the group that has the largest one now (the largest `initial_lr`
    where all rates are 0), and each group's `initial_lr`, if it has one, becomes its rate: a scheduler that
    is made next starts there.

    With schedulers, `lr` is what they start from or rise to: the largest of their `base_lrs`, or the peak of
    a OneCycleLR or a CyclicLR. All of their rates (`base_lrs`, `max_lrs`, and in the groups `initial_lr`,
    `max_lr` and `min_lr` of a OneCycleLR) and the rates of now are multiplied by one factor, so that a
    warm-up that begins at 0 still does. What a floor holds, such as `eta_min` or `min_lrs`, stays, and so
    does a LambdaLR's function: one that gives rates outright, on a base of 1, is not told apart. Meant for
    the start of a run: later, a cosine with a floor is not exactly the one that would have begun at `lr`.

    Rates held in tensors are filled in place. If anything fails, nothing has been changed.

    Args:
        optimizer: The optimizer, or a wrapper that shows its `param_groups`.
        lr: The rate, > 0.
        scheduler: The scheduler that drives the optimizer, or several: torch's, those of
            `clrfast.lr_scheduler`, also inside of SequentialLR and ChainedScheduler or a wrapper, such as
            Accelerate's.

    Raises:
        TypeError: `optimizer` has no groups, `lr` is not a number, or `scheduler` is not a scheduler.
        ValueError: `lr` is not finite or not above 0, a scheduler drives another optimizer, or it is one
            (ScheduleLR, DeviceScheduleLR) whose rates are fixed by its schedules: make that one with `lr`.
    """
    changes = planned(optimizer, lr, scheduler)
    try:
        for write, _, after in changes:
            write(after)
    except BaseException:
        for write, before, _ in changes:
            write(before)
        raise


def planned(optimizer: Any, lr: Any, scheduler: Any) -> list[Change]:
    """Return what `apply_lr` would change, and change nothing.

    Raises:
        TypeError, ValueError: As `apply_lr`.
    """
    require("torch", "apply_lr()", extra="torch")
    if not hasattr(optimizer, "param_groups"):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    rate = _check.real("lr", lr, above=0.0)
    groups = optimizer.param_groups
    leaves, parents = _schedulers(optimizer, scheduler)
    peak = max((_highest(leaf, groups) for leaf in leaves if hasattr(leaf, "base_lrs")), default=0.0)
    now = max(float(group["lr"]) for group in groups)
    initial = max(float(group.get("initial_lr", 0.0)) for group in groups)
    reference = peak or now or initial

    def scaled(value: Any) -> float:
        return rate * (float(value) / reference) if reference else rate

    changes: list[Change] = []
    for group in groups:
        held = group["lr"]
        after = scaled(held if peak or now else group.get("initial_lr", 0.0))
        if hasattr(held, "fill_"):  # others hold this tensor: a compiled step, a scheduler
            changes.append((held.detach().fill_, float(held), after))
        else:
            changes.append((partial(group.__setitem__, "lr"), held, after))
        if "initial_lr" in group:
            first = group["initial_lr"]
            new = _like(first, scaled(first) if peak else after)
            changes.append((partial(group.__setitem__, "initial_lr"), first, new))
        for key in ("max_lr", "min_lr"):
            if key in group and any(_is(leaf, "OneCycleLR") for leaf in leaves):
                new = _like(group[key], scaled(group[key]))
                changes.append((partial(group.__setitem__, key), group[key], new))

    def all_scaled(values: list[Any]) -> list[Any]:
        return [_like(value, scaled(value)) for value in values]

    for each in [*leaves, *parents]:
        for name in ("base_lrs", "max_lrs", "_last_lr"):
            if hasattr(each, name):
                changes.append(
                    (partial(setattr, each, name), getattr(each, name), all_scaled(getattr(each, name)))
                )
        if _is(each, "OneCycleLR") and hasattr(
            each, "_bounds"
        ):  # what our OneCycleLR gives to groups that are added later
            bounds = {
                key: all_scaled(values) if key.endswith("_lr") else values
                for key, values in each._bounds.items()
            }
            changes.append((partial(setattr, each, "_bounds"), each._bounds, bounds))
    return changes


def _schedulers(optimizer: Any, given: Any) -> tuple[list[Any], list[Any]]:
    """Return the schedulers that hold rates, and those that only hold others."""
    if given is None:
        return [], []
    from torch.optim.lr_scheduler import LRScheduler

    leaves: list[Any] = []
    parents: list[Any] = []
    waiting = [given] if _unwrapped(given) is not None else _listed(given)
    while waiting:
        found = _unwrapped(waiting.pop(0))
        if not isinstance(found, LRScheduler):
            raise TypeError(f"scheduler must be a torch LRScheduler, got {type(found).__name__}")
        if found.optimizer.param_groups is not optimizer.param_groups:
            raise ValueError(
                f"scheduler must drive this optimizer, got a {type(found).__name__} of another one"
            )
        if hasattr(found, "_schedulers"):
            parents.append(found)
            waiting = [*found._schedulers, *waiting]
        elif not any(found is leaf for leaf in leaves):
            _refuse_fixed(found)
            leaves.append(found)
    return leaves, parents


def _unwrapped(scheduler: Any) -> Any:
    """Return the scheduler itself, or the one inside of a wrapper of Accelerate or Ignite, or None."""
    from torch.optim.lr_scheduler import LRScheduler

    while scheduler is not None and not isinstance(scheduler, LRScheduler):
        scheduler = getattr(scheduler, "scheduler", None) or getattr(scheduler, "lr_scheduler", None)
    return scheduler


def _listed(given: Any) -> list[Any]:
    if isinstance(given, Iterable):
        several = list(given)
        for each in several:
            if _unwrapped(each) is None:
                raise TypeError(f"scheduler must be a torch LRScheduler, got {type(each).__name__}")
        return several
    raise TypeError(f"scheduler must be a torch LRScheduler, several or None, got {type(given).__name__}")


def _refuse_fixed(scheduler: Any) -> None:
    schedules = getattr(scheduler, "schedules", getattr(scheduler, "_schedules", {}))
    if _is(scheduler, "ScheduleLR", "DeviceScheduleLR") and "lr" in schedules:
        raise ValueError(
            f"scheduler must take its rates from base_lrs, got a {type(scheduler).__name__}, whose schedule "
            "says them: make it from the suggestion, as in ScheduleLR(optimizer, lr=found.one_cycle(1000))"
        )


def _is(scheduler: Any, *names: str) -> bool:
    """Return whether a scheduler is of one of these classes, torch's or ours."""
    ours = ("torch.optim.lr_scheduler", "clrfast.lr_scheduler")
    return any(cls.__name__ in names and cls.__module__.startswith(ours) for cls in type(scheduler).__mro__)


def _highest(scheduler: Any, groups: list[dict[str, Any]]) -> float:
    """Return the highest rate that a scheduler starts from or rises to."""
    if _is(scheduler, "OneCycleLR"):
        return max(float(group["max_lr"]) for group in groups)
    return max(map(float, getattr(scheduler, "max_lrs", scheduler.base_lrs)))


def _like(value: Any, number: float) -> Any:
    """Return the number as what it takes the place of: a new tensor for a tensor, else a float."""
    return value.detach().clone().fill_(number) if hasattr(value, "fill_") else number
