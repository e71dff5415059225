"""A rate put in place: training is then as if it had been there from the beginning."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import lr_scheduler as theirs

import clrfast
from clrfast import lr_scheduler as ours
from clrfast import schedules

FIRST, LATER, STEPS = 0.01, 0.3, 23
Make = Callable[[Any, float], Any]


def adam(lr: float, tensors: bool = False) -> torch.optim.Adam:
    """An optimizer of two groups, the second at a tenth of the rate."""
    rates = [torch.tensor(rate, dtype=torch.float64) if tensors else rate for rate in (lr, lr / 10)]
    return torch.optim.Adam(
        [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": rate} for rate in rates], lr=0.1
    )


def sequential(module: Any) -> Make:
    def make(optimizer: Any, lr: float) -> Any:
        parts = [module.LinearLR(optimizer, 0.1, total_iters=5), module.StepLR(optimizer, 4, 0.7)]
        return module.SequentialLR(optimizer, parts, milestones=[5])

    return make


def chained(module: Any) -> Make:
    return lambda o, lr: module.ChainedScheduler([module.LinearLR(o, 0.1), module.ExponentialLR(o, 0.9)])


def warmed_up(step: int) -> float:
    return step / 5 if step < 5 else 5 / step


BOTH: dict[str, Callable[[Any], Make]] = {
    "lambda": lambda m: lambda o, lr: m.LambdaLR(o, warmed_up),
    "multiplicative": lambda m: lambda o, lr: m.MultiplicativeLR(o, lambda step: 0.9),
    "step": lambda m: lambda o, lr: m.StepLR(o, 4, 0.5),
    "multistep": lambda m: lambda o, lr: m.MultiStepLR(o, [3, 9]),
    "constant": lambda m: lambda o, lr: m.ConstantLR(o, 0.2, 4),
    "linear": lambda m: lambda o, lr: m.LinearLR(o, 0.1, total_iters=7),
    "exponential": lambda m: lambda o, lr: m.ExponentialLR(o, 0.9),
    "polynomial": lambda m: lambda o, lr: m.PolynomialLR(o, 12, 2.0),
    "cosine": lambda m: lambda o, lr: m.CosineAnnealingLR(o, STEPS, 0.0005),
    "restarts": lambda m: lambda o, lr: m.CosineAnnealingWarmRestarts(o, 3, 2, 0.0005),
    "one cycle": lambda m: lambda o, lr: m.OneCycleLR(o, [lr, lr / 10], STEPS),
    "cyclic": lambda m: lambda o, lr: m.CyclicLR(o, [lr / 5, lr / 50], [lr, lr / 10], 4),
    "sequence": sequential,
    "chain": chained,
}
MAKERS = {
    f"{name}, {label}": make(m)
    for name, make in BOTH.items()
    for label, m in (("torch", theirs), ("ours", ours))
}


def rates(optimizer: Any, scheduler: Any) -> list[list[float]]:
    seen = []
    for _ in range(STEPS - 1):
        seen.append([float(group["lr"]) for group in optimizer.param_groups])
        assert [float(rate) for rate in scheduler.get_last_lr()] == pytest.approx(seen[-1], rel=1e-6)
        optimizer.step()
        scheduler.step()
    return seen


@pytest.mark.filterwarnings("ignore:The epoch parameter in")  # SequentialLR's own
@pytest.mark.parametrize("tensors", [False, True], ids=["numbers", "tensors"])
@pytest.mark.parametrize("name", MAKERS)
def test_a_schedule_goes_on_as_if_made_with_the_rate(name: str, tensors: bool) -> None:
    optimizer, other = adam(FIRST, tensors), adam(LATER, tensors)
    held = [group["lr"] for group in optimizer.param_groups]
    scheduler = MAKERS[name](optimizer, FIRST)
    clrfast.apply_lr(optimizer, LATER, scheduler=scheduler)
    if tensors and "cyc" not in name:  # torch's OneCycleLR and CyclicLR put other tensors there
        assert all(group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, held))
    assert rates(optimizer, scheduler) == [
        pytest.approx(pair, rel=1e-6) for pair in rates(other, MAKERS[name](other, LATER))
    ]


def test_without_a_scheduler_each_group_keeps_its_ratio() -> None:
    optimizer = adam(FIRST)
    clrfast.apply_lr(optimizer, LATER)
    assert [group["lr"] for group in optimizer.param_groups] == [LATER, pytest.approx(LATER / 10)]
    assert all("initial_lr" not in group for group in optimizer.param_groups)


def test_a_scheduler_made_afterwards_starts_from_the_rate() -> None:
    """Torch keeps the initial_lr that an earlier one has left, whatever rate the group has."""
    optimizer = adam(FIRST)
    theirs.LambdaLR(optimizer, lambda step: 0.0)
    assert optimizer.param_groups[0]["lr"] == 0.0
    clrfast.apply_lr(optimizer, LATER)
    assert [group["lr"] for group in optimizer.param_groups] == [LATER, pytest.approx(LATER / 10)]
    assert theirs.StepLR(optimizer, 3).base_lrs == [LATER, pytest.approx(LATER / 10)]


def test_rates_that_are_all_zero_become_equal() -> None:
    optimizer = torch.optim.SGD([{"params": [torch.ones(1)]}, {"params": [torch.ones(1)]}], lr=0.0)
    clrfast.apply_lr(optimizer, LATER)
    assert [group["lr"] for group in optimizer.param_groups] == [LATER, LATER]


def test_a_plateau_keeps_its_floor() -> None:
    optimizer = adam(FIRST)
    scheduler = theirs.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=0.1)
    clrfast.apply_lr(optimizer, LATER, scheduler=scheduler)
    assert scheduler.get_last_lr() == [LATER, pytest.approx(LATER / 10)]
    for _ in range(4):
        scheduler.step(1.0)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_several_schedulers_of_one_optimizer() -> None:
    optimizer = adam(FIRST)
    two = [theirs.LinearLR(optimizer, 0.5), theirs.ExponentialLR(optimizer, 0.9)]
    clrfast.apply_lr(optimizer, LATER, scheduler=two)
    assert [scheduler.base_lrs[0] for scheduler in two] == [LATER, LATER]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(LATER / 2)


def test_a_schedule_that_drives_no_rate_is_left_alone() -> None:
    optimizer = adam(FIRST)
    scheduler = ours.ScheduleLR(optimizer, momentum=schedules.constant(0.5))
    clrfast.apply_lr(optimizer, LATER, scheduler=scheduler)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == LATER
    assert optimizer.param_groups[0]["betas"][0] == 0.5


def state_of(optimizer: Any, *schedulers: Any) -> Any:
    return copy.deepcopy([optimizer.param_groups, *(vars(scheduler) for scheduler in schedulers)])


class Stuck(theirs.StepLR):
    """A scheduler of somebody else's whose last rates cannot be set."""

    stuck = False

    def __setattr__(self, name: str, value: Any) -> None:
        if self.stuck and name == "_last_lr" and value != self._last_lr:
            raise RuntimeError("cannot be set")
        super().__setattr__(name, value)


