"""The ways to choose a rate, a momentum and a weight decay."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from grid import MOMENTA, Corner
from torch.optim import SGD
from trainings import Setting, Trainings

import clrfast
from clrfast import schedules

CYCLED = (0.85, 0.95)  # Smith, arXiv:1803.09820: against the rate


@dataclasses.dataclass(frozen=True)
class Proposal:
    """What a way chose.

    Attributes:
        max_lr: The peak of one cycle, or the rate.
        momentum: A number, two that are cycled between against the rate, or the optimizer's own.
        weight_decay: A number, or the optimizer's own.
        search: Steps that the way took.
        constant: Whether the rate stays what it is.
        confidence: How sure the way says it is of the rate.
    """

    max_lr: float
    momentum: float | tuple[float, float] | None = None
    weight_decay: float | None = None
    search: int = 0
    constant: bool = False
    confidence: str = ""

    def setting(self, steps: int) -> Setting:
        """A training of so many steps."""
        rate = (schedules.constant if self.constant else partial(schedules.one_cycle, total_steps=steps))(
            self.max_lr
        )
        if isinstance(self.momentum, tuple):
            momentum = rate.reciprocal(*self.momentum, base_lr=rate(0))
            return Setting(rate, momentum, self.weight_decay)
        return Setting(rate, self.momentum, self.weight_decay)


Chooser = Callable[[Trainings, int], Proposal]


def default(trainings: Trainings, seed: int, constant: bool) -> Proposal:
    """The rate that the optimizer has where none is given."""
    return Proposal(trainings.default_lr(), constant=constant)


def usual(trainings: Trainings, seed: int) -> Proposal:
    """A rate of textbooks, for torch's default for SGD, 0.001, is low: 0.1 for it, and 0.001 for others."""
    return Proposal(0.1 if isinstance(trainings.new(0)[1], SGD) else 0.001)


def range_tested(trainings: Trainings, seed: int) -> Proposal:
    """A range test as long as pays; the default rate where it suggests none."""
    log, search = trainings.range_test(seed, total_steps=trainings.total_steps)
    found = log.analyze().suggestion
    _, max_lr = found.bounds
    if max_lr is None:
        return Proposal(trainings.default_lr(), search=search, confidence="no rate")
    return Proposal(max_lr, search=search, confidence=found.confidence or "")


def tuned(trainings: Trainings, seed: int, validates: bool, **options: Any) -> Proposal:
    """The recipe of `clrfast.tune`, which may look at the half of what is held out that does not judge."""
    recipe = recipe_of(trainings, seed, validates, **options)
    sure = recipe.choices["max_lr"].confidence
    return Proposal(recipe.max_lr, recipe.momentum, recipe.weight_decay, recipe.steps, confidence=sure)


def recipe_of(trainings: Trainings, seed: int, validates: bool, **options: Any) -> clrfast.Recipe:
    """The recipe itself."""
    network, optimizer = trainings.new(seed)
    if validates:
        options["validation"] = list(zip(*(torch.chunk(part, 10) for part in trainings.seen)))
    return clrfast.tune(
        network,
        optimizer,
        trainings.problem.loss,
        trainings.loader(seed),
        total_steps=trainings.total_steps,
        **options,
    )


def optuna(trainings: Trainings, seed: int, parts: int, steps: int) -> Proposal:
    """Short one-cycle trainings at Optuna's proposals, from the ranges of the grid; the best of them.

    Args:
        trainings: What is trained.
        seed: Of the training, and of the proposals.
        parts: A trial has this part of the steps of a training.
        steps: How many all trials together may take, about.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    length = trainings.total_steps // parts
    trials = max(1, round(steps / length))
    # By default the first ten are drawn at random, which would be all there are.
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=parts // 4))
    lowest, highest = (10.0**exponent for exponent in trainings.task.rates)
    decays = trainings.task.decays

    def proposed(ask: Any) -> Proposal:
        return Proposal(
            ask("lr", lowest, highest, log=True),
            1 - ask("1 - momentum", 1 - MOMENTA[-1], 1 - MOMENTA[0], log=True),
            ask("weight_decay", decays[1] / 10, decays[-1], log=True),
            trials * length,
        )

    def loss(trial: Any) -> float:
        ends = trainings.reach(proposed(trial.suggest_float).setting(length), length, seed)
        return min(ends.seen.loss, 1e300)

    study.optimize(loss, n_trials=trials)
    return proposed(lambda name, *_, **__: study.best_params[name])


def at_corner(trainings: Trainings, corner: Corner, cycled: bool = False) -> Proposal:
    """A corner of the grid, in hindsight."""
    return Proposal(
        10 ** (corner.rate / 2),
        CYCLED if cycled else MOMENTA[corner.momentum],
        trainings.task.decays[corner.decay],
    )
