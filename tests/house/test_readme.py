"""README's examples run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_python_blocks_find_a_rate_and_train() -> None:
    digits = load_digits()
    x = torch.tensor(digits.data / 16, dtype=torch.float32)
    y = torch.tensor(digits.target)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    names: dict[str, Any] = {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        "loss_fn": nn.CrossEntropyLoss(),
        "loader": DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True),
    }
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    exec(blocks[0], names)
    assert (model(x).argmax(1) == y).float().mean() > 0.97
    exec(blocks[1], names)


def test_it_opens_with_the_two_commands() -> None:
    commands = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert "clrfast demo" in commands[0]
    assert "-m pytest" in commands[1]
    assert README.index(commands[1]) < 700