def test_nothing_is_changed_when_it_fails_midway() -> None:
    optimizer = adam(FIRST, tensors=True)
    first, second = theirs.StepLR(optimizer, 3), Stuck(optimizer, 3)
    second.stuck = True
    before = state_of(optimizer, first, second)
    with pytest.raises(RuntimeError, match="cannot be set"):
        clrfast.apply_lr(optimizer, LATER, scheduler=[first, second])
    assert str(state_of(optimizer, first, second)) == str(before)


@pytest.mark.parametrize("lr", [0.0, -1.0, float("inf"), float("nan"), "0.1", True, None])
def test_a_rate_is_a_number_above_0(lr: Any) -> None:
    optimizer = adam(FIRST)
    with pytest.raises((TypeError, ValueError), match="lr must be"):
        clrfast.apply_lr(optimizer, lr)
    assert optimizer.param_groups[0]["lr"] == FIRST


def wrong_schedulers(optimizer: Any) -> dict[str, Any]:
    rate = schedules.one_cycle(0.1, 10)
    tensors = adam(FIRST, tensors=True)
    return {
        "got a StepLR of another one": theirs.StepLR(adam(FIRST), 3),
        "got a ScheduleLR, whose schedule says": ours.ScheduleLR(optimizer, lr=rate),
        "several or None, got JointScheduleLR": ours.JointScheduleLR([optimizer], lr=rate),
        "several or None, got int": 3,
        "must be a torch LRScheduler, got str": ["StepLR"],
        "got a DeviceScheduleLR of another one": ours.DeviceScheduleLR(tensors, lr=rate),
    }


@pytest.mark.parametrize("message", wrong_schedulers(adam(FIRST)))
def test_other_schedulers_are_refused_and_nothing_is_changed(message: str) -> None:
    optimizer = adam(FIRST)
    scheduler = wrong_schedulers(optimizer)[message]
    before = str(state_of(optimizer))
    with pytest.raises((TypeError, ValueError), match=message):
        clrfast.apply_lr(optimizer, LATER, scheduler=scheduler)
    assert str(state_of(optimizer)) == before


def test_a_device_schedule_is_refused() -> None:
    optimizer = adam(FIRST, tensors=True)
    scheduler = ours.DeviceScheduleLR(optimizer, lr=schedules.one_cycle(0.1, 10))
    with pytest.raises(ValueError, match="got a DeviceScheduleLR, whose schedule says"):
        clrfast.apply_lr(optimizer, LATER, scheduler=scheduler)


def test_an_optimizer_has_groups() -> None:
    with pytest.raises(TypeError, match=r"optimizer must be a torch.optim.Optimizer, got Tensor"):
        clrfast.apply_lr(Tensor([1.0]), LATER)  # type: ignore[arg-type]
