"""Schedulers and torch.compile: nothing is compiled again, and values are those of an uncompiled run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch._dynamo
from torch._dynamo.testing import CompileCounter
from torch._subclasses.fake_tensor import FakeTensorMode

from clrfast import lr_scheduler, schedules
from clrfast.lr_scheduler import DeviceScheduleLR, ScheduleLR

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)
RATE = schedules.one_cycle(0.01, 40)
MOMENTUM = RATE.reciprocal()
ENDLESS = schedules.triangular2(0.001, 0.01, 7)

MAKERS: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.01, 7, mode="exp_range", gamma=0.99),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.01, 2000),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 7, 2),
    "ScheduleLR": lambda o: ScheduleLR(o, lr=ENDLESS, momentum=ENDLESS.reciprocal()),
    "DeviceScheduleLR": lambda o: DeviceScheduleLR(
        o, lr=ENDLESS, momentum=ENDLESS.reciprocal(), total_steps=1200
    ),
}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch.compiler.set_stance("default")
    torch._dynamo.reset()


def adamw(groups: int = 3) -> torch.optim.AdamW:
    torch.manual_seed(0)
    return torch.optim.AdamW(
        [{"params": [torch.nn.Parameter(torch.randn(3))]} for _ in range(groups)],
        lr=torch.tensor(0.01),
        betas=(torch.tensor(0.9), torch.tensor(0.999)),
        foreach=False,
    )


def trained(make: Callable[[Any], Any], compile_: Callable[[Any], Any], together: bool, steps: int) -> Any:
    """What `steps` steps leave of the parameters, and the scheduler."""
    optimizer = adamw()
    scheduler = make(optimizer)
    if together:

        @compile_
        def step() -> None:
            optimizer.step()
            scheduler.step()
    else:
        optimizer_step = compile_(optimizer.step)

        def step() -> None:
            optimizer_step()
            scheduler.step()

    for index in range(steps):
        for group in optimizer.param_groups:
            group["params"][0].grad = torch.full((3,), 1.0 + index % 5)
        step()
        if index == 2 and compile_ is not plain:  # from here on, compiling anything is an error
            torch.compiler.set_stance("fail_on_recompile")
    torch.compiler.set_stance("default")
    return [group["params"][0].detach() for group in optimizer.param_groups], scheduler


def plain(function: Any) -> Any:
    return function


@pytest.mark.parametrize("together", [False, True], ids=["optimizer.step", "both steps"])
@pytest.mark.parametrize("name", MAKERS)
def test_nothing_is_compiled_again_in_1000_steps(name: str, together: bool) -> None:
    counter = CompileCounter()
    parameters, scheduler = trained(
        MAKERS[name], lambda f: torch.compile(f, backend=counter), together, steps=1000
    )
    graphs = 2 if name == "DeviceScheduleLR" and together else 1
    assert counter.frame_count == graphs
    expected, other = trained(MAKERS[name], plain, together, steps=1000)
    for mine, theirs in zip(parameters, expected):
        assert torch.allclose(mine, theirs, rtol=1e-5)
    assert scheduler.last_epoch == other.last_epoch == 1000
    assert scheduler.get_last_lr() == other.get_last_lr()


def test_the_test_would_notice() -> None:
    """Whether to maximize is part of what is compiled."""

    class Turning(ScheduleLR):
        def step(self, epoch: float | None = None) -> None:
            super().step(epoch)
            self.optimizer.param_groups[0]["maximize"] = self.last_epoch > 20

    def compile_(function: Any) -> Any:
        return torch.compile(function, backend="eager")

    with pytest.raises(RuntimeError, match="recompile"):
        trained(lambda o: Turning(o, lr=RATE), compile_, False, steps=40)


@pytest.mark.skipif(shutil.which("g++") is None, reason="the compiler of torch needs one for C++")
@pytest.mark.parametrize("name", ["OneCycleLR", "DeviceScheduleLR"])
def test_with_torchs_own_compiler(name: str) -> None:
    parameters, _ = trained(MAKERS[name], torch.compile, True, steps=30)
    expected, _ = trained(MAKERS[name], plain, True, steps=30)
    for mine, theirs in zip(parameters, expected):
        assert torch.allclose(mine, theirs, rtol=1e-5, atol=1e-7)


def test_a_device_step_is_one_graph() -> None:
    scheduler = DeviceScheduleLR(adamw(28), lr=RATE, momentum=MOMENTUM)
    counter = CompileCounter()
    step = torch.compile(scheduler.step, backend=counter, fullgraph=True)
    for index in range(45):
        for group in scheduler.optimizer.param_groups:
            assert group["lr"].item() == pytest.approx(RATE(index))
            assert group["betas"][0].item() == pytest.approx(MOMENTUM(index))
        step()
    assert counter.frame_count == 1


def test_a_device_step_needs_no_value_on_the_host() -> None:
    """Tensors on the meta device have no values: reading one raises."""
    optimizer = adamw()
    for group in optimizer.param_groups:
        group["lr"] = group["lr"].to("meta")
    held = [group["lr"] for group in optimizer.param_groups]
    scheduler = DeviceScheduleLR(optimizer, lr=RATE)
    for _ in range(3):
        scheduler.step()
    assert all(group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, held))
    with pytest.raises(RuntimeError, match="item"):
        scheduler.last_epoch  # noqa: B018


@pytest.mark.parametrize("name", MAKERS)
def test_steps_with_fake_tensors(name: str) -> None:
    with FakeTensorMode():
        optimizer = adamw()
        held = [group["lr"] for group in optimizer.param_groups]
        scheduler = MAKERS[name](optimizer)
        for _ in range(30):
            optimizer.step()
            scheduler.step()
    assert all(group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, held))


@pytest.mark.parametrize("resume", ["state", "last_epoch", "state of ScheduleLR"])
def test_a_device_run_resumes(resume: str) -> None:
    whole = DeviceScheduleLR(adamw(), lr=RATE, momentum=MOMENTUM)
    other = ScheduleLR(adamw(), lr=RATE, momentum=MOMENTUM)
    for _ in range(11):
        whole.step()
        other.step()
    if resume == "last_epoch":
        resumed = DeviceScheduleLR(adamw(), lr=RATE, momentum=MOMENTUM, last_epoch=10)
    else:
        resumed = DeviceScheduleLR(adamw(), lr=RATE, momentum=MOMENTUM)
        resumed.load_state_dict((whole if resume == "state" else other).state_dict())
    for _ in range(5):
        assert resumed.last_epoch == whole.last_epoch == other.last_epoch
        assert resumed.get_last_lr() == whole.get_last_lr() == other.get_last_lr() == resumed.get_lr()
        for scheduler in (whole, other, resumed):
            scheduler.step()
    resumed.load_state_dict(other.state_dict())
    other.load_state_dict(resumed.state_dict())
    with pytest.warns(UserWarning, match="epoch parameter"):
        resumed.step(3)
    assert resumed.get_last_lr()[0].item() == pytest.approx(RATE(3))


def test_one_schedule_a_group_and_any_function_on_the_device() -> None:
    curves = [RATE, None, lambda step: 1 / (1 + step)]
    scheduler = DeviceScheduleLR(adamw(), lr=curves, total_steps=5)
    seen = []
    for _ in range(7):
        seen.append([float(group["lr"]) for group in scheduler.optimizer.param_groups])
        scheduler.step()
    assert seen == [pytest.approx([RATE(min(i, 5)), 0.01, 1 / (1 + min(i, 5))]) for i in range(7)]


BAD: list[tuple[type[Exception], str, Callable[[Any], Any]]] = [
    (ValueError, "total_steps must be given", lambda o: DeviceScheduleLR(o, lr=ENDLESS)),
    (
        ValueError,
        "total_steps must be an integer from 1",
        lambda o: DeviceScheduleLR(o, lr=RATE, total_steps=0),
    ),
    (TypeError, "weight_decay must be a tensor in group 0", lambda o: DeviceScheduleLR(o, weight_decay=RATE)),
    (ValueError, "at least one of lr", DeviceScheduleLR),
    (ValueError, "lr must have one schedule for each of 3 groups", lambda o: DeviceScheduleLR(o, lr=[RATE])),
    (
        ValueError,
        "the value at step 2 must be finite",
        lambda o: DeviceScheduleLR(o, lr=lambda step: float("nan") if step == 2 else 0.1, total_steps=4),
    ),
]


@pytest.mark.parametrize(("error", "message", "make"), BAD, ids=[message for _, message, _ in BAD])
def test_bad_input_changes_nothing(error: type[Exception], message: str, make: Any) -> None:
    optimizer = adamw()
    before = [sorted(group) for group in optimizer.param_groups]
    with pytest.raises(error, match=message):
        make(optimizer)
    assert [sorted(group) for group in optimizer.param_groups] == before
    assert all(group["lr"] == torch.tensor(0.01) for group in optimizer.param_groups)


def test_two_devices_are_refused() -> None:
    optimizer = adamw()
    optimizer.param_groups[1]["lr"] = torch.tensor(0.1, device="meta")
    with pytest.raises(ValueError, match="on one device, got \\['cpu', 'meta'\\]"):
        DeviceScheduleLR(optimizer, lr=RATE)
    with pytest.raises(ValueError, match="last_epoch must be an integer, got None"):
        DeviceScheduleLR(adamw(), lr=RATE).load_state_dict({})
