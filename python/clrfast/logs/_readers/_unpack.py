"""From the bytes of a file to its contents: decompressed a small piece at a time, within a budget.

A compressed file is a row of streams (what ``cat a.gz b.gz`` and pbzip2 write), perhaps with zeros after
them. Whatever else follows a stream is damage, and told: it may have been half of the rows.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol, cast

from clrfast._require import require
from clrfast.logs._readers import _limits
from clrfast.logs._readers._budget import Meter
from clrfast.logs._readers._files import File

# What decompressors raise. Of memory they may be asked for more than there is, by a forged size.
_DAMAGE = (EOFError, MemoryError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_PIECE = 1 << 16  # bytes: where decompressing one fails, it is lost


class DamageError(Exception):
    """The rest of some compressed data cannot be read."""


class _Decompressor(Protocol):
    """One stream's decompressor, as the modules bz2 and lzma have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


class _Gzip:
    """That of zlib, which has no such interface."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def _xz() -> _Decompressor:
    return lzma.LZMADecompressor(memlimit=_limits.XZ_MEMORY)


def _streams(new: Callable[[], _Decompressor]) -> Callable[[IO[bytes]], Iterator[bytes]]:
    """Return what decompresses a row of streams."""

    def pieces(raw: IO[bytes]) -> Iterator[bytes]:
        read = getattr(raw, "read1", raw.read)  # of a damaged member, what precedes the damage
        data: bytes = read(_PIECE >> 2)
        done = 0
        while data or not done:
            stream = new()
            while not stream.eof:
                try:
                    piece = stream.decompress(data, _PIECE)
                except _DAMAGE as error:
                    if not done:
                        raise
                    raise OSError(f"what follows stream {done} is damaged: {error}") from error
                if piece:
                    yield piece
                data = b""
                if stream.needs_input and not stream.eof:
                    data = read(_PIECE >> 2)
                    if not data and not piece:
                        raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            done += 1
            data = stream.unused_data.lstrip(b"\0")
            while not data and (more := read(_PIECE)):
                data = more.lstrip(b"\0")

    return pieces


class _AsItComes(io.RawIOBase):
    """A file that stays open; of an archive's member, a read that meets damage gives what precedes it."""

    def __init__(self, file: Any) -> None:
        """Read from where it stands."""
        self._read = getattr(file, "read1", file.read)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as much as there is at once."""
        piece: bytes = self._read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _zstd(raw: IO[bytes]) -> Iterator[bytes]:
    """Decompress with pyarrow, which goes on to the next stream by itself.

    A read that meets damage gives nothing of what precedes it; so that is read again, a byte at a time.
    """
    require("pyarrow", "reading .zst", extra="logs")
    import pyarrow as pa

    def opened() -> Any:
        return pa.CompressedInputStream(pa.PythonFile(_AsItComes(raw), mode="r"), "zstd")

    size = 0
    try:
        for piece in _pieces(opened(), _PIECE):
            yield piece
            size += len(piece)
    except _DAMAGE:
        raw.seek(0)
        again = opened()
        while size and (skipped := len(again.read1(min(size, _PIECE)))):
            size -= skipped
        yield from _pieces(again, 1)
        raise


def _pieces(stream: Any, size: int = _PIECE) -> Iterator[bytes]:
    while piece := cast("bytes", stream.read1(size)):
        yield piece


COMPRESSED: dict[str, Callable[[IO[bytes]], Iterator[bytes]]] = {
    ".gz": _streams(_Gzip),
    ".bz2": _streams(bz2.BZ2Decompressor),
    ".xz": _streams(_xz),
    ".zst": _zstd,
}


def is_packed(file: File) -> bool:
    """Whether a file must be decompressed, in its order."""
    return not isinstance(file, Path) or file.suffix.lower() in COMPRESSED


def unpacked(raw: IO[bytes], file: File, meter: Meter) -> Iterator[bytes]:
    """Yield the contents of an opened file in blocks.

    Raises:
        DamageError: The rest cannot be decompressed.
        ExpansionError: It becomes too large.
    """
    if not is_packed(file):
        return _plain(raw)
    suffix = file.suffix.lower()
    return _blocks(COMPRESSED[suffix](raw) if suffix in COMPRESSED else _pieces(raw), meter)


def unpacked_member(member: IO[bytes], meter: Meter) -> Iterator[bytes]:
    """Yield the contents of an archive's opened member in blocks, as :func:`unpacked` does."""
    return _blocks(_pieces(member), meter)


def _plain(raw: IO[bytes]) -> Iterator[bytes]:
    while block := raw.read(_limits.BLOCK):
        yield block


def _blocks(pieces: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
    """Yield blocks that are as good as full."""
    parts: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            meter.count(len(piece))
            parts.append(piece)
            size += len(piece)
            if size >= _limits.BLOCK:
                yield b"".join(parts)
                parts, size = [], 0
    except _DAMAGE as error:
        if parts:
            yield b"".join(parts)
        raise DamageError(str(error) or "the file ends before their end") from error
    if parts:
        yield b"".join(parts)
