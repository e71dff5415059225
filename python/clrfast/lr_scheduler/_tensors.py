"""Hyperparameters that live in tensors: written in place, never read back, never replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# The kinds of targets, as the compiled core numbers them.
NUMBER, FLOAT32, FLOAT64, STAGED = 1, 2, 3, 4

_IN_MEMORY = {torch.float32: FLOAT32, torch.float64: FLOAT64}


class Place(NamedTuple):
    """Where the value of one target goes."""

    kind: int
    tensor: Tensor | None
    address: int
    view: npt.NDArray[Any] | None  # keeps the address valid


def place_of(current: Any) -> Place:
    """How what a group holds now is written: replaced if it is a number, filled if it is a tensor.

    A plain tensor in host memory is written through its NumPy view, which shares its memory and costs no
    call of torch a step. As with any such view, the tensor must not be given other memory afterwards
    (``tensor.data = ...``, ``share_memory_()``); putting another tensor in its place is seen.
    """
    if not isinstance(current, Tensor):
        return Place(NUMBER, None, 0, None)
    plain = type(current) is Tensor and current.device.type == "cpu" and not current.requires_grad
    if plain and current.dtype in _IN_MEMORY and current.numel() == 1 and current.layout == torch.strided:
        view = current.detach().numpy()  # an alias: it keeps the memory, even if the tensor is given other
        return Place(_IN_MEMORY[current.dtype], current, view.__array_interface__["data"][0], view)
    return Place(STAGED, current, 0, None)


def writer(places: Sequence[Place | None], values: npt.NDArray[np.float64]) -> Callable[[], None] | None:
    """The function that writes `values` to the staged tensors among `places`; None where there are none.

    All tensors of one device and type are written in one operation, without waiting for the device.
    `values` has one row a group, and `places` goes through it row by row.
    """
    flat = values.reshape(-1)  # the same memory
    blocks: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    singles: list[tuple[int, Tensor]] = []
    for index, place in enumerate(places):
        if place is None or place.kind != STAGED or place.tensor is None:
            continue
        tensor = place.tensor
        if type(tensor) is Tensor and tensor.device.type != "cpu" and tensor.numel() == 1:
            blocks.setdefault((tensor.device, tensor.dtype), []).append(index)
        else:
            singles.append((index, tensor))
    if not blocks and not singles:
        return None
    copies = [
        _Block([places[i].tensor for i in indices], indices, flat)  # type: ignore[union-attr,misc]
        for indices in blocks.values()
    ]

    def write() -> None:
        for block in copies:
            block.write()
        for index, tensor in singles:
            tensor.fill_(float(flat[index]))

    # A step may lie in what is compiled, and this must not be.
    return cast(Callable[[], None], torch.compiler.disable(write))  # type: ignore[no-untyped-call]


class _Block:
    """Tensors of one device and type, which one copy to the device and one on it fill."""

    def __init__(
        self, tensors: Sequence[Tensor], indices: Sequence[int], values: npt.NDArray[np.float64]
    ) -> None:
        self._tensors = list(tensors)
        self._indices = np.asarray(indices)
        self._values = values
        first = self._tensors[0]
        self._pinned = first.device.type == "cuda"
        self._block = torch.empty(len(indices), dtype=first.dtype, device=first.device)
        self._parts = [part.view(t.shape) for part, t in zip(self._block.unbind(), self._tensors)]

    def write(self) -> None:
        host = torch.from_numpy(self._values[self._indices]).to(self._block.dtype)
        if self._pinned:  # torch keeps pinned memory from being used again until the copy has been made
            host = host.pin_memory()
        self._block.copy_(host, non_blocking=self._pinned)
        torch._foreach_copy_(self._tensors, self._parts)
