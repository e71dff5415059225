"""``clrfast analyze``: one run or a table of many, at a memory that does not grow with their files."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clrfast import logs
from clrfast._readers._stream import Choice, Found, status, stream
from clrfast._require import require
from clrfast.analysis import State

if TYPE_CHECKING:
    import argparse

    from clrfast.analysis import Analysis

Results = Mapping[str, "Analysis | str"]  # the analysis of each run, or why there is none


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="a file, a folder or a pattern; each file is a run, but event files in one folder are one: "
        f"{', '.join(logs.SUFFIXES)}, *tfevents*, also compressed",
    )
    for role, what in {
        "lr": "column of rates",
        "loss": "column of losses",
        "step": "column of step numbers",
        "run": "column that tells runs apart",
    }.items():
        parser.add_argument(
            f"--{role}", dest=f"{role}_column", metavar="COLUMN", help=f"{what} (default: by its usual names)"
        )
    parser.add_argument("--repeats", action="store_true", help="take the runs for repeats of one test")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--plot", metavar="OUT", help="save a picture of one run: .png, .svg, .pdf")
    parser.add_argument("--progress", action="store_true", help="show how much has been read")


def run(options: argparse.Namespace) -> None:
    """Read, analyse, print."""
    choice = Choice(options.lr_column, options.loss_column, options.step_column, options.run_column)
    paths = options.paths[0] if len(options.paths) == 1 else options.paths
    whole = options.plot is not None or options.repeats
    found = _whole(paths, choice, options) if whole else _streamed(paths, choice, options)
    if not found:
        raise ValueError(f"{paths}: no rows")
    if len(found) == 1:
        ((name, result),) = found.items()
        if isinstance(result, str):
            raise ValueError(f"{name or paths}: {result}")
        if options.plot is not None:
            save_plot(result, options.plot, Path(name or paths).name)
        print(_json(summary(result)) if options.json else result)
        return
    if all(isinstance(result, str) for result in found.values()):
        name, result = next(iter(found.items()))
        raise ValueError(f"none of {len(found)} runs can be analysed; {name}: {result}")
    if options.json:
        print(_json([{"run": name, **_entry(result)} for name, result in found.items()]))
    else:
        print(table(found))


def _streamed(paths: str | Sequence[str], choice: Choice, options: argparse.Namespace) -> Results:
    """Feed each run's state, so that no more than a chunk of rows is in memory."""
    problems: list[str] = []
    tables: list[Found] = []
    states: dict[str, State] = {}
    refused: dict[str, str] = {}
    chunks = stream(paths, choice, problems.append, progress=options.progress, found=tables.append)
    for chunk in chunks:
        try:
            states.setdefault(chunk.run, State()).add(chunk.lr, chunk.loss)
        except ValueError as error:
            refused.setdefault(chunk.run, str(error))
    _tell(problems, status(tables, [state.n for state in states.values()], paths))
    return {name: refused.get(name) or _analysis(state) for name, state in states.items()}


def _analysis(log: State | logs.Log) -> Analysis | str:
    try:
        return log.analyze()
    except ValueError as error:
        return str(error)


def _whole(paths: str | Sequence[str], choice: Choice, options: argparse.Namespace) -> Results:
    """Read all rows, which pictures show and repeats are compared by."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", logs.ReadWarning)
        log = logs.read(paths, **choice._asdict(), progress=options.progress)
    _tell(log.problems, log.status)
    if options.repeats:
        try:
            return {"": log.analyze_repeats()}
        except ValueError as error:
            return {"": str(error)}
    if log.runs:
        raise ValueError(f"--plot draws one run, not {len(log.runs)}: name one file, or add --repeats")
    return {"": _analysis(log)}


def _tell(problems: Sequence[str], status: str) -> None:
    for problem in problems:
        print(f"clrfast: warning: {problem}", file=sys.stderr)
    print(status, file=sys.stderr)


def _json(found: object) -> str:
    return json.dumps(found, indent=2, allow_nan=False)


def _entry(result: Analysis | str) -> dict[str, object]:
    return {"base_lr": None, "max_lr": None, "error": result} if isinstance(result, str) else summary(result)


def summary(analysis: Analysis) -> dict[str, object]:
    """Return what ``--json`` prints: the two bounds first, then all that the analysis says of itself."""
    suggestion = analysis.suggestion
    return {"base_lr": suggestion.base_lr, "max_lr": suggestion.max_lr, **analysis.to_dict()}


def table(found: Results) -> str:
    """Return a line for each run: how many rows, the range, how sure it is, and what speaks against it."""
    rows = [("run", "rows", "base_lr", "max_lr", "between", "confidence", "")]
    for name, result in found.items():
        if isinstance(result, str):
            rows.append((name, "", "", "", "", "", result))
            continue
        suggestion = result.suggestion
        interval = suggestion.max_lr_interval
        rows.append(
            (
                name,
                f"{result.n:,}",
                "-" if suggestion.base_lr is None else f"{suggestion.base_lr:.2e}",
                "-" if suggestion.max_lr is None else f"{suggestion.max_lr:.2e}",
                "" if interval is None else f"{interval[0]:.2e} and {interval[1]:.2e}",
                suggestion.confidence,
                "; ".join(suggestion.reasons),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        name, count, *rest, reasons = (cell.ljust(width) for cell, width in zip(row, widths))
        lines.append("  ".join((name, count.strip().rjust(widths[1]), *rest, reasons)).rstrip())
    return "\n".join(lines)


def save_plot(analysis: Analysis, path: str | Path, title: str) -> None:
    """Save the picture of `analysis` in the format that the name says."""
    require("matplotlib", "a picture", extra="plot")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    analysis.plot(figure.subplots()).set_title(title, loc="left")
    figure.savefig(path, dpi=150)
    print(f"Saved {path}", file=sys.stderr)
