"""The bytes of files, compressed or not, and the record of what could not be read of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from clrfast._require import require

if TYPE_CHECKING:
    from io import FileIO

BLOCK = 1 << 22  # bytes: small enough for the caches, large enough for calls to cost nothing
_LONGEST_LINE = 1 << 20  # beyond a block
_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)  # what decompressors raise


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
        self, paths: Sequence[Path], report: Callable[[str], None], advance: Callable[[int], object]
    ) -> None:
        """Open nothing yet."""
        self.paths = paths
        self.path = paths[0]
        self.report = report
        self.advance = advance
        self._bad_rows = 0
        self._first_bad_row = ""
        self._ends_early = False
        self._opened = ExitStack()

    def __enter__(self) -> Input:
        """Keep what `open` opens until the end of the block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self._opened.close()

    def problem(self, what: str, path: Path | None = None) -> None:
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
        return sum(path.stat().st_size for path in self.paths)

    def blocks(self, path: Path | None = None, *, peek: bool = False) -> Iterator[bytes]:
        """Yield the contents of a file, by default the first, decompressed, in blocks of up to `BLOCK` bytes.

        Where compressed data are damaged, what precedes the damage is given. Peeking reports nothing.
        """
        path = path or self.path
        with path.open("rb", buffering=0) as raw:
            decompress = COMPRESSED.get(path.suffix.lower())
            blocks = _plain(raw) if decompress is None else _decompressed(decompress(raw))
            position = 0
            try:
                for block in blocks:
                    yield block
                    if not peek:
                        self.advance(raw.tell() - position)
                        position = raw.tell()
            except _DamageError as damage:
                self._ends_early = True
                if not peek:
                    self.problem(f"the compressed data end early or are damaged ({damage})", path)

    def lines(self, *, peek: bool = False) -> Iterator[bytes]:
        """Yield the contents in blocks of whole lines; only the very last line may lack its end.

        Raises:
            ValueError: There is no end of a line for too long: it is not text.
        """
        compressed = self.path.suffix.lower() in COMPRESSED
        for lines in self._cut(peek=peek) if compressed else self._whole_lines(peek=peek):
            if len(lines) > BLOCK + _LONGEST_LINE:
                raise ValueError(f"{self.path}: not lines of text")
            yield lines

    def _whole_lines(self, *, peek: bool) -> Iterator[bytes]:
        """Find where a line ends first, then read up to there: to cut what was read would be to copy it."""
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

    def contents(self) -> bytes:
        """Return all of the file."""
        return b"".join(self.blocks())

    def open(self, path: Path | None = None) -> BinaryIO:
        """Return the contents of a file, by default the first, as a file in which to seek."""
        path = path or self.path
        if path.suffix.lower() not in COMPRESSED:
            return self._opened.enter_context(path.open("rb"))
        return io.BytesIO(b"".join(self.blocks(path)))


class _DamageError(Exception):
    pass


def _plain(raw: FileIO) -> Iterator[bytes]:
    while block := raw.read(BLOCK):
        yield block


def _decompressed(file: Any) -> Iterator[bytes]:
    """Yield blocks that are as good as full; small reads, so that little is lost where one fails."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := cast("bytes", file.read1(1 << 16)):
            parts.append(part)
            size += len(part)
            if size >= BLOCK:
                yield b"".join(parts)
                parts, size = [], 0
    except _DAMAGE as error:
        if parts:
            yield b"".join(parts)
        raise _DamageError(str(error) or type(error).__name__) from error
    if parts:
        yield b"".join(parts)
