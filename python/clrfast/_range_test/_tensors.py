"""Tensors get back their memory, values and gradients; nothing is written that did not change."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class SavedTensor:
    """What a tensor was, and, once `copy` has been called, its values.

    Args:
        tensor: A tensor that is no wrapper around others.
    """

    __slots__ = ("leaf", "memory", "requires_grad", "tensor", "values", "version")

    def __init__(self, tensor: Tensor) -> None:
        """Keep hold of the memory, and note the version."""
        self.tensor = tensor
        self.memory = tensor.detach()
        self.leaf, self.requires_grad = tensor.is_leaf, tensor.requires_grad
        self.version = _version(tensor)
        self.values: Tensor | None = None

    def copy(self) -> None:
        """Copy the values, unless that was done before."""
        if self.values is None:
            self.values = _distinct(self.memory).clone()

    def restore(self) -> None:
        """Put back memory, values where they differ, and whether there is a gradient."""
        tensor, memory = self.tensor, self.memory
        if _place(tensor) != _place(memory):
            tensor.data = memory  # something put other memory behind the tensor, as Module.to() does
        if self.values is not None:
            self._write(_distinct(tensor), self.values)
        if self.leaf and not tensor.is_leaf:
            tensor.detach_()
        if tensor.is_leaf and tensor.requires_grad != self.requires_grad:
            tensor.requires_grad_(self.requires_grad)

    def _write(self, now: Tensor, values: Tensor) -> None:
        # A version that moved says that someone wrote. One that stands still says little: writes through
        # `.data` or NumPy do not count. Equal memory is left alone, for it may be read-only.
        if (self.version is None or _version(self.tensor) == self.version) and _same_bits(now, values):
            return
        with torch.inference_mode() if now.is_inference() else torch.no_grad():
            now.copy_(values)

    def has_changed(self) -> bool:
        """Return whether there is other memory or were writes, as far as that is known."""
        if _place(self.tensor) != _place(self.memory) or self.was_written():
            return True
        return self.values is not None and not _same_bits(_distinct(self.tensor.detach()), self.values)

    def was_written(self) -> bool:
        """Return whether torch has seen writes."""
        return self.version is not None and _version(self.tensor) != self.version

    def lost(self) -> bool:
        """Return whether the tensor was written and its values had not been copied."""
        return self.values is None and self.was_written()


class SavedGradient:
    """The gradient of a leaf, and its values where other tensors share its memory.

    Args:
        leaf: A leaf of the graph.
        shared: Whether someone keeps its memory and writes there, as `DistributedDataParallel` does.
    """

    __slots__ = ("grad", "leaf", "saved")

    def __init__(self, leaf: Tensor, shared: bool) -> None:
        """Copy nothing that nobody can write into once it has been laid aside."""
        self.leaf, self.grad = leaf, leaf.grad
        self.saved: SavedTensor | None = None
        if self.grad is not None and (shared or _is_part(self.grad)):
            self.saved = SavedTensor(self.grad)
            self.saved.copy()

    def lay_aside(self) -> None:
        """Leave the leaf without a gradient."""
        if self.grad is not None:
            self.leaf.grad = None

    def restore(self) -> None:
        """Put back the gradient; the leaf is what it was by now."""
        if self.saved is not None:
            self.saved.restore()
        if self.leaf.grad is not self.grad:
            self.leaf.grad = self.grad


class CopyBeforeWrite(TorchDispatchMode):
    """Copies large tensors that nobody is expected to write, just before the first operation that does.

    Args:
        saved: Those tensors, not copied yet.
    """

    def __init__(self, saved: list[SavedTensor]) -> None:
        """Sort them by their memory, which views of them share."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._saved: dict[int, list[SavedTensor]] = {}
        for one in saved:
            self._saved.setdefault(_storage(one.memory), []).append(one)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Look at operations that say of an argument that they write it."""
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            for place, argument in enumerate(func._schema.arguments):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    self._copy(kwargs.get(argument.name, args[place] if place < len(args) else None))
        return func(*args, **kwargs)

    def _copy(self, written: Any) -> None:
        for tensor in written if isinstance(written, (list, tuple)) else [written]:
            if isinstance(tensor, Tensor) and tensor.layout == torch.strided:
                for one in self._saved.pop(_storage(tensor), ()):
                    one.copy()


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata if tensor.layout == torch.strided else 0


def _is_part(tensor: Tensor) -> bool:
    if tensor.layout != torch.strided or type(tensor) is not Tensor:
        return False
    return tensor.untyped_storage().nbytes() > tensor.numel() * tensor.element_size()


def _version(tensor: Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version


def _place(tensor: Tensor) -> tuple[object, ...]:
    address = tensor.data_ptr() if tensor.layout == torch.strided else None
    return tensor.device, tensor.dtype, tensor.shape, address


def _distinct(memory: Tensor) -> Tensor:
    """Return the view that names each element in memory once, where `expand` made it appear many times."""
    if memory.layout != torch.strided or 0 not in memory.stride():
        return memory
    return memory[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in memory.stride())]


_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _same_bits(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors of one form are equal, NaN and the sign of 0 included; False if unknown."""
    if a.is_meta:
        return True
    if a.layout != torch.strided or a.is_quantized:
        return False
    if a.is_complex():
        a, b = torch.view_as_real(a.resolve_conj()), torch.view_as_real(b.resolve_conj())
    integers = _INTEGERS[a.element_size()]
    return torch.equal(a.view(integers), b.view(integers))
