"""The rate at which each batch size is the fastest to reach one loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clrfast._batch_size._size_trainer import SizeTrainer
from clrfast._batch_size._steps_to_loss import has_fallen, recent_means, steps_to

_MOVES = 4  # by a factor of 2 from the suggested rate, at most
_ROOM = 1.3  # how many times the steps of the fastest so far another may take before it is given up


def train_all(
    trainer: SizeTrainer, sizes: list[int], lr: list[float], budget: int, loss: float
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Train each size to one loss: NaN stands for what the largest reaches, or the largest that learns.

    Args:
        trainer: Trains.
        sizes: Batch sizes, ascending.
        lr: The rate that each begins with.
        budget: Samples of each training at most.
        loss: The loss.

    Returns:
        The loss, the rate at which each size was the fastest, and after how many steps it had the loss; NaN
        where there is no such loss, or a size never has it.
    """
    rates, taken = np.array(lr), np.full(len(sizes), math.nan)
    for i in reversed(range(len(sizes))):
        steps = budget // sizes[i]
        if math.isnan(loss):
            rates[i], losses = _lowest(trainer, sizes[i], lr[i], steps)
            if not has_fallen(losses):
                continue
            loss = float(recent_means(losses)[-1])
            taken[i] = steps_to(loss, losses)
        else:
            rates[i], taken[i] = _fastest(trainer, sizes[i], lr[i], steps, loss)
    return loss, rates, taken


def _lowest(trainer: SizeTrainer, size: int, lr: float, steps: int) -> tuple[float, list[float]]:
    """Return the rate that leads to the lowest loss, and all losses on the way there."""
    seen: dict[float, list[float]] = {}

    def reached(rate: float) -> float:
        seen[rate] = losses = trainer.train(size, rate, steps, -math.inf)
        return float(recent_means(losses)[-1]) if has_fallen(losses) else math.inf

    best, _ = _descend(lr, reached)
    return best, seen[best]


def _fastest(trainer: SizeTrainer, size: int, lr: float, steps: int, loss: float) -> tuple[float, float]:
    """Return the rate that leads to a loss in the fewest steps, and their number; NaN where none does."""
    fewest = math.inf

    def count(rate: float) -> float:
        nonlocal fewest
        most = steps if math.isinf(fewest) else min(steps, math.ceil(_ROOM * fewest) + 1)
        found = steps_to(loss, trainer.train(size, rate, most, loss))
        fewest = min(fewest, math.inf if math.isnan(found) else found)
        return math.inf if math.isnan(found) else found

    best, number = _descend(lr, count)
    return best, math.nan if math.isinf(number) else number


def _descend(lr: float, measure: Callable[[float], float]) -> tuple[float, float]:
    """Go up or down from a rate, by factors of 2, until both neighbours are worse; the measure is kept."""
    seen: dict[int, float] = {}

    def at(power: int) -> float:
        if power not in seen:
            seen[power] = measure(lr * 2.0**power)
        return seen[power]

    power = 0
    for _ in range(_MOVES):
        best = min((power, power + 1, power - 1), key=at)
        if best == power:
            break
        power = best
    return lr * 2.0**power, at(power)
