"""What a range test is given, checked before anything is changed."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def warn(text: str) -> None:
    """Warn at the line of whoever called into this package."""
    here = f"{Path(__file__).parents[1]}{os.sep}"
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(here):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)


def by_name(name: str, value: Any, kind: type | None = None) -> dict[str, Any]:
    """Return one object, several, or some by name, as a dictionary with the names that messages call them.

    Args:
        name: The argument's name.
        value: What was given.
        kind: Objects of this type are one, though they can be iterated.
    """
    if kind is not None and isinstance(value, kind):
        return {name: value}
    if isinstance(value, Mapping):
        return {f"{name}[{key!r}]": one for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return {f"{name}[{i}]": one for i, one in enumerate(value)}
    return {name: value}


def check_objects(models: dict[str, Any], optimizers: dict[str, Any], extra: list[Any]) -> None:
    """Raise unless each is what `RangeTest` says, and the optimizers train the models."""
    import torch

    for name, several in (("model", models), ("optimizer", optimizers)):
        if not several:
            raise ValueError(f"{name} must be one or several, got none")
    for name, model in models.items():
        if not isinstance(model, torch.nn.Module):
            raise TypeError(f"{name} must be a torch.nn.Module, got {type(model).__name__}")
    for name, optimizer in optimizers.items():
        if not hasattr(optimizer, "param_groups") or not hasattr(optimizer, "step"):
            raise TypeError(f"{name} must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    for holder in extra:
        if not hasattr(holder, "__dict__"):
            raise TypeError(f"also must hold modules, optimizers or schedulers, got {holder!r}")
    trained: set[int] = set()
    for name, model in models.items():
        for parameter_name, parameter in model.named_parameters():
            if torch.nn.parameter.is_lazy(parameter):
                raise ValueError(
                    f"{name} must have seen a batch: its parameter {parameter_name!r} has no shape yet"
                )
            trained.add(id(parameter))
    owners: dict[int, str] = {}
    for name, optimizer in optimizers.items():
        driven = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        if driven.isdisjoint(trained):
            raise ValueError(f"{name} must hold parameters of model, got none: was one of them made anew?")
        for parameter in driven:
            if parameter in owners:
                raise ValueError(f"{name} must not share parameters with {owners[parameter]}")
            owners[parameter] = name


def check_loader(loader: Any) -> None:
    """Raise unless `loader` can give batches."""
    if not isinstance(loader, Iterable):
        raise TypeError(f"loader must be an iterable of batches, got {type(loader).__name__}")


def check_whole_step(train_step: object, validation: object, **others: Any) -> None:
    """Raise unless `train_step` is callable and what it stands in for is not given."""
    if not callable(train_step):
        raise TypeError(f"train_step must be callable, got {train_step!r}")
    for name, value in others.items():
        idle = 1 if name == "accumulate" else None
        if value != idle:
            raise ValueError(f"{name} must be {idle} where train_step is given, got {value!r}")
    if not (validation is None or callable(validation)):
        raise TypeError(f"validation must be a function where train_step is given, got {validation!r}")


def check_usual_step(loss_fn: object, validation: object, models: Any, optimizers: Any) -> None:
    """Raise unless the usual step can be made with these."""
    if loss_fn is not None and not callable(loss_fn):
        raise TypeError(f"loss_fn must be callable or None, got {loss_fn!r}")
    if not (validation is None or isinstance(validation, Iterable)):
        raise TypeError(f"validation must be an iterable of batches, got {type(validation).__name__}")
    for name, several in (("model", models), ("optimizer", optimizers)):
        if isinstance(several, (list, tuple, Mapping)):
            raise ValueError(f"{name} must be one where train_step is not given, got {len(several)}")


def check_progress(progress: Any) -> None:
    """Raise unless `progress` is what `RangeTest` says."""
    if isinstance(progress, (list, tuple)):
        for one in progress:
            check_progress(one)
    elif not (isinstance(progress, bool) or progress == "plain" or callable(progress)):
        raise TypeError(f"progress must be True, False, 'plain', functions or one, got {progress!r}")
