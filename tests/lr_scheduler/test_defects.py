"""What is wrong in torch 2.13's classes and right in ours: each test fails somewhere with torch's classes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam

from clrfast import lr_scheduler, schedules


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of|The epoch parameter")
        yield


def sgd(lr: Any = 0.5, **options: Any) -> SGD:
    return SGD([torch.nn.Parameter(torch.ones(1))], lr=lr, **{"momentum": 0.9, **options})


def rate(scheduler: Any) -> float:
    return float(scheduler.optimizer.param_groups[0]["lr"])


def rates(scheduler: Any, steps: int) -> list[float]:
    seen = [rate(scheduler)]
    for _ in range(steps):
        scheduler.step()
        seen.append(rate(scheduler))
    return seen


def test_triangular2_goes_on_after_its_1024th_cycle() -> None:
    scheduler = lr_scheduler.CyclicLR(sgd(), 0.1, 0.2, 1, mode="triangular2", last_epoch=2045)
    assert rates(scheduler, 2000) == pytest.approx([0.1] * 2001, rel=1e-15)
    assert scheduler.scale_fn(5000) == 0.0


def test_cycles_are_counted_exactly_however_far() -> None:
    scheduler = lr_scheduler.CyclicLR(sgd(), 0.0, 1.0, 3, 4, last_epoch=7 * 10**12 + 2)
    assert rate(scheduler) == 1.0


def test_the_first_rate_is_the_lowest_after_another_scheduler() -> None:
    optimizer = sgd()
    lr_scheduler.CosineAnnealingLR(optimizer, 10)
    assert rate(lr_scheduler.CyclicLR(optimizer, 0.1, 0.2)) == 0.1


@pytest.mark.parametrize(
    "make",
    [lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.2), lambda o: lr_scheduler.OneCycleLR(o, 0.1, 10)],
    ids=["CyclicLR", "OneCycleLR"],
)
def test_momentum_does_not_come_unnoticed(make: Any) -> None:
    with pytest.warns(UserWarning, match="has momentum 0, and cycle_momentum gives it some") as caught:
        make(sgd(momentum=0.0))
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "make",
    [lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.2, 5), lambda o: lr_scheduler.OneCycleLR(o, 0.1, 10)],
    ids=["CyclicLR", "OneCycleLR"],
)
@pytest.mark.parametrize("kind", ["Adam", "SGD"])
def test_momentum_in_a_tensor_is_filled_and_not_replaced(make: Any, kind: str) -> None:
    betas = (torch.tensor(0.9), torch.tensor(0.999))
    parameters = [torch.nn.Parameter(torch.ones(1))]
    optimizer = Adam(parameters, lr=0.1, betas=betas) if kind == "Adam" else sgd(momentum=torch.tensor(0.9))
    group = optimizer.param_groups[0]
    held = group["betas"][0] if kind == "Adam" else group["momentum"]
    scheduler = make(optimizer)
    seen = set()
    for _ in range(5):
        scheduler.step()
        assert (group["betas"][0] if kind == "Adam" else group["momentum"]) is held
        seen.add(held.item())
    assert len(seen) == 5
    # And the bounds in the group are not the same tensors.
    assert float(group["max_momentum"]) == pytest.approx(scheduler.optimizer.param_groups[0]["max_momentum"])
    assert group["max_momentum"] is not held


def test_groups_that_share_a_tensor_get_their_own_rates() -> None:
    shared = torch.tensor(0.5)
    parameters = [{"params": [torch.nn.Parameter(torch.ones(1))]} for _ in range(3)]
    optimizer = SGD(parameters, lr=shared, momentum=0.9)
    scheduler = lr_scheduler.CyclicLR(optimizer, [0.1, 0.1, 0.3], [0.2, 0.2, 0.6], 5)
    scheduler.step()
    groups = optimizer.param_groups
    assert [float(group["lr"]) for group in groups] == pytest.approx([0.12, 0.12, 0.36])
    assert groups[0]["lr"] is groups[1]["lr"] is shared


@pytest.mark.parametrize(
    ("total", "pct_start"), [(10, 0.1), (2, 0.5), (1, 0.3), (3, 0.0), (5, 1.0), (4, 0.25)]
)
@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_a_phase_without_room_is_skipped(total: int, pct_start: float, strategy: Any) -> None:
    scheduler = lr_scheduler.OneCycleLR(sgd(), 0.5, total, pct_start=pct_start, anneal_strategy=strategy)
    shape = "cosine" if strategy == "cos" else strategy
    curve = schedules.one_cycle(0.5, total, pct_start, shape)
    assert rates(scheduler, total) == pytest.approx([curve(step) for step in range(total + 1)], abs=1e-15)


def test_without_a_rise_the_peak_comes_first() -> None:
    assert rate(lr_scheduler.OneCycleLR(sgd(), 0.5, 10, pct_start=0.0)) == 0.5


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
def test_the_last_rate_is_held_at_the_end(strategy: Any, three_phase: bool) -> None:
    scheduler = lr_scheduler.OneCycleLR(sgd(), 0.5, 10, anneal_strategy=strategy, three_phase=three_phase)
    *_, last, held = rates(scheduler, 10)
    assert last == held == pytest.approx(0.5 / 25 / 1e4)
    assert scheduler.optimizer.param_groups[0]["momentum"] == 0.95


@pytest.mark.parametrize("T_mult", range(1, 11))
@pytest.mark.parametrize("T_0", [1, 3, 7, 10])
def test_restarts_are_exact(T_0: int, T_mult: int) -> None:  # noqa: N803
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(sgd(), T_0, T_mult)
    restart, length = 0, T_0
    while restart < 10**15:
        scheduler.step(restart)
        assert (scheduler.T_cur, scheduler.T_i, rate(scheduler)) == (0, length, 0.5)
        if length > 1 and restart > 0:
            scheduler.step(restart - 1)
            assert (scheduler.T_cur, scheduler.T_i) == (length // T_mult - 1, length // T_mult)
        restart, length = restart + length, length * T_mult
        if T_mult == 1 and restart > 200:
            break


@pytest.mark.parametrize("at", [*range(40), 121, 364, 7_000_000])
def test_warm_restarts_resume_by_their_last_epoch(at: int) -> None:
    optimizer = sgd()
    optimizer.param_groups[0]["initial_lr"] = 0.5
    resumed = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 1, 3, last_epoch=at - 1)
    whole = schedules.sgdr(0.5, 1, 3)
    expected = [whole(step) for step in range(at, at + 10)]
    assert all(math.isclose(a, b, abs_tol=1e-12) for a, b in zip(rates(resumed, 9), expected))


def test_a_caller_keeps_its_state() -> None:
    scheduler = lr_scheduler.CyclicLR(sgd(), 0.1, 0.2, 3, scale_fn=lambda cycle: 1 / cycle)
    state = scheduler.state_dict()
    for _ in range(2):
        scheduler.load_state_dict(state)
    assert "_scale_fn_custom" in state
    scheduler.base_lrs[0] = 0.15
    assert state["base_lrs"] == [0.1]


def test_states_of_callable_objects_need_such_an_object() -> None:
    class Scale:
        def __init__(self, factor: float) -> None:
            self.factor = factor

        def __call__(self, cycle: float) -> float:
            return self.factor

    state = lr_scheduler.CyclicLR(sgd(), 0.1, 0.2, 3, scale_fn=Scale(0.25)).state_dict()
    other = lr_scheduler.CyclicLR(sgd(), 0.1, 0.2, 3, scale_fn=Scale(0.75))
    other.load_state_dict(state)
    other.step(3)
    assert rate(other) == pytest.approx(0.125)
    with pytest.raises(ValueError, match="this scheduler was made without one"):
        lr_scheduler.CyclicLR(sgd(), 0.1, 0.2).load_state_dict(state)
