"""Claim: with the steps of its search counted, a range test beats a default rate; how other ways fare.

Run: python benchmarks/equal_compute/run.py [--set real|off-scale] [--steps N ...] [--seeds N] [--short]
Each way to choose a rate gets the same number of steps, those of its search counted: of 1,000, who tests 200
trains 800. Regret is the share of the reachable fall of the validation loss that is lost against the best of
12 one-cycle peaks of so many steps, in the mean over three seeds; beside it the error, as a multiple of that
peak's. Two sets: eight problems of usual scales, and eight whose inputs, targets or losses are badly scaled.
Two budgets, 300 and 1,000 steps (`--steps`). Takes about forty minutes on one core. Trainings are kept in DIR
(`--out`) and read from there when their rates have not changed; range tests are always run anew, so that the
figures follow a changed rule within minutes. `--short` takes seconds, with 200 steps: it shows that all ways
run, no more. Needs torch and scikit-learn; problems whose data are missing are left out and named, and so are
ways (`pip install dadaptation optuna prodigyopt schedulefree`).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from problems import OFF_SCALE, REAL, SHORT, Problem
from score import Case, by_problem, table, worst
from train import Trainer
from ways import Way, ways

from clrfast import schedules

CACHE = Path(__file__).parents[2] / "build" / "equal_compute"
SETS = {"real": REAL, "off-scale": OFF_SCALE}
SHOWN = "clrfast, test as long as pays, one-cycle"


def measure(
    name: str, problem: Problem, steps: int, options: argparse.Namespace
) -> tuple[Case, dict[str, str]]:
    """All trainings of a problem within so many steps, and the ways that are left out.

    Raises:
        FileNotFoundError: Its data are not on this machine.
    """
    seeds, count = (range(1), 4) if options.short else (range(options.seeds), 12)
    peaks = 10 ** np.linspace(problem.lowest, problem.lowest + 5.5, count)
    chosen: dict[str, Way]
    chosen, missing = ways(peaks, steps)
    begin = time.perf_counter()
    out = options.out / str(steps)
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(name, problem, steps, out, options.data_dir)
    case = Case(
        name,
        peaks,
        [trainer.start(seed) for seed in seeds],
        [[trainer.train(schedules.one_cycle(peak, steps), steps, seed) for seed in seeds] for peak in peaks],
        {way: [choose(trainer, seed) for seed in seeds] for way, choose in chosen.items()},
    )
    print(f"{name}, {steps:,} steps: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    return case, missing


def compare(
    title: str, problems: dict[str, Problem], steps: int, options: argparse.Namespace
) -> dict[str, str]:
    """Measure a set of problems, print its tables, and return what is left out, with the reason."""
    left_out: dict[str, str] = {}
    cases = []
    for name in options.problems or (SHORT if options.short else problems):
        if name not in problems:
            continue
        try:
            case, missing = measure(name, problems[name], steps, options)
        except FileNotFoundError as error:
            left_out[name] = str(error)
        else:
            cases.append(case)
            left_out |= missing
    if cases:
        names = ", ".join(case.problem for case in cases)
        print(f"## {title}, {steps:,} steps: {names}\n\n{table(cases)}\n")
        shown = [way for way in cases[0].outcomes if way.startswith(("clrfast", "Prodigy ("))]
        print(by_problem(cases, shown))
        print(f"\nWhere '{SHOWN}' lost most:\n\n{worst(cases, SHOWN)}\n")
    return left_out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=SETS, help="only this one")
    parser.add_argument(
        "--problems", nargs="+", choices=[*REAL, *OFF_SCALE], metavar="NAME", help="only these"
    )
    parser.add_argument(
        "--steps", nargs="+", type=int, metavar="N", help="budgets, of at least 200: 300 and 1,000"
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="trainings of each kind: 3")
    parser.add_argument("--short", action="store_true", help="two problems, one seed, 200 steps, 4 peaks")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the trainings are kept")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where Fashion-MNIST's files are")
    options = parser.parse_args()
    options.out = options.out or (CACHE / "short" if options.short else CACHE)
    if options.steps and min(options.steps) < 200:
        parser.error(f"argument --steps: must be at least 200, got {min(options.steps)}")
    torch.set_num_threads(1)  # more gain nothing in networks this small
    budgets = options.steps or ([200] if options.short else [300, 1000])
    left_out: dict[str, str] = {}
    for title, problems in SETS.items():
        if options.set in (None, title):
            for steps in budgets:
                left_out |= compare(title, problems, steps, options)
    for name, reason in left_out.items():
        print(f"left out {name}: {reason}")


if __name__ == "__main__":
    main()
