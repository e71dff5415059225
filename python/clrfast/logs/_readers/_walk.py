"""Which files a folder or a pattern holds. Links to folders are not followed, so that none leads in a circle.

Links to files are; and a pattern may go through a link to a folder that it names.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path


def files_below(folder: Path) -> list[Path]:
    """Return the regular files in a folder and in all below it that are not hidden, sorted."""
    found = (Path(inner, name) for inner, _, names in os.walk(folder) for name in names)
    return sorted(file for file in found if not file.name.startswith(".") and file.is_file())


def natural(path: object) -> list[list[str | int]]:
    """Return what sorts part.9 before part.10."""
    return [
        [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d+)", part)]
        for part in Path(str(path)).parts
    ]


def matches(pattern: Path) -> list[Path]:
    """Return what a pattern matches, sorted; in it, ``**`` is any number of folders, as in :mod:`glob`."""
    return sorted(set(_matches(pattern)), key=str)


def _matches(pattern: Path) -> Iterator[Path]:
    parts = pattern.parts
    if "**" not in parts:
        yield from map(Path, glob.glob(str(pattern)))  # noqa: PTH207
        return
    place = parts.index("**")
    start, rest = Path(*parts[:place]), Path(*dropwhile(lambda part: part == "**", parts[place:]))
    for top in _matches(start) if glob.has_magic(str(start)) else [start]:
        if rest == Path():
            if top.is_dir():
                yield top  # with all below it
            continue
        for folder, names, _ in os.walk(top):
            names[:] = [name for name in names if not name.startswith(".")]
            yield from _matches(Path(glob.escape(folder)) / rest)
