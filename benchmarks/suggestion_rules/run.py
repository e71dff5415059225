"""Claim: of the improvement that training can reach, clrfast's suggestion loses less than other finders' do.

Run: python benchmarks/suggestion_rules/run.py [--held-out] [--problems NAME ...] [--parts ...] [--out DIR]
Records each problem once: range tests, and what training reaches at rates from 1e-5 to 10. Then prints
how much each rule loses, for short and for long one-cycle trainings up to max_lr, by kind of problem and
by length of the test. Takes some two hours, or less with --parts; what was recorded is read from DIR.
Needs torch and scikit-learn; problems whose data are not found are left out, and named.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from problems import HELD_OUT, TUNING
from record import PARTS, Trainer
from score import Case, by_group, by_rule, cases_of

PROBLEMS = {**TUNING, **HELD_OUT}
CACHE = Path(__file__).parents[2] / "build" / "suggestion_rules"


def recorded(name: str, out: Path, folder: Path | None, parts: Collection[str]) -> dict[str, Any]:
    """Read what is recorded of a problem, and record what is missing of these parts.

    Raises:
        FileNotFoundError: Its data are not on this machine.
    """
    path = out / f"{name}.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    missing = [part for part in parts if part not in found]
    trainer = Trainer(PROBLEMS[name], folder) if missing else None
    for part in missing:
        begin = time.process_time()
        found[part] = PARTS[part](trainer, found)
        unfinished = path.with_suffix(".part")  # one that is interrupted leaves no record
        unfinished.write_text(json.dumps(found))
        unfinished.replace(path)
        print(f"{name}, {part}: {time.process_time() - begin:.0f} s", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=CACHE, metavar="DIR", help="where the records are")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, metavar="NAME", help="only these")
    parser.add_argument("--held-out", action="store_true", help="those that the rule was not chosen on")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where Fashion-MNIST's files are")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="only these records")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # more gain nothing in networks this small
    cases: dict[str, list[Case]] = {"short": [], "long": []}
    left_out: dict[str, list[str]] = {}
    for name in options.problems or (HELD_OUT if options.held_out else TUNING):
        try:
            record = recorded(name, options.out, options.data_dir, options.parts)
        except FileNotFoundError as error:
            left_out.setdefault(str(error), []).append(name)
            continue
        if {"tests", "probes"} <= set(record):
            for horizon, these in cases_of(name, PROBLEMS[name].kind, record).items():
                cases[horizon] += these
    for horizon, these in cases.items():
        if these:
            problems = len({case.problem for case in these})
            print(f"{horizon} trainings: regret over {len(these)} tests of {problems} problems")
            print(by_rule(these) + "\n")
            print(by_group(these, lambda case: case.kind, "kind") + "\n")
            print(by_group(these, lambda case: case.steps, "steps of the test") + "\n")
            print(by_group(these, lambda case: case.problem, "problem") + "\n")
    for reason, names in left_out.items():
        print(f"Left out {len(names)}: {', '.join(names)}\n  {reason}")


if __name__ == "__main__":
    main()
