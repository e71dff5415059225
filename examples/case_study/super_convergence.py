"""Super-convergence (Smith and Topin, arXiv:1708.07120): a high one-cycle against a falling staircase."""

from __future__ import annotations

import dataclasses
import statistics

import torch
import torch.nn.functional as F
from study import Job, Study, against, mean_sd, settings, table
from torch import Tensor, nn

import clrfast
from clrfast import schedules
from clrfast.lr_scheduler import ScheduleLR
from clrfast.schedules import Schedule
from data import Split, batches, load


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is trained.

    Attributes:
        rows: Images.
        side: Of the images.
        channels: Of the first of three blocks.
        batch_size: A fiftieth of the rows, as in the paper, which has 1,000 of 50,000.
        weight_decay: The paper's.
        epochs: Lengths of trainings, each three times the one before.
        usual: The paper's rate for staircases is 0.35, that of others 0.1.
        high: The paper's one-cycle reaches 3 at batches of 1,000; here everything above 1 fails.
        seeds: Trainings of each kind.
    """

    rows: int
    side: int
    channels: int
    batch_size: int
    weight_decay: float
    epochs: tuple[int, ...]
    usual: float
    high: float
    seeds: int

    def steps(self, epochs: int) -> int:
        """The steps of a training."""
        return self.rows // self.batch_size * epochs


FULL = Plan(2000, 10, 8, 40, 1e-4, (5, 15, 45), 0.1, 0.5, 3)
QUICK = Plan(300, 8, 4, 60, 1e-4, (2, 6), 0.1, 0.5, 1)


def plan_of(study: Study) -> Plan:
    """The whole or the short one."""
    return study.repeated(QUICK if study.quick else FULL)


class ResidualBlock(nn.Module):
    """Two convolutions with batch norm, and the way around them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.around = (
            nn.Identity() if before == after and stride == 1 else nn.Conv2d(before, after, 1, stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.inner(x) + self.around(x))


def network(channels: int, seed: int) -> nn.Module:
    """A ResNet of three blocks for grey images of any size and 10 classes."""
    torch.manual_seed(seed)
    c = channels
    first = (nn.Conv2d(1, c, 3, 1, 1, bias=False), nn.BatchNorm2d(c), nn.ReLU())
    blocks = (ResidualBlock(c, c, 1), ResidualBlock(c, 2 * c, 2), ResidualBlock(2 * c, 4 * c, 2))
    return nn.Sequential(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * c, 10))


