"""Columns of a log, as callers give them, made ready for the core."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class HasColumns(Protocol):
    """A log: anything with a column of rates and a column of losses, such as a :class:`clrfast.Log`."""

    @property
    def lr(self) -> Any:
        """The rates."""

    @property
    def loss(self) -> Any:
        """The losses."""


class Frame(Protocol):
    """A data frame, of pandas or another library, that has the columns `lr` and `loss`."""

    @property
    def columns(self) -> Any:
        """Its columns, or their names."""

    def __getitem__(self, name: Any, /) -> Any:
        """One column."""


def columns_of(log: Any) -> tuple[Any, Any]:
    """Return the rates and the losses of a log or a data frame.

    Raises:
        TypeError: it is neither.
        ValueError: a data frame lacks one of the columns; or the log holds several runs.
    """
    if hasattr(log, "columns") and hasattr(log, "__getitem__"):
        found = []
        for name in ("lr", "loss"):
            try:
                found.append(log[name])
            except Exception:  # each library has an error of its own
                raise ValueError(f"a data frame must have the columns lr and loss, got no {name}") from None
        return found[0], found[1]
    if not (hasattr(log, "lr") and hasattr(log, "loss")):
        raise TypeError(
            f"loss must be given beside lr, or a log that has both columns, got {type(log).__name__} alone"
        )
    if len(getattr(log, "runs", ())) > 1:
        raise ValueError(
            f"the log must hold one run, got {len(log.runs)}: use log.analyze_runs() for each, or "
            "log.analyze_repeats() if they repeat one test"
        )
    return log.lr, log.loss


def column(name: str, values: ArrayLike) -> NDArray[np.floating[Any]]:
    """Return `values` as float64 or float32, copied only if needed, or say why they are neither."""
    array = _array(name, values)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    if array.dtype.kind not in "iuf" and array.size:
        raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
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


def columns(lr: ArrayLike, loss: ArrayLike) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Return both columns as the core takes them, of equal length.

    Raises:
        TypeError: a column does not hold real numbers.
        ValueError: a column is not one-dimensional, or they differ in length.
    """
    rates, losses = column("lr", lr), column("loss", loss)
    if len(rates) != len(losses):
        raise ValueError(f"lr and loss must be of equal length, got {len(rates)} and {len(losses)} rows")
    return rates, losses


def in_groups(number: NDArray[np.intp], groups: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return what puts the rows of each group together, for the number of each row's group.

    Returns:
        The order of the rows, which keeps that within a group; and where each group starts in it, and the
        last one ends, shape (groups + 1,).
    """
    ends = np.cumsum(np.bincount(number, minlength=groups))
    return np.argsort(number, kind="stable"), np.concatenate([[0], ends]).astype(np.intp)


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """Return how many threads to use at most: as asked for, or as many as there are cores."""
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads!r}")
    return threads or _cores()


def bad_rate(lr: float, where: str = "") -> ValueError:
    """Return the error for a value that cannot be a rate."""
    return ValueError(f"lr must be positive and finite (1e-300 to 1e300), got {lr!r}{where}")
