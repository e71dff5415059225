"""Where a ramp begins that may choose: below what can be felt, and at 1e-7 where that cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import clrfast
from experiments import OPTIMIZERS, batches, fingerprint, make, run

CLIMB = [1e-8, 1e-7, 1e-6, 1e-5]
USUAL = {"steps": None, "total_steps": 1000, "stop_factor": np.inf}


def starts_at(log: clrfast.Log, lr: float) -> None:
    """The log climbs by decades to a rate, and goes on from there in equal ratios to 10."""
    first = CLIMB.index(lr)
    assert log.lr[: first + 1].tolist() == CLIMB[: first + 1]
    np.testing.assert_allclose(log.lr[first:], np.geomspace(lr, 10, len(log) - first), rtol=1e-12)


def net(scale: float = 1.0) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(Times(scale), nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters())


Loop = Callable[[clrfast.RangeTest, nn.Module, torch.optim.Optimizer], None]


def own(
    end: Callable[[torch.optim.Optimizer], object] = lambda optimizer: None,
    factor: float = 1.0,
    offset: float = 0.0,
    make_optimizer: Callable[[nn.Module], torch.optim.Optimizer] = sgd,
    clip: float | None = None,
    **options: Any,
) -> clrfast.Log:
    """A loop of one's own; `end` is done at the end of each step."""
    model = net().double()
    optimizer = make_optimizer(model)
    with clrfast.RangeTest(model, optimizer, **{**USUAL, **options}) as test:
        for x, y in test(batches(dtype=torch.float64)):
            loss = factor * F.cross_entropy(model(x), y) + offset
            optimizer.zero_grad()
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            test.record(loss)
            end(optimizer)
    return test.log


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_usual_network_starts_at_the_top(name: str) -> None:
    starts_at(run(*make(optimizer=name), **USUAL), 1e-5)


def test_a_scaler_has_unscaled_the_gradients_by_then() -> None:
    starts_at(run(*make(), scaler=torch.amp.GradScaler("cpu"), **USUAL), 1e-5)


def test_half_precision_starts_at_the_top_too() -> None:
    model, optimizer = make(dtype=torch.bfloat16)
    starts_at(run(model, optimizer, loader=batches(dtype=torch.bfloat16), **USUAL), 1e-5)


@pytest.mark.parametrize("name", ["momentum", "adam, tensor rate", "lbfgs"])
def test_the_steps_are_those_of_a_plain_loop_at_the_same_rates(name: str) -> None:
    log = run(*make(optimizer=name, steps=0), **USUAL, end_lr=0.1)
    model, optimizer = make(optimizer=name, steps=0)
    data = batches()
    for i, lr in enumerate(log.lr.tolist()):
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(lr) if isinstance(group["lr"], Tensor) else lr
        x, y = data[i % len(data)]

        def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss.detach()

        assert float(optimizer.step(closure)) == log.loss[i]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_puts_everything_back(name: str) -> None:
    model, optimizer = make(optimizer=name)
    before = fingerprint(model), fingerprint(optimizer)
    run(model, optimizer, **USUAL)
    assert (fingerprint(model), fingerprint(optimizer)) == before


# What can be felt


@pytest.mark.parametrize(("factor", "lr"), [(1.0, 1e-5), (1e2, 1e-6), (1e4, 1e-7), (1e6, 1e-7)])
def test_steeper_losses_start_lower_with_sgd(factor: float, lr: float) -> None:
    starts_at(own(factor=factor), lr)


@pytest.mark.parametrize("factor", [1e-4, 1.0, 1e6])
def test_adam_does_not_mind_the_scale_of_the_loss(factor: float) -> None:
    starts_at(own(factor=factor, make_optimizer=adam), 1e-5)


@pytest.mark.parametrize("offset", [-1e4, 1e9])
def test_a_constant_added_to_the_loss_changes_nothing(offset: float) -> None:
    assert own(factor=1e3, offset=offset).lr.tolist() == own(factor=1e3).lr.tolist()


def test_clipped_gradients_do_not_hide_how_far_the_parameters_move() -> None:
    far = {"clip": 1e-2, "factor": 1e6}
    starts_at(own(**far), 1e-5)
    starts_at(own(**far, make_optimizer=lambda model: Longer(model.parameters(), lr=0.1)), 1e-6)


