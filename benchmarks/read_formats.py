"""Claim: mapping columns costs little: each format is read about as fast as its library reads the file.

Run: python benchmarks/read_formats.py [ROWS]
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from pyarrow import feather, parquet

import clrfast
from timing import medians, report

WANTED = ["lr", "loss"]


def main(rows: int) -> None:
    columns = {"lr": np.geomspace(1e-7, 10, rows), "loss": np.random.default_rng(0).normal(2, 1, rows)}
    frame = pl.DataFrame(columns)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame.write_ndjson(folder / "log.jsonl")
        (folder / "log.json").write_text(json.dumps({n: column.tolist() for n, column in columns.items()}))
        np.savez(folder / "log.npz", **columns)
        frame.write_parquet(folder / "log.parquet")
        feather.write_feather(frame.to_arrow(), folder / "log.feather")
        frame.write_csv(folder / "log.csv")
        (folder / "log.csv.gz").write_bytes(gzip.compress((folder / "log.csv").read_bytes(), 3))
        libraries: dict[str, Callable[[Path], object]] = {
            "log.jsonl": lambda path: pl.read_ndjson(path, schema=dict.fromkeys(WANTED, pl.Float64)),
            "log.json": lambda path: json.loads(path.read_text()),
            "log.npz": lambda path: [np.load(path)[name] for name in WANTED],
            "log.parquet": lambda path: parquet.read_table(path, columns=WANTED),
            "log.feather": lambda path: feather.read_table(path, columns=WANTED, memory_map=False),
            "log.csv.gz": lambda path: pl.read_csv(gzip.decompress(path.read_bytes()), columns=WANTED),
        }
        for file, library in libraries.items():
            path = folder / file
            found = clrfast.logs.read(path)
            np.testing.assert_array_equal(found.loss, columns["loss"])
            seconds = medians(
                {
                    "library": lambda library=library, path=path: library(path),
                    "clrfast": lambda path=path: clrfast.logs.read(path),
                },
                rounds=5,
            )
            report(f"{file}, {rows:,} rows, {path.stat().st_size / 1e6:.0f} MB", seconds, "library", "ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
