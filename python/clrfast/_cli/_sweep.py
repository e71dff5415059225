"""``clrfast sweep``: what a search says about the rate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clrfast._cli._output import as_json, refuse_inputs, show, tell, warn
from clrfast._cli._reading_options import add_reading_options, flag
from clrfast._cli._show import save_figure
from clrfast._require import require
from clrfast._visible import visible
from clrfast._write import write_file

if TYPE_CHECKING:
    from clrfast._sweep import Sweep


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="a folder with all below it, a file or a pattern: tables, event files, MLflow's store, Optuna's "
        "storage, trainer_state.json, wandb-summary.json, Neptune's export",
    )
    parser.add_argument(
        "--metric", metavar="NAME", help="what runs are judged by (default: the validation loss)"
    )
    parser.add_argument(
        "--mode", choices=["min", "max"], help="which values are good (default: as its name says)"
    )
    parser.add_argument(
        "--take", metavar="WHICH", type=_take, default="last", help="last, best, or N: the mean of the last N"
    )
    for role, what in {
        "lr": "the rate: a setting, or a column whose highest value counts",
        "run": "column that tells runs apart",
        "step": "column of step numbers",
    }.items():
        parser.add_argument(
            f"--{role}", dest=f"{role}_name", metavar="NAME", help=f"{what} (default: by usual names)"
        )
    parser.add_argument(
        "--by",
        metavar="NAME",
        action="append",
        help="a setting that may move the best rate, once for each (default: batch size, width, depth, "
        "horizon, optimizer, by their usual names)",
    )
    parser.add_argument(
        "--settings",
        metavar="NAME",
        action="append",
        help="another setting that is taken into account, once for each (default: all that differ)",
    )
    add_reading_options(parser, picture="a picture", page="a page with the picture and all runs")


def run(options: argparse.Namespace) -> None:
    """Read, fit, save, print."""
    from clrfast._sweep._collect import options_of, swept  # which other commands need not wait for
    from clrfast._sweep._sources._find import find_sources

    if options.plot:
        require("matplotlib", "a picture", extra="plot")
    if options.html:
        require("plotly", "a page", extra="html")
    paths = options.paths[0] if len(options.paths) == 1 else options.paths
    problems: list[str] = []
    sources = find_sources(paths, problems.append)
    inputs = [file for source in sources for file in source.files]
    refuse_inputs([("--plot", options.plot), ("--html", options.html)], inputs)
    asked = options_of(
        *(options.metric, options.mode, options.take, options.lr_name, options.run_name, options.step_name),
        *(options.by, options.settings, options.max_expansion),
        spelling=flag,
    )
    found = swept(sources, asked, problems, progress=options.progress)
    for problem in found.problems:
        warn(problem)
    title = Path(options.paths[0]).name or options.paths[0]
    _save(found, options, f"Sweep: {title}")
    show(as_json(found.to_dict()) if options.json else str(found))


def _save(found: Sweep, options: argparse.Namespace, title: str) -> None:
    if options.plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 5), layout="constrained")
        found.plot(figure.subplots()).set_title(visible(title), loc="left", parse_math=False)
        save_figure(figure, options.plot)
    if options.html:
        write_file(options.html, found.to_html(title).encode("utf-8", "backslashreplace"))
        tell(f"Saved {options.html}")


def _take(text: str) -> str | int:
    if text in ("last", "best"):
        return text
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be last, best or a whole number of at least 1, got {text!r}")
    return int(text)
