"""A compiled optimizer step is not compiled again while a scheduler changes its rate."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from clrfast import lr_scheduler, schedules

MAKE: dict[str, Any] = {
    "ScheduleLR": lambda o: lr_scheduler.ScheduleLR(o, lr=schedules.triangular(0.001, 0.01, 50)),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.01, 50, cycle_momentum=False),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.01, 1000, cycle_momentum=False),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 30, 2),
}


@pytest.mark.filterwarnings("ignore")  # torch's own, about what its tracer leaves out
@pytest.mark.parametrize("name", MAKE)
def test_one_compilation_in_a_thousand_steps(name: str) -> None:
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 4)
    twin = copy.deepcopy(model)
    results = []
    counter = CompileCounterWithBackend("eager")
    for network, compiled in ((model, True), (twin, False)):
        optimizer = torch.optim.SGD(network.parameters(), lr=torch.tensor(0.01))
        scheduler = MAKE[name](optimizer)
        for parameter in network.parameters():
            parameter.grad = torch.ones_like(parameter)
        step = torch.compile(lambda o=optimizer: o.step(), backend=counter) if compiled else optimizer.step
        warm = 0
        for count in range(1000):
            step()
            scheduler.step()
            if count == 2:
                warm = counter.frame_count
        if compiled:
            assert warm >= 1
            assert counter.frame_count == warm
        results.append(network.weight.detach().clone())
    assert torch.allclose(results[0], results[1], rtol=1e-5)
