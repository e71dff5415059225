"""One step of anyone's training: batches of the usual forms, forward, backward, update."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from clrfast._range_test._record import Record
from clrfast._range_test._signals import Signals

_END = object()


class Batches:
    """The batches of a loader, from the start again when they end."""

    def __init__(self, loader: Iterable[Any]) -> None:
        """Ask for nothing yet."""
        self._loader = loader
        self._pass: Iterator[Any] | None = None
        self._ahead: list[Any] = []

    def look_ahead(self, count: int) -> bool:
        """Take what the next `take` will return; return whether there is anything."""
        self._ahead = self.take(count)
        return bool(self._ahead)

    def take(self, count: int) -> list[Any]:
        """Return the next `count` batches, or none where the loader has ended for good."""
        taken, self._ahead = self._ahead, []
        if taken:
            return taken
        if self._pass is None:
            self._pass = iter(self._loader)
        while len(taken) < count:
            batch = next(self._pass, _END)
            if batch is _END:
                self._pass = iter(self._loader)
                batch = next(self._pass, _END)
            if batch is _END:
                return []
            taken.append(batch)
        return taken

    def close(self) -> None:
        """Leave the pass, so that what a loader does at its end is done now and not at some later time."""
        left, self._pass = self._pass, None
        if isinstance(left, Generator) and left is not self._loader:
            left.close()


class Step:
    """Forward, backward and update for a list of batches that share one update; see `range_test`."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss_fn: Callable[..., Tensor] | None,
        autocast: AbstractContextManager[Any],
        scaler: torch.amp.GradScaler | None,
        device: torch.device | str | None,
    ) -> None:
        """Keep what a step needs."""
        self._model, self._optimizer, self._loss_fn = model, optimizer, loss_fn
        self._autocast, self._scaler = autocast, scaler
        self._device = _device(model) if device is None else device
        # LBFGS, alone in torch, has to be given the closure.
        closure = inspect.signature(optimizer.step).parameters.get("closure")
        self._needs_closure = closure is not None and closure.default is inspect.Parameter.empty

    def __call__(self, batches: list[Any]) -> Tensor:
        """Return the mean loss of the batches, before the update."""
        if self._needs_closure:
            step: Callable[..., Any] = self._optimizer.step
            return cast("Tensor", step(lambda: self._backward(batches)))
        loss = self._backward(batches)
        if self._scaler is None:
            self._optimizer.step()
        else:
            self._scaler.step(self._optimizer)
            self._scaler.update()
        return loss

    def _backward(self, batches: list[Any]) -> Tensor:
        self._optimizer.zero_grad()
        losses = []
        for batch in batches:
            with self._autocast:
                loss = self._forward(_move(batch, self._device))
                check_loss(loss, "loss_fn")
            losses.append(loss.detach())
            if len(batches) > 1:
                loss = loss / len(batches)
            (loss if self._scaler is None else self._scaler.scale(loss)).backward()
        return losses[0] if len(losses) == 1 else torch.stack(losses).mean()

    def _forward(self, batch: Any) -> Any:
        if isinstance(batch, Mapping):
            output = self._model(**batch)
            if self._loss_fn is not None:
                return self._loss_fn(output, batch)
            return output["loss"] if isinstance(output, Mapping) else output.loss
        if isinstance(batch, (tuple, list)) and len(batch) >= 2 and self._loss_fn is not None:
            *inputs, target = batch
            return self._loss_fn(self._model(*inputs), target)
        length = f" of length {len(batch)}" if hasattr(batch, "__len__") else ""
        raise TypeError(
            "a batch must be (*inputs, target), with a loss_fn, or a mapping of the model's arguments "
            "(train_step takes any other), "
            f"got a {type(batch).__name__}{length} with loss_fn={self._loss_fn!r}"
        )


def train_alone(
    record: Record,
    signals: Signals,
    batches: Batches,
    batches_a_step: int,
    step: Callable[[list[Any], float], Tensor | float],
    tell: Callable[[int, int], object] | None,
) -> None:
    """Do one step for each rate, until one stops or the batches end."""
    steps = len(record.rates)
    for done, rate in enumerate(record.rates.tolist(), start=1):
        signals.release()  # again, where someone has caught what the last one raised
        taken = batches.take(batches_a_step)
        if not taken:
            break
        stop = record.add(step(taken, rate))
        if tell:
            tell(done, steps)
        if stop:
            break


def check_loss(loss: Any, source: str) -> Tensor | float:
    """Return `loss`, which `source` returned: a tensor of one element, or a train_step's real number.

    Raises:
        TypeError, ValueError: It is neither.
    """
    if isinstance(loss, Tensor):
        if loss.numel() != 1:
            raise ValueError(f"{source} must return a scalar, such as a mean, got shape {tuple(loss.shape)}")
        if loss.is_complex():
            raise TypeError(f"{source} must return a real number, got {loss!r}")
        return loss
    if source == "train_step" and not isinstance(loss, (bool, np.bool_, str, bytes)):
        if getattr(loss, "size", 1) != 1:
            raise ValueError(f"{source} must return a scalar, such as a mean, got shape {np.shape(loss)}")
        try:
            return float(loss.item() if isinstance(loss, np.ndarray) else loss)
        except (TypeError, ValueError):
            pass
        except OverflowError:
            return math.inf if loss > 0 else -math.inf
    raise TypeError(f"{source} must return a scalar tensor, got {loss!r}")


def _device(model: nn.Module) -> torch.device | None:
    """Return where all of the model is, or None where it is in several places or has no tensors."""
    devices = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    return devices.pop() if len(devices) == 1 else None


def _move(batch: Any, device: torch.device | str | None) -> Any:
    if device is None:
        return batch
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if hasattr(batch, "to"):  # such as a PackedSequence, or a batch of graphs
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {key: _move(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_move(value, device) for value in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(_move(value, device) for value in batch)
    return batch
