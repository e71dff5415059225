"""Small experiments for range tests, and what of them must be as before."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import clrfast

Net = Callable[[torch.dtype], nn.Module]


class Recurrent(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 5, num_layers=2, dropout=0.3, batch_first=True, dtype=dtype)
        self.head = nn.Linear(5, 3, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x.view(len(x), 2, 4))[0][:, -1])


def dense(dtype: torch.dtype) -> nn.Module:
    return nn.Sequential(nn.Linear(8, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Dropout(0.3), nn.Linear(7, 3)).to(
        dtype
    )


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, amsgrad=True),
    "adam, tensor rate": lambda p: torch.optim.Adam(p, lr=torch.tensor(1e-3)),
    "adagrad": lambda p: torch.optim.Adagrad(p),
    "lbfgs": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3),
}


def batches(count: int = 5, size: int = 6, dtype: torch.dtype = torch.float32) -> list[tuple[Tensor, Tensor]]:
    source = torch.Generator().manual_seed(7)
    return [
        (torch.randn(size, 8, generator=source).to(dtype), torch.randint(3, (size,), generator=source))
        for _ in range(count)
    ]


def train(model: nn.Module, optimizer: torch.optim.Optimizer, data: Any, steps: int) -> list[float]:
    losses = []
    model.train()
    for _, (x, y) in zip(range(steps), data):

        def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss.detach()

        losses.append(float(optimizer.step(closure)))
    return losses


def fingerprint(value: Any) -> Any:
    """All that a restore must bring back, tensors by identity, place and bits."""
    if isinstance(value, Tensor):
        bits = value.detach().flatten().view(torch.uint8).numpy().tobytes()
        grad = fingerprint(value.grad) if value.is_leaf else None
        return id(value), value.data_ptr(), value.dtype, value.shape, bits, value.requires_grad, grad
    if isinstance(value, nn.Module):
        tensors = [*value.named_parameters(), *value.named_buffers()]
        return [(n, fingerprint(t)) for n, t in tensors], [m.training for m in value.modules()]
    if isinstance(value, torch.optim.Optimizer):
        return fingerprint(vars(value))
    if isinstance(value, dict):
        return id(value), [
            (k if isinstance(k, (str, int)) else id(k), fingerprint(v)) for k, v in value.items()
        ]
    if isinstance(value, (list, tuple)):
        return [fingerprint(item) for item in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else id(value)


def generators() -> Any:
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), kind, keys.tolist(), rest, torch.get_rng_state().tolist()


def make(
    net: Net = dense, optimizer: str = "momentum", dtype: torch.dtype = torch.float32, steps: int = 3
) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A model some steps into its training, with gradients, a frozen parameter and a part in eval mode."""
    torch.manual_seed(1)
    model = net(dtype)
    tuned = OPTIMIZERS[optimizer](model.parameters())
    train(model, tuned, batches(dtype=dtype), steps)
    next(model.parameters()).requires_grad_(False)
    next(model.children()).eval()
    return model, tuned


def run(model: nn.Module, optimizer: torch.optim.Optimizer, **options: Any) -> clrfast.Log:
    options = {"loss_fn": F.cross_entropy, "loader": batches(), "steps": 20, **options}
    return clrfast.range_test(model, optimizer, **options)
