"""When Polars parses a block of text, and when Python's own modules do, a line at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator

SMALL = 1 << 18  # bytes of text that Python parses in the time that Polars takes to be imported

_met = 0


def worth_polars(size: int) -> bool:
    """Say whether Polars is to parse a block of `size` bytes.

    It is, once as much text has been met as its import costs, be it in one file or in many; a call with a few
    dozen lines never pays.
    """
    global _met
    _met += size
    return _met > SMALL and size > SMALL >> 6


_FILLED = re.compile(r"\S[^\n]*")  # from the first character of a line that is no space to its end


def filled_lines(text: str, first: int) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank with their numbers, the first of all being `first`.

    Millions of blank ones, of which little makes many when it is decompressed, cost next to nothing.
    """
    number, at = first, 0
    for filled in _FILLED.finditer(text):
        begin = max(text.rfind("\n", at, filled.start()) + 1, at)
        number += text.count("\n", at, begin)
        yield number, text[begin : filled.end()]
        at = filled.end()
