"""Claim: of ways to choose that cost less than a training, a range test loses least; what recipes lose.

Run: python benchmarks/recipes/run.py [--problems NAME ...] [--seeds N] [--short] [--out DIR]
Eight problems, none of which `tune` was made on, and ways to choose rate, momentum and weight decay for each:
defaults, a range test, `clrfast.tune`, Optuna. What is held out is halved: a search may look at one half, the
other one judges. Regret is the share lost of the fall of the loss on it that the best corner of a grid
reaches, in the mean over three seeds. The steps of a search are counted twice: on top of the training, which
says how good its choice is, and within it, so that all ways have the same number of steps. Takes about an
hour on one core. Trainings are kept in DIR and read from there where their numbers have not changed; range
tests and `tune` are always run anew. `--short` takes seconds and shows that all of it runs, no more. Needs
torch and scikit-learn, and optuna for one of the ways; problems whose data are missing are left out, by name.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from functools import partial
from pathlib import Path

import choosers
import torch
from choosers import Chooser, Proposal
from grid import Grid, search
from judge import Verdict, by_problem, choices, judged, table
from tasks import SHORT, TASKS
from trainings import Trainings

CACHE = Path(__file__).parents[2] / "build" / "recipes"
HAS_OPTUNA = importlib.util.find_spec("optuna") is not None
TESTED = "clrfast.range_test, one-cycle"
TUNED, VALIDATED = "clrfast.tune", "clrfast.tune, with validation="
ASKED = "clrfast.tune, momentum=True, weight_decay=True, with validation="


def proposals(trainings: Trainings, grid: Grid, seeds: range) -> dict[str, list[Proposal]]:
    """What each way chooses, with each seed."""
    found: dict[str, list[Proposal]] = {}

    def ask(way: str, chooser: Chooser) -> None:
        found[way] = [chooser(trainings, seed) for seed in seeds]

    ask("default rate, constant", partial(choosers.default, constant=True))
    ask("default rate, one-cycle", partial(choosers.default, constant=False))
    ask("usual rate (SGD 0.1, others 0.001), one-cycle", choosers.usual)
    ask(TESTED, choosers.range_tested)
    ask(TUNED, partial(choosers.tuned, validates=False))
    ask(VALIDATED, partial(choosers.tuned, validates=True))
    ask(ASKED, partial(choosers.tuned, validates=True, momentum=True, weight_decay=True))
    if HAS_OPTUNA:
        for parts in (10, 20):
            found[f"Optuna, as many steps, each trial 1/{parts}"] = [
                choosers.optuna(trainings, seed, parts, spent.search)
                for seed, spent in zip(seeds, found[ASKED])
            ]
    at = partial(choosers.at_corner, trainings)
    for way, corner, cycled in (
        ("the best rate alone (hindsight)", grid.usual, False),
        ("the best corner, its momentum cycled (hindsight)", grid.best, True),
        ("the best corner (hindsight)", grid.best, False),
    ):
        found[way] = [at(corner, cycled)] * len(seeds)
    return found


def measure(name: str, options: argparse.Namespace) -> tuple[Verdict, Verdict]:
    """All trainings of a problem, judged with the steps of the search on top, and within.

    Raises:
        FileNotFoundError: Its data are not on this machine.
    """
    begin = time.perf_counter()
    task = TASKS[name].shortened() if options.short else TASKS[name]
    trainings = Trainings(name, task, options.out, options.data_dir)
    seeds = range(1 if options.short else options.seeds)
    grid = search(trainings, seeds)
    chosen = proposals(trainings, grid, seeds)
    on_top, within = (judged(name, trainings, grid, chosen, counted) for counted in (False, True))
    print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    return on_top, within


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", nargs="+", choices=TASKS, metavar="NAME", help="only these")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="trainings of each kind: 3")
    parser.add_argument("--short", action="store_true", help="one problem, one seed, a coarse grid")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the trainings are kept")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where Fashion-MNIST's files are")
    options = parser.parse_args()
    options.out = options.out or (CACHE / "short" if options.short else CACHE)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # more gain nothing in networks this small
    verdicts: list[tuple[Verdict, Verdict]] = []
    left_out = {} if HAS_OPTUNA else {"Optuna": "pip install optuna"}
    for name in options.problems or (SHORT if options.short else TASKS):
        try:
            verdicts.append(measure(name, options))
        except FileNotFoundError as error:
            left_out[name] = str(error)
    if verdicts:
        on_top, within = map(list, zip(*verdicts))
        print(f"{table(on_top, within)}\n")
        print(f"Mean regret, the search on top:\n\n{by_problem(on_top)}\n")
        print(f"Mean regret, the search within:\n\n{by_problem(within)}\n")
        for way in (TESTED, TUNED, VALIDATED, ASKED):
            print(f"{way}, the search on top:\n\n{choices(on_top, way)}\n")
    for name, reason in left_out.items():
        print(f"left out {name}: {reason}")


if __name__ == "__main__":
    main()
