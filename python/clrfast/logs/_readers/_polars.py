"""When Polars parses a block of text, and when Python's own modules do."""

from __future__ import annotations

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
