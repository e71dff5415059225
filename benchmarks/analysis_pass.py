"""Claim: ten million rows are analysed as fast as memory gives them, many times faster than others take.

Run: python benchmarks/analysis_pass.py [--rows N]
Every contender reduces the log to cells of ln(lr) and fits the same local regression to them; the results
are compared first. What people usually do, a debiased average and its slope, is timed too. clrfast's times
are those of its whole default analysis (regression, phases, suggestion), which is more. polars (which takes
all cores) and numba take part where they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import clrfast
from clrfast.smoothing import local_linear
from timing import medians, report

WIDTH = math.log(10) / 64
WINDOW = 0.8 * math.log(10)
Columns = tuple[Any, Any, Any]  # mean ln(lr), mean loss and rows of each cell


def log(rows: int) -> tuple[Any, Any]:
    x = np.linspace(math.log(1e-6), math.log(10), rows)
    loss = 2 - 1.5 / (1 + np.exp(-2 * (x + 7))) + 0.1 * np.exp(1.5 * x)
    return np.exp(x), loss + 0.05 * np.random.default_rng(0).standard_normal(rows)


def fitted(cells: Columns) -> tuple[Any, Any]:
    """Loss and slope of a local linear regression at every cell."""
    x, loss, rows = cells
    distance = x[None, :] - x[:, None]
    weight = np.maximum(0, 1 - (distance / WINDOW) ** 2) * rows
    total = weight.sum(1)
    mean_x = (weight * distance).sum(1) / total
    mean_loss = weight @ loss / total
    off = distance - mean_x[:, None]
    slope = (weight * off * (loss[None, :] - mean_loss[:, None])).sum(1) / (weight * off**2).sum(1)
    return mean_loss - slope * mean_x, slope


def with_numpy(lr: Any, loss: Any) -> tuple[Any, Any]:
    x = np.log(lr)
    cell = np.floor(x / WIDTH + 0.5).astype(np.int32)
    cell -= cell.min()
    good = np.isfinite(loss)
    rows = np.bincount(cell, good)
    kept = rows > 0
    sum_x = np.bincount(cell, np.where(good, x, 0))[kept]
    sum_loss = np.bincount(cell, np.where(good, loss, 0))[kept]
    rows = rows[kept]
    return fitted((sum_x / rows, sum_loss / rows, rows))


def with_polars(lr: Any, loss: Any) -> tuple[Any, Any]:
    import polars as pl

    frame = pl.DataFrame({"x": lr, "loss": loss}).lazy().with_columns(pl.col("x").log())
    cells = (
        frame.filter(pl.col("loss").is_finite())
        .group_by((pl.col("x") / WIDTH + 0.5).floor().cast(pl.Int32).alias("cell"))
        .agg(pl.col("x").mean(), pl.col("loss").mean(), pl.len().alias("rows"))
        .sort("cell")
        .collect()
    )
    return fitted(tuple(cells[name].to_numpy() for name in ("x", "loss", "rows")))


def numba_contender() -> Any:
    import numba

    @numba.njit
    def cells_of(lr: Any, loss: Any, first: int, size: int) -> Any:
        sums = np.zeros((3, size))
        for i in range(len(lr)):
            if np.isfinite(loss[i]):
                x = math.log(lr[i])
                cell = math.floor(x / WIDTH + 0.5) - first
                sums[0, cell] += x
                sums[1, cell] += loss[i]
                sums[2, cell] += 1
        return sums

    def with_numba(lr: Any, loss: Any) -> tuple[Any, Any]:
        first = math.floor(math.log(lr.min()) / WIDTH + 0.5)
        size = math.floor(math.log(lr.max()) / WIDTH + 0.5) - first + 1
        x, total, rows = cells_of(lr, loss, first, size)
        kept = rows > 0
        return fitted((x[kept] / rows[kept], total[kept] / rows[kept], rows[kept]))

    return with_numba


def usual_end(lr: Any, x: Any, smoothed: Any) -> tuple[float, float, float]:
    """The minimum of a smoothed curve, and its steepest slope over a window of rows."""
    reach = len(lr) // 32
    slope = (smoothed[reach:] - smoothed[:-reach]) / (x[reach:] - x[:-reach])
    return lr[np.argmin(smoothed)], smoothed.min(), lr[np.argmin(slope) + reach // 2]


def usual_numpy(lr: Any, loss: Any) -> tuple[float, float, float]:
    from scipy.signal import lfilter

    smoothed = lfilter([0.02], [1, -0.98], loss) / (1 - 0.98 ** np.arange(1, len(loss) + 1))
    return usual_end(lr, np.log(lr), smoothed)


def usual_polars(lr: Any, loss: Any) -> tuple[float, float, float]:
    import polars as pl

    smoothed = pl.Series(loss).ewm_mean(alpha=0.02, adjust=True).to_numpy()
    return usual_end(lr, np.log(lr), smoothed)


def usual_numba() -> Any:
    import numba

    @numba.njit
    def pipeline(lr: Any, loss: Any) -> Any:
        n = len(lr)
        reach = n // 32
        smoothed = np.empty(n)
        x = np.empty(n)
        average, decay = 0.0, 1.0
        lowest, steepest, at_lowest, at_steepest = np.inf, np.inf, 0, 0
        for i in range(n):
            average = 0.98 * average + 0.02 * loss[i]
            decay *= 0.98
            smoothed[i] = average / (1 - decay)
            x[i] = math.log(lr[i])
            if smoothed[i] < lowest:
                lowest, at_lowest = smoothed[i], i
            if i >= reach:
                slope = (smoothed[i] - smoothed[i - reach]) / (x[i] - x[i - reach])
                if slope < steepest:
                    steepest, at_steepest = slope, i - reach
        return lr[at_lowest], lowest, lr[at_steepest + reach // 2]

    return pipeline


def with_average(lr: Any, loss: Any) -> tuple[clrfast.Analysis, Any]:
    a = clrfast.analyze(lr, loss, threads=1)
    return a, a.smoothed.min()


def compare(lr: Any, loss: Any, contenders: dict[str, Any], usual: dict[str, Any]) -> None:
    ours = local_linear(lr, loss, window=WINDOW)
    for name, contender in contenders.items():
        level, slope = contender(lr, loss)
        worst = max(np.abs(level - ours.loss).max(), np.abs(slope - ours.slope).max())
        assert worst < 1e-6, f"{name} differs by {worst}"
        print(f"  {name}: fit agrees with clrfast's to {worst:.0e}")
    for name, contender in usual.items():
        lowest = contender(lr, loss)[1]
        assert abs(lowest - with_average(lr, loss)[1]) < 1e-9, f"{name} differs: {lowest}"


def two_at_once(one: Callable[[], object], other: Callable[[], object]) -> None:
    workers = [threading.Thread(target=target) for target in (one, other)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def report_threads(title: str, lr: Any, loss: Any) -> None:
    other = lr.copy(), loss.copy()
    seconds = medians(
        {
            "one thread": lambda: clrfast.analyze(lr, loss, threads=1),
            "two threads": lambda: clrfast.analyze(lr, loss, threads=2),
            "two logs, in two Python threads": lambda: two_at_once(
                lambda: clrfast.analyze(lr, loss, threads=1), lambda: clrfast.analyze(*other, threads=1)
            ),
            "ndarray.sum": lambda: (lr.sum(), loss.sum()),
            "ndarray.sum, a thread for each column": lambda: two_at_once(lr.sum, loss.sum),
        }
    )
    report(f"{title}, in threads, as far as memory feeds two", seconds, "one thread", "ms")


def report_types(lr: Any, loss: Any) -> None:
    """Rows of float32 against the same numbers as float64, on a log beyond the caches and one within them."""
    for every in (1, max(1, len(lr) // 100_000)):
        rows, losses = lr[::every].astype("f4"), loss[::every].astype("f4")
        wide = rows.astype("f8"), losses.astype("f8")
        seconds = medians(
            {
                "float64": lambda wide=wide: clrfast.analyze(*wide, threads=1),
                "float32": lambda rows=rows, losses=losses: clrfast.analyze(rows, losses, threads=1),
                "rates float64, losses float32": lambda wide=wide, losses=losses: clrfast.analyze(
                    wide[0], losses, threads=1
                ),
            },
            rounds=21,
        )
        report(f"{len(rows):,} rows by type", seconds, "float64", "ms")


def peak() -> int:
    """Peak resident memory of this process in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def memory_growth(rows: int) -> int:
    """Peak memory, in KiB, that an analysis adds in a fresh process."""
    run = subprocess.run(
        [sys.executable, __file__, "--rows", str(rows), "--memory"],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(run.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--memory", action="store_true", help="only print the peak's growth")
    options = parser.parse_args()
    lr, loss = log(options.rows)
    if options.memory:
        clrfast.analyze(lr[:: options.rows // 1000], loss[:: options.rows // 1000], threads=1)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew (Linux)
        before = peak()
        clrfast.analyze(lr, loss, threads=1)
        print(peak() - before)
        return

    peers: dict[str, Any] = {"NumPy": with_numpy}
    usual: dict[str, Any] = {"NumPy + SciPy": usual_numpy}
    if importlib.util.find_spec("polars"):
        peers["polars + NumPy"], usual["polars + NumPy"] = with_polars, usual_polars
    if importlib.util.find_spec("numba"):
        peers["numba loop"], usual["numba loop"] = numba_contender(), usual_numba()
    compare(lr, loss, peers, usual)
    seconds = medians(
        {
            "clrfast, one thread": lambda: clrfast.analyze(lr, loss, threads=1),
            "ndarray.sum of both columns": lambda: (lr.sum(), loss.sum()),
            **{name: (lambda peer=peer: peer(lr, loss)) for name, peer in peers.items()},
        },
        rounds=9,
    )
    report(f"{options.rows:,} rows of float64", seconds, "clrfast, one thread", "ms")
    rate = seconds["ndarray.sum of both columns"] / seconds["clrfast, one thread"]
    print(f"  share of the rate at which ndarray.sum reads: {rate:.0%}")
    report_types(lr, loss)
    report_threads(f"{options.rows:,} rows of float64", lr, loss)
    report_threads(f"{options.rows:,} rows of float32", lr.astype("f4"), loss.astype("f4"))
    seconds = medians(
        {
            "clrfast, with the average": lambda: with_average(lr, loss),
            **{name: (lambda peer=peer: peer(lr, loss)) for name, peer in usual.items()},
        },
        rounds=7,
    )
    report("as usual: debiased average, minimum, slope", seconds, "clrfast, with the average", "ms")
    if sys.platform == "linux":
        print(f"  peak memory that an analysis adds: {memory_growth(options.rows)} KiB")


if __name__ == "__main__":
    main()