class Longer(torch.optim.SGD):
    """Steps so long that they move the parameters far, whatever their gradients are."""

    def step(self, closure: Any = None) -> None:
        for parameter in (p for group in self.param_groups for p in group["params"]):
            parameter.data.sub_(10 * self.param_groups[0]["lr"] * parameter.grad.sign())


def test_equal_losses_show_no_noise_that_could_hide_a_change() -> None:
    model = net()
    starts_at(run(model, sgd(model), loader=batches(1), **USUAL), 1e-7)


# What cannot be told


@pytest.mark.parametrize("to_none", [True, False])
def test_gradients_that_are_zeroed_after_the_step(to_none: bool) -> None:
    starts_at(own(lambda optimizer: optimizer.zero_grad(set_to_none=to_none)), 1e-7)


def test_gradients_that_are_not_finite() -> None:
    def spoil(optimizer: torch.optim.Optimizer) -> None:
        optimizer.param_groups[0]["params"][0].grad[0, 0] = np.inf

    starts_at(own(spoil), 1e-7)


def test_one_of_two_optimizers_without_gradients() -> None:
    model = net()
    optimizers = [torch.optim.SGD(layer.parameters(), lr=0.1) for layer in (model[1], model[3])]
    for zeroed, lr in ((False, 1e-5), (True, 1e-7)):
        with clrfast.RangeTest(model, optimizers, **USUAL) as test:
            for x, y in test(batches()):
                model.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                for optimizer in optimizers:
                    optimizer.step()
                if zeroed:
                    optimizers[1].zero_grad()
                test.record(loss)
        starts_at(test.log, lr)


def test_sparse_gradients() -> None:
    model = nn.Sequential(nn.Embedding(8, 4, sparse=True), nn.Flatten(), nn.Linear(12, 3))
    loader = [(torch.randint(8, (6, 3)), torch.randint(3, (6,))) for _ in range(5)]
    starts_at(run(model, sgd(model), loader=loader, **USUAL), 1e-7)


# What is no ramp to choose the start of


def test_what_is_given_wins() -> None:
    log = run(*make(), **{**USUAL, "start_lr": 1e-3})
    np.testing.assert_allclose(log.lr, np.geomspace(1e-3, 10, 100))


@pytest.mark.parametrize(
    "options", [{"shape": "linear"}, {"hold": 5}, {"steps": 15}, {"end_lr": [0.1, 1.0]}, {"end_lr": 1e-6}]
)
def test_other_ramps_start_at_1e_7(options: dict[str, Any]) -> None:
    model = net()
    optimizer = torch.optim.SGD(
        [{"params": model[1].parameters()}, {"params": model[3].parameters()}], lr=0.1
    )
    usual = {"steps": 100, "stop_factor": np.inf, **options}
    log = run(model, optimizer, **{**USUAL, **options})
    if options == {"end_lr": 1e-6}:  # too low for a climb, which has begun
        assert log.lr[:2].tolist() == [1e-8, 1e-7]
        np.testing.assert_allclose(log.lr[1:], np.geomspace(1e-7, 1e-6, 99))
    else:
        assert log.lr.tolist() == run(model, optimizer, **usual).lr.tolist()


def test_groups_keep_their_ratios() -> None:
    model = net()
    groups = [{"params": model[1].parameters(), "lr": 0.01}, {"params": model[3].parameters(), "lr": 0.1}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    seen = []
    with clrfast.RangeTest(model, optimizer, **USUAL) as test:
        for x, y in test(batches()):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            seen.append([group["lr"] for group in optimizer.param_groups])
            test.record(loss)
    starts_at(test.log, 1e-5)
    np.testing.assert_allclose(seen, np.outer(test.log.lr, [0.1, 1.0]), rtol=1e-15)


def test_each_repeat_finds_its_own_start() -> None:
    log = run(*make(), **USUAL, repeats=2)
    assert len(log.lr) == 200
    assert log.lr[:100].tolist() == log.lr[100:].tolist()
    starts_at(clrfast.Log(log.lr[:100], log.loss[:100]), 1e-5)


def test_a_test_that_is_left_early_has_the_rates_so_far() -> None:
    model = net()
    optimizer = sgd(model)
    with clrfast.RangeTest(model, optimizer, **USUAL) as test:
        for i, (x, y) in enumerate(test(batches())):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            test.record(loss)
            if i == 2:
                break
    assert test.log.lr.tolist() == CLIMB[:3]
