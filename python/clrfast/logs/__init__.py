"""What range tests recorded: rates and losses, from memory or from files of any usual format and size."""

from __future__ import annotations

from clrfast.logs._log import Log as Log
from clrfast.logs._read import ReadWarning as ReadWarning
from clrfast.logs._read import iter_chunks as iter_chunks
from clrfast.logs._read import read as read
from clrfast.logs._readers import FORMATS as _FORMATS
from clrfast.logs._readers._stream import Chunk as Chunk

__all__ = ["SUFFIXES", "Chunk", "Log", "ReadWarning", "iter_chunks", "read"]

SUFFIXES = tuple(_FORMATS)  # the endings of names that `read` knows, beside TensorBoard's event files


def __dir__() -> list[str]:
    return __all__
