"""Batches of a loader as pairs of inputs and labels; subclass these where batches are something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Own = TypeVar("Own", bound="DataLoaderIter")
OwnVal = TypeVar("OwnVal", bound="ValDataLoaderIter")


class DataLoaderIter:
    """An iterator over pairs (inputs, labels).

    Args:
        data_loader: A DataLoader, or another iterable of batches.
    """

    def __init__(self, data_loader: Any) -> None:
        """Begin the first pass."""
        self.data_loader = data_loader
        self.begin()

    def begin(self) -> None:
        """Begin a pass."""
        self._iterator: Iterator[Any] = iter(self.data_loader)

    @property
    def dataset(self) -> Any:
        """The loader's data set."""
        return self.data_loader.dataset

    def inputs_labels_from_batch(self, batch_data: Any) -> tuple[Any, Any]:
        """Return inputs and labels of a batch, the first two of its items. To be overridden for others.

        Raises:
            ValueError: It is no list or tuple.
        """
        if not isinstance(batch_data, (list, tuple)):
            raise ValueError(
                "a batch must be a list or tuple that begins with inputs and labels, got "
                f"{type(batch_data).__name__}: override inputs_labels_from_batch() of TrainDataLoaderIter "
                "or ValDataLoaderIter"
            )
        inputs, labels, *_ = batch_data
        return inputs, labels

    def __iter__(self: Own) -> Own:
        """Return itself."""
        return self

    def __next__(self) -> tuple[Any, Any]:
        """Return the next pair."""
        return self.inputs_labels_from_batch(next(self._iterator))


class TrainDataLoaderIter(DataLoaderIter):
    """Pairs for training: another pass begins where one ends.

    Args:
        data_loader: As above.
        auto_reset: False ends with the first pass.
    """

    def __init__(self, data_loader: Iterable[Any], auto_reset: bool = True) -> None:
        """Begin the first pass."""
        super().__init__(data_loader)
        self.auto_reset = auto_reset

    def __next__(self) -> tuple[Any, Any]:
        """Return the next pair."""
        try:
            return super().__next__()
        except StopIteration:
            if not self.auto_reset:
                raise
        self.begin()
        return super().__next__()


class ValDataLoaderIter(DataLoaderIter):
    """Pairs for validation, one pass for each ``for`` loop.

    Args:
        data_loader: As above; its length says where a pass ends.
    """

    def __init__(self, data_loader: Any) -> None:
        """Begin the first pass."""
        super().__init__(data_loader)
        self.run_limit = len(data_loader)

    def begin(self) -> None:
        """Begin a pass."""
        super().begin()
        self.run_counter = 0

    def __iter__(self: OwnVal) -> OwnVal:
        """Begin another pass if this one is over."""
        if self.run_counter >= self.run_limit:
            self.begin()
        return self

    def __next__(self) -> tuple[Any, Any]:
        """Return the next pair."""
        self.run_counter += 1
        return super().__next__()
