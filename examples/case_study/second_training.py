"""The tutorial's trap: cycles that go on from trained weights, and what else would have gained as much."""

from __future__ import annotations

import copy
import importlib
import time
from collections.abc import Callable
from typing import Any

from study import Job, Study, against, mean_sd, settings, table
from tutorial import DEFAULT, plans, suggestion, tested

from clrfast import schedules
from data import load

FIRST = "first training: Adam at its default"


def jobs(study: Study) -> list[Job]:
    """One for each framework and seed."""
    return [
        Job(f"second training: {framework}, seed {seed}", one_seed, (framework, seed))
        for framework in study.frameworks
        for seed in range(plans(study)[study.images].seeds)
    ]


def one_seed(study: Study, framework: str, seed: int) -> dict[str, dict[str, float]]:
    """Train once at the small batch, then go on in several ways at the large one; each as many images.

    Returns:
        For each training its "error" in percent and its "seconds" of processor time.
    """
    plan = plans(study)[study.images]
    small, large = plan.batch_sizes
    steps = plan.steps(large)
    found = suggestion(study, framework, study.images, large, seed)
    cycles = schedules.triangular(found["base_lr"], found["max_lr"], steps / 4)

    def compute() -> dict[str, dict[str, float]]:
        tool = importlib.import_module(framework)
        split = load(study.images, study.data_dir).first(plan.rows)
        default = schedules.constant(DEFAULT)

        def trained(model: Any, rate: schedules.Schedule, batch_size: int, order: int) -> dict[str, float]:
            begin = time.process_time()
            tool.train(model, split, rate, batch_size, plan.epochs, order)
            seconds = time.process_time() - begin
            return {"error": tool.error(model, split), "seconds": seconds}

        model = tool.network(split, plan.hidden, seed)
        results = {FIRST: trained(model, default, small, seed)}
        again = _copier(model)
        own = tested(tool, again(), split, large, None, seed)
        own_cycles = schedules.triangular(own["base_lr"], own["max_lr"], steps / 4)
        fresh = tool.network(split, plan.hidden, seed)
        second = 500 + seed  # another order
        results["goes on: cycles between fresh weights' bounds"] = trained(again(), cycles, large, second)
        results["goes on: cycles between its own bounds"] = trained(again(), own_cycles, large, second)
        results["goes on: Adam at its default"] = trained(again(), default, large, second)
        results["fresh weights: cycles"] = trained(fresh, cycles, large, seed)
        return results

    place = f"second-training/{framework}-{study.images}/seed{seed}"
    return study.kept(place, settings(plan, cycles=cycles.to_json()), compute)


def _copier(model: Any) -> Callable[[], Any]:
    """A function that gives the trained model anew, in PyTorch or in Keras."""
    if not hasattr(model, "get_weights"):
        return lambda: copy.deepcopy(model)
    import keras

    weights = model.get_weights()

    def again() -> Any:
        other = keras.models.clone_model(model)
        other.set_weights(weights)
        return other

    return again


def errors(study: Study, framework: str) -> dict[str, list[float]]:
    """The error after each training in percent, one for each seed."""
    seeds = range(plans(study)[study.images].seeds)
    runs = [one_seed(study, framework, seed) for seed in seeds]
    return {name: [run[name]["error"] for run in runs] for name in runs[0]}


def report(study: Study) -> str:
    """A table for each framework."""
    plan = plans(study)[study.images]
    small, large = plan.batch_sizes
    title = load(study.images, study.data_dir).title
    parts = []
    for framework in study.frameworks:
        found = errors(study, framework)
        default = found["goes on: Adam at its default"]
        rows = [
            [name, mean_sd(ends), against(ends, found[FIRST]), against(ends, default)]
            for name, ends in found.items()
        ]
        tool = importlib.import_module(framework).TITLE
        words = (
            f"**{tool}, {title}**: {plan.epochs} epochs at batches of {small:,}, "
            f"then {plan.epochs} more at {large:,}; {plan.seeds} seeds."
        )
        head = ["training", "error, %", "against the first", "against going on with Adam's default"]
        parts.append(f"{words}\n\n{table(head, rows)}")
    return "\n\n".join(parts)
