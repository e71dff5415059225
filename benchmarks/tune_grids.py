"""Claim: the momentum and weight decay that an optimizer has by default are not worth a search; bad ones are.

Run: python benchmarks/tune_grids.py [--problems NAME ...] [--seeds N] [--steps N] [--short]
Small networks on scikit-learn's data, with optimizers whose momentum and weight decay are usual, and with
some whose are not. Each is tuned three times, on half of the validation rows: the rate alone, what
`clrfast.tune` tries by default, and full grids of momentum and weight decay; then each recipe trains for
1,000 steps. Printed are the steps of the search, and the gain over the rate alone on the other half of the
validation rows, in % of what the loss falls with it; where it does not fall, the two losses. Takes about ten
minutes on one core; needs torch and scikit-learn. `--short` takes seconds and shows that it runs, no more.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW

import clrfast

sys.path.insert(0, str(Path(__file__).parent / "suggestion_rules"))
from datasets import Split, load
from models import mlp
from problems import binary, entropy, mse, single


class Task(NamedTuple):
    """What is trained: the data, the network, the loss, rows of each step."""

    data: str
    network: Callable[[], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    batch_size: int


TASKS = {
    "digits": Task("digits", lambda: mlp(64, 64, 10), entropy, 64),
    "digits, deep": Task("digits", lambda: mlp(64, 48, 10, 6, nn.Tanh), entropy, 16),
    "digits, noisy": Task("digits-noisy", lambda: mlp(64, 64, 10), entropy, 16),
    "diabetes": Task("diabetes-standard", lambda: mlp(10, 32, 1), mse, 32),
    "cancer": Task("cancer", lambda: mlp(30, 32, 1), single(binary), 16),
}
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD 0.9": partial(SGD, lr=0.01, momentum=0.9),
    "AdamW": AdamW,
    "SGD 0.99": partial(SGD, lr=0.01, momentum=0.99),
    "SGD, decay 0.01": partial(SGD, lr=0.01, momentum=0.9, weight_decay=0.01),
    "AdamW, decay 0.3": partial(AdamW, weight_decay=0.3),
}
WAYS: dict[str, dict[str, Any]] = {
    "rate": {"momentum": False, "weight_decay": False},
    "default": {},
    "grids": {"momentum": True, "weight_decay": True},
}


class Batches:
    """A loader that never ends; a new order each epoch, the same in each pass."""

    def __init__(self, data: Split, size: int, seed: int) -> None:
        self._data, self._size, self._seed = data, size, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        source = torch.Generator().manual_seed(self._seed)
        while True:
            order = torch.randperm(len(self._data.x), generator=source)
            for rows in order[: len(order) // self._size * self._size].split(self._size):
                yield self._data.x[rows], self._data.y[rows]


def reached(
    task: Task, make: Callable[[Any], Any], seed: int, steps: int, way: str
) -> tuple[float, float, int]:
    """Return the loss before and after the training, infinite where it broke, and the steps of the search."""
    data = load(task.data, None)
    half = len(data.validation_x) // 2
    validation = list(zip(data.validation_x[:half].chunk(8), data.validation_y[:half].chunk(8)))
    torch.manual_seed(seed)
    network = task.network()
    optimizer = make(network.parameters())
    batches = Batches(data, task.batch_size, seed)
    options = {"total_steps": steps, "validation": validation, **WAYS[way]}
    recipe = clrfast.tune(network, optimizer, task.loss, batches, **options)

    def judge() -> float:
        network.eval()
        with torch.no_grad():
            loss = task.loss(network(data.validation_x[half:]), data.validation_y[half:]).item()
        network.train()
        return loss if math.isfinite(loss) else math.inf

    start, scheduler = judge(), recipe.apply(optimizer)
    for _, (x, y) in zip(range(steps), batches):
        optimizer.zero_grad()
        task.loss(network(x), y).backward()
        optimizer.step()
        scheduler.step()
    return start, judge(), recipe.steps


def row(task: Task, make: Callable[[Any], Any], seeds: int, steps: int) -> str:
    """Return the gain and the steps of each way."""
    found = {way: [reached(task, make, seed, steps, way) for seed in range(seeds)] for way in WAYS}
    start, alone, spent = np.mean(found["rate"], axis=0)
    cells = [f"{spent:5.0f} steps"]
    for way in list(WAYS)[1:]:
        _, end, spent = np.mean(found[way], axis=0)
        gain = (
            f"{100 * (alone - end) / (start - alone):+6.1f} %"
            if alone < start
            else f"{alone:.2g} to {end:.2g}"
        )
        cells.append(f"{gain}, {spent:.0f} steps")
    return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", nargs="+", choices=TASKS, metavar="NAME", help="only these")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="trainings of each: 2")
    parser.add_argument("--steps", type=int, default=1000, metavar="N", help="steps of each training: 1000")
    parser.add_argument("--short", action="store_true", help="one problem and optimizer, one seed, 200 steps")
    options = parser.parse_args()
    torch.set_num_threads(1)  # more gain nothing in networks this small
    names = options.problems or (["diabetes"] if options.short else list(TASKS))
    seeds, steps = (1, 200) if options.short else (options.seeds, options.steps)
    print(f"{'optimizer':18} {'problem':14} {' | '.join(WAYS)}")
    for kind, make in list(OPTIMIZERS.items())[: 1 if options.short else None]:
        for name in names:
            print(f"{kind:18} {name:14} {row(TASKS[name], make, seeds, steps)}", flush=True)


if __name__ == "__main__":
    main()
