"""The files that bytes are read from: on the disk, or in a zip archive, where they are."""

from __future__ import annotations

import dataclasses
import os
import stat
import zipfile
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Union, cast

from clrfast.logs._readers._archive import open_member

_KINDS = {
    stat.S_ISFIFO: "a FIFO",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISDIR: "a folder",
}


@dataclasses.dataclass(frozen=True)
class Member:
    """A file in an archive: as much of a path as the readers need."""

    archive: Path
    inner: PurePosixPath
    info: zipfile.ZipInfo = dataclasses.field(compare=False)

    def __str__(self) -> str:
        """Show it as if the archive were a folder."""
        return f"{self.archive}/{self.inner}"

    @property
    def name(self) -> str:
        """The last part."""
        return self.inner.name

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return self.inner.stem

    @property
    def suffix(self) -> str:
        """What the last part ends in."""
        return self.inner.suffix

    @property
    def parent(self) -> Path:
        """The folder that it would be in."""
        return self.archive / self.inner.parent


File = Union[Path, Member]


class OnDisk(FileIO):
    """A regular file; a read takes no more memory than the file can fill, whatever a damaged size asks for.

    Raises:
        OSError: It is not there.
        ValueError: It is a FIFO, a socket or a device, for which one could wait forever.
    """

    def __init__(self, path: Path) -> None:
        """Open it, without waiting for another to open it too."""
        refuse_special(path)
        super().__init__(path, opener=_opened_at_once)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes."""
        if size is None or size < 0:
            return self.readall()
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        return super().read(min(size, left)) or b""


def _opened_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def refuse_special(path: Path) -> None:
    """Raise a ValueError if the path names something that is no regular file; OSError if there is nothing."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = next((kind for is_kind, kind in _KINDS.items() if is_kind(mode)), "something else")
        raise ValueError(f"{path}: must be a regular file, got {kind}")


def size_of(file: File) -> int:
    """Return the number of bytes in a file, decompressed where it is a member of an archive."""
    return file.info.file_size if isinstance(file, Member) else file.stat().st_size


def size_on_disk(file: File) -> int:
    """Return the number of bytes that a file takes on the disk, be it in an archive."""
    return file.info.compress_size if isinstance(file, Member) else file.stat().st_size


def open_file(file: File) -> BinaryIO:
    """Open a file; errors name it.

    Raises:
        OSError: It is not there.
        ValueError: It is no regular file, or a member that cannot be read.
    """
    if isinstance(file, Path):
        return cast("BinaryIO", OnDisk(file))
    archive = open_file(file.archive)
    try:
        return open_member(archive, file.info)
    except ValueError as error:
        archive.close()
        raise ValueError(f"{file}: {error}") from error
