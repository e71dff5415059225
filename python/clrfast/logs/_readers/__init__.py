"""Logs in files: one module a format, chosen by the file's name, each giving the same kind of table.

A reader only finds its columns and maps their cells; parsing is left to libraries, but for TensorBoard's
event files, whose reader is part of the core.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import NamedTuple

from clrfast.logs._readers._archive import File
from clrfast.logs._readers._arrow import Arrow, Parquet
from clrfast.logs._readers._delimited import Delimited
from clrfast.logs._readers._events import Events
from clrfast.logs._readers._input import COMPRESSED, Input
from clrfast.logs._readers._json import Json
from clrfast.logs._readers._json_lines import JsonLines
from clrfast.logs._readers._numpy import Npy, Npz, is_column
from clrfast.logs._readers._table import Table

ARCHIVE = ".zip"  # read as a folder


class Format(NamedTuple):
    """How to read a kind of file."""

    table: Callable[[Input], Table]
    shares_a_run: Callable[[File], bool] = lambda path: False  # with the files of its kind in its folder


def _inner_archive(file: Input) -> Table:
    raise ValueError(f"{file.path}: an archive in an archive, or compressed, is not read; unpack it first")


EVENTS = Format(Events, lambda path: True)
FORMATS = {
    ".csv": Format(Delimited),
    ".tsv": Format(Delimited),
    ".txt": Format(Delimited),
    ".json": Format(Json),
    ".jsonl": Format(JsonLines),
    ".ndjson": Format(JsonLines),
    ".npy": Format(Npy, is_column),
    ".npz": Format(Npz),
    ".parquet": Format(Parquet),
    ".arrow": Format(Arrow),
    ".feather": Format(Arrow),
    ARCHIVE: Format(_inner_archive),
}


def format_of(path: File) -> Format | None:
    """Return the format that the file's name says, or None; what compresses it counts as no part of it."""
    if "tfevents" in path.name:
        return EVENTS
    name = PurePath(path.stem) if path.suffix.lower() in COMPRESSED else path
    return FORMATS.get(name.suffix.lower())
