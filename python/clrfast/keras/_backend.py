"""Keras and its backend: clear words where one of them is missing, or is another than is needed."""

from __future__ import annotations

import sys

from clrfast._require import require

_BACKENDS = ("jax", "openvino", "tensorflow", "torch")


def import_keras() -> None:
    """Import keras.

    Raises:
        ImportError: Keras is not installed, or the backend that it takes is not.
    """
    before = set(sys.modules)
    try:
        require("keras", "clrfast.keras", "keras")
    except ImportError as error:
        if error.name not in _BACKENDS:
            raise
        for name in set(sys.modules) - before:  # or the next import would find the half of Keras
            if name.partition(".")[0] == "keras":
                del sys.modules[name]
        raise ImportError(
            f"keras takes the backend {error.name!r}, which is not installed: set the environment variable "
            "KERAS_BACKEND to one that is, such as 'torch', before keras is first imported",
            name=error.name,
        ) from error


def check_torch(what: str) -> None:
    """Raise RuntimeError unless Keras runs on PyTorch, which `what` needs."""
    import keras

    backend = keras.backend.backend()
    if backend != "torch":
        raise RuntimeError(
            f"Keras' backend must be 'torch' for {what}, got {backend!r}: set the environment variable "
            "KERAS_BACKEND to 'torch' before keras is first imported"
        )
