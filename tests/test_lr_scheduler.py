"""ScheduleLR drives an optimizer as its schedules say, from wherever it starts."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import torch
from torch import nn

from clrfast import schedules
from clrfast.lr_scheduler import ScheduleLR

RATE = schedules.triangular2(0.01, 0.1, 5, 7)
MOMENTUM = RATE.reciprocal(0.8, 0.9)


def make(name: str = "SGD", groups: int = 1, **options: Any) -> torch.optim.Optimizer:
    torch.manual_seed(0)
    layers = [nn.Linear(3, 2) for _ in range(groups)]
    kinds: dict[str, Any] = {"lr": 0.5, **options}
    if name == "SGD":
        kinds.setdefault("momentum", 0.5)
    optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(
        [{"params": layer.parameters()} for layer in layers], **kinds
    )
    return optimizer


def run(scheduler: ScheduleLR, steps: int) -> list[tuple[float, float]]:
    seen = []
    for _ in range(steps):
        group = scheduler.optimizer.param_groups[0]
        seen.append((float(group["lr"]), float(group["betas"][0] if "betas" in group else group["momentum"])))
        scheduler.optimizer.step()
        scheduler.step()
    return seen


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "NAdam", "RMSprop"])
def test_drives_rate_and_momentum_against_each_other(name: str) -> None:
    scheduler = ScheduleLR(make(name), lr=RATE, momentum=MOMENTUM)
    seen = run(scheduler, 40)
    assert seen == [(RATE(i), MOMENTUM(i)) for i in range(40)]
    assert seen[5] == (0.1, pytest.approx(0.8))
    assert scheduler.get_last_lr() == [RATE(40)]


def test_one_schedule_for_each_group_and_weight_decay() -> None:
    rates = schedules.discriminative(RATE, lowest=0.1, groups=3)
    decay = RATE.scaled(0.1)
    optimizer = make(groups=3)
    scheduler = ScheduleLR(optimizer, lr=rates, weight_decay=decay)
    for step in range(20):
        assert [g["lr"] for g in optimizer.param_groups] == [r(step) for r in rates]
        assert {g["weight_decay"] for g in optimizer.param_groups} == {decay(step)}
        optimizer.step()
        scheduler.step()


def test_tensors_are_filled_in_place() -> None:
    beta = (torch.tensor(0.5), torch.tensor(0.99))
    optimizer = make("Adam", lr=torch.tensor(0.5), betas=beta, foreach=False, capturable=True)
    group = optimizer.param_groups[0]
    rate, first = group["lr"], group["betas"][0]
    scheduler = ScheduleLR(optimizer, lr=RATE, momentum=MOMENTUM)
    for step in range(20):
        assert group["lr"] is rate
        assert group["betas"][0] is first
        assert rate.item() == pytest.approx(RATE(step))
        assert first.item() == pytest.approx(MOMENTUM(step))
        scheduler.optimizer._opt_called = True  # type: ignore[attr-defined]
        scheduler.step()


@pytest.mark.parametrize("optimizer_first", [True, False])
def test_resumes_by_state_dict_in_either_order(optimizer_first: bool) -> None:
    whole = run(ScheduleLR(make("Adam"), lr=RATE, momentum=MOMENTUM), 40)
    scheduler = ScheduleLR(make("Adam"), lr=RATE, momentum=MOMENTUM)
    run(scheduler, 17)
    file = io.BytesIO()
    torch.save((scheduler.state_dict(), scheduler.optimizer.state_dict()), file)
    file.seek(0)
    state, optimizer_state = torch.load(file, weights_only=True)
    again = ScheduleLR(make("Adam"), lr=RATE, momentum=MOMENTUM)
    if optimizer_first:
        again.optimizer.load_state_dict(optimizer_state)
    again.load_state_dict(state)
    if not optimizer_first:
        again.optimizer.load_state_dict(optimizer_state)
    assert run(again, 23) == whole[17:]


@pytest.mark.parametrize("at", [0, 1, 12, 7_000_000])
def test_resumes_by_last_epoch_alone(at: int) -> None:
    optimizer = make()
    optimizer.param_groups[0]["initial_lr"] = 0.5
    scheduler = ScheduleLR(optimizer, lr=RATE, momentum=MOMENTUM, last_epoch=at)
    assert run(scheduler, 9) == [(RATE(at + 1 + i), MOMENTUM(at + 1 + i)) for i in range(9)]


def test_groups_added_later_follow() -> None:
    optimizer = make()
    scheduler = ScheduleLR(optimizer, lr=RATE)
    run(scheduler, 3)
    optimizer.add_param_group({"params": nn.Linear(2, 2).parameters(), "initial_lr": 0.5})
    optimizer.step()
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [RATE(4)] * 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "one of lr, momentum and weight_decay must be given"),
        ({"lr": 0.1}, TypeError, "lr must be a schedule or a sequence of schedules, got 0.1"),
        ({"lr": [RATE, RATE]}, ValueError, "lr must have one schedule for each of 1 groups, got 2"),
        ({"lr": lambda step: math.nan}, ValueError, "lr must be finite and >= 0, got nan at step 0"),
        ({"lr": RATE, "momentum": lambda step: -1.0}, ValueError, "momentum must be finite and >= 0"),
        ({"lr": RATE, "last_epoch": -2}, ValueError, "last_epoch must be an integer from -1"),
        ({"lr": RATE, "last_epoch": 1.5}, TypeError, "last_epoch must be an integer, got 1.5"),
        ({"lr": RATE, "last_epoch": 3}, KeyError, "initial_lr"),
    ],
)
def test_says_what_is_wrong_and_changes_nothing(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    optimizer = make()
    before = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    with pytest.raises(error, match=message):
        ScheduleLR(optimizer, **arguments)
    assert [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups] == before


def test_optimizers_without_momentum() -> None:
    optimizer = make("Adagrad")
    with pytest.raises(ValueError, match="momentum must be None: group 0 of Adagrad has none"):
        ScheduleLR(optimizer, lr=RATE, momentum=MOMENTUM)
    with pytest.raises(TypeError, match="int is not an Optimizer"):
        ScheduleLR(3, lr=RATE)  # type: ignore[arg-type]
