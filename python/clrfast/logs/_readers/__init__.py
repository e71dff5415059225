"""Logs in files: one module a format, chosen by the file's name, each giving the same kind of decoder.

The way of a byte, from a file to a chunk of a log, is the way through these modules:

1. `_find_runs` makes runs of the paths that are given, with `_walk` for folders and patterns, and `_archive`
   for zip archives, which are folders too: a `RunPaths` says which files hold a run.
2. `_files` opens a file, a `Path` or a `Member` of an archive; `_unpack` decompresses it, within the
   `_budget` of what small files may become.
3. `_run_files` is what a decoder gets: `RunFiles`, to be read in whichever of five ways its format needs.
4. `_delimited`, `_json_lines`, `_json`, `_numpy`, `_arrow` and `_events` are the decoders: each finds a
   file's columns and decodes those asked for into `DecodedRows` (see `_decoder`). Parsing is left to
   libraries (`_polars` says when), but for event files, whose reader is part of the core.
5. `_names` says which column is the rate and which the loss, `_join` puts rows together where the two stand
   apart, and `_stream`, which leads through all of this, cuts the rows by run into chunks.

What cannot be read is told in sentences, each with the file's name. All limits are in `_limits`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import NamedTuple

from clrfast.logs._readers._arrow import Arrow, Parquet
from clrfast.logs._readers._decoder import Decoder
from clrfast.logs._readers._delimited import Delimited
from clrfast.logs._readers._events import Events
from clrfast.logs._readers._files import File
from clrfast.logs._readers._json import Json
from clrfast.logs._readers._json_lines import JsonLines
from clrfast.logs._readers._numpy import Npy, Npz, is_column
from clrfast.logs._readers._run_files import RunFiles
from clrfast.logs._readers._unpack import COMPRESSED

ARCHIVE = ".zip"  # read as a folder


class Format(NamedTuple):
    """How to read a kind of file."""

    decoder: Callable[[RunFiles], Decoder]
    shares_a_run: Callable[[File], bool] = lambda path: False  # with the files of its kind in its folder


def _inner_archive(file: RunFiles) -> Decoder:
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
