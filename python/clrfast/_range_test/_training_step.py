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

from clrfast._range_test._lightning_module import is_lightning, loss_of

_END = object()


class Batches:
    """The batches of a loader, from the start again when they end."""

    def __init__(self, loader: Iterable[Any]) -> None:
        """Ask for nothing yet."""
        self._loader = loader
        self._pass: Iterator[Any] | None = None
        self._ahead: list[Any] = []
        self.passes = 0

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
                self.passes += 1
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
        autocast: AbstractContextManager[Any] | None,
        scaler: torch.amp.GradScaler | None,
        device: torch.device | str | None,
    ) -> None:
        """Keep what a step needs."""
        self.model, self._optimizer, self._loss_fn = model, optimizer, loss_fn
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

    def look(self, batches: list[Any]) -> Tensor:
        """Return the mean loss of the batches as a step would, and update nothing."""
        with torch.no_grad():
            return torch.stack([self._loss(batch).reshape(()) for batch in batches]).mean()

    def on(self, batches: list[Any]) -> list[Any]:
        """Return the batches where the model is."""
        return [move(batch, self._device) for batch in batches]

    def validate(self, batches: list[Any]) -> Tensor:
        """Return the mean loss of batches in eval mode, without gradients; modes are as before then."""
        modes = [(module, module.training) for module in self.model.modules()]
        try:
            self.model.eval()
            with torch.no_grad():
                losses = [self._loss(batch).reshape(()) for batch in batches]
        finally:
            for module, training in modes:
                module.training = training
        return torch.stack(losses).mean()

    def _loss(self, batch: Any) -> Tensor:
        batch = move(batch, self._device)
        if self._autocast is None:
            loss = self._forward(batch)
        else:
            with self._autocast:
                loss = self._forward(batch)
        return cast("Tensor", check_loss(loss, "loss_fn"))

    def _backward(self, batches: list[Any]) -> Tensor:
        self._optimizer.zero_grad()
        losses = []
        for batch in batches:
            loss = self._loss(batch)
            if not loss.requires_grad:
                raise ValueError(
                    "loss_fn must return a loss that depends on the model, got one without a gradient"
                )
            losses.append(loss.detach())
            if len(batches) > 1:
                loss = loss / len(batches)
            scaled: Any = loss if self._scaler is None else self._scaler.scale(loss)
            scaled.backward()
        return losses[0] if len(losses) == 1 else torch.stack(losses).mean()

    def _forward(self, batch: Any) -> Any:
        """Return the loss of a batch of one of the usual forms."""
        if self._loss_fn is None and is_lightning(self.model):
            return loss_of(self.model, batch)
        if isinstance(batch, (tuple, list)) and len(batch) == 1:
            batch = batch[0]
        if isinstance(batch, (tuple, list)) and len(batch) > 1 and self._loss_fn is not None:
            *inputs, target = batch
            if len(inputs) == 1 and isinstance(inputs[0], Mapping):
                return self._loss_fn(self.model(**inputs[0]), target)
            return self._loss_fn(self.model(*inputs), target)
        if isinstance(batch, Mapping):
            output = self.model(**batch)
        elif isinstance(batch, Tensor):
            output = self.model(batch)
        else:
            length = f" of length {len(batch)}" if hasattr(batch, "__len__") else ""
            raise TypeError(
                "a batch must be (*inputs, target), with a loss_fn, a mapping of the model's arguments, "
                "or one tensor (train_step takes any other), "
                f"got a {type(batch).__name__}{length} with loss_fn={self._loss_fn!r}"
            )
        return _own_loss(output) if self._loss_fn is None else self._loss_fn(output, batch)


def _own_loss(output: Any) -> Any:
    """Return the loss that a model's output is, or has."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        return output["loss"]
    return output[0] if isinstance(output, (tuple, list)) else output.loss


def check_loss(loss: Any, source: str) -> Tensor | float:
    """Return `loss`, which `source` returned or was given: a tensor of one element, or a real number.

    A loss_fn's must be a tensor.

    Raises:
        TypeError, ValueError: It is neither.
    """
    if type(loss) is Tensor and loss.ndim == 0 and loss.is_floating_point():
        return loss
    verb = "get" if source.startswith("record(") else "return"
    kind = "scalar tensor" if source == "loss_fn" else "scalar tensor or a real number"
    if isinstance(loss, Tensor):
        if loss.numel() != 1:
            raise ValueError(f"{source} must {verb} a scalar, such as a mean, got shape {tuple(loss.shape)}")
        if loss.is_complex():
            raise TypeError(f"{source} must {verb} a real number, got {loss!r}")
        return loss
    if source != "loss_fn" and not isinstance(loss, (bool, np.bool_, str, bytes)):
        if getattr(loss, "size", 1) != 1:
            raise ValueError(f"{source} must {verb} a scalar, such as a mean, got shape {np.shape(loss)}")
        try:
            return float(loss.item() if isinstance(loss, np.ndarray) else loss)
        except (TypeError, ValueError):
            pass
        except OverflowError:
            return math.inf if loss > 0 else -math.inf
    raise TypeError(f"{source} must {verb} a {kind}, got {loss!r}")


def _device(model: nn.Module) -> torch.device | None:
    """Return where all of the model is, or None where it is in several places or has no tensors."""
    devices = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    return devices.pop() if len(devices) == 1 else None


def move(batch: Any, device: torch.device | str | None, non_blocking: bool = True) -> Any:
    """Return a batch with everything in it on a device; None leaves it where it is."""
    if device is None:
        return batch
    # The usual forms first, and `to` only where it does something: the rest takes longer, at each step.
    if isinstance(batch, Tensor):
        return batch if batch.device == device else batch.to(device, non_blocking=non_blocking)
    if type(batch) in (tuple, list):
        return type(batch)([move(value, device, non_blocking) for value in batch])
    if hasattr(batch, "to"):  # such as a PackedSequence, or a batch of graphs
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {key: move(value, device, non_blocking) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(move(value, device, non_blocking) for value in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(move(value, device, non_blocking) for value in batch)
    return batch
