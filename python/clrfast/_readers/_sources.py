"""From paths, folders and patterns to runs: which files hold each run, and what it is called."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Union

from clrfast._readers import FORMATS, format_of
from clrfast._readers._input import COMPRESSED

PathOrPaths = Union[str, "os.PathLike[str]", Iterable[Union[str, "os.PathLike[str]"]]]


class Source:
    """A run's files.

    Attributes:
        name: What the run is called.
        paths: Its files, in order.
        sought: Whether they were found in a folder or by a pattern, where other files may lie too.
    """

    def __init__(self, name: str, paths: list[Path], *, sought: bool) -> None:
        """Keep what is given."""
        self.name = name
        self.paths = paths
        self.sought = sought


def sources(path_or_paths: PathOrPaths) -> list[Source]:
    """Return the runs in files, folders (with all below them) and patterns such as ``"logs/**/*.csv"``.

    Raises:
        FileNotFoundError: There is no such file, or no log in a folder or by a pattern.
        ValueError: A file's name does not say its format.
    """
    if isinstance(path_or_paths, (str, os.PathLike)):
        return _found(Path(path_or_paths))
    found = [source for path in path_or_paths for source in _found(Path(path))]
    if not found:
        raise ValueError("no path is given")
    return _grouped([(source.name, path, source.sought) for source in found for path in source.paths])


def _found(path: Path) -> list[Source]:
    if path.is_dir():
        files = [(str(file.relative_to(path)), file) for file in _below(path)]
    elif path.exists():
        if format_of(path) is None:
            raise ValueError(_unknown(path))
        return [Source(str(path), [path], sought=False)]
    elif glob.has_magic(str(path)):
        matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
        files = [(str(f), f) for match in matches for f in (_below(match) if match.is_dir() else [match])]
        files = [(name, file) for name, file in files if format_of(file) is not None]
    else:
        raise FileNotFoundError(f"{path}: No such file")
    if not files:
        raise FileNotFoundError(f"{path}: no file there has a name of a known format: {', '.join(FORMATS)}")
    return _grouped([(name, file, True) for name, file in files])


def _below(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.rglob("*") if not file.name.startswith("."))
    return [file for file in files if file.is_file() and format_of(file) is not None]


def _grouped(files: Sequence[tuple[str, Path, bool]]) -> list[Source]:
    """Return a source for each file, or for all in a folder whose format holds parts of a run."""
    found: dict[tuple[object, ...], Source] = {}
    for name, path, sought in dict.fromkeys(files):
        form = format_of(path)
        assert form is not None
        shares = form.shares_a_run(path)
        key = (path.parent, form) if shares else (path,)
        source = found.setdefault(key, Source(name, [], sought=sought))
        source.paths.append(path)
        if len(source.paths) == 2:  # called after its folder
            source.name = str(Path(name).parent)
    return list(found.values())


def _unknown(path: Path) -> str:
    known = ", ".join(FORMATS)
    packed = ", ".join(COMPRESSED)
    return (
        f"{path}: the file's name must end in one of {known} (and {packed} where it is compressed), or "
        f"contain 'tfevents', got {path.suffix!r}"
    )


def total_size(found: Iterable[Source]) -> int:
    """Return the number of bytes in all files."""
    return sum(path.stat().st_size for source in found for path in source.paths)
