"""Output that is whole or not there: written beside its place, then moved into it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


def write_file(path: str | os.PathLike[str], data: Any) -> None:
    """Write a file of these bytes, or of this buffer, as :func:`write_through` does."""
    write_through(path, lambda file: file.write(data))


def write_through(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Write a file in one step, so that whatever fails leaves the one that was there as it was.

    The data come to lie under another name in the same folder, are forced to the disk, and take the place of
    the file then, with its permissions. A link stays, and what it leads to is replaced. What is no file, such
    as ``/dev/stdout``, is written to directly.

    Args:
        path: Where to.
        write: Called with the file that is to be written to.

    Raises:
        OSError: It cannot be written; the error names `path`. Nothing is left beside it.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and not stat.S_ISREG(mode):
            with target.open("wb") as file:
                write(file)
            return
        beside = target.with_name(f".clrfast-{secrets.token_hex(8)}.part")
        try:
            with beside.open("xb") as file:
                if mode is not None:
                    beside.chmod(stat.S_IMODE(mode))
                write(file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(target)
        except BaseException:  # an interrupt too
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
