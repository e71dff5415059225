"""One of two processes that tune together; a script that tests start twice.

python tests/tune_processes.py RANK ADDRESS OUT
"""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F

import clrfast


def data(rank: int, count: int) -> list[Any]:
    source = torch.Generator().manual_seed(rank)
    inputs = [torch.randn(16, 8, generator=source) for _ in range(count)]
    return [(x, x[:, :3].argmax(1)) for x in inputs]


def main(rank: int, address: str) -> dict[str, Any]:
    """Tune with batches of one's own; the loaders, and what is validated with, differ in length."""
    timeout = datetime.timedelta(seconds=60)  # in which no test that hangs passes
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2, timeout=timeout)
    torch.manual_seed(0)
    model = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    before = [tensor.tolist() for tensor in model.parameters()]
    found: dict[str, Any] = {}
    for name, validation in (("validated", data(2 + rank, 2 + rank)), ("not validated", None)):
        recipe = clrfast.tune(
            *(model, optimizer, F.cross_entropy, data(rank, 25 + 20 * rank)),
            **{"total_steps": 200, "budget": 600, "momentum": [0.8], "weight_decay": True},
            validation=validation,
        )
        found[name] = recipe.to_dict()
    failed = "nothing"
    try:
        clrfast.tune(model, optimizer, _failing(rank), data(rank, 40), total_steps=400, momentum=[0.8])
    except (ValueError, RuntimeError) as error:
        failed = f"{type(error).__name__}: {error}"
    dist.barrier()
    unchanged = before == [tensor.tolist() for tensor in model.parameters()]
    return {"recipes": found, "unchanged": unchanged, "failed": failed}


def _failing(rank: int) -> Any:
    """A loss that fails in the second process, in a short training."""
    calls = 0

    def loss_fn(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if rank == 1 and calls == 75:
            raise ValueError("boom in the loss")
        return F.cross_entropy(output, y)

    return loss_fn


if __name__ == "__main__":
    torch.set_num_threads(1)
    Path(sys.argv[3]).write_text(json.dumps(main(int(sys.argv[1]), sys.argv[2])), encoding="utf-8")
