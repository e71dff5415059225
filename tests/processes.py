"""One of two processes that run a range test together; a script that tests start twice.

python tests/processes.py RANK ADDRESS OUT WRAPPER CASE
"""

from __future__ import annotations

import datetime
import json
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

import clrfast

STEPS = 24


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(8, 6), nn.BatchNorm1d(6)
        self.last = nn.Linear(6, 3)
        self.fails = -1

    def forward(self, x: Tensor) -> Tensor:
        self.fails -= 1
        if self.fails == 0:
            raise ValueError("boom in forward")
        return self.last(self.norm(self.first(x)).relu())


def data(rank: int, count: int) -> list[Any]:
    source = torch.Generator().manual_seed(rank)
    return [
        (torch.randn(6, 8, generator=source), torch.randint(3, (6,), generator=source)) for _ in range(count)
    ]


def local(tensor: Tensor) -> Any:
    whole = tensor.detach()
    return (whole._local_tensor if hasattr(whole, "_local_tensor") else whole).flatten().tolist()


def state(model: nn.Module, optimizer: torch.optim.Optimizer) -> Any:
    moments = [
        [local(v) for v in optimizer.state[p].values() if isinstance(v, Tensor)] for p in model.parameters()
    ]
    grads = [None if p.grad is None else local(p.grad) for p in model.parameters()]
    return [local(t) for t in (*model.parameters(), *model.buffers())], moments, grads


def main(rank: int, address: str, wrapper: str, *cases: str) -> dict[str, dict[str, Any]]:
    timeout = datetime.timedelta(seconds=60)  # in which no test that hangs passes
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2, timeout=timeout)
    return {case: experiment(rank, wrapper, case) for case in cases}


def experiment(rank: int, wrapper: str, case: str) -> dict[str, Any]:
    torch.manual_seed(0)
    net = Net()
    model: Any = net
    if wrapper == "ddp":
        model = nn.parallel.DistributedDataParallel(net, gradient_as_bucket_view="view" in case)
    elif wrapper == "fsdp":
        from torch.distributed.fsdp import fully_shard

        fully_shard(net.first)
        fully_shard(net.last)
        fully_shard(net)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    if case != "fresh":
        for x, y in data(rank, 2):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    before = state(model, optimizer)
    calls = 0

    def loss_fn(output: Tensor, y: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        loss = F.cross_entropy(output, y)
        if rank == 1 and case == "nan" and calls == 8:
            return loss * torch.nan
        if rank == 1 and case == "raises" and calls == 13:
            raise ValueError("boom in the loss")
        if rank == 1 and case == "raises at once":
            raise ValueError("boom at once")
        if rank == 1 and case == "interrupt" and calls == 8:
            signal.raise_signal(signal.SIGINT)
        return loss

    def step(batch: Any) -> Tensor:
        nonlocal calls
        calls += 1
        if rank == 1 and case == "step raises early" and calls >= 8:
            raise ValueError("boom before the pass")
        optimizer.zero_grad()
        loss = F.cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        if rank == 1 and case == "step raises late" and calls >= 8:
            raise ValueError("boom after the pass")
        if case == "by hand":
            for p in model.parameters():
                dist.all_reduce(p.grad)
                p.grad /= 2
        optimizer.step()
        return loss.detach()

    def failing_loader() -> Iterator[Any]:
        yield from data(1, 8)
        raise ValueError("boom in the loader")

    loader: Any = data(rank, 5 + 2 * rank)
    if case == "one pass":
        loader = iter(data(rank, 40 if rank == 0 else 7))
    elif case == "empty" and rank == 1:
        loader = []
    elif case == "loader raises" and rank == 1:
        loader = failing_loader()
    if rank == 1 and case in ("forward raises", "dies"):
        net.fails = 8
    own = case.startswith("step") or case == "by hand"
    options: dict[str, Any] = {"train_step": step} if own else {}
    if case == "by hand":
        options["process_group"] = dist.group.WORLD
    if case == "accumulates":
        options["accumulate"] = 3
    if case == "total steps":
        options["total_steps"] = 1000
    steps = STEPS + 1 if case == "other steps" and rank == 1 else STEPS
    result: dict[str, Any] = {"error": None}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            if case.startswith("loop"):
                log = by_own_loop(model, optimizer, loader, case if rank == 1 else "loop")
            else:
                log = clrfast.range_test(
                    *(model, optimizer, None if own else loss_fn, loader), end_lr=0.1, steps=steps, **options
                )
    except (Exception, KeyboardInterrupt) as error:
        result["error"] = f"{type(error).__name__}: {error}"
        log = getattr(error, "clrfast_log", None)
    if log is not None:
        result |= {"lr": log.lr.tolist(), "loss": [float(v).hex() for v in log.loss], "status": log.status}
    result["unchanged"] = state(model, optimizer) == before
    result["weights"] = before[0]
    if case == "dies":  # or one of them has
        return result
    # The group still works, and training goes on as if there had been no test.
    x, y = data(rank, 1)[0]
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
    result["after"] = state(model, optimizer)[0]
    dist.barrier()
    return result


def by_own_loop(model: nn.Module, optimizer: torch.optim.Optimizer, loader: Any, case: str) -> clrfast.Log:
    with clrfast.RangeTest(model, optimizer, end_lr=0.1, steps=STEPS) as test:
        if case == "loop that never begins":
            raise ValueError("boom before the loop")
        for i, (x, y) in enumerate(test(loader)):
            if case == "loop that is left" and i == 7:
                break
            loss = F.cross_entropy(model(x), y)
            if case == "loop that raises" and i == 7:
                raise ValueError("boom in the loop")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            test.record(loss)
    return test.log


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = main(int(sys.argv[1]), sys.argv[2], *sys.argv[4:])
    Path(sys.argv[3]).write_text(json.dumps(found))
