"""The batches that `fit` would make of its arguments."""

from __future__ import annotations

from collections.abc import Generator
from types import GeneratorType
from typing import Any

from keras.src.trainers import data_adapters
from keras.src.trainers.data_adapters.generator_data_adapter import GeneratorDataAdapter
from torch.utils.data import DataLoader


class FitBatches:
    """What `fit` trains on, epoch by epoch; each batch as a model's `train_step` takes it.

    Args:
        x: What `fit` takes as `x`.
        arguments: Others of its arguments by name: `y`, `batch_size`, `sample_weight`, `class_weight`,
            `shuffle`.

    Raises:
        ValueError, TypeError: Keras cannot make batches of these.
    """

    def __init__(self, x: Any, **arguments: Any) -> None:
        """Take nothing yet; of a generator Keras looks at two batches."""
        if isinstance(x, (GeneratorType, DataLoader)):  # whose order is their own, as Keras would warn
            arguments["shuffle"] = False
        self.x = x  # Keras hides it, and it may be an iterator that cannot be put back
        # No public function makes these; all of Keras 3's trainers call this one.
        self._adapter = data_adapters.get_data_adapter(x, **arguments)
        self._has_begun = self._has_passed = False

    def first(self) -> Any:
        """Return the first batch, in the way in which `fit` takes one to build a model."""
        self._adapter.on_epoch_begin()
        self._has_begun = True
        batch = next(iter(self._adapter.get_torch_dataloader()))
        enqueuer = getattr(self._adapter, "enqueuer", None)
        if enqueuer is not None:
            enqueuer.stop()  # its threads
        return batch

    def __iter__(self) -> Generator[Any, None, None]:
        """Pass one epoch; a generator has only one."""
        if self._has_passed and isinstance(self._adapter, GeneratorDataAdapter):
            return  # Keras would give its first two batches again
        if not self._has_begun:
            self._adapter.on_epoch_begin()
        try:
            yield from self._adapter.get_torch_dataloader()
            self._has_passed = True
        finally:
            self._has_begun = False
            self._adapter.on_epoch_end()
