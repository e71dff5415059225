"""From paths, folders and patterns to runs: which files hold each run, and what it is called."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Union

from clrfast.logs._readers import ARCHIVE, FORMATS, format_of
from clrfast.logs._readers._archive import members
from clrfast.logs._readers._files import File, Member, open_file, refuse_special, size_of
from clrfast.logs._readers._unpack import COMPRESSED
from clrfast.logs._readers._walk import files_below, matches

PathOrPaths = Union[str, "os.PathLike[str]", Iterable[Union[str, "os.PathLike[str]"]]]


class RunPaths:
    """Where a run is.

    Attributes:
        name: What the run is called.
        paths: Its files, in order.
        sought: Whether they were found in a folder, in an archive or by a pattern, where others may lie too.
    """

    def __init__(self, name: str, paths: list[File], *, sought: bool) -> None:
        """Keep what is given."""
        self.name = name
        self.paths = paths
        self.sought = sought

    def __repr__(self) -> str:
        """Show the name and the files."""
        return f"<RunPaths {self.name!r}: {', '.join(map(str, self.paths))}>"


def find_runs(path_or_paths: PathOrPaths, report: Callable[[str], None]) -> list[RunPaths]:
    """Return the runs in files, archives, folders (and all below) and patterns such as ``"logs/**/*.csv"``.

    Args:
        path_or_paths: Where they are.
        report: Takes a sentence on each archive that is damaged, and on what is no file among others.

    Raises:
        FileNotFoundError: There is no such file, or no log in a folder or by a pattern.
        ValueError: A file's name does not say its format, it is no regular file, or an archive is none or
            holds no log.
    """
    if isinstance(path_or_paths, (str, os.PathLike)):
        return _found(Path(path_or_paths), report)
    found = [run for path in path_or_paths for run in _found(Path(path), report)]
    if not found:
        raise ValueError("no path is given")
    return _grouped([(run.name, path, run.sought) for run in found for path in run.paths])


def _found(path: Path, report: Callable[[str], None]) -> list[RunPaths]:
    archive = path.is_file() and path.suffix.lower() == ARCHIVE
    if archive or path.is_dir():
        inner = _members(path, report) if archive else _below(path, report)
        named = [(str(Path(str(file)).relative_to(path)), file, True) for file in inner]
    elif path.exists():
        if format_of(path) is None:
            raise ValueError(_unknown(path))
        refuse_special(path)
        return [RunPaths(str(path), [path], sought=False)]
    elif glob.has_magic(str(path)):
        named = [(str(file), file, True) for match in matches(path) for file in _below(match, report)]
    else:
        raise FileNotFoundError(f"{path}: No such file")
    if not named:
        raise FileNotFoundError(f"{path}: no file there has a name of a known format: {', '.join(FORMATS)}")
    return _grouped(named)


def _below(path: Path, report: Callable[[str], None]) -> list[File]:
    """Return a file, or all below a folder, with the members of archives in their places."""
    found: list[File] = []
    for file in files_below(path) if path.is_dir() else [path]:
        if format_of(file) is None:
            continue
        try:
            refuse_special(file)
            found += _members(file, report) if file.suffix.lower() == ARCHIVE else [file]
        except (OSError, ValueError) as error:
            report(str(error))
    return found


def _members(path: Path, report: Callable[[str], None]) -> Sequence[File]:
    try:
        with open_file(path) as archive:
            infos, faults = members(archive)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    # Under the path that its name means, as "./a.csv" is "a.csv": the last of that name, as for members().
    latest = {inner: Member(path, inner, info) for info in infos for inner in [PurePosixPath(info.filename)]}
    known = [
        file for file in latest.values() if not file.name.startswith(".") and format_of(file) is not None
    ]
    if not known:
        why = "; ".join([*faults, f"no file in it has a name of a known format: {', '.join(FORMATS)}"])
        raise ValueError(f"{path}: {why}")
    for fault in faults:
        report(f"{path}: {fault}")
    return known


def _grouped(files: Sequence[tuple[str, File, bool]]) -> list[RunPaths]:
    """Return a run for each file, or for all in a folder whose format holds parts of a run."""
    found: dict[tuple[object, ...], RunPaths] = {}
    for name, path, sought in dict.fromkeys(files):
        form = format_of(path)
        assert form is not None
        shares = form.shares_a_run(path)
        key = (path.parent, form) if shares else (path,)
        run = found.setdefault(key, RunPaths(name, [], sought=sought))
        run.paths.append(path)
        if len(run.paths) == 2:  # called after its folder
            run.name = str(Path(name).parent)
    return list(found.values())


def _unknown(path: Path) -> str:
    known = ", ".join(FORMATS)
    packed = ", ".join(COMPRESSED)
    return (
        f"{path}: the file's name must end in one of {known} (and {packed} where it is compressed), or "
        f"contain 'tfevents', got {path.suffix!r}"
    )


def total_size(found: Iterable[RunPaths]) -> int:
    """Return the number of bytes in all files."""
    return sum(size_of(path) for run in found for path in run.paths)
