"""``clrfast analyze``: one run or a table of many, at a memory that does not grow with their files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from clrfast import logs, rules
from clrfast._cli._output import as_json, refuse_inputs, show, terminal_width
from clrfast._cli._read import OURS, KeptRows, Reading, Results, Run, repeats, ruled, streamed
from clrfast._cli._reading_options import add_reading_options, flag
from clrfast._cli._show import entry, save_comparison, save_html, save_plot, table, text
from clrfast._require import require
from clrfast.logs._readers._find_runs import find_runs
from clrfast.logs._readers._stream import Request


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.set_defaults(run=run, usage_error=parser.error)
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
    parser.add_argument(
        "--only",
        metavar="RUN",
        action="append",
        default=[],
        help="show this run of many, as the table calls it, or those that a pattern such as 'adam*' matches; "
        "may be given again",
    )
    parser.add_argument("--repeats", action="store_true", help="take the runs for repeats of one test")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--rule", choices=[OURS, *rules.RULES], default=OURS, help="whose suggestion (default: %(default)s)"
    )
    which.add_argument("--compare-rules", action="store_true", help="show the suggestions of all rules")
    parser.add_argument(
        "--smoothed",
        action="store_true",
        help="the losses are the record of a rule's library, smoothed already; otherwise what it would have "
        "recorded is computed for each rule of others",
    )
    add_reading_options(
        parser, picture="a picture, of several runs one with all their curves", page="a page of all runs"
    )


def run(options: argparse.Namespace) -> None:
    """Read, analyse, save, print."""
    _check_usage(options)
    found = _read(options)
    first = options.paths[0]
    paths = first if len(options.paths) == 1 else f"{first} and {len(options.paths) - 1} more"
    if not found:
        raise ValueError(f"{paths}: no rows")
    if all(isinstance(result, str) for result in found.values()):
        name, result = next(iter(found.items()))
        raise ValueError(
            f"{name or paths}: {result}"
            if len(found) == 1
            else f"none of {len(found)} runs can be analysed; {name}: {result}"
        )
    single = next(iter(found.values())) if len(found) == 1 else None
    title = _title(next(iter(found)), paths, options.paths) if single else "LR range tests"
    if options.plot and isinstance(single, Run):
        save_plot(single.analysis, options.plot, title, single.others)
    elif options.plot:
        save_comparison(found, options.plot, title)
    if options.html:
        save_html({title: single} if single else found, options.html, title)
    if options.json:
        entries = [{"run": name, **entry(result)} for name, result in found.items()]
        show(as_json(entry(single) if single else entries))
    elif isinstance(single, Run) and not single.others:
        show(str(single.analysis))
    else:
        show(text(table({title: single} if single else found), terminal_width()))


def _title(name: str, paths: str, given: Sequence[str]) -> str:
    """Return what to call the only run: by its file, unless a column names it."""
    return name if name and name not in given else Path(paths).name or paths


def _check_usage(options: argparse.Namespace) -> None:
    """Find wrong usage and missing libraries before anything is read."""
    others = options.compare_rules or options.rule != OURS
    if options.repeats and others:
        options.usage_error("--repeats: rules of others know no repeats of a test")
    if options.smoothed and not others:
        options.usage_error("--smoothed: only rules of others ask: add --rule or --compare-rules")
    if options.plot:
        require("matplotlib", "a picture", extra="plot")
    if options.html:
        require("plotly", "a page", extra="html")


def _read(options: argparse.Namespace) -> Results:
    columns = (options.lr_column, options.loss_column, options.step_column, options.run_column)
    request = Request(*columns, options.max_expansion, flag)
    paths = options.paths[0] if len(options.paths) == 1 else options.paths
    problems: list[str] = []
    runs = find_runs(paths, problems.append)
    files = [file for run in runs for file in run.paths]
    refuse_inputs([("--plot", options.plot), ("--html", options.html)], files)
    reading = Reading(paths, runs, request, problems, options.only, progress=options.progress)
    if options.repeats:
        return repeats(reading)
    rows = KeptRows() if options.plot or options.html else None
    if options.rule == OURS and not options.compare_rules:
        return streamed(reading, rows)
    names = [OURS, *rules.RULES] if options.compare_rules else [options.rule]
    return ruled(reading, names, smoothed=options.smoothed, rows=rows)
