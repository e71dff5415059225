"""What a range test is given, checked before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clrfast import _check

if TYPE_CHECKING:
    import torch


def check_objects(model: Any, optimizer: Any, loader: Any, extra: list[Any]) -> None:
    """Raise unless each is what `range_test` says, and the optimizer trains the model."""
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if not hasattr(optimizer, "param_groups") or not hasattr(optimizer, "step"):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    if not isinstance(loader, Iterable):
        raise TypeError(f"loader must be an iterable of batches, got {type(loader).__name__}")
    for holder in extra:
        if not hasattr(holder, "__dict__"):
            raise TypeError(f"also must hold modules, optimizers or schedulers, got {holder!r}")
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if torch.nn.parameter.is_lazy(parameter):
            raise ValueError(f"model must have seen a batch: its parameter {name!r} has no shape yet")
    driven = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if driven.isdisjoint(map(id, parameters.values())):
        raise ValueError("optimizer must hold parameters of model, got none: was one of them made anew?")


def check_alone(train_step: object, **others: Any) -> None:
    """Raise unless `train_step` is callable and what it stands in for is not given."""
    if not callable(train_step):
        raise TypeError(f"train_step must be callable, got {train_step!r}")
    for name, value in others.items():
        idle = 1 if name == "accumulate" else None
        if value != idle:
            raise ValueError(f"{name} must be {idle} where train_step is given, got {value!r}")


def ratios(optimizer: torch.optim.Optimizer) -> list[tuple[dict[str, Any], float]]:
    """Return each parameter group with its rate's ratio to the largest."""
    groups = optimizer.param_groups
    for key in ("lr", "initial_lr"):
        rates = [
            _check.real(f"optimizer.param_groups[{i}][{key!r}]", group.get(key), least=0.0)
            for i, group in enumerate(groups)
            if key == "lr" or key in group
        ]
        if len(rates) == len(groups) and max(rates) > 0:
            return [(group, rate / max(rates)) for group, rate in zip(groups, rates)]
    return [(group, 1.0) for group in groups]
