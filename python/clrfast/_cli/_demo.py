"""The demo: find a range on real data, then train three ways with the same budget and compare."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from clrfast import schedules
from clrfast._cli._demo_data import Data, load
from clrfast._cli._output import tell
from clrfast._cli._show import save_figure, save_plot, summary
from clrfast._range_test import range_test
from clrfast._range_test._progress import is_watched
from clrfast.analysis import Analysis
from clrfast.lr_scheduler import ScheduleLR
from clrfast.schedules import Schedule

# What people try first with SGD: the default of Keras; that of PyTorch, 0.001, does worse here.
_FIXED = 0.01
_HIDDEN = 128


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to train: its schedule, and one validation error (in percent) and time for each seed."""

    name: str
    rates: str
    schedule: Schedule
    errors: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Result:
    """What the demo found; its text is the report."""

    data: str
    steps: int
    analysis: Analysis
    ways: list[Way]

    def __str__(self) -> str:
        """Tell the phases, the range and the table."""
        head = ("", "rate", "mean", "sd", "lowest", "highest", "seconds a run")
        rows = [head, *map(_row, self.ways)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        seeds = len(self.ways[0].errors)
        return "\n".join(
            [
                str(self.analysis),
                "",
                f"Validation error on {self.data} in percent, after {self.steps} steps of SGD with",
                f"momentum 0.9, with the seed{'s' if seeds > 1 else ''} {', '.join(map(str, range(seeds)))}:",
                *(_aligned(row, widths) for row in rows),
                "",
                *map(self._against_fixed, self.ways[1:]),
                f"({_FIXED:g} is a usual first guess for SGD with momentum, not a tuned rate.)",
            ]
        )

    def _against_fixed(self, way: Way) -> str:
        differences = [ours - fixed for ours, fixed in zip(way.errors, self.ways[0].errors)]
        better = sum(difference < 0 for difference in differences)
        mean = statistics.fmean(differences)
        return (
            f"{way.name} against fixed: {mean:+.2f} points, better with {better} of {len(differences)} seeds"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            **summary(self.analysis),
            "data": self.data,
            "steps": self.steps,
            "ways": [
                {
                    "name": way.name,
                    "rates": way.rates,
                    "mean_error": statistics.fmean(way.errors),
                    "sd_error": _spread(way),
                    "errors": list(way.errors),
                    "seconds": list(way.seconds),
                }
                for way in self.ways
            ],
        }


def _spread(way: Way) -> float | None:
    return statistics.stdev(way.errors) if len(way.errors) > 1 else None


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    name, rate, *numbers = row
    texts = name.ljust(widths[0]), rate.ljust(widths[1])
    return "  ".join([*texts, *(number.rjust(width) for number, width in zip(numbers, widths[2:]))])


def _row(way: Way) -> tuple[str, ...]:
    spread = _spread(way)
    return (
        way.name,
        way.rates,
        f"{statistics.fmean(way.errors):.2f}",
        "-" if spread is None else f"{spread:.2f}",
        f"{min(way.errors):.2f}",
        f"{max(way.errors):.2f}",
        f"{statistics.fmean(way.seconds):.2f}",
    )


def demo(name: str, folder: Path | None, seeds: int, out: Path, *, plain: bool) -> Result:
    """Run the demo on the data set `name`, save pictures and the log in `out`, return what was found.

    Args:
        name: "digits" or "fashion".
        folder: Where Fashion-MNIST's files are; None looks in the usual places.
        seeds: How often each way is trained, with seeds 0, 1, ...: network and order of the data.
        out: The folder for the pictures and the log, made where it is missing.
        plain: Show progress as lines, in a terminal too.
    """
    plain = plain or not is_watched()
    data = load(name, folder)
    out.mkdir(parents=True, exist_ok=True)
    steps = data.epochs * len(data.loader(0))
    tell(f"{data.name}: {len(data.train):,} images to train on, {len(data.validation[0]):,} to validate")

    model = network(data, seed=0)
    with _one_thread():
        log = range_test(
            model, optimizer(model), F.cross_entropy, data.loader(0), progress="plain" if plain else True
        )
    tell(log.status)
    log.to_csv(out / "range_test.csv")
    analysis = log.analyze()
    save_plot(analysis, out / "range_test.png", f"LR range test on {data.name}")

    suggestion = analysis.suggestion
    base, top = suggestion.base_lr, suggestion.max_lr
    ways = [
        Way("fixed", f"{_FIXED:g}", schedules.constant(_FIXED)),
        Way("triangular", f"{base:.2g} to {top:.2g}, 2 cycles", schedules.triangular(base, top, steps / 4)),
        Way("one-cycle", f"up to {top:.2g}", schedules.one_cycle(top, steps)),
    ]
    save_schedules(ways, steps, out / "schedules.png")
    with _one_thread(), tqdm(total=len(ways) * seeds, desc="training", unit="run", disable=plain) as bar:
        trained = []
        for way in ways:
            if plain:
                tell(f"training: {seeds} runs, {way.name}")
            trained.append(run(way, data, seeds, bar.update))
    return Result(data.name, steps, analysis, trained)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Matrices this small gain little from more threads, and lose a lot where other work wants the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def network(data: Data, seed: int) -> nn.Module:
    """Return the network before training: the same for all ways of one seed."""
    torch.manual_seed(seed)
    pixels = data.validation[0].shape[1]
    return nn.Sequential(
        *(
            nn.Linear(pixels, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, 10),
        )
    )


def optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of all runs; its rate is set at each step."""
    return torch.optim.SGD(model.parameters(), lr=_FIXED, momentum=0.9)


def run(way: Way, data: Data, seeds: int, done: Callable[[], object]) -> Way:
    """Train with each seed; return the way with its errors and times."""
    errors, seconds = [], []
    for seed in range(seeds):
        start = time.perf_counter()
        model = train(way.schedule, data, seed)
        seconds.append(time.perf_counter() - start)
        x, y = data.validation
        with torch.no_grad():
            wrong = model(x).argmax(dim=1) != y
        errors.append(100 * wrong.float().mean().item())
        done()
    return dataclasses.replace(way, errors=tuple(errors), seconds=tuple(seconds))


def train(schedule: Schedule, data: Data, seed: int) -> nn.Module:
    """Train a new network at the schedule's rates."""
    model = network(data, seed)
    sgd = optimizer(model)
    scheduler = ScheduleLR(sgd, lr=schedule)
    loader = data.loader(seed)
    for _ in range(data.epochs):
        for x, y in loader:
            sgd.zero_grad()
            F.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
            sgd.step()
            scheduler.step()
    return model


def save_schedules(ways: list[Way], steps: int, path: Path) -> None:
    """Save the picture of the rates that the ways train with."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    ax = figure.subplots()
    for way in ways:
        way.schedule.plot(ax, steps=steps)
        ax.lines[-1].set_label(f"{way.name}: {way.rates}")
    ax.set_title("Three ways to train", loc="left")
    figure.legend(loc="outside lower center", ncols=len(ways))
    save_figure(figure, path)
