"""Differential rates: a CNN that knows half of the classes learns the others, at one rate or one a group."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from study import Job, Study, against, mean_sd, settings, table
from torch import nn

import clrfast
from clrfast import schedules
from clrfast.lr_scheduler import ScheduleLR
from data import Split, batches, load

_LR = 0.001  # Adam's default, where a range test suggests nothing
KNOWN, NEW = range(5), range(5, 10)
SCRATCH = "from scratch, one rate"
# The rate of the first of three groups, as a share of the last one's; the middle one's lies between.
LOWEST = {"one rate for all": 1.0, "a third each": 1 / 9, "a tenth each": 0.01, "only the new head": 0.0}


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is trained.

    Attributes:
        side: Of the images.
        channels: Of the first convolution.
        pretraining: Steps on the known classes.
        images: How many of the new classes are trained on.
        batch_size: Of both trainings.
        epochs: Of the fine-tuning.
        peaks: Rates of a grid, whose best shows what a better choice of the rate would gain.
        seeds: Trainings of each kind.
    """

    side: int
    channels: int
    pretraining: int
    images: tuple[int, ...]
    batch_size: int
    epochs: int
    peaks: tuple[float, ...]
    seeds: int


FULL = Plan(14, 8, 400, (100, 500), 25, 20, (1e-3, 3e-3, 0.01, 0.03, 0.1), 5)
QUICK = Plan(8, 4, 30, (50,), 25, 8, (1e-2,), 1)


def plan_of(study: Study) -> Plan:
    """The whole or the short one."""
    return study.repeated(QUICK if study.quick else FULL)


def network(channels: int, seed: int) -> nn.Sequential:
    """Three groups of layers: two that see, one that tells five classes."""
    torch.manual_seed(seed)
    first = nn.Sequential(nn.Conv2d(1, channels, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2))
    second = nn.Sequential(
        *(nn.Conv2d(channels, 2 * channels, 3, 1, 1), nn.ReLU(), nn.AdaptiveMaxPool2d(3), nn.Flatten())
    )
    return nn.Sequential(first, second, nn.Linear(18 * channels, 5))


def jobs(study: Study) -> list[Job]:
    """One for each seed."""
    return [Job(f"layer groups: seed {seed}", one_seed, (seed,)) for seed in range(plan_of(study).seeds)]


def one_seed(study: Study, seed: int) -> dict[str, dict[str, Any]]:
    """Pre-train, then fine-tune in all ways: at the rate that a range test suggests, and at a grid's.

    Returns:
        For each number of images and way its "max_lr" with its "confidence", its "error" in percent, and
        the errors at the "grid".
    """
    plan = plan_of(study)
    results = {}
    for images in plan.images:
        for way in (SCRATCH, *LOWEST):
            tuning = _Tuning(study, images, way, seed)
            found = tuning.suggestion()
            results[f"{images} {way}"] = {
                **found,
                "error": tuning.error(found["max_lr"]),
                "grid": [tuning.error(peak) for peak in plan.peaks],
            }
    return results


@functools.lru_cache
def _pretrained(study: Study, seed: int) -> nn.Sequential:
    """The network that knows the first classes."""
    plan = plan_of(study)
    model = network(plan.channels, seed)
    known = _images(study).classes(KNOWN)
    _fit(model, known, 1.0, 0.003, plan.pretraining, plan.batch_size, seed)
    return model


@functools.lru_cache
def _images(study: Study) -> Split:
    return load(study.harder, study.data_dir).first(20_000).images(plan_of(study).side)


