"""The files of one run, as a decoder reads them, and the record of what could not be read of them.

There are five ways to read, each for the formats that need it:

- `blocks`: what a file holds, cut anywhere (event files, which find their records by themselves);
- `lines`: the same, cut where lines end (CSV, JSON lines);
- `whole`: all at once (JSON, which has no other way);
- `seekable`: as a file to seek in (Parquet, Arrow, ``.npz``, whose ends say what they hold);
- `strict_blocks`: as `blocks`, but damage is for the caller to tell (``.npy``, which knows what is missing).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO, cast

from clrfast.logs._readers import _limits
from clrfast.logs._readers._budget import Budget, Meter
from clrfast.logs._readers._files import File, open_file, size_of
from clrfast.logs._readers._unpack import DamageError, is_packed, unpacked


class RunFiles:
    """The files of one run, read from their beginning as often as needed.

    Args:
        paths: The files.
        report: Takes a sentence on each thing that could not be read.
        advance: Takes the number of bytes read since its last call.
        budget: What compressed files may become.
    """

    def __init__(
        self,
        paths: Sequence[File],
        report: Callable[[str], None],
        advance: Callable[[int], object],
        budget: Budget | None = None,
    ) -> None:
        """Open nothing yet."""
        self.paths = paths
        self.path = paths[0]
        self.report = report
        self._advance = advance
        self._budget = budget or Budget()
        self._left = self.size()
        self._bad_rows = 0
        self._first_bad_row = ""
        self._ends_early = False
        self._opened = ExitStack()
        self._unpacked: bytes | None = None

    def __enter__(self) -> RunFiles:
        """Keep what is opened until the end of the block."""
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
        """Note that a row cannot be read; `done` reports the number of them and the first.

        Raises:
            ValueError: There are so many that this is no such file.
        """
        self._bad_rows += 1
        if self._bad_rows == 1:
            self._first_bad_row = f"{where}: {why}"
        if self._bad_rows > _limits.MOST_BAD_ROWS:
            raise ValueError(
                f"{self.path}: more than {_limits.MOST_BAD_ROWS:,} rows cannot be read; the first, "
                f"{self._first_bad_row}"
            )

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

    def meter(self, packed: int | None = None) -> Meter:
        """Return what counts the bytes that come of the first file, or of so many of its bytes."""
        return self._budget.meter(self.path, packed=packed)

    def blocks(self, path: File | None = None, *, peek: bool = False, weight: int = 1) -> Iterator[bytes]:
        """Yield the contents of a file, by default the first, decompressed, in blocks of a few megabytes.

        Where compressed data are damaged, what precedes the damage is given. Peeking reports nothing.

        Args:
            path: The file.
            peek: Whether it is read once more, to be counted.
            weight: How many times each byte of a compressed file counts in its budget.

        Raises:
            ValueError: Nothing precedes the damage, or the file becomes too large.
        """
        path = path or self.path
        with open_file(path) as raw:
            position = 0
            size = 0
            try:
                for block in unpacked(raw, path, self._budget.meter(path, weight=weight)):
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
            if len(lines) > _limits.BLOCK + _limits.LONGEST_LINE:
                raise ValueError(f"{self.path}: not lines of text")
            yield lines

    def _whole_lines(self, *, peek: bool) -> Iterator[bytes]:
        """Find where a line ends first, then read up to there: to cut what was read would be to copy it."""
        with open_file(self.path) as raw, io.BufferedReader(cast("io.FileIO", raw)) as file:
            start = 0
            while True:
                file.seek(start + _limits.BLOCK)
                file.readline(_limits.LONGEST_LINE + 1)
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
            if end or len(rest) > _limits.BLOCK:
                yield rest + block[:end]
                rest = block[end:]
            else:
                rest += block
        if rest and not self._ends_early:  # a number that is cut short still looks like one
            yield rest

    def whole(self) -> bytes:
        """Return all of the first file, for which it may expand less."""
        return b"".join(self.blocks(weight=_limits.WHOLE_WEIGHT))

    def seekable(self) -> BinaryIO:
        """Return the contents of the first file as a file in which to seek; what is packed is read whole."""
        if not is_packed(self.path):
            return self._opened.enter_context(open_file(self.path))
        if self._unpacked is None:
            self._unpacked = b"".join(self.blocks())
        return io.BytesIO(self._unpacked)

    def strict_blocks(self, path: File) -> Iterator[bytes]:
        """Yield the contents of a file as `blocks` does, but tell nothing of it.

        Raises:
            DamageError: The rest cannot be decompressed.
        """
        return unpacked(self._opened.enter_context(open_file(path)), path, self._budget.meter(path))
