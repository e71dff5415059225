"""The pictures of the study (they need matplotlib), each readable at 600 pixels."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import layer_groups
import numpy as np
import second_training
import super_convergence
import tutorial
from matplotlib.figure import Figure
from study import Study

import clrfast
from data import load

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BATCHES = ("tab:blue", "tab:orange")  # the small batch and the large one


def draw(study: Study, parts: Sequence[str]) -> list[Path]:
    """Save the pictures of some parts in `study.out`, and return where."""
    paths = []
    for part in parts:
        for name, figure in _PARTS[part](study).items():
            path = study.out / f"{name}.png"
            figure.savefig(path, dpi=110)
            paths.append(path)
    return paths


def _tutorial(study: Study) -> dict[str, Figure]:
    figures = {}
    for name, plan in tutorial.plans(study).items():
        figures[f"nine_ways_{name}"] = _nine_ways(study, name, plan)
        figures[f"range_tests_{name}"] = _range_tests(study, name, plan)
    return figures


def _nine_ways(study: Study, name: str, plan: tutorial.Plan) -> Figure:
    """A dot for each seed, a line for the mean, of both batch sizes; a panel for each framework."""
    figure = _figure(2.2 + 2.4 * len(study.frameworks))
    panels = np.atleast_1d(figure.subplots(len(study.frameworks), 1, sharex=True))
    for ax, framework in zip(panels, study.frameworks):
        for size, colour, shift in zip(plan.batch_sizes, _BATCHES, (-0.15, 0.15)):
            found = tutorial.errors(study, framework, name, size)
            for row, errors in enumerate(found.values()):
                _dots(ax, errors, row + shift, colour, f"batches of {size:,}" if row == 0 else None)
        ax.set_yticks(range(len(found)), list(found))
        ax.invert_yaxis()
        ax.set_title(importlib.import_module(framework).TITLE, loc="left", fontsize=10)
        ax.grid(axis="x", alpha=0.3)
    panels[0].legend()
    panels[-1].set_xlabel("Test error (%): each seed, and the mean")
    title = load(name, study.data_dir).title
    figure.suptitle(f"Nine ways to set Adam's rate, {title}, {plan.epochs} epochs from fresh weights")
    return figure


def _range_tests(study: Study, name: str, plan: tutorial.Plan) -> Figure:
    """What `Analysis.plot` draws of the first seed's tests, a panel for each batch size."""
    figure = _figure(3.8)
    panels = np.atleast_1d(figure.subplots(1, len(plan.batch_sizes)))
    for ax, size in zip(panels, plan.batch_sizes):
        found = tutorial.suggestion(study, study.frameworks[0], name, size, 0)
        analysis = clrfast.analyze(np.array(found["lr"]), np.array(found["loss"]))
        analysis.plot(ax, legend=False)
        ax.set_title(f"batches of {size:,}", loc="left", fontsize=10)
    figure.suptitle(f"Range tests of fresh weights, {load(name, study.data_dir).title}")
    return figure


def _second_training(study: Study) -> dict[str, Figure]:
    """A dot for each seed and training, a panel for each framework."""
    figure = _figure(1.4 + 1.8 * len(study.frameworks))
    panels = np.atleast_1d(figure.subplots(len(study.frameworks), 1, sharex=True))
    for ax, framework in zip(panels, study.frameworks):
        found = second_training.errors(study, framework)
        for row, (way, errors) in enumerate(found.items()):
            _dots(ax, errors, row, "tab:blue" if way.startswith("goes on") else "tab:gray", None)
        ax.set_yticks(range(len(found)), list(found))
        ax.invert_yaxis()
        ax.set_title(importlib.import_module(framework).TITLE, loc="left", fontsize=10)
        ax.grid(axis="x", alpha=0.3)
    panels[-1].set_xlabel("Test error (%): each seed, and the mean")
    figure.suptitle("A second training, from trained weights and from fresh ones")
    return {"second_training": figure}


def _layer_groups(study: Study) -> dict[str, Figure]:
    """The error over the grid's rates, and at the suggested ones; a panel for each number of images."""
    plan = layer_groups.plan_of(study)
    results = layer_groups.found(study)
    figure = _figure(4.2)
    panels = np.atleast_1d(figure.subplots(1, len(plan.images)))
    for ax, images in zip(panels, plan.images):
        for index, way in enumerate((layer_groups.SCRATCH, *layer_groups.LOWEST)):
            runs = results[images, way]
            grid = np.mean([run["grid"] for run in runs], axis=0)
            ax.plot(plan.peaks, grid, f"C{index}", marker=".", label=way)
            suggested = np.exp(np.mean([np.log(run["max_lr"]) for run in runs]))
            reached = np.mean([run["error"] for run in runs])
            ax.plot(suggested, reached, f"C{index}", marker="*", markersize=11, linestyle="none")
        ax.set(xscale="log", xlabel="Peak of the last group's rate")
        ax.set_title(f"{images:,} images of five new classes", loc="left", fontsize=10)
        ax.grid(alpha=0.3)
    panels[0].set_ylabel("Test error (%), mean over seeds")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    figure.suptitle("A rate for each layer group; stars are the range tests' suggestions")
    return {"layer_groups": figure}


def _super_convergence(study: Study) -> dict[str, Figure]:
    """The error over the length of the training."""
    plan = super_convergence.plan_of(study)
    found = super_convergence.errors(study)
    figure = _figure(4.0)
    ax = figure.subplots()
    for index, (way, lengths) in enumerate(found.items()):
        means = [np.mean(lengths[epochs]) for epochs in plan.epochs]
        line = "--" if way.startswith("staircase") else "-"
        ax.plot(plan.epochs, means, f"C{index}", linestyle=line, marker="o", markersize=4, label=way)
        for epochs in plan.epochs:
            ax.plot([epochs] * plan.seeds, lengths[epochs], f"C{index}", marker=".", ls="none", alpha=0.4)
    ax.set(xscale="log", xlabel="Epochs", ylabel="Test error (%): each seed, and the mean")
    ax.set_xticks(plan.epochs, [str(epochs) for epochs in plan.epochs])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(fontsize=9)
    title = load(study.harder, study.data_dir).title
    ax.set_title(f"One-cycle and staircases: a small ResNet, {plan.rows:,} images, {title}", loc="left")
    return {"super_convergence": figure}


def _figure(height: float) -> Figure:
    return Figure(figsize=(8, height), layout="constrained")


def _dots(ax: Axes, errors: Sequence[float], row: float, colour: Any, label: str | None) -> None:
    ax.plot(errors, [row] * len(errors), ".", color=colour, alpha=0.5)
    ax.plot(np.mean(errors), row, "|", color=colour, markersize=13, markeredgewidth=2.5, label=label)


_PARTS = {
    "tutorial": _tutorial,
    "second-training": _second_training,
    "layer-groups": _layer_groups,
    "super-convergence": _super_convergence,
}
