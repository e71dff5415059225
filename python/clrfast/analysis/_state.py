"""The statistics of a log that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast import _check, _core
from clrfast.analysis._analysis import Analysis
from clrfast.analysis._analyze import add_columns, analysis_of
from clrfast.analysis._columns import bad_rate, columns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class State:
    """The statistics of a log that grows: add rows or other states, analyse at any time.

    Its size depends on the range of the rates alone (64 cells to a decade), not on the number of
    rows. However rows are split into calls, files, threads or states, the answer is that of
    :func:`analyze` on all of them, to rounding. May be used from several threads, and pickled.

    Args:
        first_step: number of the first row. Give each shard of one log the number its first row
            has in the whole; repeated runs of one test each start at 0.
    """

    __module__ = "clrfast.analysis"  # what pickles name

    def __init__(self, *, first_step: int = 0) -> None:
        """Start without rows."""
        self._core = _core.State(_step("first_step", first_step))

    def add(
        self, lr: ArrayLike, loss: ArrayLike, *, step: int | None = None, threads: int | None = None
    ) -> None:
        """Add one row or many.

        Args:
            lr: one rate, or a column of them as :func:`analyze` takes it.
            loss: one loss, or a column of equal length.
            step: number of the first of these rows; by default they follow those before.
            threads: how many to use at most, at least 1; by default one for each core.

        Raises:
            TypeError, ValueError: as :func:`analyze` does; or steps would lie beyond 2**53, or there would be
                more than 2**53 rows. Then nothing was added.
        """
        first = None if step is None else _step("step", step)
        if np.ndim(lr) == 0 and np.ndim(loss) == 0:  # what a live loop gives
            rate = _number("lr", lr)
            if not self._core.add_row(rate, _number("loss", loss), first):
                raise bad_rate(rate)
            return
        rates, losses = columns(lr, loss)
        add_columns(self._core, rates, losses, first, threads)

    def merge(self, other: State) -> None:
        """Add all rows that `other` holds; it stays as it is.

        Raises:
            TypeError: `other` is no State.
            ValueError: there would be more than 2**53 rows; then nothing was added.
        """
        self._core.merge(_state(other)._core)

    def append(self, other: State) -> None:
        """Add all rows that `other` holds as those that follow: its step 0 is the next one here.

        For parts of one log of which no one knew, when they were read, how many rows precede them.

        Raises:
            TypeError: `other` is no State.
            ValueError: steps would lie beyond 2**53, or there would be more than 2**53 rows; then nothing
                was added.
        """
        self._core.append(_state(other)._core)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self._core.rows

    def analyze(self) -> Analysis:
        """Return what :func:`analyze` does for all rows; its `lr` and `loss` are empty.

        Raises:
            ValueError: there are too few rates with a finite loss to lay a curve through.
        """
        nothing = np.empty(0)
        return analysis_of(self._core, nothing, nothing, beta=0.0)

    def to_bytes(self) -> bytes:
        """Return the state as bytes, the same on every machine: 64 for each cell of its range, and 48."""
        return self._core.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> State:
        """Return the state that `data`, made by :meth:`to_bytes`, holds.

        Raises:
            ValueError: the data is something else, damaged, or written by a newer clrfast.
        """
        core = _core.State.from_bytes(bytes(data))
        state = cls()
        state._core = core
        return state

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as bytes."""
        return (State.from_bytes, (self.to_bytes(),))

    def __repr__(self) -> str:
        """Say how many rows there are, between which rates."""
        rows, (low, high) = self._core.rows, self._core.lr_range
        if rows == 0:
            return "<State of no rows>"
        return f"<State of {rows:,} rows, rates {low:.3g} to {high:.3g}>"


def _state(other: object) -> State:
    if not isinstance(other, State):
        raise TypeError(f"other must be a State, got {type(other).__name__}")
    return other


def _number(name: str, value: Any) -> float:
    # item() of a tensor, unlike float(), does not mind that gradients are recorded.
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number or a column of numbers, got {value!r:.60}") from None


def _step(name: str, step: int) -> int:
    return _check.whole(name, step, least=-(2**53), most=2**53)
