"""What one problem's trainings reach, and what its range tests show, from the same initial weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import load
from models import pretrained
from numpy.typing import NDArray
from problems import Problem
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from clrfast import schedules

PEAKS = [10 ** (k / 3) for k in range(-15, 4)]  # 1e-5 to 10
SEEDS = (0, 1)
# Steps, first rate and number of the range tests; the last rate is 10.
TESTS = (
    (100, 1e-7, 3),
    (200, 1e-6, 3),
    (400, 1e-7, 3),
    (30, 1e-7, 3),
    (50, 1e-7, 3),
    (600, 1e-7, 2),
    (1500, 1e-7, 1),
    (3000, 1e-7, 1),
)
PROBES = 100  # steps at each peak
LONGER = 5  # times the short training
HOPELESS = 0.5  # regret in short trainings, from which on ...
BEYOND = 2  # ... so many peaks further out are not trained for long

Record = dict[str, Any]


def short(trainer: Trainer, record: Record) -> Record:
    """Train in one cycle up to every peak, for the steps of the problem.

    Returns:
        "untrained", the validation loss before training for each seed, and "reached", that after training for
        each peak and seed, infinite where it failed.
    """
    return {
        "untrained": [trainer.validate(trainer.network(seed)) for seed in SEEDS],
        "reached": [[trainer.reach(peak, 1, seed) for seed in SEEDS] for peak in PEAKS],
    }


def long(trainer: Trainer, record: Record) -> Record:
    """Train longer at the peaks that are not hopeless in short trainings, and call the others failed."""
    worth = np.flatnonzero(regrets(record["short"]) < HOPELESS)
    first, last = worth[0] - BEYOND, worth[-1] + BEYOND
    return {
        "untrained": record["short"]["untrained"],
        "reached": [
            [trainer.reach(peak, LONGER, seed) if first <= k <= last else math.inf for seed in SEEDS]
            for k, peak in enumerate(PEAKS)
        ],
    }


def tests(trainer: Trainer, record: Record) -> list[Record]:
    """Do all range tests, never stopped early: the rates and the raw losses of each."""
    return [
        trainer.range_test(first, count, seed=10 * kind + repeat)
        for kind, (count, first, repeats) in enumerate(TESTS)
        for repeat in range(repeats)
    ]


def probes(trainer: Trainer, record: Record) -> list[list[float]]:
    """The losses of some steps at each peak, on the same batches."""
    return [trainer.train(trainer.network(0), np.full(PROBES, peak), trainer.batches(70)) for peak in PEAKS]


def regrets(trained: Record) -> NDArray[np.float64]:
    """For each peak the share lost of the improvement that the best peak reaches.

    The improvement is that of the validation loss, from the untrained network's, in the mean over the seeds.
    A training that fails, or ends above the untrained network's loss, improves nothing.
    """
    untrained = np.mean(trained["untrained"])
    means = np.minimum(trained["reached"], untrained).mean(axis=1)
    return (means - means.min()) / (untrained - means.min())


PARTS = {"short": short, "tests": tests, "probes": probes, "long": long}  # `long` asks `short`


class Trainer:
    """Trains a problem's network again and again, always from the weights that a seed gives."""

    def __init__(self, problem: Problem, folder: Path | None) -> None:
        self.problem = problem
        self.data = load(problem.data, folder)
        self.initial: nn.Module | None = None
        if problem.pretrained_on is not None:
            self.initial = pretrained(problem.network, load(problem.pretrained_on, folder))

    def network(self, seed: int) -> nn.Module:
        """The network before training; the seed also decides about dropout."""
        torch.manual_seed(seed)
        if self.initial is None:
            return self.problem.network()
        network = copy.deepcopy(self.initial)
        if self.problem.fresh_head:
            [*_, head] = (module for module in network.modules() if isinstance(module, nn.Linear))
            head.reset_parameters()
        return network

    def batches(self, seed: int) -> Iterator[Tensor]:
        """Row numbers without end, in a new order each epoch; an incomplete batch is left out."""
        source = torch.Generator().manual_seed(1000 + seed)
        size = self.problem.batch_size
        while True:
            order = torch.randperm(len(self.data.x), generator=source)
            yield from order[: len(order) // size * size].split(size)

    def train(self, network: nn.Module, rates: NDArray[np.float64], batches: Iterator[Tensor]) -> list[float]:
        """Train the network at these rates; return the losses up to the first that is not finite."""
        optimizer = self.problem.optimizer(network.parameters())
        losses = []
        for rate, rows in zip(rates.tolist(), batches):
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            loss = self.problem.loss(network(self.data.x[rows]), self.data.y[rows])
            loss.backward()
            if self.problem.clip is not None:
                clip_grad_norm_(network.parameters(), self.problem.clip)
            optimizer.step()
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                break
        return losses

    def validate(self, network: nn.Module) -> float:
        """The validation loss, infinite where it is no number."""
        network.eval()
        with torch.no_grad():
            loss = self.problem.loss(network(self.data.validation_x), self.data.validation_y).item()
        network.train()
        return loss if math.isfinite(loss) else math.inf

    def reach(self, peak: float, times: int, seed: int) -> float:
        """The validation loss after a whole training, or one so many times as long; infinite if it fails."""
        network = self.network(seed)
        steps = times * self.problem.steps
        losses = self.train(network, schedules.one_cycle(peak, steps).values(0, steps), self.batches(seed))
        return self.validate(network) if math.isfinite(losses[-1]) else math.inf

    def range_test(self, first: float, count: int, seed: int) -> dict[str, list[float]]:
        """The rates of a ramp to 10, and the raw loss at each: NaN after one that is not finite."""
        rates = schedules.ramp(first, 10.0, count).values(0, count)
        losses = self.train(self.network(seed), rates, self.batches(7 + seed))
        return {"lr": rates.tolist(), "loss": losses + [math.nan] * (count - len(losses))}
