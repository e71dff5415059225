"""What an object is to a snapshot: how its state is kept, or that it has none."""

from __future__ import annotations

import enum
import io
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clrfast._range_test import _containers, _generators

ATOMS = (
    *(type(None), bool, int, float, complex, str, bytes, np.generic, enum.Enum, type, ModuleType),
    *(FunctionType, BuiltinFunctionType, MethodType, torch.dtype, torch.device, torch.Size, torch.layout),
)

# Objects of these parts of the library, and of what derives from them, live outside of Python's memory too:
# threads, processes, sockets, locks, streams. Their attributes put back alone would belie the rest.
_LIVE = frozenset(
    [
        *("_asyncio", "_ctypes", "_thread", "_weakref", "asyncio", "concurrent", "contextvars", "ctypes"),
        *("logging", "multiprocessing", "queue", "selectors", "signal", "socket", "ssl", "subprocess"),
        *("tempfile", "threading", "weakref"),
    ]
)
LOADER_ITERATOR = torch.utils.data.dataloader._BaseDataLoaderIter
_LIVE_TORCH = ("torch._C", "torch.cuda", "torch.distributed", "torch.multiprocessing", "torch._dynamo")


def kind(cls: type) -> str:
    """Return the kind of state that objects of a class have, "none" where there is nothing to keep."""
    if issubclass(cls, ATOMS):
        return "none"
    for bases, name in _KINDS:
        if issubclass(cls, bases):
            return name
    if is_optimizer(cls):
        return "object"
    if issubclass(cls, io.IOBase):
        return "file"
    if any(base.__module__.partition(".")[0] in _LIVE for base in cls.__mro__):
        return "none"
    if cls.__module__.startswith(_LIVE_TORCH) or issubclass(cls, LOADER_ITERATOR):
        return "none"
    if _has_attributes(cls) or has_state(cls):
        return "object"
    return "iterator" if issubclass(cls, Iterator) else "none"


_KINDS: tuple[tuple[Any, str], ...] = (
    (Tensor, "tensor"),
    (nn.Module, "object"),
    (_containers.KINDS, "container"),
    ((tuple, frozenset, Mapping), "items"),
    (np.ndarray, "array"),
    (_generators.KINDS, "generator"),
)


def is_optimizer(cls: type) -> bool:
    """Return whether a class is an optimizer, or stands around one."""
    return issubclass(cls, torch.optim.Optimizer) or (hasattr(cls, "param_groups") and hasattr(cls, "step"))


def has_state(cls: type) -> bool:
    """Return whether objects of a class can say and take their state."""
    return callable(getattr(cls, "state_dict", None)) and callable(getattr(cls, "load_state_dict", None))


def trains(value: object) -> bool:
    """Return whether an object is a part of training by what it can do: say its state, or save it."""
    cls = type(value)
    if isinstance(value, type):
        return False
    saves = callable(getattr(cls, "save_state", None)) and callable(getattr(cls, "load_state", None))
    return saves or has_state(cls) or is_optimizer(cls)


def slots(cls: type) -> list[str]:
    """Return the names of the attributes that objects of a class keep outside of their dictionary."""
    names: list[str] = []
    for base in cls.__mro__:
        own = base.__dict__.get("__slots__", ())
        for name in [own] if isinstance(own, str) else own:
            private = name.startswith("__") and not name.endswith("__")
            names.append(f"_{base.__name__.lstrip('_')}{name}" if private else name)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _has_attributes(cls: type) -> bool:
    return bool(getattr(cls, "__dictoffset__", 0)) or bool(slots(cls))
