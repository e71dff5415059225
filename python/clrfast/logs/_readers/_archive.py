"""Zip archives, whose members are read where they are, by their own headers where the directory is lost."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

_HEADER = struct.Struct("<4s2x2H4x3L2H")  # before each member's data: what is read of its 30 bytes
_SIGNATURE = b"PK\3\4"
_ENCRYPTED = 0x41  # flags
_UTF8 = 0x800
_NO_SIZE = 1 << 62
_FAULTS = (EOFError, OSError, OverflowError, ValueError, NotImplementedError, struct.error)  # of a directory


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
        _, flags, *_, name_length, extra_length = _HEADER.unpack(header)
        name = archive.read(name_length).decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        if name != info.orig_filename:
            raise ValueError(f"its place in the archive is that of {name!r}")
        archive.seek(extra_length, os.SEEK_CUR)
        return cast("BinaryIO", zipfile.ZipExtFile(archive, "r", info, close_fileobj=True))
    except (OSError, OverflowError, struct.error) as error:
        raise ValueError(f"its place in the archive is damaged: {error}") from error
    except (NotImplementedError, RuntimeError) as error:
        raise ValueError(f"compressed in a way that is not read: {error}") from error


def members(archive: BinaryIO) -> tuple[list[zipfile.ZipInfo], list[str]]:
    """Return the files in an archive, and what is wrong with its directory.

    Of a name that was written twice, the last is meant, as to Python's zipfile and to unzip. A directory may
    also name the same bytes again and again, so that a small archive never ends: those that overlap others
    are left out.

    Raises:
        ValueError: There are none, and it is wrong.
    """
    try:
        found = list(filter(_is_file, zipfile.ZipFile(archive).infolist()))
    except (*_FAULTS, zipfile.BadZipFile) as error:
        found = list(filter(_is_file, _by_headers(archive)))
        if not found:
            raise ValueError(f"not a zip archive, or too damaged: {error}") from error
        fault = f"the archive's directory, at its end, cannot be read ({error}); what precedes it is"
        return list({info.filename: info for info in found}.values()), [fault]
    latest = list({info.filename: info for info in found}.values())
    overlapping = _overlapping(latest, archive.seek(0, os.SEEK_END))
    if not overlapping:
        return latest, []
    apart = [info for info in latest if info.header_offset not in overlapping]
    count = f"{len(latest) - len(apart):,} of {len(latest):,} members"
    first = next(info.filename for info in latest if info.header_offset in overlapping)
    return apart, [f"{count} overlap others and are left out; the first, {first!r}"]


def _overlapping(found: Iterable[zipfile.ZipInfo], end: int) -> set[int]:
    """Return where those members begin that do not end before the next; none is longer than the archive."""
    order = sorted(found, key=lambda info: info.header_offset)
    overlapping = set()
    for info, following in zip(order, order[1:]):
        if info.header_offset + _HEADER.size + info.compress_size > following.header_offset:
            overlapping.add(info.header_offset)
    for info in order:
        info.compress_size = min(info.compress_size, end)
    return overlapping


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
