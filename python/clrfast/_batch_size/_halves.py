"""Batches of the usual forms, their samples counted, and cut in two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

_INSTEAD = "accumulate=2 compares whole batches instead"


def samples_of(batch: Any) -> int:
    """Return how many samples a batch has: the length of its first tensor.

    Raises:
        TypeError: It has no tensor.
    """
    for tensor in _tensors(batch):
        return len(tensor)
    raise TypeError(
        f"a batch must hold a tensor with its samples along the first dimension, got {_named(batch)}"
    )


def halves(batch: Any) -> list[Any]:
    """Return the first and the second half of a batch; of an odd number the second one has one more.

    Raises:
        TypeError, ValueError: It is of no usual form, its tensors differ in length, or it has one sample.
    """
    lengths = sorted({len(tensor) for tensor in _tensors(batch)})
    if len(lengths) != 1:
        raise ValueError(
            f"a batch must hold tensors of one length to be halved, got {lengths or 'none'}: {_INSTEAD}"
        )
    (count,) = lengths
    if count < 2:
        raise ValueError(f"a batch must hold 2 samples or more to be halved, got {count}: {_INSTEAD}")
    return [_rows(batch, slice(0, count // 2)), _rows(batch, slice(count // 2, count))]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        if value.ndim:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _rows(value: Any, rows: slice) -> Any:
    if isinstance(value, Tensor):
        return value[rows] if value.ndim else value
    if isinstance(value, Mapping):
        return {key: _rows(item, rows) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_rows(item, rows) for item in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_rows(item, rows) for item in value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise TypeError(f"a batch must hold tensors to be halved, got {_named(value)}: {_INSTEAD}")


def _named(value: Any) -> str:
    return f"a {type(value).__name__}"
