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

    def meter(self, file: File, *, weight: int = 1, packed: int | None = None) -> Meter:
        """Return what counts the bytes that come of a file.

        Args:
            file: The file.
            weight: How many times each counts.
            packed: The size of the part that is read; all of the file by default.
        """
        size = size_on_disk(file) if packed is None else min(packed, size_on_disk(file))
        return Meter(self, file, weight, size)


class Meter:
    """Counts the bytes that come of one file."""

    def __init__(self, budget: Budget, file: File, weight: int, packed: int) -> None:
        """Start with none."""
        self._budget = budget
        self._file = file
        self._weight = weight
        self._left = budget.max_expansion * packed

    def check(self, size: int) -> None:
        """Refuse what says that it is so large, without counting it.

        Raises:
            ExpansionError: It is too much.
        """
        if size * self._weight > self._left + self._budget.free:
            raise self._error()

    def count(self, size: int) -> None:
        """Count bytes that have come.

        Raises:
            ExpansionError: They are too many.
        """
        self._left -= size * self._weight
        if self._left < 0:
            self._budget.free += self._left
            self._left = 0.0
        if self._budget.free < 0:
            self._budget.free = 0.0  # what is honest beside it is still read
            raise self._error()

    def _error(self) -> ExpansionError:
        most, argument = self._budget.max_expansion, self._budget.spelling
        return ExpansionError(
            f"{self._file}: becomes more than {most / self._weight:,g} times as large when decompressed; "
            f"if you trust it, give {argument} a number above {most:,g}"
        )
