"""What needs a CUDA device: captured graphs, and that no step waits for the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from clrfast import lr_scheduler, schedules
from clrfast.lr_scheduler import DeviceScheduleLR, ScheduleLR

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
RATE = schedules.one_cycle(0.01, 40)


def adamw(groups: int = 3) -> torch.optim.AdamW:
    parameters = [
        {
            "params": [torch.nn.Parameter(torch.ones(3, device="cuda"))],
            "lr": torch.tensor(0.01, device="cuda"),
        }
        for _ in range(groups)
    ]
    for group in parameters:
        group["params"][0].grad = torch.ones(3, device="cuda")
    return torch.optim.AdamW(parameters, capturable=True)


@pytest.fixture
def no_waiting() -> Iterator[None]:
    yield
    torch.cuda.set_sync_debug_mode("default")


def test_a_replayed_graph_goes_on_in_its_schedule() -> None:
    optimizer = adamw()
    scheduler = DeviceScheduleLR(optimizer, lr=RATE)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            optimizer.step()
            scheduler.step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()
        scheduler.step()
    for step in range(3, 45):
        assert scheduler.last_epoch == step
        for group in optimizer.param_groups:
            assert group["lr"].item() == pytest.approx(RATE(step))
        graph.replay()
    torch.cuda.synchronize()
    expected = adamw()
    other = ScheduleLR(expected, lr=RATE)
    for _ in range(45):
        expected.step()
        other.step()
    for mine, theirs in zip(optimizer.param_groups, expected.param_groups):
        assert torch.allclose(mine["params"][0], theirs["params"][0], rtol=1e-5)


def test_ten_thousand_replays_have_the_rates_and_betas_of_the_host() -> None:
    steps = 10_000
    rate = schedules.one_cycle(0.01, steps)
    momentum = rate.reciprocal(0.85, 0.95, base_lr=rate(0))
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1)).cuda()
    zero = torch.zeros((), device="cuda")
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=zero.clone(), betas=(zero + 0.9, zero + 0.999), capturable=True
    )
    scheduler = DeviceScheduleLR(optimizer, lr=rate, momentum=momentum)
    x = torch.randn(32, 8, device="cuda")
    graph = torch.cuda.CUDAGraph()

    def step() -> None:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        scheduler.step()

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    with torch.cuda.graph(graph):
        step()
    group = optimizer.param_groups[0]
    seen = torch.empty(steps, 2, device="cuda")
    for i in range(3, steps):
        seen[i, 0].copy_(group["lr"])
        seen[i, 1].copy_(group["betas"][0])
        torch.cuda.set_sync_debug_mode("error")
        graph.replay()
        torch.cuda.set_sync_debug_mode("default")
    expected = torch.tensor([[rate(i), momentum(i)] for i in range(3, steps)], dtype=torch.float64).float()
    assert torch.equal(seen[3:].cpu(), expected)


def test_a_step_of_the_host_is_not_captured() -> None:
    optimizer = adamw()
    scheduler = ScheduleLR(optimizer, lr=RATE)
    graph = torch.cuda.CUDAGraph()
    refused = pytest.raises(RuntimeError, match="must be called outside of the graph")
    with refused, torch.cuda.graph(graph):
        scheduler.step()


@pytest.mark.parametrize(
    "make",
    [
        lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.01, 7, cycle_momentum=False),
        lambda o: lr_scheduler.OneCycleLR(o, 0.01, 100, cycle_momentum=False),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 7, 2),
        lambda o: ScheduleLR(o, lr=RATE, weight_decay=RATE),
        lambda o: ScheduleLR(o, lr=[RATE, None, RATE.scaled(2)]),
        lambda o: DeviceScheduleLR(o, lr=RATE),
    ],
)
def test_no_step_waits_for_the_device(make: Any, no_waiting: None) -> None:
    optimizer = adamw()
    held = [group["lr"] for group in optimizer.param_groups]
    scheduler = make(optimizer)
    other = make(adamw())
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    for _ in range(50):
        optimizer.step()
        scheduler.step()
        scheduler.get_last_lr()
    torch.cuda.set_sync_debug_mode("default")
    for _ in range(50):
        other.optimizer.step()
        other.step()
    assert [float(rate) for rate in scheduler.get_last_lr()] == [float(group["lr"]) for group in held]
    assert [float(group["lr"]) for group in held] == [float(rate) for rate in other.get_last_lr()]
    assert all(group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, held))
