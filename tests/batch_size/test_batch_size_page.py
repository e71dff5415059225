"""The code of docs/batch_size.md runs as it stands, and leaves nothing changed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import clrfast
from experiments import fingerprint, generators

PAGE = (Path(__file__).parents[2] / "docs" / "batch_size.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_code_runs_and_leaves_no_trace(capsys: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    x = torch.randn(4000, 8)
    dataset = TensorDataset(x, (x[:, :3] + torch.randn(4000, 3)).argmax(1))
    names: dict[str, Any] = {
        **{"clrfast": clrfast, "DataLoader": DataLoader, "dataset": dataset},
        **{"model": model, "optimizer": optimizer, "loss_fn": F.cross_entropy},
    }
    (lambda_text,) = re.findall(r"`(lambda size: .*?)`", PAGE)
    names["make_loader"] = eval(lambda_text, names)
    before = fingerprint(model), fingerprint(optimizer), generators()
    assert len(BLOCKS) == 3
    for block in BLOCKS:
        exec(block, names)
        assert before == (fingerprint(model), fingerprint(optimizer), generators())
    assert names["found"].sizes.tolist() == [8, 16, 32, 64]
    assert names["scale"].is_trained
    assert "largest size that pays" in capsys.readouterr().out
