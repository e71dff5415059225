"""Nothing is written through memory or objects that somebody else may have moved, freed or changed."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import SGD, Adam

from clrfast import lr_scheduler, schedules
from clrfast.lr_scheduler import ScheduleLR
from clrfast.lr_scheduler._tensors import HOST_TENSOR, STAGED_TENSOR, _Block, what_is

RATE = schedules.linear(0.0, 1.0, 1000)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of|The epoch parameter")
        yield


def sgd(*rates: Any) -> SGD:
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates]
    return SGD(groups, lr=0.1, momentum=0.9)


def tensor(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor(0.3, dtype=dtype)


def set_data(rate: torch.Tensor, data: torch.Tensor) -> None:
    rate.data = data


def make_subclass(rate: torch.Tensor) -> None:
    class Rate(torch.Tensor):
        pass

    rate.__class__ = Rate


# What gives a tensor other memory, or makes another kind of tensor of it.
MOVES: dict[str, Any] = {
    "share_memory_": lambda rate: rate.share_memory_(),
    "pickled for another process": ForkingPickler.dumps,
    "data": lambda rate: set_data(rate, tensor()),
    "data of another dtype": lambda rate: set_data(rate, tensor(torch.float64)),
    "data of half precision": lambda rate: set_data(rate, tensor(torch.float16)),
    "data of one dimension": lambda rate: set_data(rate, torch.ones(1)),
    "set_": lambda rate: rate.set_(tensor(rate.dtype)),
    "a view of a larger one": lambda rate: set_data(rate, torch.ones(7)[3]),
    "a subclass": make_subclass,
    "resized": lambda rate: rate.resize_(1),
    "swapped": lambda rate: torch.utils.swap_tensors(rate, tensor(torch.float64)),
}


@pytest.mark.filterwarnings("ignore:.*TypedStorage:UserWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("how", MOVES)
def test_a_rate_goes_on_moving_wherever_its_memory_goes(how: str, dtype: torch.dtype) -> None:
    rate = tensor(dtype)
    scheduler = ScheduleLR(sgd(rate, tensor()), lr=RATE)
    for _ in range(4):
        scheduler.step()
    # An alias keeps the memory that the tensor had, but not where torch moves it under both.
    old = None if how in ("share_memory_", "pickled for another process") else rate.detach()
    MOVES[how](rate)
    for step in range(5, 9):
        before = None if old is None or old.data_ptr() == rate.data_ptr() else float(old)
        scheduler.step()
        assert scheduler.optimizer.param_groups[0]["lr"] is rate
        for group in scheduler.optimizer.param_groups:
            assert float(group["lr"]) == pytest.approx(RATE(step), rel=1e-3)
        assert float(scheduler.get_last_lr()[0]) == pytest.approx(float(rate))
        assert before is None or float(old) == before  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR", "CosineAnnealingWarmRestarts"])
def test_momenta_and_drop_ins_too(name: str) -> None:
    def make() -> Any:
        betas = (tensor(), torch.tensor(0.999))
        optimizer = Adam([torch.nn.Parameter(torch.ones(1))], lr=tensor(), betas=betas, foreach=False)
        arguments: dict[str, Any] = {
            "CyclicLR": {"base_lr": 0.1, "max_lr": 0.2, "step_size_up": 5},
            "OneCycleLR": {"max_lr": 0.1, "total_steps": 30},
            "CosineAnnealingWarmRestarts": {"T_0": 7},
        }
        return getattr(lr_scheduler, name)(optimizer, **arguments[name])

    moved, still = make(), make()
    for step in range(20):
        if step % 5 == 0:
            group = moved.optimizer.param_groups[0]
            for each in (group["lr"], group["betas"][0]):
                each.share_memory_() if step == 5 else set_data(each, tensor())
        moved.step()
        still.step()
        groups = [scheduler.optimizer.param_groups[0] for scheduler in (moved, still)]
        assert groups[0]["lr"] == groups[1]["lr"]
        assert groups[0]["betas"] == groups[1]["betas"] or name == "CosineAnnealingWarmRestarts"


def test_a_tensor_without_memory_gets_nothing() -> None:
    rate = tensor()
    scheduler = ScheduleLR(sgd(rate), lr=RATE)
    for _ in range(3):
        scheduler.step()
    rate.data = torch.empty(0)
    scheduler.step()
    rate.data = tensor()
    scheduler.step()
    assert float(rate) == pytest.approx(RATE(5))


def test_a_tensor_that_went_to_another_device_is_written_there() -> None:
    rate = tensor()
    scheduler = ScheduleLR(sgd(rate, tensor()), lr=RATE)
    for _ in range(3):
        scheduler.step()
    torch.utils.swap_tensors(rate, torch.tensor(0.3, device="meta"))
    scheduler.step()
    assert scheduler.optimizer.param_groups[0]["lr"].device.type == "meta"
    assert float(scheduler.optimizer.param_groups[1]["lr"]) == pytest.approx(RATE(4))


def test_under_a_mode_that_answers_for_tensors() -> None:
    """A default device is such a mode; another may answer with anything, and so it is not asked."""

    class Lying(torch.overrides.TorchFunctionMode):  # type: ignore[misc,name-defined]
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if getattr(function, "__name__", "") == "data_ptr":
                return 8  # to write there would end the process
            return function(*args, **(kwargs or {}))

    rate = tensor()
    scheduler = ScheduleLR(sgd(rate), lr=RATE)
    for _ in range(3):
        scheduler.step()
    with Lying():
        assert rate.data_ptr() == 8
        scheduler.step()
        scheduler.step()
        assert what_is(rate) == STAGED_TENSOR
    assert float(rate) == pytest.approx(RATE(5))
    with torch.device("cpu"):
        scheduler.step()
    scheduler.step()
    assert float(rate) == pytest.approx(RATE(7))


def test_which_tensors_are_written_by_the_core() -> None:
    assert what_is(tensor()) == what_is(tensor(torch.float64)) == what_is(torch.ones(1)) == HOST_TENSOR
    for other in (
        tensor(torch.float16),
        torch.ones(2),
        torch.nn.Parameter(tensor()),
        tensor().requires_grad_(),
        torch.tensor(0.1, device="meta"),
        torch.complex(tensor(), tensor()).conj().imag,  # whose memory holds the negated number
        torch.sparse_coo_tensor([[0]], [0.1], (1,), check_invariants=True),
    ):
        assert what_is(other) == STAGED_TENSOR


def test_a_negated_view_gets_the_value_itself() -> None:
    rate = torch.complex(tensor(), tensor()).conj().imag
    assert rate.is_neg()
    optimizer = sgd(tensor())
    optimizer.param_groups[0]["lr"] = rate
    scheduler = ScheduleLR(optimizer, lr=RATE)
    for _ in range(3):
        scheduler.step()
    assert float(rate) == pytest.approx(RATE(3))


class Finalized(float):
    """A number that does something when it is freed."""

    def __new__(cls, value: float, action: Any) -> Finalized:
        made = super().__new__(cls, value)
        made.action = action  # type: ignore[attr-defined]
        return made

    def __del__(self) -> None:
        self.action()  # type: ignore[attr-defined]


def adam() -> Adam:
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))]} for _ in range(3)]
    return Adam(groups, lr=0.1)


def clear_schedules(scheduler: Any) -> None:
    scheduler.schedules["lr"].clear()
    scheduler.schedules["momentum"].clear()


ACTIONS: dict[str, Any] = {
    "sets the tuple": lambda s: s.optimizer.param_groups[0].update(betas=(0.1, 0.2)),
    "sets the tuple of the next group": lambda s: s.optimizer.param_groups[1].update(betas=(0.1, 0.2)),
    "clears its group": lambda s: s.optimizer.param_groups[0].clear(),
    "clears the next group": lambda s: s.optimizer.param_groups[1].clear(),
    "clears the groups": lambda s: s.optimizer.param_groups.clear(),
    "replaces the groups": lambda s: setattr(s.optimizer, "param_groups", []),
    "grows its group": lambda s: s.optimizer.param_groups[0].update({f"key {i}": i for i in range(99)}),
    "drops the plan": lambda s: s._forget(),
    "drops the optimizer": lambda s: s.__dict__.pop("optimizer", None),
    "clears the attributes": lambda s: s.__dict__.clear(),
    "clears the schedules": clear_schedules,
    "steps": lambda s: s.step(),
    "loads a state": lambda s: s.load_state_dict(s.state_dict()),
    "collects": lambda s: gc.collect(),
    "raises": lambda s: 1 / 0,
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("place", ["lr", "beta1", "beta2", "tuple", "last lr", "old plan"])
@pytest.mark.parametrize("action", ACTIONS)
def test_what_a_finalizer_does_in_a_step_is_harmless(action: str, place: str) -> None:
    """Whatever it does, the step ends or raises a Python error, and a fresh scheduler goes on."""
    optimizer = adam()
    scheduler = ScheduleLR(optimizer, lr=RATE, momentum=RATE.reciprocal())
    for _ in range(3):
        scheduler.step()
    calls: list[int] = []

    def act() -> None:
        if not calls:
            calls.append(1)
            ACTIONS[action](scheduler)

    group = optimizer.param_groups[0]
    number = Finalized(0.5, act)
    if place == "lr":
        group["lr"] = number
    elif place == "beta1":
        group["betas"] = (number, 0.999)
    elif place == "beta2":  # which a step keeps: it is freed when the tuple is set again
        group["betas"] = (0.9, number)
    elif place == "tuple":
        group["betas"] = Pair((0.9, 0.999))
        group["betas"].number = number
    elif place == "last lr":
        scheduler._known_last_lr = [number]
    else:
        scheduler.schedules["lr"][2] = Constant(number)
        scheduler.step()
        scheduler.schedules["lr"][2] = RATE
    del number
    for _ in range(3):
        try:  # noqa: SIM105 - which error there is is not the point, only that it is one of Python's
            scheduler.step()
        except Exception:
            pass
    group["betas"] = (0.9, 0.999)
    assert calls
    fresh = adam()
    going_on = ScheduleLR(fresh, lr=RATE)
    going_on.step()
    going_on.step()
    assert [each["lr"] for each in fresh.param_groups] == [RATE(2)] * 3


class Pair(tuple):  # type: ignore[type-arg]
    """A tuple with attributes."""


class Constant:
    """A function of the step that holds a number."""

    def __init__(self, number: float) -> None:
        self.number = number

    def __call__(self, step: float) -> float:
        return 0.5


def test_a_schedule_that_steps_its_own_scheduler_is_harmless() -> None:
    depth: list[int] = []

    def curve(step: int) -> float:
        if step == 3 and not depth:
            depth.append(1)
            scheduler.step()
        return 1 / (1 + step)

    scheduler = ScheduleLR(sgd(0.1, tensor()), lr=curve)
    for _ in range(6):
        scheduler.step()
    assert depth
    assert float(scheduler.optimizer.param_groups[1]["lr"]) == pytest.approx(1 / 7)


@pytest.mark.skipif(not hasattr(sys, "_is_gil_enabled"), reason="this Python always has its GIL")
def test_the_interpreter_keeps_its_lock() -> None:
    """Which the core needs, and does not declare that it could do without."""
    assert sys._is_gil_enabled()  # type: ignore[attr-defined]


def test_groups_that_get_the_same_value_share_it_and_keep_their_own() -> None:
    optimizer = adam()
    optimizer.param_groups[1]["betas"] = (0.9, 0.5)
    optimizer.param_groups[2]["betas"] = (0.9, 0.5, 0.25)
    scheduler = ScheduleLR(optimizer, lr=[RATE, RATE, RATE.scaled(2.0)], momentum=RATE.reciprocal())
    for step in range(1, 5):
        scheduler.step()
        first = RATE.reciprocal()(step)
        groups = optimizer.param_groups
        assert [group["betas"] for group in groups] == [(first, 0.999), (first, 0.5), (first, 0.5, 0.25)]
        assert [group["lr"] for group in groups] == [RATE(step), RATE(step), 2 * RATE(step)]
        assert groups[0]["lr"] is groups[1]["lr"]


def test_a_step_that_would_be_captured_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rate = torch.tensor(0.1)
    block = _Block([(0, rate)], np.array([0.3]))
    block._pinned = True  # as on a GPU
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    with pytest.raises(RuntimeError, match=r"step\(\) must be called outside of the graph that is captured"):
        block.write()
    assert rate.item() == pytest.approx(0.1)
