"""From paths to sources: which tracker has left what in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from clrfast._sweep._sources import _beside
from clrfast._sweep._sources._mlflow import MlflowRun, is_mlflow_run
from clrfast._sweep._sources._neptune import COLUMNS, NeptuneExport
from clrfast._sweep._sources._optuna import SUFFIXES, OptunaStudies
from clrfast._sweep._sources._source import Source
from clrfast._sweep._sources._tables import Tables
from clrfast._sweep._sources._trainer_state import SUMMARY, Summary, TrainerState, is_trainer_state
from clrfast.logs._readers import format_of
from clrfast.logs._readers._arrow import Parquet
from clrfast.logs._readers._files import File, Member
from clrfast.logs._readers._find_runs import PathOrPaths, RunPaths, find_runs
from clrfast.logs._readers._run_files import RunFiles
from clrfast.logs._readers._walk import natural

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
# Files that trackers and frameworks put beside the records of a run and that hold none.
_NO_RECORDS = re.compile(
    r"requirements.*\.txt|wandb-metadata\.json|.*config\.json|.*_results\.json|tokenizer.*\.json|vocab.*\.json"
    r"|special_tokens_map\.json|.*\.index\.json|readme.*|license.*|output\.log"
)


def find_sources(path_or_paths: PathOrPaths, report: Callable[[str], None]) -> list[Source]:
    """Return the sources in files, folders (and all below), archives and patterns.

    Raises:
        OSError, ValueError: As :func:`clrfast.logs.read` does where there is nothing that can be read.
    """
    given = [path_or_paths] if isinstance(path_or_paths, (str, os.PathLike)) else list(path_or_paths)
    found: list[Source] = []
    tables: list[RunPaths] = []
    for path in map(Path, given):
        if path.is_dir():
            _in_folder(path, found, tables, report)
        elif path.suffix.lower() in SUFFIXES and path.exists():
            found.append(OptunaStudies(path))
        else:
            tables += _sorted_out(find_runs(path, report), found, path.parent)
    if tables:
        found += _tables(tables)
    if not found:
        raise FileNotFoundError(f"{', '.join(map(str, given)) or 'no path'}: no records of runs there")
    return found


def _in_folder(
    folder: Path, found: list[Source], tables: list[RunPaths], report: Callable[[str], None]
) -> None:
    """Take what is below a folder: trackers' own forms first, and the rest as tables."""
    taken: list[Path] = []
    for inner, folders, names in os.walk(folder):
        here = Path(inner)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if is_mlflow_run(here):
            found.append(MlflowRun(here))
            folders.clear()  # artifacts
            taken.append(here)
            continue
        found += [
            OptunaStudies(here / name) for name in sorted(names) if Path(name).suffix.lower() in SUFFIXES
        ]
    try:
        runs = find_runs(folder, report)
    except FileNotFoundError:
        if not found:
            raise
        return
    kept = [run for run in runs if not any(_is_below(run.paths[0], one) for one in taken)]
    tables += _sorted_out(kept, found, folder)


def _is_below(path: File, folder: Path) -> bool:
    return folder in path.parents if isinstance(path, Path) else folder in path.archive.parents


def _sorted_out(runs: Sequence[RunPaths], found: list[Source], folder: Path) -> list[RunPaths]:
    """Return the runs that are tables; others become sources of their own."""
    states: dict[Path, tuple[int, TrainerState]] = {}
    summaries = {run.paths[0].parent for run in runs if run.paths[0].name == SUMMARY}
    tables = []
    for run in runs:
        path = run.paths[0]
        if is_trainer_state(path):
            home, place = _home_of(path)
            name = str(home.relative_to(folder)) if home != folder and folder in home.parents else path.name
            if home not in states or place > states[home][0]:
                states[home] = (place, TrainerState(path, name if isinstance(path, Path) else run.name))
        elif path.name == SUMMARY:
            name = path.parent.parent.name if path.parent.name == "files" else path.parent.name
            found.append(Summary(path, name))
        elif run.sought and (_holds_no_records(path) or path.parent in summaries):
            continue
        else:
            tables.append(run)
    homes = set(states)
    found += [source for _, source in states.values()]
    return [run for run in tables if not run.sought or run.paths[0].parent not in homes]


def _home_of(path: File) -> tuple[Path, int]:
    """Return the folder of the run that a state is of, and how far that was: checkpoints have one each."""
    checkpoint = _CHECKPOINT.fullmatch(path.parent.name)
    if checkpoint:
        return path.parent.parent, int(checkpoint[1])
    if path.name != "trainer_state.json":  # somebody's own name: each file is a run
        return path.parent / path.name, 0
    return path.parent, 1 << 62


def _holds_no_records(path: File) -> bool:
    return path.name in _beside.FILES or bool(_NO_RECORDS.fullmatch(path.name.lower()))


def _tables(runs: Sequence[RunPaths]) -> list[Source]:
    """Return the tables as one source, and those of Neptune's layout as another."""
    neptune = [run.paths[0] for run in runs if _is_neptune(run)]
    taken = set(map(str, neptune))
    rest = [run for run in runs if str(run.paths[0]) not in taken]
    rest.sort(key=lambda run: natural(run.paths[0]))  # as the parts of a run follow each other
    found: list[Source] = [NeptuneExport(neptune)] if neptune else []
    return [*found, Tables(rest)] if rest else found


def _is_neptune(run: RunPaths) -> bool:
    form = format_of(run.paths[0])
    if form is None or form.decoder is not Parquet or isinstance(run.paths[0], Member):
        return False
    if not re.search(r"part_\d+\.parquet$", run.paths[0].name):  # as its exporter names them
        return False
    try:
        with RunFiles(run.paths, lambda problem: None, lambda size: None) as files:
            return COLUMNS.issubset(Parquet(files).names)
    except ValueError:
        return False
