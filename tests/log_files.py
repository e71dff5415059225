"""Writers of one log in every format, for the tests of the readers."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import feather, parquet

from clrfast import Log


def log(rows: int = 1000, seed: int = 0) -> Log:
    """A log whose numbers have all their bits, with the losses that are no numbers among them."""
    random = np.random.default_rng(seed)
    loss = random.normal(2, 3, rows)
    loss[rows // 2 : rows // 2 + 3] = [np.nan, np.inf, -np.inf][: rows - rows // 2]
    return Log(np.geomspace(1e-7, 10, rows), loss, np.arange(rows, dtype=np.int64) * 5)


def columns(log: Log) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
    assert log.step is not None
    return {"step": log.step, "lr": log.lr, "loss": log.loss}


def rows(log: Log) -> list[dict[str, float]]:
    named = {name: column.tolist() for name, column in columns(log).items()}
    return [dict(zip(named, values)) for values in zip(*named.values())]


def table(log: Log) -> pa.Table:
    return pa.table({name: pa.array(column) for name, column in columns(log).items()})


def delimited(path: Path, log: Log) -> None:
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(columns(log)), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows(log))


def structured(path: Path, log: Log) -> None:
    array = np.empty(len(log), [(name, column.dtype) for name, column in columns(log).items()])
    for name, column in columns(log).items():
        array[name] = column
    np.save(path, array)


def arrow_stream(path: Path, log: Log) -> None:
    with pa.ipc.new_stream(path, table(log).schema) as writer:
        writer.write_table(table(log), max_chunksize=300)


def runs(path: Path, log: Log) -> None:
    """Write an Arrow or a Parquet file of two runs in turn, 20 rows a batch, nothing in it compressed."""
    named = table(log).append_column("run", pa.array(["run a", "run b"] * (len(log) // 2)))
    if path.suffix == ".parquet":
        parquet.write_table(named, path, row_group_size=20, compression="none")
        return
    new = pa.ipc.new_stream if path.suffix == ".arrow" else pa.ipc.new_file
    with new(path, named.schema) as writer:
        writer.write_table(named, max_chunksize=20)


def zipped(files: Mapping[str, bytes], **options: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content, **options)
    return stream.getvalue()


WRITERS: dict[str, Callable[[Path, Log], object]] = {
    "log.csv": delimited,
    "log.tsv": delimited,
    "log.jsonl": lambda path, log: path.write_text("\n".join(map(json.dumps, rows(log)))),
    "log.ndjson": lambda path, log: path.write_text("".join(json.dumps(r) + "\n" for r in rows(log))),
    "log.json": lambda path, log: path.write_text(json.dumps(rows(log))),
    "trainer_state.json": lambda path, log: path.write_text(
        json.dumps({"epoch": 3, "log_history": [{"eval_loss": 9, "step": 0}, *rows(log), {"train_loss": 3}]})
    ),
    "columns.json": lambda path, log: path.write_text(
        json.dumps({name: column.tolist() for name, column in columns(log).items()})
    ),
    "log.npz": lambda path, log: np.savez_compressed(path, **columns(log)),
    "log.npy": structured,
    "log.parquet": lambda path, log: parquet.write_table(table(log), path, row_group_size=300),
    "log.feather": lambda path, log: feather.write_feather(table(log), path, chunksize=300),
    "log.arrow": arrow_stream,
}
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


def write(folder: Path, name: str, log: Log) -> Path:
    """Write the log as the name says, and compressed if it ends so."""
    path = folder / name
    if path.suffix not in PACK:
        WRITERS[name](path, log)
        return path
    plain = folder / path.stem
    WRITERS[path.stem](plain, log)
    path.write_bytes(PACK[path.suffix](plain.read_bytes()))
    plain.unlink()
    return path
