"""What a user may write: type-checked, not run; neither mypy --strict nor pyright objects to any of it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

import clrfast
from clrfast import Analysis, Log, Schedule, Suggestion, lr_scheduler, rules, schedules


def find(
    model: nn.Module, optimizer: Optimizer, loader: Iterable[tuple[Tensor, Tensor]]
) -> tuple[Log, Analysis]:
    log = clrfast.range_test(model, optimizer, nn.CrossEntropyLoss(), loader)
    analysis = log.analyze(beta=0.9, threads=1)
    print(analysis.phases.turn_lr, analysis.suggestion.confidence, analysis.to_dict())
    return log, analysis


def cook(model: nn.Module, optimizer: Optimizer, loader: Iterable[tuple[Tensor, Tensor]]) -> clrfast.Recipe:
    recipe = clrfast.tune(
        model, optimizer, nn.CrossEntropyLoss(), loader, total_steps=1000, momentum=[0.8, (0.85, 0.95)]
    )
    choice: clrfast.Choice = recipe.choices["momentum"]
    print(choice.confidence, choice.excess.min(), recipe.max_lr + recipe.base_lr, recipe.to_dict())
    recipe.apply(optimizer).step()
    recipe.plot().savefig("grid.png")
    choice.plot().set_title("Momenta")
    return recipe


def read(path: str) -> Suggestion:
    log = clrfast.logs.read(path)
    for chunk in clrfast.logs.iter_chunks(path):
        print(len(chunk.lr))
    table = log.analyze_runs(threads=2)
    print(table["max_lr"], clrfast.analyze(log.lr, log.loss).smoothed)
    print(rules.compare(log.lr, log.loss))
    return rules.suggest("fastai_valley", log.lr, log.loss)


def remember(lr: NDArray[np.float64], loss: NDArray[np.float64]) -> Log:
    state = clrfast.analysis.State()
    state.add(lr, loss)
    again = clrfast.analysis.State.from_bytes(state.to_bytes())
    print(again.analyze().suggestion.reasons)
    return Log([0.001, 0.01, 0.1], [2.0, 1.0, 3.0], [0, 1, 2])


def draw(analysis: Analysis) -> str:
    analysis.plot().set_title("A range test")
    clrfast.pictures.compare({"a": analysis, "b": analysis}, values=[0.9, 0.99], label="Momentum").grid()
    clrfast.pictures.compare([schedules.constant(0.1), schedules.ramp(0.1, 1.0, 10)])
    return analysis.to_html()


def make(found: Suggestion, total_steps: int) -> Schedule:
    peak: float = found.max_lr
    print(found.base_lr + peak, bool(found), found.triangular(step_size_up=100))
    cycle = found.one_cycle(total_steps)
    rate: float = cycle(3)
    rates: NDArray[np.float64] = cycle.values(0, 10)
    print(rate, rates.mean(), clrfast.schedule(7, base_lr=0.001, max_lr=0.006, step_size_up=2000))
    print(schedules.warmup(cycle, warmup_steps=5)(np.arange(3)).sum(), cycle.to_json(), cycle.total_steps)
    return cycle.then(schedules.constant(1e-4)).scaled(0.5).clamped(1e-5, 0.05).repeat(2)


def drive(optimizer: Optimizer, rate: Schedule) -> dict[str, object]:
    clrfast.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=10)
    lr_scheduler.StepLR(optimizer, step_size=30)  # torch's own
    lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=100).plot()  # and ours
    scheduler = lr_scheduler.ScheduleLR(
        optimizer, lr=rate, momentum=rate.reciprocal(0.85, 0.95, base_lr=rate(0))
    )
    scheduler.step()
    print(scheduler.get_last_lr()[0])
    return scheduler.state_dict()


def elsewhere(folder: str) -> None:
    print(clrfast.dask.analyze(folder).suggestion, clrfast.keras.CyclicLR(max_lr=0.01), clrfast.__version__)
