"""The comparison at equal compute: its short form, what it keeps, and what it counts."""

from __future__ import annotations

import re
from pathlib import Path

from benchmark_scripts import run, run_code

FOLDER = Path(__file__).parents[2] / "benchmarks" / "equal_compute"
COUNTS = """
import math, sys
from pathlib import Path
import numpy as np
from problems import REAL
from score import Case
from train import Reached, Trainer
from ways import ways

trainer = Trainer("digits_mlp", REAL["digits_mlp"], 200, Path(sys.argv[1]), None)
log, taken = trainer.range_test(0, steps=20, stop_factor=math.inf)
assert taken == len(log.lr) == 20

trained = []
train = trainer.train
trainer.train = lambda schedule, steps, *rest: trained.append(steps) or train(schedule, steps, *rest)
for name, way in ways(np.array([0.01, 0.1]), 200)[0].items():
    trained.clear()
    outcome = way(trainer, 0)
    if "whole trainings" not in name:
        assert outcome.search + trained[-1] == 200, name

start, low, high = Reached(3.0, 0.9), Reached(1.0, 0.2), Reached(2.0, 0.4)
failed = Reached(math.inf, math.inf)
ends = {"low": low, "high": high, "no": failed}
outcomes = {name: [outcome._replace(reached=end)] for name, end in ends.items()}
case = Case("made up", np.array([0.01, 0.1]), [start], [[high], [low]], outcomes)
assert case.best == 0.1
assert [case.regrets(name).tolist() for name in outcomes] == [[0.0], [0.5], [1.0]]
assert [case.error_ratio(name) for name in outcomes] == [1.0, 2.0, 4.5]
"""


def test_short_form(tmp_path: Path) -> None:
    """Two problems, all ways; a second run trains what is not kept: a cut line, a changed problem."""
    first = run(FOLDER, "run.py", "--short", "--out", tmp_path)
    titles = ["## real, 200 steps: digits_mlp", "## off-scale, 200 steps: digits_loss_1000"]
    assert [line for line in first.splitlines() if line.startswith("##")] == titles
    rows = re.findall(r"^\| (.*) \| (-?[\d.]+)% \| (-?\d+)% \| ([\d.]+) x \|$", first, re.MULTILINE)
    ways = [row[0] for row in rows]
    assert ways[: len(ways) // 2] == ways[len(ways) // 2 :]
    assert {"clrfast, test of 40, one-cycle", "default rate, cosine", "fastai valley, one-cycle"} < set(ways)
    assert all(-100 < float(regret) <= 100 for _, regret, _, _ in rows)

    kept = {path.name: path.read_text() for path in (tmp_path / "200").iterdir()}
    assert sorted(kept) == ["digits_loss_1000.jsonl", "digits_mlp.jsonl"]
    cut, changed = (tmp_path / "200" / name for name in sorted(kept))
    cut.write_text(kept[cut.name][:-5])
    changed.write_text(re.sub(r"^\w+", "another", re.sub(r"\d+\.\d+", "0.5", kept[changed.name])))
    assert run(FOLDER, "run.py", "--short", "--out", tmp_path) == first
    last = kept[cut.name][kept[cut.name].rindex("\n") :]
    assert cut.read_text() == kept[cut.name][:-5] + last
    assert changed.read_text() == kept[changed.name]


def test_what_is_counted(tmp_path: Path) -> None:
    """The steps of a search are taken from the training; regrets and errors are what they are said to be."""
    run_code(FOLDER, COUNTS, tmp_path)
