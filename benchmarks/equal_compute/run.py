"""Claim: with the steps of its search counted, a range test beats a default rate; how other ways fare.

Run: python benchmarks/equal_compute/run.py [--set real|off-scale] [--problems NAME ...] [--seeds N] [--short]
Each way to choose a rate gets the same number of steps, those of its search counted: who tests 200 steps
trains 800. Regret is the share of the reachable fall of the validation loss that is lost against the best of
12 one-cycle peaks of 1,000 steps, in the mean over three seeds; beside it the error, as a multiple of that
peak's. Two sets: eight problems of usual scales, and eight whose inputs, targets or losses are badly scaled.
Takes about half an hour on one core. Trainings are kept in DIR (`--out`) and read from there when their rates
have not changed; range tests are always run anew, so that the figures follow a changed rule within minutes.
`--short` takes seconds and divides all lengths by 5, whatever the ways' names say: it shows that all of them
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


def measure(name: str, problem: Problem, options: argparse.Namespace) -> tuple[Case, dict[str, str]]:
    """All trainings of a problem, and the ways that are left out.

    Raises:
        FileNotFoundError: Its data are not on this machine.
    """
    steps, seeds, count = (200, range(1), 4) if options.short else (1000, range(options.seeds), 12)
    peaks = 10 ** np.linspace(problem.lowest, problem.lowest + 5.5, count)
    chosen: dict[str, Way]
    chosen, missing = ways(peaks)
    begin = time.perf_counter()
    trainer = Trainer(name, problem, steps, options.out, options.data_dir)
    case = Case(
        name,
        peaks,
        [trainer.start(seed) for seed in seeds],
        [[trainer.train(schedules.one_cycle(peak, steps), steps, seed) for seed in seeds] for peak in peaks],
        {way: [choose(trainer, seed) for seed in seeds] for way, choose in chosen.items()},
    )
    print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    return case, missing


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=SETS, help="only this one")
    parser.add_argument(
        "--problems", nargs="+", choices=[*REAL, *OFF_SCALE], metavar="NAME", help="only these"
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="trainings of each kind: 3")
    parser.add_argument("--short", action="store_true", help="two problems, one seed, 200 steps, 4 peaks")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the trainings are kept")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where Fashion-MNIST's files are")
    options = parser.parse_args()
    options.out = options.out or (CACHE / "short" if options.short else CACHE)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # more gain nothing in networks this small
    left_out: dict[str, str] = {}
    for title, problems in SETS.items():
        if options.set not in (None, title):
            continue
        cases = []
        for name in options.problems or (SHORT if options.short else problems):
            if name not in problems:
                continue
            try:
                case, missing = measure(name, problems[name], options)
            except FileNotFoundError as error:
                left_out[name] = str(error)
            else:
                cases.append(case)
                left_out |= missing
        if cases:
            print(f"## {title}: {', '.join(case.problem for case in cases)}\n\n{table(cases)}\n")
            print(
                by_problem(
                    cases, [way for way in cases[0].outcomes if way.startswith(("clrfast", "Prodigy ("))]
                )
            )
            print(f"\nWhere '{SHOWN}' lost most:\n\n{worst(cases, SHOWN)}\n")
    for name, reason in left_out.items():
        print(f"left out {name}: {reason}")


if __name__ == "__main__":
    main()
