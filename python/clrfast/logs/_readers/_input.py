"""The bytes of files, compressed or not, and the record of what could not be read of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from clrfast._require import require
from clrfast.logs._readers._archive import File, open_file, size_of

BLOCK = 1 << 22  # bytes: small enough for the caches, large enough for calls to cost nothing
_LONGEST_LINE = 1 << 20  # beyond a block
_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)  # what decompressors raise


def _zstd(raw: IO[bytes]) -> Any:
    require("pyarrow", "reading .zst", extra="logs")
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(raw), "zstd")


COMPRESSED: dict[str, Callable[[IO[bytes]], Any]] = {
    ".gz": lambda raw: gzip.GzipFile(fileobj=raw),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zst": _zstd,
}


class Input:
    """The files of one run, read from their beginning as often as needed.

    Args:
        paths: the files.
        report: takes a sentence on each thing that could not be read.
        advance: takes the number of bytes read since its last call.
    """

    def __init__(
        self, paths: Sequence[File], report: Callable[[str], None], advance: Callable[[int], object]
    ) -> None:
        """Open nothing yet."""
        self.paths = paths
        self.path = paths[0]
        self.report = report
        self._advance = advance
        self._left = self.size()
        self._bad_rows = 0
        self._first_bad_row = ""
        self._ends_early = False
        self._opened = ExitStack()
        self._unpacked: bytes | None = None

    def __enter__(self) -> Input:
        """Keep what `open` opens until the end of the block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self._opened.close()

    def advance(self, size: int) -> None:
        """Count bytes as read: no more than there are, as what is unpacked first is then read once more."""
        size = min(size, self._left)
        self._left -= size
        self._advance(size)

    def problem(self, what: str, path: File | None = None) -> None:
        """Report what is wrong with a file, by default the first."""
        self.report(f"{path or self.path}: {what}")

    def bad_row(self, where: str, why: str) -> None:
        """Note that a row cannot be read; `done` reports the number of them and the first."""
        self._bad_rows += 1
        if self._bad_rows == 1:
            self._first_bad_row = f"{where}: {why}"

    def done(self) -> None:
        """Report the rows that could not be read."""
        if self._bad_rows:
            rows = "1 row was" if self._bad_rows == 1 else f"{self._bad_rows:,} rows were"
            first = "" if self._bad_rows == 1 else "the first, "
            self.problem(f"{rows} left out; {first}{self._first_bad_row}")
        self._bad_rows = 0

    def size(self) -> int:
        """Return the number of bytes in the files."""
        return sum(map(size_of, self.paths))

    def blocks(self, path: File | None = None, *, peek: bool = False) -> Iterator[bytes]:
        """Yield the contents of a file, by default the first, decompressed, in blocks of up to `BLOCK` bytes.

        Where compressed data are damaged, what precedes the damage is given. Peeking reports nothing.

        Raises:
            ValueError: Nothing precedes it.
        """
        path = path or self.path
        with open_file(path) as raw:
            position = 0
            size = 0
            try:
                for block in unpacked(raw, path):
                    yield block
                    size += len(block)
                    if not peek:
                        self.advance(raw.tell() - position)
                        position = raw.tell()
            except DamageError as damage:
                if not size:
                    raise ValueError(
                        f"{path}: the compressed data end before any can be read: {damage}"
                    ) from damage
                self._ends_early = True
                if not peek:
                    self.problem(f"the compressed data end early or are damaged: {damage}", path)

    def lines(self, *, peek: bool = False) -> Iterator[bytes]:
        """Yield the contents in blocks of whole lines; only the very last line may lack its end.

        Raises:
            ValueError: There is no end of a line for too long: it is not text.
        """
        for lines in self._cut(peek=peek) if is_packed(self.path) else self._whole_lines(peek=peek):
            if len(lines) > BLOCK + _LONGEST_LINE:
                raise ValueError(f"{self.path}: not lines of text")
            yield lines

    def _whole_lines(self, *, peek: bool) -> Iterator[bytes]:
        """Find where a line ends first, then read up to there: to cut what was read would be to copy it."""
        assert isinstance(self.path, Path)
        with self.path.open("rb") as file:
            start = 0
            while True:
                file.seek(start + BLOCK)
                file.readline(_LONGEST_LINE + 1)
                end = file.tell()
                file.seek(start)
                lines = file.read(end - start)
                if not lines:
                    return
                yield lines
                start += len(lines)
                if not peek:
                    self.advance(len(lines))

    def _cut(self, *, peek: bool) -> Iterator[bytes]:
        rest = b""
        for block in self.blocks(peek=peek):
            end = block.rfind(b"\n") + 1
            if end or len(rest) > BLOCK:
                yield rest + block[:end]
                rest = block[end:]
            else:
                rest += block
        if rest and not self._ends_early:  # a number that is cut short still looks like one
            yield rest

    def pieces(self, path: File) -> Iterator[bytes]:
        """Yield the contents of a file as `blocks` does, but tell nothing of it.

        Raises:
            DamageError: The rest cannot be decompressed.
        """
        return unpacked(self._opened.enter_context(open_file(path)), path)

    def contents(self) -> bytes:
        """Return all of the file."""
        return b"".join(self.blocks())

    def open(self) -> BinaryIO:
        """Return the contents of the first file as a file in which to seek; what is packed is read whole."""
        if not is_packed(self.path):
            return self._opened.enter_context(open_file(self.path))
        if self._unpacked is None:
            self._unpacked = self.contents()
        return io.BytesIO(self._unpacked)


class DamageError(Exception):
    """The rest of some compressed data cannot be read."""


class _Pieces(io.RawIOBase):
    """A member of an archive, of which a read that meets damage gives what precedes it."""

    def __init__(self, member: Any) -> None:
        """Read from where it stands."""
        self._member = member

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as much as there is at once."""
        piece = self._member.read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def is_packed(file: File) -> bool:
    """Whether a file must be decompressed, in its order."""
    return not isinstance(file, Path) or file.suffix.lower() in COMPRESSED


def unpacked(raw: IO[bytes], file: File) -> Iterator[bytes]:
    """Yield the contents of an opened file in blocks.

    Raises:
        DamageError: The rest cannot be decompressed.
    """
    if not is_packed(file):
        return _plain(raw)
    decompress = COMPRESSED.get(file.suffix.lower())
    if decompress is None:
        return decompressed(raw)
    return decompressed(decompress(raw if isinstance(file, Path) else cast("BinaryIO", _Pieces(raw))))


def _plain(raw: IO[bytes]) -> Iterator[bytes]:
    while block := raw.read(BLOCK):
        yield block


def decompressed(stream: Any) -> Iterator[bytes]:
    """Yield blocks that are as good as full; small reads, so that little is lost where one fails.

    Raises:
        DamageError: One has.
    """
    parts: list[bytes] = []
    size = 0
    try:
        while part := cast("bytes", stream.read1(1 << 16)):
            parts.append(part)
            size += len(part)
            if size >= BLOCK:
                yield b"".join(parts)
                parts, size = [], 0
    except _DAMAGE as error:
        if parts:
            yield b"".join(parts)
        raise DamageError(str(error) or "the file ends before their end") from error
    if parts:
        yield b"".join(parts)
