"""What the frameworks' tests train: a small network, on more data than a range test may copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from clrfast._range_test import _tensors


class Net(nn.Module):
    """Eight features, three classes; what is at random in it is drawn from the shared generator."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def dataset(rows: int = 10_000) -> TensorDataset:
    source = torch.Generator().manual_seed(3)
    x = torch.randn(rows, 8, generator=source)
    noise = torch.randn(rows, 3, generator=source)
    return TensorDataset(x, (x[:, :3] + noise).argmax(1))


def loader(rows: int = 10_000) -> DataLoader[Any]:
    return DataLoader(dataset(rows), batch_size=16, shuffle=True)


def weights(model: nn.Module) -> list[bytes]:
    return [tensor.detach().numpy().tobytes() for tensor in model.state_dict().values()]


@contextmanager
def copies() -> Iterator[list[int]]:
    """The sizes in bytes of what a range test copies meanwhile."""
    sizes: list[int] = []
    original = _tensors.SavedTensor.copy

    def copy(saved: _tensors.SavedTensor) -> None:
        sizes.append(saved.memory.numel() * saved.memory.element_size())
        original(saved)

    _tensors.SavedTensor.copy = copy  # type: ignore[method-assign]
    try:
        yield sizes
    finally:
        _tensors.SavedTensor.copy = original  # type: ignore[method-assign]
