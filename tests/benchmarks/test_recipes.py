"""The judge of recipes: its short form, what it keeps, and what it counts."""

from __future__ import annotations

import re
from pathlib import Path

from benchmark_scripts import run, run_code

FOLDER = Path(__file__).parents[2] / "benchmarks" / "recipes"
COUNTS = """
import sys
from pathlib import Path
import torch
from choosers import Proposal, recipe_of, tuned
from grid import Corner, Grid
from judge import judged
from tasks import TASKS
from trainings import Ends, Reached, Trainings

trainings = Trainings("digits_cnn_sgd", TASKS["digits_cnn_sgd"].shortened(), Path(sys.argv[1]), None)
x, _, held, _ = trainings.data
seen, _ = trainings.seen
assert len(x) == 1258 and abs(len(held) - len(seen)) <= 1 and len(held) + len(seen) == 539
assert not {tuple(row.tolist()) for row in held} & {tuple(row.tolist()) for row in seen}

# A recipe put in place by `apply` trains as the numbers do that are judged.
recipe = recipe_of(trainings, 0, validates=True)
network, optimizer = trainings.new(0)
assert trainings.run(network, optimizer, recipe.apply(optimizer), trainings.total_steps, 0)
proposal = tuned(trainings, 0, validates=True)
assert proposal.search == recipe.steps > 0
setting = proposal.setting(trainings.total_steps)
reached = trainings.reach(setting, trainings.total_steps, 0)
assert reached == trainings.ends(network)

# What was trained is kept.
again = Trainings("digits_cnn_sgd", trainings.task, Path(sys.argv[1]), None)
again.run = None
assert again.reach(setting, trainings.total_steps, 0) == reached

# The steps of a search are taken from the training, or are not.
lengths = []
reach = trainings.reach
trainings.reach = lambda setting, steps, seed: lengths.append(steps) or reach(setting, steps, seed)
corners = {Corner(-2, 1, 0): [Ends(Reached(2.0, 0.3), Reached(1.0, 0.2))]}
grid = Grid({corner: ends[0] for corner, ends in corners.items()}, corners, Corner(-2, 1, 0))
for within in (False, True):
    verdict = judged("made up", trainings, grid, {"a way": [Proposal(0.1, 0.8, 1e-4, search=50)]}, within)
assert lengths == [200, 150]
(regret,) = verdict.case.regrets("a way")
(reached,) = [outcome.reached for outcome in verdict.case.outcomes["a way"]]
start = trainings.start(0).loss
assert abs(regret - (reached.loss - 1.0) / (start - 1.0)) < 1e-12
assert verdict.random_search(5) == 0.0
"""


def test_short_form(tmp_path: Path) -> None:
    """One problem, all ways."""
    first = run(FOLDER, "run.py", "--short", "--out", tmp_path)
    table = first[: first.index("\n\n")]
    rows = re.findall(r"^\| (.*?) \| (\d+)% \| (-?[\d.]+)% \|", table, re.MULTILINE)
    regrets = {way: float(regret) for way, _, regret in rows}
    assert {"default rate, constant", "clrfast.range_test, one-cycle", "clrfast.tune"} < set(regrets)
    assert regrets["the best corner (hindsight)"] == 0.0
    assert all(-100 < regret <= 100 for regret in regrets.values())


def test_what_is_counted(tmp_path: Path) -> None:
    """Halves do not overlap, a recipe trains as judged, and the steps of a search are counted."""
    run_code(FOLDER, COUNTS, tmp_path)


def test_figures(tmp_path: Path) -> None:
    """The figures are drawn."""
    run(FOLDER, "figures.py", "--short", "--recipes", "digits_cnn_sgd", "--out", tmp_path)
    names = ["batch_size.png", "digits_cnn_sgd.png", "momentum.png", "weight_decay.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all(path.stat().st_size > 10_000 for path in tmp_path.iterdir())
