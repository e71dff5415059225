"""How long a search of many runs takes from Parquet, against a group-by of pandas and of Polars on the same.

The group-by only finds each run's last loss and highest rate, which is checked against ours; the fit of the
valley, its intervals and exponents are ours alone, and their time is in ours.

Run: python benchmarks/sweep.py [--runs N] [--rows N] [--files N] [--rounds N]
"""

from __future__ import annotations

import argparse
import math
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from pyarrow import parquet

import clrfast
from timing import medians, report


def write(folder: Path, runs: int, rows: int, files: int) -> None:
    """Write the histories of runs, each in one piece, in some files; with as many as runs, in one each."""
    random = np.random.default_rng(0)
    lr = 10 ** random.uniform(-5, 0, runs)
    batch = 2 ** random.integers(4, 10, runs)
    end = np.exp(0.05 * (np.log(lr) - math.log(3e-3) - 0.5 * np.log(batch / 64)) ** 2)
    names = [f"run-{number:05d}" for number in range(runs)]
    step = np.arange(rows)
    for part in range(files):
        mine = range(part * runs // files, (part + 1) * runs // files)
        loss = np.concatenate(
            [end[k] + np.exp(-step / 100) + 0.02 * random.standard_normal(rows) for k in mine]
        )
        columns = {
            "run": pa.array([names[k] for k in mine for _ in step]).dictionary_encode(),
            "step": np.tile(step, len(mine)),
            "learning_rate": np.concatenate([lr[k] * (1 - step / rows) for k in mine]),
            "batch_size": np.repeat(batch[list(mine)], rows),
            "val_loss": loss,
        }
        parquet.write_table(pa.table(columns), folder / f"part.{part}.parquet")


def by_pandas(folder: Path) -> pd.DataFrame:
    frame = pd.concat(
        pd.read_parquet(path, columns=["run", "learning_rate", "batch_size", "val_loss"])
        for path in sorted(folder.glob("*.parquet"))
    )
    frame["run"] = frame["run"].astype(str)
    return frame.groupby("run", sort=False).agg(
        {"learning_rate": "max", "batch_size": "first", "val_loss": "last"}
    )


def by_polars(folder: Path) -> pl.DataFrame:
    columns = pl.col("learning_rate").max(), pl.col("batch_size").first(), pl.col("val_loss").last()
    return pl.scan_parquet(folder / "*.parquet").group_by("run").agg(*columns).collect()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1000, help="of each run")
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, options.runs, options.rows, options.files)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = clrfast.sweep(folder)
        wanted = by_pandas(folder)
        assert len(found.runs) == len(wanted) == options.runs
        for run in found.runs:
            row = wanted.loc[run.name]
            assert (run.lr, run.value, run.settings["batch_size"]) == tuple(
                row[["learning_rate", "val_loss", "batch_size"]]
            )
        assert len(by_polars(folder)) == options.runs
        print(found)
        seconds = medians(
            {
                "clrfast.sweep": lambda: clrfast.sweep(folder),
                "pandas, the group-by alone": lambda: by_pandas(folder),
                "Polars, the group-by alone": lambda: by_polars(folder),
            },
            rounds=options.rounds,
        )
    size = f"{options.runs:,} runs of {options.rows:,} rows in {options.files:,} Parquet files"
    report(size, seconds, "pandas, the group-by alone", "s")


if __name__ == "__main__":
    main()
