"""The code of docs/probes.md runs as it stands, and leaves nothing changed but what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

import clrfast
from experiments import batches, dense, fingerprint, generators

PAGE = (Path(__file__).parents[2] / "docs" / "probes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_code_runs_and_leaves_no_trace(capsys: Any) -> None:
    torch.manual_seed(0)
    model = dense(torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    names: dict[str, Any] = {
        **{"clrfast": clrfast, "torch": torch, "model": model, "optimizer": optimizer},
        **{"loss_fn": F.cross_entropy, "loader": batches()},
    }
    before = fingerprint(model), generators()
    assert len(BLOCKS) == 3
    for block in BLOCKS:
        exec(block, names)
        assert before == (fingerprint(model), generators())
        assert isinstance(names["found"], (clrfast.Analysis, clrfast.Probes))
    assert names["log"].probes.losses.shape[1] == 100
    assert optimizer.param_groups[0]["lr"] in (0.01, 0.1)
    assert "candidates" in capsys.readouterr().out
