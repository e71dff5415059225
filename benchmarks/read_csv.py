"""Claim: from a CSV file to a suggestion at 0.9 times the rate or more at which Polars reads two columns.

The losses that both find are compared first. Both may use all cores; files are in the system's cache.

Run: python benchmarks/read_csv.py [ROWS]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.csv

import clrfast
from clrfast.analysis import Analysis, State
from timing import medians, report


def suggestion(path: Path) -> Analysis:
    state = State()
    for chunk in clrfast.logs.iter_chunks(path):
        state.add(chunk.lr, chunk.loss)
    return state.analyze()


def main(rows: int) -> None:
    lr = np.geomspace(1e-7, 10, rows)
    loss = 2.3 - np.exp(-(np.log(lr / 0.03) ** 2)) + np.random.default_rng(0).normal(0, 0.1, rows)
    wanted = pyarrow.csv.ConvertOptions(include_columns=["lr", "loss"])
    for title, frame in {
        "two columns": pl.DataFrame({"lr": lr, "loss": loss}),
        "among others": pl.DataFrame({"step": np.arange(rows), "lr": lr, "time": lr, "loss": loss}),
    }.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.csv"
            frame.write_csv(path)
            found = clrfast.logs.read(path)
            assert found.lr.tobytes() == lr.tobytes()
            assert found.loss.tobytes() == loss.tobytes()
            expected, streamed = found.analyze().suggestion, suggestion(path).suggestion
            assert abs(streamed.max_lr / expected.max_lr - 1) < 1e-9
            contenders: dict[str, Callable[[], object]] = {
                "polars reads both columns": lambda path=path: pl.read_csv(path, columns=["lr", "loss"]),
                "pyarrow reads both columns": lambda path=path: pyarrow.csv.read_csv(
                    path, convert_options=wanted
                ),
                "clrfast reads a Log": lambda path=path: clrfast.logs.read(path),
                "clrfast, from file to suggestion": lambda path=path: suggestion(path),
            }
            size = path.stat().st_size
            seconds = medians(contenders, rounds=7)
        report(f"{rows:,} rows, {title}, {size / 1e6:.0f} MB", seconds, "polars reads both columns", "ms")
        rate = seconds["polars reads both columns"] / seconds["clrfast, from file to suggestion"]
        print(f"  rate of clrfast, end to end: {rate:.2f} times that of polars reading")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3_000_000)
