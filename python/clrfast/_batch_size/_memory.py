"""Memory that is too short for a batch, told from other errors."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import torch

_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


def is_too_large(error: BaseException) -> bool:
    """Return whether an error says that memory was short."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


def unless_too_large(run: Callable[[], Any]) -> Any:
    """Return what a function returns; None where memory is too short, once all it held is free again."""
    try:
        return run()
    except Exception as error:
        if not is_too_large(error):
            raise
    # Not within the handler, whose error holds the frames, and they hold the tensors.
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
    return None
