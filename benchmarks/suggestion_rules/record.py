"""What one problem's trainings reach, and what its range tests show, from the same initial weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Split, load
from numpy.typing import NDArray
from problems import Problem
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from clrfast import schedules

PEAKS = [10 ** (k / 3) for k in range(-15, 4)]  # 1e-5 to 10
SEEDS = (0, 1)
TESTS = ((100, 1e-7), (200, 1e-6), (400, 1e-7))  # steps and first rate; the last one is 10
REPEATS = 3
SCHEDULES = {
    "one-cycle": schedules.one_cycle,
    "triangular": lambda peak, steps: schedules.triangular(peak / 10, peak, (steps - 1) / 4),
}


def record(problem: Problem, folder: Path | None) -> dict[str, Any]:
    """Train at every peak, and do all range tests.

    Returns:
        "peaks"; "untrained", the validation loss before training for each seed; "validation", for each
        schedule that after training, for each peak and seed; "tests", the rates and the raw losses of each
        range test, never stopped early.
    """
    trainer = Trainer(problem, folder)
    steps = problem.steps
    return {
        "peaks": PEAKS,
        "untrained": [trainer.validate(trainer.network(seed)) for seed in SEEDS],
        "validation": {
            name: [
                [trainer.reach(schedule(peak, steps).values(0, steps), seed) for seed in SEEDS]
                for peak in PEAKS
            ]
            for name, schedule in SCHEDULES.items()
        },
        "tests": [
            trainer.range_test(first, count, seed=10 * kind + repeat)
            for kind, (count, first) in enumerate(TESTS)
            for repeat in range(REPEATS)
        ],
    }


class Trainer:
    """Trains a problem's network again and again, always from the weights that a seed gives."""

    def __init__(self, problem: Problem, folder: Path | None) -> None:
        self.problem = problem
        self.data = load(problem.data, folder)
        self.initial: nn.Module | None = None
        if problem.pretrained_on is not None:
            self.initial = pretrained(problem, load(problem.pretrained_on, folder))

    def network(self, seed: int) -> nn.Module:
        """The network before training; the seed also decides about dropout."""
        torch.manual_seed(seed)
        return self.problem.network() if self.initial is None else copy.deepcopy(self.initial)

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

    def reach(self, rates: NDArray[np.float64], seed: int) -> float:
        """The validation loss after a whole training, infinite if that fails."""
        network = self.network(seed)
        losses = self.train(network, rates, self.batches(seed))
        return self.validate(network) if math.isfinite(losses[-1]) else math.inf

    def range_test(self, first: float, count: int, seed: int) -> dict[str, list[float]]:
        """The rates of a ramp to 10, and the raw loss at each: NaN after one that is not finite."""
        rates = schedules.ramp(first, 10.0, count).values(0, count)
        losses = self.train(self.network(seed), rates, self.batches(7 + seed))
        return {"lr": rates.tolist(), "loss": losses + [math.nan] * (count - len(losses))}


def pretrained(problem: Problem, data: Split) -> nn.Module:
    """A network trained before, with a usual rate of Adam."""
    torch.manual_seed(123)
    network = problem.network()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(400):
        rows = torch.randint(0, len(data.x), (64,))
        optimizer.zero_grad()
        F.cross_entropy(network(data.x[rows]), data.y[rows]).backward()
        optimizer.step()
    return network
