"""The drop-in schedulers do what torch's do, step for step and state for state."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import Optimizer
from torch.optim import lr_scheduler as theirs

from clrfast import lr_scheduler


def make(kind: str, groups: int, tensors: bool) -> Optimizer:
    torch.manual_seed(0)
    parameters = [{"params": [torch.nn.Parameter(torch.zeros(2))]} for _ in range(groups)]
    optimizer: Optimizer
    if kind == "SGD":
        optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.5)
    else:
        optimizer = torch.optim.Adam(parameters, lr=0.1)
    if tensors:
        for group in optimizer.param_groups[::2]:
            group["lr"] = torch.tensor(0.1, dtype=torch.float64)
    return optimizer


def numbers(optimizer: Optimizer) -> Iterator[float]:
    for group in optimizer.param_groups:
        yield float(group["lr"])
        yield from map(float, group["betas"] if "betas" in group else [group["momentum"]])


kinds = st.sampled_from(["SGD", "Adam"])
cyclic = st.fixed_dictionaries(
    {
        "base_lr": st.floats(0.001, 0.05),
        "max_lr": st.floats(0.05, 1.0),
        "step_size_up": st.integers(1, 12),
        "step_size_down": st.none() | st.integers(1, 12),
        "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
        "gamma": st.floats(0.9, 1.0),
        "cycle_momentum": st.booleans(),
    }
)
one_cycle = st.fixed_dictionaries(
    {
        "max_lr": st.floats(0.01, 1.0),
        "total_steps": st.integers(30, 60),
        "pct_start": st.sampled_from([0.25, 0.3, 0.45]),
        "anneal_strategy": st.sampled_from(["cos", "linear"]),
        "three_phase": st.booleans(),
        "cycle_momentum": st.booleans(),
    }
)
restarts = st.fixed_dictionaries(
    {"T_0": st.integers(1, 9), "T_mult": st.integers(1, 3), "eta_min": st.sampled_from([0, 0.01])}
)
cases = st.one_of(
    st.tuples(st.just("CyclicLR"), cyclic),
    st.tuples(st.just("OneCycleLR"), one_cycle),
    st.tuples(st.just("CosineAnnealingWarmRestarts"), restarts),
)


@given(cases, kinds, st.integers(1, 3), st.booleans(), st.integers(0, 29))
def test_same_values_and_exchangeable_states(
    case: tuple[str, dict[str, Any]], kind: str, groups: int, tensors: bool, swap: int
) -> None:
    name, arguments = case
    torchs, ours = make(kind, groups, tensors), make(kind, groups, tensors)
    a = getattr(theirs, name)(torchs, **arguments)
    b = getattr(lr_scheduler, name)(ours, **arguments)
    rates = [group["lr"] for group in ours.param_groups]
    assert isinstance(b, theirs.LRScheduler)
    for step in range(30):
        assert list(numbers(ours)) == pytest.approx(list(numbers(torchs)), rel=1e-9, abs=1e-12)
        assert list(map(float, b.get_last_lr())) == pytest.approx(list(map(float, a.get_last_lr())), rel=1e-9)
        if step == swap:
            assert set(b.state_dict()) == set(a.state_dict())
            file = io.BytesIO()
            torch.save(b.state_dict(), file)
            file.seek(0)
            state = a.state_dict()
            a.load_state_dict(torch.load(file, weights_only=True))
            b.load_state_dict(state)
            b.load_state_dict(state)  # what is loaded is left as it was
        for optimizer, scheduler in ((torchs, a), (ours, b)):
            optimizer.step()
            scheduler.step()
    for group, rate in zip(ours.param_groups, rates):
        assert (group["lr"] is rate) == isinstance(rate, torch.Tensor)


@given(cases, st.integers(0, 28))
def test_resumes_by_last_epoch_alone(case: tuple[str, dict[str, Any]], last: int) -> None:
    name, arguments = case
    whole, later = make("SGD", 2, False), make("SGD", 2, False)
    scheduler = getattr(lr_scheduler, name)(whole, **arguments)
    for _ in range(last + 1):
        whole.step()
        scheduler.step()
    if name == "OneCycleLR" or name == "CyclicLR":
        for group, reached in zip(later.param_groups, whole.param_groups):
            for key in ("initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"):
                if key in reached:
                    group[key] = reached[key]
    for group, reached in zip(later.param_groups, whole.param_groups):
        group["initial_lr"] = reached["initial_lr"]
    getattr(lr_scheduler, name)(later, **arguments, last_epoch=last)
    assert list(numbers(later)) == pytest.approx(list(numbers(whole)), rel=1e-12)


class TestTorchsDefects:
    def test_cyclic_overflows_after_1024_cycles(self) -> None:
        optimizer = make("SGD", 1, False)
        scheduler = lr_scheduler.CyclicLR(optimizer, 0.01, 0.1, 1, mode="triangular2")
        scheduler.last_epoch = 2 * 3000
        optimizer.step()
        scheduler.step()
        assert optimizer.param_groups[0]["lr"] == 0.01

    @pytest.mark.parametrize("arguments", [(10, 0.1), (2, 0.5), (1, 0.3)])
    def test_one_cycle_divides_by_zero(self, arguments: tuple[int, float]) -> None:
        steps, share = arguments
        optimizer = make("SGD", 1, False)
        scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, steps, pct_start=share)
        for _ in range(steps):
            assert all(math.isfinite(value) and value >= 0 for value in numbers(optimizer))
            optimizer.step()
            scheduler.step()
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 / 25 / 1e4)

    @pytest.mark.parametrize(
        ("name", "arguments", "message"),
        [
            ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "step_size_up": 0}, "step_size_up"),
            ("CyclicLR", {"base_lr": math.nan, "max_lr": 0.2}, "base_lr"),
            ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "mode": "x"}, "mode is invalid"),
            ("OneCycleLR", {"max_lr": math.nan, "total_steps": 10}, "max_lr"),
            ("OneCycleLR", {"max_lr": 0.1}, "You must define either total_steps"),
            ("CosineAnnealingWarmRestarts", {"T_0": 0}, "Expected positive integer T_0"),
        ],
    )
    def test_nonsense_is_refused_before_anything_changes(
        self, name: str, arguments: dict[str, Any], message: str
    ) -> None:
        optimizer = make("SGD", 1, False)
        before = list(numbers(optimizer))
        with pytest.raises(ValueError, match=message):
            getattr(lr_scheduler, name)(optimizer, **arguments)
        assert list(numbers(optimizer)) == before
        assert "initial_lr" not in optimizer.param_groups[0]
