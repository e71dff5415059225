"""The code of docs/tune.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import clrfast  # noqa: E402

PAGE = (Path(__file__).parents[2] / "docs" / "tune.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_code_runs_and_trains(capsys: Any) -> None:
    torch.manual_seed(0)
    x = torch.randn(640, 4)
    rows = list(zip(x.split(32), x.sum(1, keepdim=True).split(32)))
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    names: dict[str, Any] = {"model": model, "optimizer": optimizer, "loss_fn": F.mse_loss, "epochs": 3}
    names = {**names, "loader": rows[:16], "val_batches": rows[16:]}
    (block,) = BLOCKS
    exec(block, names)
    assert isinstance(names["recipe"], clrfast.Recipe)
    assert names["scheduler"].last_epoch == 48
    assert F.mse_loss(model(x), x.sum(1, keepdim=True)) < 0.5
    assert "lr_scheduler.ScheduleLR" in capsys.readouterr().out
