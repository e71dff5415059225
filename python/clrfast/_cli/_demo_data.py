"""Real images for the demo: scikit-learn's digits, or Fashion-MNIST where it lies already."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

# Where Debian's package dataset-fashion-mnist puts it, and where torchvision's downloads usually lie.
_PLACES = ("/usr/share/datasets/fashion-mnist", ".", "data", "~/data", "~/.cache/torchvision", "~/datasets")
_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_DIMENSIONS = (3, 1, 3, 1)


class Data(NamedTuple):
    """A data set cut in two, and how long it is trained on."""

    name: str
    train: TensorDataset
    validation: tuple[Tensor, Tensor]
    batch_size: int
    epochs: int

    def loader(self, seed: int) -> DataLoader[tuple[Tensor, ...]]:
        """Return the training part in batches, in an order that depends on the seed alone."""
        order = RandomSampler(self.train, generator=torch.Generator().manual_seed(seed))
        batches = BatchSampler(order, self.batch_size, drop_last=False)
        return DataLoader(self.train, sampler=batches, batch_size=None)


def load(name: str, folder: Path | None) -> Data:
    """Return the data set `name`, "digits" or "fashion"; the latter from `folder` or its usual places.

    Raises:
        FileNotFoundError: There is no Fashion-MNIST in any of these folders.
        ValueError: One of its files is damaged.
    """
    if name == "fashion":
        x, y, test_x, test_y = _fashion(folder)
        return Data("Fashion-MNIST", TensorDataset(x, y), (test_x, test_y), batch_size=128, epochs=2)
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x, y = torch.tensor(images[order] / 16, dtype=torch.float32), torch.tensor(labels[order])
    return Data("digits", TensorDataset(x[:1200], y[:1200]), (x[1200:], y[1200:]), batch_size=32, epochs=10)


def _fashion(folder: Path | None) -> list[Tensor]:
    places = [Path(place).expanduser() for place in _PLACES] if folder is None else [folder]
    for place in _candidates(places):
        paths = [path for name in _FILES if (path := _file(place, name)) is not None]
        if len(paths) == len(_FILES):
            x, y, test_x, test_y = map(_idx, paths, _DIMENSIONS)
            if len(x) != len(y) or len(test_x) != len(test_y):
                raise ValueError(f"{place}: not as many labels as images")
            return [x.flatten(1).float() / 255, y.long(), test_x.flatten(1).float() / 255, test_y.long()]
    searched = ", ".join(map(str, places))
    raise FileNotFoundError(
        f"no Fashion-MNIST ({', '.join(_FILES)}, .gz or not) in {searched}: install Debian's package "
        "dataset-fashion-mnist, or run torchvision.datasets.FashionMNIST('data', download=True), and give "
        "the folder with --data-dir"
    )


def _candidates(places: list[Path]) -> Iterator[Path]:
    for place in places:
        yield place
        yield place / "FashionMNIST" / "raw"


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _idx(path: Path, dimensions: int) -> Tensor:
    """Return the bytes of a file in the IDX format, in their shape."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: damaged: {error}") from error
    header = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, 8, dimensions]) or len(content) < header:
        raise ValueError(f"{path}: not an IDX file of bytes in {dimensions} dimension(s)")
    shape = np.frombuffer(content[4:header], dtype=">u4").astype(int)
    if len(content) != header + shape.prod():
        raise ValueError(f"{path}: {len(content) - header} bytes of data, not {shape.prod()}")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy())
