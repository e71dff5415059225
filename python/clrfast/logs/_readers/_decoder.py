"""What every decoder gives: the names of a file's columns, and their cells in chunks of bounded size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Numbers(NamedTuple):
    """Some cells of a column of numbers, as they follow each other."""

    values: NDArray[np.float64]  # NaN where there is none
    missing: NDArray[np.bool_] | None = None  # which cells are empty, None if none is


class DecodedRows(NamedTuple):
    """Some rows of the columns that were asked for."""

    numbers: Sequence[Numbers]  # a column each
    labels: Sequence[Any] | None  # of runs


class Decoder(ABC):
    """Finds the columns of a run's files in one format, and decodes those asked for."""

    names: Sequence[str]
    sparse: bool = False  # each row gives one number: the rows of a step belong together
    words: Sequence[str] = ()  # those of `names` that hold no numbers, where the format itself says so

    @abstractmethod
    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[DecodedRows]:
        """Yield the cells of the columns `numbers`, and of the column `label` as they are.

        A row is left out, and reported, where one of the first two numbers cannot be read; a further one that
        cannot is missing.
        """


def numbers_of(values: Sequence[float | None]) -> Numbers:
    """Return numbers, None where there is none, as cells of a column."""
    array = np.array(values, dtype=np.float64)  # None becomes NaN
    if None not in values:
        return Numbers(array)
    return Numbers(array, np.fromiter((value is None for value in values), np.bool_, len(values)))
