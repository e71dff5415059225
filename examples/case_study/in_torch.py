"""The tutorial's network in PyTorch: made, tested for its range, trained, judged."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

import clrfast
from clrfast.lr_scheduler import ScheduleLR
from clrfast.schedules import Schedule
from data import Split, batches

TITLE = "PyTorch"


def network(split: Split, hidden: int, seed: int) -> nn.Module:
    """One hidden layer, untrained."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(split.x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, 10))


def range_test(
    model: nn.Module, split: Split, batch_size: int, total_steps: int | None, seed: int
) -> clrfast.Log:
    """A range test: of 200 steps, or as long as pays for a training of so many."""
    loader = batches(split.x, split.y, batch_size, seed)
    return clrfast.range_test(model, _adam(model), F.cross_entropy, loader, total_steps=total_steps)


def train(model: nn.Module, split: Split, rate: Schedule, batch_size: int, epochs: int, seed: int) -> None:
    """Train with a new Adam at the schedule's rates."""
    adam = _adam(model)
    scheduler = ScheduleLR(adam, lr=rate)
    loader = batches(split.x, split.y, batch_size, seed)
    for _ in range(epochs):
        for x, y in loader:
            adam.zero_grad()
            F.cross_entropy(model(x), y).backward()
            adam.step()
            scheduler.step()


def error(model: nn.Module, split: Split) -> float:
    """The share of the test images that are told wrong, in percent."""
    with torch.no_grad():
        wrong = model(split.test_x).argmax(dim=1) != split.test_y
    return 100 * wrong.float().mean().item()


def _adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.001, fused=True)
