"""What of a training step an Accelerator has a hand in, in a loop of one's own and in the Trainer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class Prepared:
    """A loader that Accelerate has prepared: most of them have a `state_dict` that raises AttributeError.

    A range test puts back what it reaches, which are the loader's attributes, and not that method.
    """

    def __init__(self, loader: Any) -> None:
        """Keep hold of it."""
        self._attributes = getattr(loader, "__dict__", loader)
        self._begin = loader.__iter__

    def __iter__(self) -> Iterator[Any]:
        """Begin a pass."""
        return iter(self._begin())


def synchronised(accelerator: Any, model: Any, is_last: bool) -> AbstractContextManager[Any]:
    """Return the context of a backward pass: only the last one before an update exchanges gradients."""
    accelerator.gradient_state._set_sync_gradients(is_last)
    return nullcontext() if is_last else accelerator.no_sync(model)


def update(accelerator: Any, model: Any, optimizer: Any, max_grad_norm: float | None) -> None:
    """Clip and update; the gradients stay, for the range test to look at."""
    if max_grad_norm:
        accelerator.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