@dataclasses.dataclass(frozen=True)
class _Tuning:
    """One way to fine-tune on so many images; each training and test of it is kept."""

    study: Study
    images: int
    way: str
    seed: int

    def suggestion(self) -> dict[str, Any]:
        """What a range test with the same groups suggests."""
        return self._kept("range-test", self._tested)

    def error(self, peak: float) -> float:
        """The share of the test images that are told wrong in percent, after a training up to this rate."""
        return self._kept(f"{peak:.4g}", lambda: self._trained(peak))

    def _kept(self, name: str, compute: Callable[[], Any]) -> Any:
        place = f"layer-groups/{self.study.harder}/{self.images}-{self.way}-seed{self.seed}-{name}"
        return self.study.kept(place, settings(plan_of(self.study)), compute)

    def _start(self) -> nn.Sequential:
        model = network(plan_of(self.study).channels, 1000 + self.seed)
        if self.way != SCRATCH:
            before = _pretrained(self.study, self.seed)
            model[0], model[1] = copy.deepcopy(before[0]), copy.deepcopy(before[1])
        return model

    def _split(self) -> tuple[Split, int]:
        """What is trained on, and for how many steps."""
        plan = plan_of(self.study)
        split = _some(_images(self.study).classes(NEW), self.images, self.seed)
        return split, plan.epochs * (len(split.x) // plan.batch_size)

    def _tested(self) -> dict[str, Any]:
        model = self._start()
        split, _ = self._split()
        loader = batches(split.x, split.y, plan_of(self.study).batch_size, self.seed)
        optimizer = _optimizer(model, LOWEST.get(self.way, 1.0))
        log = clrfast.range_test(model, optimizer, F.cross_entropy, loader)
        found = log.analyze().suggestion
        return {"max_lr": found.bounds[1] or _LR, "confidence": found.confidence or "none"}

    def _trained(self, peak: float) -> float:
        model = self._start()
        split, steps = self._split()
        lowest = LOWEST.get(self.way, 1.0)
        _fit(model, split, lowest, peak, steps, plan_of(self.study).batch_size, self.seed)
        return _error(model, split)


def _some(split: Split, images: int, seed: int) -> Split:
    """So many of the training images, chosen by the seed, as many of each class."""
    order = torch.randperm(len(split.x), generator=torch.Generator().manual_seed(seed))
    each = images // len(NEW)
    rows = torch.cat([order[split.y[order] == label][:each] for label in range(len(NEW))])
    return split._replace(x=split.x[rows], y=split.y[rows])


def _optimizer(model: nn.Module, lowest: float) -> torch.optim.Optimizer:
    """Adam with a rate for each group, in equal ratios; a group that is not trained is left out."""
    groups = [
        {"params": list(part.parameters()), "lr": _LR * share}
        for part, share in zip(model.children(), (lowest, lowest**0.5, 1.0))
        if share
    ]
    return torch.optim.Adam(groups, fused=True)


def _fit(
    model: nn.Module, split: Split, lowest: float, peak: float, steps: int, batch_size: int, seed: int
) -> None:
    """Train by one-cycle, each group at its share of the rate."""
    optimizer = _optimizer(model, lowest)
    shares = [group["lr"] / _LR for group in optimizer.param_groups]
    rates = schedules.discriminative(schedules.one_cycle(peak, steps), shares)
    scheduler = ScheduleLR(optimizer, lr=rates)
    loader = batches(split.x, split.y, batch_size, seed)
    done = 0
    while done < steps:
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
            done += 1
            if done == steps:
                break


def _error(model: nn.Module, split: Split) -> float:
    """The share of the test images that are told wrong, in percent."""
    model.eval()
    with torch.no_grad():
        wrong = model(split.test_x).argmax(dim=1) != split.test_y
    return 100 * wrong.float().mean().item()


def found(study: Study) -> dict[tuple[int, str], list[dict[str, Any]]]:
    """What each number of images and way led to, one for each seed."""
    plan = plan_of(study)
    runs = [one_seed(study, seed) for seed in range(plan.seeds)]
    return {
        (images, way): [run[f"{images} {way}"] for run in runs]
        for images in plan.images
        for way in (SCRATCH, *LOWEST)
    }


def report(study: Study) -> str:
    """The table: at the suggested rate, and at the grid's best."""
    plan = plan_of(study)
    results = found(study)
    rows = []
    for (images, way), runs in results.items():
        one = results[images, "one rate for all"]
        grids = [[run["grid"][i] for run in runs] for i in range(len(plan.peaks))]
        best = min(range(len(plan.peaks)), key=lambda i: sum(grids[i]))
        ends = [run["error"] for run in runs]
        others = ends if runs is one else [run["error"] for run in one]
        rates = ", ".join(f"{run['max_lr']:.2g}" for run in runs)
        reached = f"{mean_sd(grids[best])} at {plan.peaks[best]:g}"
        rows.append([f"{images:,}", way, mean_sd(ends), against(ends, others), rates, reached])
    title = load(study.harder, study.data_dir).title
    words = (
        f"**{title}**, pre-trained for {plan.pretraining} steps on classes 0 to 4, fine-tuned for "
        f"{plan.epochs} epochs on some images of classes 5 to 9, by one-cycle and Adam; {plan.seeds} seeds."
    )
    head = ["images", "way", "error at the suggested rate, %", "against one rate", "max_lr, each seed"]
    return f"{words}\n\n{table([*head, 'best of the grid, %'], rows)}"
