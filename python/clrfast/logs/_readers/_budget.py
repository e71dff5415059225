"""How much compressed files may become, so that a small file cannot fill the memory or take for ever."""

from __future__ import annotations

from clrfast.logs._readers import _limits
from clrfast.logs._readers._files import File, size_on_disk


class ExpansionError(ValueError):
    """A compressed file becomes larger than its budget allows."""


class Budget:
    """What the files of one call may become: so many times their sizes on the disk, and a little more.

    Args:
        max_expansion: Bytes for each byte on the disk.
        spelling: What the caller calls that limit.
    """

    def __init__(
        self, max_expansion: float = _limits.MAX_EXPANSION, spelling: str = "max_expansion="
    ) -> None:
        """Start with all of it."""
        self.max_expansion = max_expansion
        self.spelling = spelling
        self.free = float(_limits.FREE_BYTES)

    def meter(self, file: File, *, share: float = 1.0, packed: int | None = None) -> Meter:
        """Return what counts the bytes that come of a file.

        Args:
            file: The file.
            share: Of the expansion.
            packed: The size of the part that is read; all of the file by default.
        """
        size = size_on_disk(file) if packed is None else min(packed, size_on_disk(file))
        return Meter(self, file, self.max_expansion * share, size)


class Meter:
    """Counts the bytes that come of one file."""

    def __init__(self, budget: Budget, file: File, expansion: float, packed: int) -> None:
        """Start with none."""
        self._budget = budget
        self._file = file
        self._expansion = expansion
        self._left = expansion * packed

    def check(self, size: int) -> None:
        """Refuse what says that it is so large, without counting it.

        Raises:
            ExpansionError: It is too much.
        """
        if size > self._left + self._budget.free:
            raise self._error()

    def count(self, size: int) -> None:
        """Count bytes, as they come or, better, before.

        Raises:
            ExpansionError: They are too many.
        """
        self._left -= size
        if self._left < 0:
            self._budget.free += self._left
            self._left = 0.0
        if self._budget.free < 0:
            self._budget.free = 0.0  # what is honest beside it is still read
            raise self._error()

    def _error(self) -> ExpansionError:
        return ExpansionError(
            f"{self._file}: becomes more than {self._expansion:,g} times as large when it is decompressed; "
            f"if you trust it, give {self._budget.spelling} a number above {self._budget.max_expansion:,g}"
        )
