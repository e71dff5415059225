"""A LightningModule given as the model: its training_step makes the loss, and its Trainer is kept out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn


def is_lightning(model: object) -> bool:
    """Return whether a model makes its own loss as a LightningModule does."""
    return callable(getattr(model, "training_step", None)) and hasattr(model, "automatic_optimization")


def loss_of(module: Any, batch: Any) -> Any:
    """Return what `training_step` returns for a batch, the loss alone."""
    takes_index = len(inspect.signature(module.training_step).parameters) > 1
    output = module.training_step(batch, 0) if takes_index else module.training_step(batch)
    return output.get("loss") if isinstance(output, Mapping) else output


@contextmanager
def without_trainer(model: nn.Module) -> Iterator[None]:
    """Part LightningModules from their Trainer, which leads to the data, and let what they log be dropped."""
    parts: list[Any] = [part for part in model.modules() if is_lightning(part)]
    before = [dict(vars(part)) for part in parts]
    for part in parts:
        vars(part).update(_trainer=None, log=_drop, log_dict=_drop)
    try:
        yield
    finally:
        for part, own in zip(parts, before):
            for name in ("_trainer", "log", "log_dict"):
                vars(part).pop(name, None)
                vars(part).update({name: own[name]} if name in own else {})


def _drop(*args: object, **kwargs: object) -> None:
    """Take the place of `log` and `log_dict`."""
