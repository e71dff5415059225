"""Claim: what `clrfast.batch_sizes` calls the largest size that pays is where doubling stops paying.

Run: python benchmarks/batch_size.py [--short] [--picture FILE] [PROBLEM ...]
Measures directly how many steps each batch size needs to a validation loss, at the best of rates a factor of
2 apart, in the mean over seeds; fits steps = fewest (1 + critical / size), as the answer does; and prints
beside it what `batch_sizes` says from short tests, from three other starts: its critical size, the noise
scale, its choice, and what doubling to and beyond this choice divides the steps by in the direct measurement.
Takes some minutes of one core; --short is seconds, and says nothing but that it runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

import clrfast
from clrfast._batch_size._steps_to_loss import critical_size

sys.path.insert(0, str(Path(__file__).parent / "equal_compute"))
from borrowed import Split, mlp

from data import load

SIZES = [8, 16, 32, 64, 128, 256, 512, 1024]
SEEDS = (0, 1)
MOST_STEPS, MOST_SAMPLES = 4000, 200_000  # of a training


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is trained, to which validation loss, and a rate that is about right for the smallest size."""

    data: str
    network: Callable[[], nn.Module]
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    target: float
    lr: float


PROBLEMS = {
    "digits, SGD": Problem("digits", partial(mlp, 64, 64, 10), partial(SGD, lr=0.1, fused=True), 0.25, 0.25),
    "digits, momentum": Problem(
        "digits", partial(mlp, 64, 64, 10), partial(SGD, lr=0.1, momentum=0.9, fused=True), 0.25, 0.03
    ),
    "mnist, momentum": Problem(
        "mnist", partial(mlp, 196, 48, 10), partial(SGD, lr=0.1, momentum=0.9, fused=True), 0.4, 0.01
    ),
    "letter, Adam": Problem("letter", partial(mlp, 16, 96, 26, 2), partial(Adam, fused=True), 0.7, 0.004),
}


class Draws:
    """Batches of rows drawn anew each time, without an end."""

    def __init__(self, data: Split, size: int) -> None:
        self._data, self._size = data, size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            rows = torch.randint(len(self._data.x), (self._size,))
            yield self._data.x[rows], self._data.y[rows]


def steps_taken(problem: Problem, data: Split, size: int, lr: float, seed: int, most: int) -> float:
    """Steps until the validation loss is at the target, at a rate that rises in ten steps and stays."""
    torch.manual_seed(seed)
    network = problem.network()
    optimizer = problem.optimizer(network.parameters())
    x, y = data.validation_x[:1000], data.validation_y[:1000]
    before, looks_at = (0, math.inf), 5
    for step, (inputs, targets) in zip(range(1, most + 1), Draws(data, size)):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, step / 10)
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), targets).backward()
        optimizer.step()
        if step < looks_at:
            continue
        with torch.no_grad():
            loss = F.cross_entropy(network(x), y).item()
        if not loss < 50:
            return math.inf
        if loss <= problem.target:
            share = (before[1] - problem.target) / (before[1] - loss) if math.isfinite(before[1]) else 1.0
            return before[0] + share * (step - before[0])
        before, looks_at = (step, loss), max(step + 2, int(1.06 * step))
    return math.inf


def measure(
    problem: Problem, data: Split, sizes: list[int], seeds: Iterable[int]
) -> dict[int, tuple[float, float]]:
    """The best rate of each size, and its steps."""
    found: dict[int, tuple[float, float]] = {}
    power = 0
    for size in sizes:
        seen: dict[int, float] = {}

        def steps_at(power: int, size: int = size, seen: dict[int, float] = seen) -> float:
            if power not in seen:
                best = min(seen.values(), default=math.inf)
                most = min(MOST_STEPS, MOST_SAMPLES // size) if math.isinf(best) else int(1.5 * best) + 20
                lr = problem.lr * 2.0**power
                seen[power] = np.mean([steps_taken(problem, data, size, lr, s, most) for s in seeds]).item()
            return seen[power]

        while True:  # up or down by factors of 2 until both neighbours are worse
            best = min((power, power + 1, power - 1), key=steps_at)
            if best == power:
                break
            power = best
        found[size] = problem.lr * 2.0**power, seen[power]
    return found


def report(name: str, sizes: list[int], seeds: Iterable[int], starts: Iterable[int]) -> clrfast.BatchSizes:
    """Print both tables; return the last answer."""
    problem = PROBLEMS[name]
    data = load(problem.data, None)
    direct = measure(problem, data, sizes, seeds)
    print(f"## {name}, to a validation loss of {problem.target}")
    print("| size | best rate | steps | samples | steps of half the size / steps |")
    print("| --- | --- | --- | --- | --- |")
    gains = {}
    for size, (lr, steps) in direct.items():
        gains[size] = direct[size // 2][1] / steps if size // 2 in direct else math.nan
        print(f"| {size} | {lr:.3g} | {steps:.0f} | {size * steps:,.0f} | {gains[size]:.2f} |")
    fitted = critical_size(np.array(sizes, float), np.array([steps for _, steps in direct.values()]))
    truth = math.nan if fitted is None else fitted.size
    print(f"critical size, measured directly: {truth:.3g}\n", flush=True)
    print("| start | critical size | noise scale | choice | confidence | doubling to it | beyond | spent |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for start in starts:
        torch.manual_seed(start)
        network = problem.network()
        found = clrfast.batch_sizes(
            *(network, problem.optimizer(network.parameters()), F.cross_entropy, partial(Draws, data), sizes),
            loss=problem.target,
        )
        low, high = found.critical_interval
        noise = math.nan if found.noise is None else found.noise.scale
        to, beyond = (gains.get(size, math.nan) for size in (found.batch_size, 2 * found.batch_size))
        cells = [
            *(str(start), f"{found.critical:.3g} ({low:.3g} to {high:.3g})", f"{noise:.3g}"),
            *(str(found.batch_size), found.confidence, f"{to:.2f}", f"{beyond:.2f}"),
            f"{found.spent_samples.sum():,} samples",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
    print()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ", ".join(map(repr, PROBLEMS))
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=f"of {names}")
    parser.add_argument("--picture", metavar="FILE", help="draw the last answer's range tests")
    parser.add_argument("--short", action="store_true", help="one problem, three sizes, one start")
    given = parser.parse_args()
    unknown = sorted(set(given.problems) - set(PROBLEMS))
    if unknown:
        parser.error(f"PROBLEM must be one of {names}, got {unknown[0]!r}")
    torch.set_num_threads(1)
    if given.short:
        found = report("digits, SGD", [64, 128, 256], (0,), (10,))
    else:
        for name in given.problems or PROBLEMS:
            found = report(name, SIZES, SEEDS, (10, 11, 12))
    if given.picture:
        found.plot().figure.savefig(given.picture, dpi=100)


if __name__ == "__main__":
    main()
