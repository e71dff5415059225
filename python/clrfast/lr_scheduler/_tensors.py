"""Hyperparameters that live in tensors: written in place, never read back, never replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.overrides import has_torch_function

# What a group may hold, in the words of the compiled core.
NUMBER, HOST_TENSOR, STAGED_TENSOR = "number", "host tensor", "staged tensor"


def what_is(held: Any) -> str:
    """How what a group holds is written: a number is replaced, a tensor filled, here or by the core.

    The core writes to plain tensors in host memory. It asks each one in each step where its memory is, since
    ``tensor.data = ...``, ``share_memory_()`` and what multiprocessing pickles move it; one that turns out to
    be elsewhere makes the plan anew, and is staged then.
    """
    if not isinstance(held, Tensor):
        return NUMBER
    plain = type(held) is Tensor and held.device.type == "cpu" and held.layout == torch.strided
    if not plain or held.dtype not in (torch.float32, torch.float64) or held.numel() != 1:
        return STAGED_TENSOR
    # Torch itself refuses to fill what requires a gradient; a negative view holds the negated number.
    if held.requires_grad or held.is_neg() or has_torch_function((held,)):
        return STAGED_TENSOR
    try:
        return HOST_TENSOR if held.data_ptr() else STAGED_TENSOR
    except RuntimeError:  # as tensors inside of torch.func's transforms, which have no memory
        return STAGED_TENSOR


def writer(
    staged: Sequence[tuple[int, Tensor]], values: npt.NDArray[np.float64]
) -> Callable[[], None] | None:
    """The function that fills each tensor of `staged` with the value at its index; None where there is none.

    All tensors of one device and type are written in one operation, without waiting for the device.

    Args:
        staged: Indices into the flat `values`, and the tensors.
        values: A C-contiguous array, which is read when the function is called.
    """
    flat = values.reshape(-1)  # the same memory
    groups: dict[tuple[torch.device, torch.dtype], list[tuple[int, Tensor]]] = {}
    singles: list[tuple[int, Tensor]] = []
    for index, tensor in staged:
        if type(tensor) is Tensor and tensor.device.type != "cpu" and tensor.numel() == 1:
            groups.setdefault((tensor.device, tensor.dtype), []).append((index, tensor))
        else:
            singles.append((index, tensor))
    if not staged:
        return None
    blocks = [_Block(members, flat) for members in groups.values()]

    def write() -> None:
        for block in blocks:
            block.write()
        for index, tensor in singles:
            tensor.fill_(float(flat[index]))

    # A step may lie in what is compiled, and this must not be.
    return cast(Callable[[], None], torch.compiler.disable(write))  # type: ignore[no-untyped-call]


class _Block:
    """Tensors of one device and type, which one copy to the device and one on it fill."""

    def __init__(self, members: Sequence[tuple[int, Tensor]], values: npt.NDArray[np.float64]) -> None:
        self._tensors = [tensor for _, tensor in members]
        self._indices = np.asarray([index for index, _ in members])
        self._values = values
        first = self._tensors[0]
        self._pinned = first.device.type == "cuda"
        self._block = torch.empty(len(members), dtype=first.dtype, device=first.device)
        self._parts = [part.view(t.shape) for part, t in zip(self._block.unbind(), self._tensors)]

    def write(self) -> None:
        """Fill them.

        Raises:
            RuntimeError: A CUDA graph is being captured: it would replay this one value for ever.
        """
        if self._pinned and torch.cuda.is_current_stream_capturing():
            raise RuntimeError(
                "step() must be called outside of the graph that is captured, which would replay one rate: "
                "call it between replays, or capture the step of a DeviceScheduleLR"
            )
        host = torch.from_numpy(self._values[self._indices]).to(self._block.dtype)
        if self._pinned:  # torch keeps pinned memory from being used again until the copy has been made
            host = host.pin_memory()
        self._block.copy_(host, non_blocking=self._pinned)
        torch._foreach_copy_(self._tensors, self._parts)
