"""Zip archives, whose members are read where they are, by their own headers where the directory is lost."""

from __future__ import annotations

import dataclasses
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Union, cast

_HEADER = struct.Struct("<4s2x2H4x3L2H")  # before each member's data: what is read of its 30 bytes
_SIGNATURE = b"PK\3\4"
_ENCRYPTED = 0x41  # flags
_UTF8 = 0x800
_NO_SIZE = 1 << 62
_FAULTS = (EOFError, OSError, OverflowError, ValueError, NotImplementedError, struct.error)  # of a directory


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


class Clipped(FileIO):
    """A file that takes no more memory for a read than it can fill, whatever a damaged size asks for."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes."""
        if size is None or size < 0:
            return self.readall()
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        return super().read(min(size, left)) or b""


def size_of(file: File) -> int:
    """Return the number of bytes in a file."""
    return file.info.file_size if isinstance(file, Member) else file.stat().st_size


def open_file(file: File) -> BinaryIO:
    """Open a file; errors name it.

    Raises:
        OSError: It is not there.
        ValueError: It is a member that cannot be read.
    """
    if isinstance(file, Path):
        return cast("BinaryIO", Clipped(file))
    archive = open_file(file.archive)
    try:
        return open_member(archive, file.info)
    except ValueError as error:
        archive.close()
        raise ValueError(f"{file}: {error}") from error


def open_member(archive: BinaryIO, info: zipfile.ZipInfo) -> BinaryIO:
    """Return the decompressed bytes of a member, which raise as zipfile does where they are damaged.

    Raises:
        ValueError: It is encrypted, compressed in an unknown way, or not there.
    """
    if info.flag_bits & _ENCRYPTED:
        raise ValueError("encrypted, which is not read")
    try:
        archive.seek(info.header_offset)
        header = archive.read(_HEADER.size)
        if not header.startswith(_SIGNATURE):
            raise ValueError("its place in the archive is damaged")
        archive.seek(sum(_HEADER.unpack(header)[-2:]), os.SEEK_CUR)
        return cast("BinaryIO", zipfile.ZipExtFile(archive, "r", info, close_fileobj=True))
    except (OSError, OverflowError, struct.error) as error:
        raise ValueError(f"its place in the archive is damaged: {error}") from error
    except (NotImplementedError, RuntimeError) as error:
        raise ValueError(f"compressed in a way that is not read: {error}") from error


def members(archive: BinaryIO) -> tuple[list[zipfile.ZipInfo], str]:
    """Return the files in an archive, and what is wrong with its directory, or "".

    Raises:
        ValueError: There are none, and it is wrong.
    """
    try:
        return list(filter(_is_file, zipfile.ZipFile(archive).infolist())), ""
    except (*_FAULTS, zipfile.BadZipFile) as error:
        found = list(filter(_is_file, _by_headers(archive)))
        if not found:
            raise ValueError(f"not a zip archive, or too damaged: {error}") from error
        return found, f"the archive's directory, at its end, cannot be read ({error}); what precedes it is"


def _is_file(info: zipfile.ZipInfo) -> bool:
    return bool(info.filename) and not info.filename.endswith("/")


def _by_headers(archive: BinaryIO) -> Iterator[zipfile.ZipInfo]:
    """Yield the members up to the first that does not follow the one before it."""
    end = archive.seek(0, os.SEEK_END)
    start = 0
    while start < end:
        archive.seek(start)
        header = archive.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
            return
        _, flags, method, crc, packed, size, name_length, extra_length = _HEADER.unpack(header)
        name = archive.read(name_length).decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        packed, size = _zip64(archive.read(extra_length), packed, size)
        info = zipfile.ZipInfo(name)
        info.header_offset, info.flag_bits, info.compress_type = start, flags, method
        info.compress_size, info.file_size, info.CRC = packed, size, crc
        start = archive.tell() + packed
        if not packed and not archive.read(4).startswith(b"PK"):  # its writer had not come to know its size
            info.compress_size, info.file_size = end - start + 1, _NO_SIZE  # 1 more: it ends before its end
            info.CRC = None  # type: ignore[assignment]
            archive.seek(start)
            start = _next_start(archive) if method == zipfile.ZIP_DEFLATED else end
        yield info


def _zip64(extra: bytes, packed: int, size: int) -> tuple[int, int]:
    """Return the sizes of a member, which are in the extra field 1 where they could exceed 32 bits."""
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<2H", extra)
        if tag == 1 and length >= 16 and len(extra) >= 20:
            size, packed = struct.unpack_from("<2Q", extra, 4)
        extra = extra[4 + length :]
    return packed, size


def _next_start(archive: BinaryIO) -> int:
    """Return where the member begins that follows the deflated data that begin here, or the end."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        while not stream.eof and (data := archive.read(1 << 16)):
            stream.decompress(data)
    except zlib.error:
        return archive.seek(0, os.SEEK_END)
    archive.seek(-len(stream.unused_data), os.SEEK_CUR)
    end = archive.tell()
    sizes = archive.read(24 + len(_SIGNATURE))  # a descriptor of 12 to 24 bytes comes first
    return end + sizes.find(_SIGNATURE) if _SIGNATURE in sizes else archive.seek(0, os.SEEK_END)
