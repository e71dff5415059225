"""The tutorial's MLP and Adam: nine ways to set the rate, from fresh weights, at two batch sizes."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import time
import warnings
from typing import Any

from study import Job, Study, against, mean_sd, settings, table

from clrfast import schedules
from clrfast.schedules import Schedule
from data import Split, load

DEFAULT = 0.001  # of Adam, in Keras and in PyTorch
GRID = (3e-4, 1e-3, 3e-3, 1e-2)  # what "fixed, tuned" is the best of
FOLDS = 3  # of five, by whose mean it is told
SHORT = "test as long as pays"


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is trained on one data set."""

    rows: int
    epochs: int
    batch_sizes: tuple[int, ...]
    hidden: int
    seeds: int

    def steps(self, batch_size: int) -> int:
        """The steps of a training."""
        return self.rows // batch_size * self.epochs


LARGE = Plan(12_000, 10, (200, 2000), 784, 5)
SMALL = Plan(4_000, 10, (50, 500), 784, 5)  # as many steps an epoch as with a few more images
QUICK = Plan(600, 2, (20, 100), 32, 2)


def plans(study: Study) -> dict[str, Plan]:
    """The data sets, and how much is trained on each."""
    if study.quick:
        found = {study.images: QUICK}
    else:
        found = {study.images: LARGE, **({study.digits: SMALL} if study.digits else {})}
    return {name: study.repeated(plan) for name, plan in found.items()}


def ways(base_lr: float, max_lr: float, steps: int) -> dict[str, Schedule]:
    """The ways between a test's bounds. Cycles that come back do so twice, in half of the steps each."""
    bounds = (base_lr, max_lr, steps / 4)
    return {
        "triangular": schedules.triangular(*bounds),
        "triangular2": schedules.triangular2(*bounds),
        "exp_range": schedules.exp_range(*bounds, gamma=0.25 ** (1 / steps)),  # to a quarter at the end
        "Welch": schedules.welch(*bounds),
        "Hann": schedules.hann(*bounds),
        "SGDR": schedules.sgdr(max_lr, max(1, round(steps / 3)), T_mult=2),  # cycles of one and two thirds
        "one-cycle": schedules.one_cycle(max_lr, steps),
    }


def jobs(study: Study) -> list[Job]:
    """One for each data set, framework, seed and batch size."""
    return [
        Job(f"nine ways: {framework}, {name}, batches of {size}, seed {seed}", one_seed, arguments)
        for name, plan in plans(study).items()
        for framework in study.frameworks
        for seed in range(plan.seeds)
        for size in plan.batch_sizes
        if (arguments := (framework, name, size, seed))
    ]


def one_seed(study: Study, framework: str, name: str, batch_size: int, seed: int) -> dict[str, float]:
    """The error of each way in percent, from the same fresh weights."""
    place = (study, framework, name, batch_size)
    plan = plans(study)[name]
    steps = plan.steps(batch_size)
    found, short = (suggestion(*place, seed, short=short) for short in (False, True))
    rates = {
        "fixed, default": schedules.constant(DEFAULT),
        "fixed, tuned": schedules.constant(tuned(*place)),
        **ways(found["base_lr"], found["max_lr"], steps),
    }
    for way, rate in ways(short["base_lr"], short["max_lr"], steps).items():
        if way in ("triangular", "one-cycle"):
            rates[f"{way}, {SHORT}"] = rate
    split = load(name, study.data_dir).first(plan.rows)
    return {way: trained(*place, split, seed, way, rate)["error"] for way, rate in rates.items()}


def tuned(study: Study, framework: str, name: str, batch_size: int) -> float:
    """The best of a grid of fixed rates, by the mean over folds that are held out of the training rows."""
    whole = load(name, study.data_dir).first(plans(study)[name].rows)

    def error(lr: float) -> float:
        runs = [
            trained(
                *(study, framework, name, batch_size, whole.held_out(fold), 100 + fold),
                *(f"grid {lr:g}", schedules.constant(lr)),
            )
            for fold in range(FOLDS)
        ]
        return sum(run["error"] for run in runs)

    return min(GRID, key=error)


def trained(
    study: Study,
    framework: str,
    name: str,
    batch_size: int,
    split: Split,
    seed: int,
    way: str,
    rate: Schedule,
) -> dict[str, float]:
    """Train fresh weights once, and judge them."""
    plan = plans(study)[name]

    def compute() -> dict[str, float]:
        tool = importlib.import_module(framework)
        model = tool.network(split, plan.hidden, seed)
        begin = time.process_time()
        tool.train(model, split, rate, batch_size, plan.epochs, seed)
        seconds = time.process_time() - begin
        return {"error": tool.error(model, split), "seconds": seconds}

    depends = settings(plan, rate=rate.to_json(), rows=len(split.x))
    place = f"tutorial/{framework}-{name}-{batch_size}/seed{seed}-{way}"
    return study.kept(place, depends, compute)