def staircase(lr: float, steps: int) -> Schedule:
    """A tenth after a half and after three quarters, as for ResNets on CIFAR-10."""
    return schedules.multistep(lr, [max(1, steps // 2), max(2, 3 * steps // 4)])


def jobs(study: Study) -> list[Job]:
    """One for each seed and length."""
    plan = plan_of(study)
    return [
        Job(f"super-convergence: {epochs} epochs, seed {seed}", one_length, (epochs, seed))
        for seed in range(plan.seeds)
        for epochs in plan.epochs
    ]


def one_length(study: Study, epochs: int, seed: int) -> dict[str, float]:
    """The error of each way in percent, after so many epochs from fresh weights."""
    plan = plan_of(study)
    steps = plan.steps(epochs)
    found = suggested(study, seed)
    ways = {
        f"one-cycle, high ({plan.high:g})": schedules.one_cycle(plan.high, steps),
        f"one-cycle, usual ({plan.usual:g})": schedules.one_cycle(plan.usual, steps),
        "one-cycle, as the range test says": schedules.one_cycle(found, steps),
        f"staircase, usual ({plan.usual:g})": staircase(plan.usual, steps),
        f"staircase, high ({plan.high:g})": staircase(plan.high, steps),
    }
    return {way: _trained(study, plan, way, rate, epochs, seed) for way, rate in ways.items()}


def suggested(study: Study, seed: int) -> float:
    """The rate of a range test, a tenth as long as the longest training; the usual one where it has none."""
    plan = plan_of(study)

    def compute() -> float:
        split = _split(study, plan)
        model = network(plan.channels, seed)
        loader = batches(split.x, split.y, plan.batch_size, seed)
        steps = max(50, plan.steps(plan.epochs[-1]) // 10)
        log = clrfast.range_test(model, _sgd(model, plan), F.cross_entropy, loader, steps=steps)
        return log.analyze().suggestion.bounds[1] or plan.usual

    place = f"super-convergence/{study.harder}/seed{seed}-range-test"
    return study.kept(place, settings(plan), compute)


def _trained(study: Study, plan: Plan, way: str, rate: Schedule, epochs: int, seed: int) -> float:
    place = f"super-convergence/{study.harder}/{epochs}-seed{seed}-{way.replace('.', '')}"
    depends = settings(plan, rate=rate.to_json(), epochs=epochs)
    # Against the rate, as in the paper, where that cycles.
    momentum = None if way.startswith("stair") else rate.reciprocal(0.85, 0.95, base_lr=rate(0))
    return study.kept(place, depends, lambda: _train(_split(study, plan), plan, rate, momentum, epochs, seed))


def _split(study: Study, plan: Plan) -> Split:
    """Images of the plan's size, standardized."""
    split = load(study.harder, study.data_dir).first(plan.rows).images(plan.side)
    mean, deviation = split.x.mean(), split.x.std()
    return split._replace(x=(split.x - mean) / deviation, test_x=(split.test_x - mean) / deviation)


def _train(
    split: Split, plan: Plan, rate: Schedule, momentum: Schedule | None, epochs: int, seed: int
) -> float:
    """Train fresh weights; return the error on the test images in percent."""
    model = network(plan.channels, seed)
    sgd = _sgd(model, plan)
    scheduler = ScheduleLR(sgd, lr=rate, **({"momentum": momentum} if momentum else {}))
    loader = batches(split.x, split.y, plan.batch_size, seed)
    for _ in range(epochs):
        for x, y in loader:
            sgd.zero_grad()
            F.cross_entropy(model(x), y).backward()
            sgd.step()
            scheduler.step()
    model.eval()
    with torch.no_grad():
        told = torch.cat([model(rows).argmax(dim=1) for rows in split.test_x.split(1000)])
    return 100 * (told != split.test_y).float().mean().item()


def _sgd(model: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        model.parameters(), lr=plan.usual, momentum=0.9, weight_decay=plan.weight_decay, fused=True
    )


def errors(study: Study) -> dict[str, dict[int, list[float]]]:
    """The errors of each way in percent, for each length one of each seed."""
    plan = plan_of(study)
    runs = {epochs: [one_length(study, epochs, seed) for seed in range(plan.seeds)] for epochs in plan.epochs}
    ways = runs[plan.epochs[0]][0]
    return {way: {epochs: [run[way] for run in of] for epochs, of in runs.items()} for way in ways}


def report(study: Study) -> str:
    """The table: each way at each length, and against the staircase that takes three times as long."""
    plan = plan_of(study)
    found = errors(study)
    best = {
        epochs: min(
            (found[way][epochs] for way in found if way.startswith("staircase")), key=statistics.fmean
        )
        for epochs in plan.epochs
    }
    rows = []
    for way, lengths in found.items():
        row = [way, *(mean_sd(lengths[epochs]) for epochs in plan.epochs)]
        for epochs, longer in zip(plan.epochs, plan.epochs[1:]):
            row.append(against(lengths[epochs], best[longer]))
        rows.append(row)
    head = ["way", *(f"{epochs} epochs: error, %" for epochs in plan.epochs)]
    head += [
        f"{epochs} epochs against the better staircase's {longer}"
        for epochs, longer in zip(plan.epochs, plan.epochs[1:])
    ]
    rates = ", ".join(f"{suggested(study, seed):.2g}" for seed in range(plan.seeds))
    words = (
        f"**{load(study.harder, study.data_dir).title}**: {plan.rows:,} images of {plan.side} x {plan.side}, "
        f"batches of {plan.batch_size}, weight decay {plan.weight_decay:g}, {plan.seeds} seeds. "
        f"The range tests say {rates}."
    )
    return f"{words}\n\n{table(head, rows)}"
