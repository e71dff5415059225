"""Claim: range tests that find their start are less low than those from 1e-7, and safer than those from 1e-5.

Run: python benchmarks/range_test_length.py [--short]
Range tests of 30 to 600 steps on problems of `suggestion_rules`, from 1e-7, from 1e-5 and from where
`total_steps=` finds that they should; then the same for losses that are multiplied by some factor, for which
SGD's best rates are as many times smaller. Prints the median of the suggestion over the best rate, which is
the mean, in ln(lr), of all peaks of one-cycle trainings that lose less than 1 %; the mean share lost of the
reachable improvement; and how often that is more than a half. Takes some minutes; the problems are those on
which the start was chosen, so that the table says how the lengths compare, not what to expect elsewhere.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_

import clrfast

sys.path.insert(0, str(Path(__file__).parent / "suggestion_rules"))
from problems import TUNING, Problem
from record import Trainer, regrets

STEPS = (30, 50, 100, 200, 400, 600)
STARTS = {"1e-7": 1e-7, "1e-5": 1e-5, "found": None}
PEAKS = 10.0 ** (np.arange(-12, 4) / 3)  # 1e-4 to 10
SEEDS = (0, 1)
USUAL = (
    "digits_logistic_sgd",
    "digits_mlp_momentum",
    "digits_norm_dropout_nesterov",
    "digits_autoencoder_rmsprop",
    "digits_noisy_adam",
    "cancer_mlp_adamw",
    "cancer_logistic_sgd",
    "diabetes_mse_adam",
    "diabetes_mse_momentum",
    "diabetes_gaussian_adam",
    "wine_mlp_rmsprop",
)
SCALED = (
    ("digits_mlp_momentum", 1e5),
    ("digits_mlp_momentum", 0.03),
    ("digits_logistic_sgd", 1e4),
    ("digits_norm_dropout_nesterov", 1e3),
    ("diabetes_mse_momentum", 1e3),
)


class Case(NamedTuple):
    ratio: float  # of the suggested to the best rate; NaN where none is suggested
    regret: float


@functools.cache
def regrets_of(name: str) -> np.ndarray:
    """For each peak the share lost of the fall of the validation loss that the best one reaches."""
    trainer = Trainer(TUNING[name], None)
    untrained = trainer.validate(trainer.network(0))
    return regrets({"untrained": [untrained], "reached": [[trainer.reach(peak, 1, 0)] for peak in PEAKS]})


def suggested(trainer: Trainer, seed: int, steps: int, start_lr: float | None) -> float:
    """The max_lr of a range test in a plain loop."""
    problem, network = trainer.problem, trainer.network(seed)
    optimizer = problem.optimizer(network.parameters())
    batches = trainer.batches(7 + seed)
    with clrfast.RangeTest(
        network, optimizer, start_lr=start_lr, steps=steps, total_steps=100 * steps
    ) as test:
        for _ in test:
            rows = next(batches)
            optimizer.zero_grad()
            loss = problem.loss(network(trainer.data.x[rows]), trainer.data.y[rows])
            loss.backward()
            if problem.clip is not None:
                clip_grad_norm_(network.parameters(), problem.clip)
            optimizer.step()
            test.record(loss)
    try:
        return test.log.analyze().suggestion.max_lr
    except ValueError:  # hardly a loss is finite
        return np.nan


def cases(problem: Problem, lost_at: np.ndarray, factor: float, steps: int, name: str) -> Iterator[Case]:
    """One range test for each seed, on the loss multiplied by a factor."""
    scaled = replace(problem, loss=lambda output, target: factor * problem.loss(output, target))
    trainer = Trainer(scaled, None)
    places = np.log(PEAKS / factor)
    best = np.exp(places[lost_at < 0.01].mean())
    for seed in SEEDS:
        lr = suggested(trainer, seed, steps, STARTS[name])
        lost = 1.0 if np.isnan(lr) else float(np.interp(np.log(lr), places, lost_at))
        yield Case(lr / best, lost)


def table(title: str, wanted: list[tuple[str, float]], lengths: tuple[int, ...]) -> None:
    found: dict[tuple[int, str], list[Case]] = defaultdict(list)
    for problem_name, factor in wanted:
        problem = TUNING[problem_name]
        lost_at = regrets_of(problem_name)
        for steps in lengths:
            for start in STARTS:
                found[steps, start] += cases(problem, lost_at, factor, steps, start)
    print(f"{title}: {len(wanted)} problems, {len(SEEDS)} tests of each")
    print(f"{'steps':>5} {'start':>6} {'suggested/best':>15} {'mean regret':>12} {'above a half':>13}")
    for (steps, start), rows in found.items():
        ratios, lost = np.array(rows).T
        median = np.median(ratios[np.isfinite(ratios)]) if np.isfinite(ratios).any() else np.nan
        print(f"{steps:5} {start:>6} {median:15.2f} {lost.mean():12.3f} {(lost > 0.5).sum():13}")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="two problems and three lengths, in seconds")
    short = parser.parse_args().short
    torch.set_num_threads(1)
    lengths = STEPS[:3] if short else STEPS
    usual = ("cancer_mlp_adamw", "wine_mlp_rmsprop") if short else USUAL
    table("as they are", [(name, 1.0) for name in usual], lengths)
    table("with scaled losses", [*SCALED[: 1 if short else None]], lengths)


if __name__ == "__main__":
    main()
