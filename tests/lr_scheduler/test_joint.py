"""One schedule for the groups of several optimizers: Muon beside AdamW."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.optim import SGD, AdamW, Optimizer

from clrfast import lr_scheduler, schedules
from clrfast.lr_scheduler import JointScheduleLR, ScheduleLR, ratios

RATE = schedules.one_cycle(0.02, 30)
MOMENTUM = RATE.reciprocal(0.85, 0.95)
RATIOS = [[1.0], [0.05, 0.0125]]


def model() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def optimizers(
    net: torch.nn.Sequential, rates: tuple[Any, Any, Any] = (0.02, 0.001, 0.00025)
) -> list[Optimizer]:
    """Muon for the matrix in the middle; AdamW, with two rates, for the rest."""
    first, last = net[0], net[2]
    others = [
        {"params": [first.bias, last.bias], "lr": rates[1]},
        {"params": [last.weight], "lr": rates[2]},
    ]
    return [torch.optim.Muon([first.weight], lr=rates[0], momentum=0.95), AdamW(others, foreach=False)]


def train(net: torch.nn.Sequential, driven: list[Optimizer], scheduler: Any, steps: int) -> None:
    for _ in range(steps):
        x = torch.ones(3, 4) * (1 + scheduler.last_epoch % 3)
        for optimizer in driven:
            optimizer.zero_grad()
        net(x).square().mean().backward()
        for optimizer in driven:
            optimizer.step()
        scheduler.step()


def rates(driven: list[Optimizer]) -> list[list[float]]:
    return [[float(group["lr"]) for group in optimizer.param_groups] for optimizer in driven]


def test_both_are_driven_and_keep_their_ratios() -> None:
    net = model()
    driven = optimizers(net)
    scheduler = JointScheduleLR(driven, lr=RATE, momentum=MOMENTUM)
    assert scheduler.ratios == [[1.0], [pytest.approx(0.05), pytest.approx(0.0125)]]
    for step in range(35):
        assert scheduler.last_epoch == step
        expected = [[RATE(step) * ratio for ratio in each] for each in RATIOS]
        assert rates(driven) == [pytest.approx(each, rel=1e-15) for each in expected]
        assert scheduler.get_last_lr() == [rate for each in rates(driven) for rate in each]
        assert driven[0].param_groups[0]["momentum"] == MOMENTUM(step)
        assert [group["betas"] for group in driven[1].param_groups] == [(MOMENTUM(step), 0.999)] * 2
        train(net, driven, scheduler, 1)


@pytest.mark.parametrize("order", ["scheduler first", "optimizers first"])
def test_a_resumed_run_is_the_uninterrupted_run(order: str) -> None:
    net = model()
    driven = optimizers(net)
    scheduler = JointScheduleLR(driven, lr=RATE, momentum=MOMENTUM)
    train(net, driven, scheduler, 13)
    file = io.BytesIO()
    torch.save(
        (net.state_dict(), [optimizer.state_dict() for optimizer in driven], scheduler.state_dict()), file
    )
    file.seek(0)
    net_state, optimizer_states, state = torch.load(file, weights_only=True)
    other_net = model()
    other_net.load_state_dict(net_state)
    others = optimizers(other_net)
    resumed = JointScheduleLR(others, lr=RATE, momentum=MOMENTUM)
    if order == "scheduler first":
        resumed.load_state_dict(state)
    for optimizer, optimizer_state in zip(others, optimizer_states):
        optimizer.load_state_dict(optimizer_state)
    if order == "optimizers first":
        resumed.load_state_dict(state)
    assert resumed.last_epoch == 13
    train(net, driven, scheduler, 12)
    train(other_net, others, resumed, 12)
    assert rates(others) == rates(driven)
    for mine, theirs in zip(other_net.parameters(), net.parameters()):
        assert torch.equal(mine, theirs)


def test_from_last_epoch_and_with_tensors() -> None:
    tensors = tuple(torch.tensor(rate, dtype=torch.float64) for rate in (0.02, 0.001, 0.00025))
    driven = optimizers(model(), tensors)
    scheduler = JointScheduleLR(driven, lr=RATE, last_epoch=11)
    assert scheduler.last_epoch == 12
    assert rates(driven) == [pytest.approx([RATE(12) * ratio for ratio in each]) for each in RATIOS]
    assert driven[0].param_groups[0]["lr"] is tensors[0]


def test_one_argument_for_each_optimizer() -> None:
    driven = optimizers(model())
    scheduler = JointScheduleLR(
        driven, lr=RATE, momentum=[MOMENTUM, None], weight_decay=[None, [RATE, None]], eps=[None, RATE]
    )
    muon, adamw = (optimizer.param_groups for optimizer in driven)
    before = adamw[1]["weight_decay"]
    assert (muon[0]["momentum"], adamw[0]["betas"][0]) == (MOMENTUM(0), 0.9)
    assert (adamw[0]["weight_decay"], adamw[1]["weight_decay"]) == (RATE(0), before)
    assert adamw[1]["eps"] == RATE(0)
    assert [type(each) for each in scheduler.schedulers] == [ScheduleLR, ScheduleLR]


def test_another_ratio_is_told_when_a_state_is_loaded() -> None:
    state = JointScheduleLR(optimizers(model()), lr=RATE).state_dict()
    other = JointScheduleLR(optimizers(model(), (0.02, 0.002, 0.00025)), lr=RATE)
    with pytest.warns(UserWarning, match="lr of group 0 is 4e-05 in the state and 8e-05 here") as caught:
        other.load_state_dict(state)
    assert len(caught) == 1


def test_ratios_are_the_factors_of_discriminative_rates() -> None:
    adamw = optimizers(model())[1]
    assert ratios(adamw) == [[1.0, 0.25]]
    scheduler = ScheduleLR(adamw, lr=schedules.discriminative(RATE, ratios(adamw)[0]))
    assert scheduler.get_last_lr() == [RATE(0), RATE(0) / 4]
    alone = JointScheduleLR([optimizers(model())[1]], lr=RATE)
    assert alone.get_last_lr() == scheduler.get_last_lr()
    assert {"JointScheduleLR", "ratios"} <= set(lr_scheduler.__all__)


BAD: list[tuple[type[Exception], str, Callable[[list[Optimizer]], Any]]] = [
    (ValueError, "optimizers must be at least one, each given once", lambda o: JointScheduleLR([], lr=RATE)),
    (ValueError, "each given once", lambda o: JointScheduleLR([o[0], o[0]], lr=RATE)),
    (TypeError, "float is not an Optimizer", lambda o: JointScheduleLR([o[0], 0.1], lr=RATE)),  # type: ignore[list-item]
    (TypeError, "lr must be a Schedule, got 0.1", lambda o: JointScheduleLR(o, lr=0.1)),  # type: ignore[arg-type]
    (
        ValueError,
        "momentum must have one entry for each of 2 optimizers, got 1",
        lambda o: JointScheduleLR(o, lr=RATE, momentum=[MOMENTUM]),
    ),
    (
        ValueError,
        "last_epoch must be an integer from -1",
        lambda o: JointScheduleLR(o, lr=RATE, last_epoch=2**63 - 1),
    ),
    (
        ValueError,
        "eps must be None: group 0 of SGD has none",
        lambda o: JointScheduleLR(o, lr=RATE, eps=RATE),
    ),
]


@pytest.mark.parametrize(("error", "message", "make"), BAD, ids=[message for _, message, _ in BAD])
def test_bad_input_changes_nothing(error: type[Exception], message: str, make: Any) -> None:
    net = model()
    driven = [AdamW(net[0].parameters()), SGD(net[2].parameters(), lr=0.1)]
    before = [copy.deepcopy(optimizer.state_dict()) for optimizer in driven]
    with pytest.raises(error, match=message):
        make(driven)
    assert [optimizer.state_dict() for optimizer in driven] == before


@pytest.mark.parametrize("rate", [0.0, -0.1, float("nan")])
def test_rates_without_a_ratio(rate: float) -> None:
    optimizer = optimizers(model())[1]
    for group in optimizer.param_groups:
        group["lr"] = rate
    with pytest.raises(ValueError, match="must be"):
        JointScheduleLR([optimizer], lr=RATE)


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of")
        yield


def test_a_step_or_a_state_that_one_cannot_take_none_takes(quiet: None) -> None:
    driven = optimizers(model())
    scheduler = JointScheduleLR(driven, lr=RATE, momentum=MOMENTUM)
    for _ in range(3):
        scheduler.step()
    before, state = rates(driven), scheduler.state_dict()
    for bad in ({}, {"schedulers": []}, {"schedulers": [state["schedulers"][0], {"last_epoch": 2**63 - 1}]}):
        with pytest.raises(ValueError, match="must be"):
            scheduler.load_state_dict(bad)
        assert (rates(driven), scheduler.state_dict()) == (before, state)
    further = {"schedulers": [{**each, "last_epoch": 7} for each in state["schedulers"]]}
    further["schedulers"][1]["base_lrs"] = "a"
    with pytest.raises(ValueError, match="base_lrs"):
        scheduler.load_state_dict(further)
    assert (rates(driven), scheduler.state_dict()) == (before, state)
    kept = driven[1].param_groups[1].pop("betas")
    with pytest.raises(KeyError):
        scheduler.step()
    driven[1].param_groups[1]["betas"] = kept
    assert [(each.last_epoch, each._step_count) for each in scheduler.schedulers] == [(3, 4)] * 2
    assert rates(driven)[0] == before[0]
    scheduler.step()
    assert [each.last_epoch for each in scheduler.schedulers] == [4, 4]
    assert rates(driven) == [pytest.approx([RATE(4) * ratio for ratio in each]) for each in RATIOS]