def suggestion(
    study: Study, framework: str, name: str, batch_size: int, seed: int, *, short: bool = False
) -> dict[str, Any]:
    """What a range test of the fresh weights suggests; Adam's default where that is nothing."""
    plan = plans(study)[name]

    def compute() -> dict[str, Any]:
        tool = importlib.import_module(framework)
        split = load(name, study.data_dir).first(plan.rows)
        model = tool.network(split, plan.hidden, seed)
        return tested(tool, model, split, batch_size, plan.steps(batch_size) if short else None, seed)

    kind = "short-range-test" if short else "range-test"
    return study.kept(
        f"tutorial/{framework}-{name}-{batch_size}/seed{seed}-{kind}", settings(plan, short=short), compute
    )


def tested(
    tool: Any, model: Any, split: Split, batch_size: int, total_steps: int | None, seed: int
) -> dict[str, Any]:
    """A range test as JSON has it: its rows, its bounds, how sure it is and why."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the range test takes up to")  # the table says so
        log = tool.range_test(model, split, batch_size, total_steps, seed)
    found = log.analyze().suggestion
    base_lr, max_lr = found.bounds
    return {
        "lr": log.lr.tolist(),
        "loss": log.loss.tolist(),
        "base_lr": base_lr or DEFAULT / 10,
        "max_lr": max_lr or DEFAULT,
        "confidence": found.confidence or "none",
        "reasons": found.reasons,
    }


def report(study: Study) -> str:
    """The tables, one for each framework and data set, and one of the range tests."""
    parts = []
    for name, plan in plans(study).items():
        for framework in study.frameworks:
            parts.append(_errors(study, framework, name, plan))
    return "\n\n".join([*parts, _range_tests(study)])


def errors(study: Study, framework: str, name: str, batch_size: int) -> dict[str, list[float]]:
    """The errors of each way in percent, one for each seed."""
    seeds = range(plans(study)[name].seeds)
    runs = [one_seed(study, framework, name, batch_size, seed) for seed in seeds]
    return {way: [run[way] for run in runs] for way in runs[0]}


def _errors(study: Study, framework: str, name: str, plan: Plan) -> str:
    title = load(name, study.data_dir).title
    tool = importlib.import_module(framework).TITLE
    found = {size: errors(study, framework, name, size) for size in plan.batch_sizes}
    head = ["way"]
    for size in plan.batch_sizes:
        lr = tuned(study, framework, name, size)
        head += [f"batches of {size:,}: error, %", "against default", f"against tuned ({lr:g})"]
    rows = []
    for way in found[plan.batch_sizes[0]]:
        row = [way]
        for size in plan.batch_sizes:
            here = found[size]
            row += [mean_sd(here[way]), against(here[way], here["fixed, default"])]
            row.append(against(here[way], here["fixed, tuned"]))
        rows.append(row)
    steps = " and ".join(f"{plan.steps(size):,}" for size in plan.batch_sizes)
    words = (
        f"**{tool}, {title}**: {plan.rows:,} images, {plan.epochs} epochs, {steps} steps, {plan.seeds} seeds."
    )
    return f"{words}\n\n{table(head, rows)}"


def _range_tests(study: Study) -> str:
    rows = []
    for name, plan in plans(study).items():
        for framework in study.frameworks:
            for size, short in itertools.product(plan.batch_sizes, (False, True)):
                found = [
                    suggestion(study, framework, name, size, seed, short=short) for seed in range(plan.seeds)
                ]
                rates = ", ".join(f"{one['max_lr']:.2g}" for one in found)
                sure = ", ".join(sorted({one["confidence"] for one in found}))
                steps = f"{max(len(one['lr']) for one in found)} ({plan.steps(size)})"
                cells = [importlib.import_module(framework).TITLE, load(name, study.data_dir).title]
                why = "; ".join(sorted({reason for one in found for reason in one["reasons"]}))
                rows.append([*cells, f"{size:,}", steps, rates, sure, why])
    head = ["framework", "data", "batches of", "steps (the training's)", "max_lr of each seed"]
    words = "**The range tests** of fresh weights: of 200 steps, and as long as pays (`total_steps=`)."
    return f"{words}\n\n{table([*head, 'confidence', 'why'], rows)}"
