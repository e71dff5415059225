"""Put modules, optimizers and random generators back, bit for bit, as they were."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader


class Snapshot:
    """A context at whose end, however it ends, everything given is what it was when the snapshot was made.

    Tensors keep their identity and memory and get back their values, `requires_grad` and `.grad`; containers
    get back their contents; modules their tensors, submodules and modes. Copies are held in memory, on the
    tensors' devices.

    Args:
        holders: Modules, optimizers, gradient scalers, schedulers: of whatever is no module, all attributes
            are followed through dictionaries, lists, tuples and tensors, and no further.
        loader: An iterable of batches, whose generators of random numbers are to be put back.
    """

    def __init__(self, holders: Iterable[object], loader: object) -> None:
        """Copy; nothing is changed before the context is entered."""
        self._undo: list[Callable[[], object]] = []
        self._seen: dict[int, object] = {}
        self._leaves: list[Tensor] = []
        self._loader = loader
        for holder in holders:
            if isinstance(holder, nn.Module):
                self._save([*holder.modules(), *holder.parameters(), *holder.buffers()])
            else:  # a wrapper around an optimizer gives the optimizer's own two as properties
                own = [getattr(holder, name, None) for name in ("state", "param_groups")]
                self._save([vars(holder), *own])
        self._save_generators()

    def _save(self, value: object) -> None:
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, Tensor):
            self._save_tensor(value)
        elif isinstance(value, nn.Module):
            self._undo.append(partial(setattr, value, "training", value.training))
            self._save([value._parameters, value._buffers, value._modules])
        elif isinstance(value, dict):
            self._undo.append(partial(_refill, value, dict(value)))
            self._save([*value.keys(), *value.values()])
        elif isinstance(value, (list, deque)):
            self._undo.append(partial(_refill, value, list(value)))
            for item in value:
                self._save(item)
        elif isinstance(value, tuple):
            for item in value:
                self._save(item)

    def _save_tensor(self, tensor: Tensor) -> None:
        memory = tensor.detach()
        self._undo.append(partial(_put_back, tensor, memory, _distinct(memory).clone(), tensor.requires_grad))
        if tensor.is_leaf:
            self._leaves.append(tensor)
            self._undo.append(partial(setattr, tensor, "grad", tensor.grad))

    def _save_generators(self) -> None:
        self._undo.append(partial(random.setstate, random.getstate()))
        self._undo.append(partial(np.random.set_state, np.random.get_state()))
        self._undo.append(partial(torch.set_rng_state, torch.get_rng_state()))
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            self._undo.append(partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
        if torch.backends.mps.is_available():
            self._undo.append(partial(torch.mps.set_rng_state, torch.mps.get_rng_state()))
        samplers = [getattr(self._loader, name, None) for name in ("sampler", "batch_sampler")]
        samplers += [getattr(sampler, "sampler", None) for sampler in samplers]
        for holder in (self._loader, *samplers):
            generator = getattr(holder, "generator", None)
            if isinstance(generator, torch.Generator):
                self._undo.append(partial(generator.set_state, generator.get_state()))

    def __enter__(self) -> None:
        """Lay aside what would be written into: gradients, and the iterator that a loader keeps."""
        with ExitStack() as interrupted:
            interrupted.push(self)
            if isinstance(self._loader, DataLoader):
                # With persistent workers it hands out this one iterator, over and over.
                self._undo.append(partial(setattr, self._loader, "_iterator", self._loader._iterator))
                self._loader._iterator = None
            for tensor in self._leaves:
                tensor.grad = None
            interrupted.pop_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put everything back, one thing after the other even if one of them fails."""
        with torch.no_grad(), ExitStack() as undoing:
            for undo in self._undo:
                undoing.callback(undo)


def _refill(container: Any, contents: Any) -> None:
    container.clear()
    if isinstance(container, dict):
        container.update(contents)
    else:
        container.extend(contents)


def _put_back(tensor: Tensor, memory: Tensor, values: Tensor, requires_grad: bool) -> None:
    if _place(tensor) != _place(memory):
        tensor.data = memory  # something put other memory behind the tensor, as Module.to() does
    _distinct(tensor).copy_(values)
    if tensor.is_leaf and tensor.requires_grad != requires_grad:
        tensor.requires_grad_(requires_grad)


def _place(tensor: Tensor) -> tuple[object, ...]:
    address = tensor.data_ptr() if tensor.layout == torch.strided else None
    return tensor.device, tensor.dtype, tensor.shape, address


def _distinct(memory: Tensor) -> Tensor:
    """Return the view that names each element in memory once, where `expand` made it appear many times."""
    if memory.layout != torch.strided:
        return memory
    return memory[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in memory.stride())]
