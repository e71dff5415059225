"""The grid of rates, momenta and weight decays: what can be reached, for others to be measured by."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

from trainings import Ends, Setting, Trainings

from clrfast import schedules

MOMENTA = (0.8, 0.9, 0.95, 0.99)
KEPT = 8  # corners that all seeds are trained at: the best of the first seed,
OWN = 2  # and the best of those with the optimizer's own momentum and decay


class Corner(NamedTuple):
    """A place in the grid: the rate is 10 ** (rate / 2), the others are places in their lists."""

    rate: int
    momentum: int
    decay: int


@dataclasses.dataclass
class Grid:
    """What the corners reached.

    Attributes:
        first: At each corner, with the first seed.
        every: At the best corners, with each seed.
        usual: The best of them whose momentum and decay are the optimizer's own.
    """

    first: dict[Corner, Ends]
    every: dict[Corner, list[Ends]]
    usual: Corner

    @property
    def best(self) -> Corner:
        """The best corner, in the mean over the seeds."""
        return min(self.every, key=lambda corner: mean_loss(self.every[corner]))


def setting(trainings: Trainings, corner: Corner) -> Setting:
    """One-cycle at a corner."""
    return Setting(
        schedules.one_cycle(10 ** (corner.rate / 2), trainings.total_steps),
        MOMENTA[corner.momentum],
        trainings.task.decays[corner.decay],
    )


def search(trainings: Trainings, seeds: range) -> Grid:
    """Train at the corners that matter.

    First seven rates, half a decade from each other, at the optimizer's own momentum and decay. Then all
    momenta with the first four decays at the best of these rates; for SGD it is lower where the momentum is
    higher, since lr / (1 - momentum) is what counts. Then the neighbours of the best corner, until none is
    better. All with the first seed; then the best corners with the others too.
    """
    _, optimizer = trainings.new(0)
    (group,) = optimizer.param_groups
    usual = MOMENTA.index(group["betas"][0] if "betas" in group else group["momentum"])
    decays = trainings.task.decays
    decay = decays.index(group["weight_decay"])
    found: dict[Corner, Ends] = {}

    def train(corners: Iterable[Corner]) -> Corner:
        for corner in corners:
            if corner not in found:
                found[corner] = trainings.reach(setting(trainings, corner), trainings.total_steps, seeds[0])
        return min(found, key=lambda corner: found[corner].judged.loss)

    lowest, highest = (round(2 * exponent) for exponent in trainings.task.rates)
    best = train(Corner(rate, usual, decay) for rate in range(lowest, highest + 1))
    shifts = [
        0 if "betas" in group else round(2 * math.log10((1 - momentum) / (1 - MOMENTA[usual])))
        for momentum in MOMENTA
    ]
    best = train(
        Corner(best.rate + shifts[momentum], momentum, place)
        for momentum, place in itertools.product(range(len(MOMENTA)), range(len(decays[:4])))
    )
    while True:
        better = train(_neighbours(best, len(decays)))
        if better == best:
            break
        best = better
    ranked = sorted(found, key=lambda corner: found[corner].judged.loss)
    own = [corner for corner in ranked if (corner.momentum, corner.decay) == (usual, decay)][:OWN]
    every = {
        corner: [trainings.reach(setting(trainings, corner), trainings.total_steps, seed) for seed in seeds]
        for corner in dict.fromkeys(ranked[:KEPT] + own)
    }
    return Grid(found, every, min(own, key=lambda corner: mean_loss(every[corner])))


def mean_loss(ends: list[Ends]) -> float:
    """The judged loss, in the mean over the seeds."""
    return sum(end.judged.loss for end in ends) / len(ends)


def _neighbours(corner: Corner, decays: int) -> list[Corner]:
    """One step in each direction; a change of momentum also with the opposite one of the rate."""
    rate, momentum, decay = corner
    near = [(rate - 1, momentum, decay), (rate + 1, momentum, decay)]
    near += [(rate, momentum, decay - 1), (rate, momentum, decay + 1)]
    near += [(rate - by, momentum + step, decay) for step in (-1, 1) for by in (0, step)]
    return [Corner(*place) for place in near if place[1] in range(len(MOMENTA)) and place[2] in range(decays)]
