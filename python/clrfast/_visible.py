"""Text from outside made safe to show: names of files and runs may hold what steers a terminal."""

from __future__ import annotations


def visible(text: str) -> str:
    """Return the text with all that does not print, ends of lines among it, escaped as Python escapes it.

    So no name can move the cursor, forge a line of a table, or turn the direction of what follows.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
