"""Columns of a log, as callers give them, made ready for the core."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def column(name: str, values: ArrayLike) -> NDArray[np.floating[Any]]:
    """Return `values` as float64 or float32, copied only if needed, or say why they are neither."""
    array = _array(name, values)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, not of shape {array.shape}")
    if array.dtype.kind not in "iuf" and array.size:
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    if array.dtype in (np.float64, np.float32) and array.dtype.isnative:
        return array
    return array.astype(np.float64)


def _array(name: str, values: Any) -> NDArray[Any]:
    if hasattr(values, "detach"):  # a torch tensor, which may record gradients
        values = values.detach()
        if "bfloat16" in str(values.dtype):  # unknown to NumPy
            values = values.float()
    elif hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
        values = np.from_dlpack(values)
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:  # on another device, or lists of unequal length
        raise TypeError(
            f"{name} must be a column of real numbers in this machine's memory: {error}"
        ) from None


def columns(lrs: ArrayLike, losses: ArrayLike) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Return both columns as the core takes them, of equal length.

    Raises:
        TypeError: a column does not hold real numbers.
        ValueError: a column is not one-dimensional, or they differ in length.
    """
    lr, loss = column("lrs", lrs), column("losses", losses)
    if len(lr) != len(loss):
        raise ValueError(f"lrs and losses must be of equal length, not {len(lr)} and {len(loss)}")
    return lr, loss


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """Return how many threads to use at most: as asked for, or as many as there are cores."""
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads!r}")
    return threads or _cores()


def bad_rate(lr: float, where: str = "") -> ValueError:
    """Return the error for a rate that is none."""
    return ValueError(f"lrs must be positive and finite (1e-300 to 1e300), not {lr!r}{where}")
