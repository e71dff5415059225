"""The drawings of the pages, by name. Each is given a figure, in whose style it draws."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import clrfast
from clrfast import schedules

CURVES = Path(__file__).parents[1] / "curves"
DATA = Path(__file__).parents[2] / "tests" / "data"
ORANGE, BLUE, GREY = "tab:orange", "tab:blue", "tab:gray"


def draw_schedule(figure: Figure, code: str) -> None:
    """Draw the schedule, or each of the schedules, that the last statement of the code makes."""
    names = {name: getattr(schedules, name) for name in schedules.__all__}
    *before, last = code.strip().split("\n\n")
    exec("\n".join(before), names)
    made = eval(last, names)
    ax = figure.subplots()
    for schedule in made if isinstance(made, list) else [made]:
        schedule.plot(ax)
        ax.lines[-1].set_color(BLUE)
    ax.set_ylim(bottom=0.0)
    ax.ticklabel_format(axis="y", scilimits=(-3, 4))


def range_test(figure: Figure) -> None:
    """What a range test does, and what it sees: the rate of each step, the loss of each step."""
    log = clrfast.logs.read(CURVES / "mnist_cnn_dropout_nesterov.csv")
    above, below = figure.subplots(2, 1, sharex=True)
    above.semilogy(log.lr, color=ORANGE)
    above.set_ylabel("Learning rate")
    below.plot(log.loss, color=BLUE)
    below.set_ylabel("Loss")
    below.set_ylim(0, 3)
    below.set_xlabel("Step")
    below.margins(x=0)


def read(figure: Figure, name: str = "mnist_cnn_dropout_nesterov") -> None:
    """Our reading of a recorded curve."""
    draw_analysis(figure.subplots(), name)


def draw_analysis(ax: Axes, name: str) -> clrfast.Suggestion:
    """Draw a recorded curve with our reading, both bounds named in place, and return the suggestion."""
    analysis = clrfast.logs.read(CURVES / f"{name}.csv").analyze()
    analysis.plot(ax, legend=False)
    bounds = zip(("base_lr", "max_lr"), ("right", "left"), (-3, 3), analysis.suggestion.bounds)
    for label, side, away, rate in bounds:
        if rate is not None:
            place = {"xycoords": ax.get_xaxis_transform(), "textcoords": "offset points", "ha": side}
            ax.annotate(label, (rate, 0.03), xytext=(away, 0), **place)
    return analysis.suggestion


def lost(figure: Figure, name: str = "mnist_cnn_dropout_nesterov") -> None:
    """A curve with our reading, and below it what whole trainings lost at each peak."""
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    found = draw_analysis(above, name)
    above.set_xlabel("")
    trainings(below, name, found)
    below.set_xlim(above.get_xlim())


def peaks(figure: Figure, name: str = "mnist_cnn_dropout_nesterov") -> None:
    """What whole trainings lost at each peak."""
    trainings(figure.subplots(), name, None)


def trainings(ax: Axes, name: str, found: clrfast.Suggestion | None) -> None:
    """Draw what one-cycle trainings lost at each peak, and where we suggest."""
    shares = json.loads((CURVES.parent / "trainings.json").read_text())
    ax.plot(shares["peaks"], 100 * np.array(shares[name]), "o-", color=GREY, ms=3, lw=1)
    if found:
        ax.axvline(found.max_lr, color=ORANGE, lw=1.5)
        if found.max_lr_interval:
            ax.axvspan(*found.max_lr_interval, color=ORANGE, alpha=0.15, lw=0)
    ax.set_xscale("log")
    ax.set_ylim(-4, 104)
    ax.set_ylabel("Lost, %")
    ax.set_xlabel("Learning rate (peak)")


def cycles(figure: Figure) -> None:
    """Cycling between both bounds, and one cycle, over the same training."""
    ax = figure.subplots()
    schedules.triangular(0.015, 0.1, 250).plot(ax, steps=1000)
    schedules.one_cycle(0.1, 1000).plot(ax, steps=1000)
    for line, colour, label in zip(ax.lines, (GREY, ORANGE), ("triangular", "one-cycle")):
        line.set(color=colour, label=label)
    ax.set_ylim(0, 0.118)
    ax.legend(loc="upper right", ncols=2, frameon=False)


def momentum(figure: Figure) -> None:
    """One cycle with the momentum against it."""
    rate = schedules.one_cycle(0.1, 1000)
    above, below = figure.subplots(2, 1, sharex=True)
    rate.plot(above)
    rate.reciprocal(0.85, 0.95, base_lr=rate(0)).plot(below)
    for ax, colour, label in ((above, ORANGE, "Learning rate"), (below, BLUE, "Momentum")):
        ax.lines[0].set_color(colour)
        ax.set_ylabel(label)
    above.set_xlabel("")


def keras_one_cycle(figure: Figure) -> None:
    """The range tests of titu1994's repository, one over the other."""
    ax = figure.subplots()
    for name, log in clrfast.logs.read(DATA / "keras_one_cycle.json").split().items():
        analysis = log.analyze()
        network, *settings = name.split("__")
        label = ", ".join([network, *settings[-1:]])
        ax.plot(analysis.grid_lr, analysis.grid_loss, lw=1.2, label=label)
    ax.set_xscale("log")
    ax.set_xlabel("Learning rate")
    ax.set_ylabel("Fitted loss")
    figure.legend(loc="outside lower center", ncols=2, fontsize="small", frameon=False)


DRAWINGS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (range_test, read, lost, peaks, cycles, momentum, keras_one_cycle)
}
