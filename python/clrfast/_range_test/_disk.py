"""Files that are whole or not there: written beside, then moved."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write(path: Path, write_to: Callable[[Path], object]) -> None:
    """Let `write_to` write a file beside `path`, then put it in the place of `path`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write_to(beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
