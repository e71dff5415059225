"""The loops of docs/range_test.md run as they stand, and leave nothing changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import clrfast
from experiments import batches, dense, fingerprint, generators

PAGE = (Path(__file__).parents[2] / "docs" / "range_test.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def train_step_with(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[Tensor, Tensor], Tensor]:
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def test_there_are_six() -> None:
    assert len(BLOCKS) == 6


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
@pytest.mark.filterwarnings("ignore")  # torch.compile warns of itself
def test_each_loop_runs_and_leaves_no_trace(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = dense(torch.float32)
    generator = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 8))
    critic = nn.Sequential(nn.Linear(8, 6), nn.LeakyReLU(), nn.Linear(6, 1))
    names: dict[str, Any] = {
        **{"clrfast": clrfast, "torch": torch, "F": F, "train_step_with": train_step_with},
        **{"model": model, "policy": model, "generator": generator, "critic": critic},
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "generator_optimizer": torch.optim.Adam(generator.parameters(), lr=1e-3),
        "critic_optimizer": torch.optim.Adam(critic.parameters(), lr=2e-3),
        "loader": [x for x, _ in batches()],
        "pairs": batches(),
        "states": torch.ones(6, 8),
        "rewards": lambda actions: (actions == torch.arange(6) % 3).float(),
    }
    monkeypatch.setattr(torch, "compile", lambda step: step)  # test_loops.py compiles
    before = [fingerprint(module) for module in (model, generator, critic)], generators()
    exec(block, names)
    test = names["test"]
    assert isinstance(test, clrfast.RangeTest)
    assert len(test.log) > 50
    assert before == ([fingerprint(module) for module in (model, generator, critic)], generators())
    if "scaler" in names:
        assert names["scaler"].get_scale() == 2.0**16
