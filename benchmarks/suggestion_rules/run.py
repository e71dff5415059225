"""Claim: of the improvement that training can reach, clrfast's suggestion loses less than other finders' do.

Run: python benchmarks/suggestion_rules/run.py [--out DIR] [--problems NAME ...] [--held-out] [--data-dir DIR]
Records each problem once: range tests, and what training reaches at rates from 1e-5 to 10. Then prints, for
one-cycle up to max_lr and for triangular cycles between max_lr/10 and max_lr, how much each rule loses. Takes
about a quarter of an hour; what was recorded before is read from DIR. Needs torch and scikit-learn; problems
whose data are not found are left out, and named.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from problems import HELD_OUT, TUNING
from record import SCHEDULES, record
from score import table

PROBLEMS = {**TUNING, **HELD_OUT}
CACHE = Path(__file__).parents[2] / "build" / "suggestion_rules"


def recorded(name: str, out: Path, folder: Path | None) -> dict[str, Any]:
    """Read what is recorded of a problem, or record it now.

    Raises:
        FileNotFoundError: Its data are not on this machine.
    """
    path = out / f"{name}.json"
    if not path.exists():
        begin = time.perf_counter()
        found = record(PROBLEMS[name], folder)
        part = path.with_suffix(".part")  # one that is interrupted leaves no record
        part.write_text(json.dumps(found))
        part.replace(path)
        print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return json.loads(path.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=CACHE, metavar="DIR", help="where the records are")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, metavar="NAME", help="only these")
    parser.add_argument("--held-out", action="store_true", help="those that the rule was not chosen on")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where Fashion-MNIST's files are")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # more gain nothing in networks this small
    records = []
    left_out: dict[str, list[str]] = {}
    for name in options.problems or (HELD_OUT if options.held_out else TUNING):
        try:
            records.append(recorded(name, options.out, options.data_dir))
        except FileNotFoundError as error:
            left_out.setdefault(str(error), []).append(name)
    if records:
        print("\n\n".join(table(records, schedule) for schedule in SCHEDULES))
    for reason, names in left_out.items():
        print(f"\nLeft out {len(names)}: {', '.join(names)}\n  {reason}")


if __name__ == "__main__":
    main()
