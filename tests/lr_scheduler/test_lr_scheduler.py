"""ScheduleLR: what is driven, resumed, refused."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, Adagrad, Adam, AdamW, NAdam, Optimizer, RMSprop

from clrfast import lr_scheduler, schedules
from clrfast.lr_scheduler import ScheduleLR

RATE = schedules.one_cycle(0.1, 20)
MOMENTUM = RATE.reciprocal(0.85, 0.95)
MAKERS: list[tuple[type[Optimizer], dict[str, Any]]] = [
    (SGD, {"lr": 0.3, "momentum": 0.9}),
    (RMSprop, {"lr": 0.3}),
    (Adam, {"lr": 0.3}),
    (NAdam, {"lr": 0.3}),
    (AdamW, {"lr": torch.tensor(0.3)}),
    (AdamW, {"lr": torch.tensor(0.3, dtype=torch.float64), "betas": (torch.tensor(0.9), torch.tensor(0.99))}),
]


def parameters(groups: int = 1) -> list[dict[str, Any]]:
    return [{"params": [torch.nn.Parameter(torch.ones(2))]} for _ in range(groups)]


def sgd(groups: int = 1, **options: Any) -> SGD:
    return SGD(parameters(groups), **{"lr": 0.3, "momentum": 0.9, **options})


def train_step(scheduler: Any) -> None:
    scheduler.optimizer.step()
    scheduler.step()


def rates(scheduler: Any, steps: int) -> list[float]:
    """The rate of the first group in each of `steps` steps, counted from now."""
    seen = []
    for _ in range(steps):
        seen.append(float(scheduler.optimizer.param_groups[0]["lr"]))
        train_step(scheduler)
    return seen


def test_dir_shows_public_names_only() -> None:
    names = dir(lr_scheduler)
    assert names == sorted(lr_scheduler.__all__)
    assert {"ScheduleLR", "DeviceScheduleLR", "JointScheduleLR", "ratios", "StepLR"} <= set(names)
    assert not [name for name in names if name.startswith("_")]


def test_all_names_of_torch_are_there() -> None:
    assert set(torch.optim.lr_scheduler.__all__) <= set(lr_scheduler.__all__)
    for name in dir(torch.optim.lr_scheduler):
        assert hasattr(lr_scheduler, name), name
    assert lr_scheduler.StepLR is torch.optim.lr_scheduler.StepLR
    assert lr_scheduler.EPOCH_DEPRECATION_WARNING == torch.optim.lr_scheduler.EPOCH_DEPRECATION_WARNING
    with pytest.raises(AttributeError):
        lr_scheduler.NoSuchLR  # noqa: B018


@pytest.mark.parametrize(("optimizer", "options"), MAKERS)
def test_rate_and_momentum_follow_their_schedules(
    optimizer: type[Optimizer], options: dict[str, Any]
) -> None:
    scheduler = ScheduleLR(optimizer(parameters(2), **options), lr=RATE, momentum=MOMENTUM)
    tolerance = 1e-7 if isinstance(options["lr"], torch.Tensor) else 0.0
    for step in range(30):  # beyond the end the last value is held
        for group in scheduler.optimizer.param_groups:
            assert float(group["lr"]) == pytest.approx(RATE(step), rel=tolerance, abs=0)
            momentum = group["betas"][0] if "betas" in group else group["momentum"]
            assert float(momentum) == pytest.approx(MOMENTUM(step), rel=1e-7, abs=0)
        assert scheduler.last_epoch == step
        assert [float(rate) for rate in scheduler.get_last_lr()] == [
            float(group["lr"]) for group in scheduler.optimizer.param_groups
        ]
        train_step(scheduler)


def test_tensors_stay_the_same_objects_and_everything_else_a_float() -> None:
    betas = (torch.tensor(0.9), torch.tensor(0.999))
    optimizer = AdamW(parameters(2), lr=torch.tensor(0.3), betas=betas)
    optimizer.add_param_group({**parameters()[0], "lr": 0.3, "betas": (0.9, 0.999)})
    groups = optimizer.param_groups
    kept = [groups[0]["lr"], groups[0]["betas"], groups[0]["betas"][0]]
    scheduler = ScheduleLR(optimizer, lr=RATE, momentum=MOMENTUM)
    for _ in range(5):
        train_step(scheduler)
        now = [groups[0]["lr"], groups[0]["betas"], groups[0]["betas"][0]]
        assert all(a is b for a, b in zip(kept, now))
        assert type(groups[2]["lr"]) is type(groups[2]["betas"][0]) is float
        assert float(groups[0]["betas"][1]) == pytest.approx(0.999)


def test_values_that_were_read_do_not_change() -> None:
    """No step changes an object that somebody may have read."""
    scheduler = ScheduleLR(Adam(parameters(), lr=0.3), lr=RATE, momentum=MOMENTUM)
    group = scheduler.optimizer.param_groups[0]
    held, betas, beta1 = [], [], []
    snapshots = []
    for _ in range(10):
        train_step(scheduler)
        held.append(group["lr"])
        beta1.append(group["betas"][0])
        train_step(scheduler)
        betas.append(group["betas"])
        snapshots.append(scheduler.optimizer.state_dict()["param_groups"][0]["lr"])
    assert held == [RATE(step) for step in range(1, 21, 2)]
    assert beta1 == [MOMENTUM(step) for step in range(1, 21, 2)]
    assert [pair[0] for pair in betas] == [MOMENTUM(step) for step in range(2, 21, 2)]
    assert snapshots == [RATE(step) for step in range(2, 21, 2)]


def test_one_schedule_a_group_and_groups_left_alone() -> None:
    curves = [RATE, None, schedules.constant(0.7)]
    scheduler = ScheduleLR(sgd(3), lr=curves, weight_decay=[None, RATE.scaled(0.1), None])
    for step in range(5):
        groups = scheduler.optimizer.param_groups
        assert [group["lr"] for group in groups] == [RATE(step), 0.3, 0.7]
        assert [group["weight_decay"] for group in groups] == [0, RATE.scaled(0.1)(step), 0]
        assert scheduler.get_last_lr() == [RATE(step), 0.3, 0.7]
        with pytest.warns(UserWarning, match="get_last_lr"):
            assert scheduler.get_lr() == [RATE(step), 0.3, 0.7]
        train_step(scheduler)


def test_a_tensor_that_groups_share_is_only_driven_for_those_that_are() -> None:
    shared = torch.tensor(0.3)
    scheduler = ScheduleLR(sgd(3, lr=shared), lr=[RATE, None, RATE])
    train_step(scheduler)
    groups = scheduler.optimizer.param_groups
    assert [float(group["lr"]) for group in groups] == pytest.approx([RATE(1), 0.3, RATE(1)])
    assert groups[0]["lr"] is groups[2]["lr"] is shared


def test_any_hyperparameter_of_a_group() -> None:
    curve = schedules.linear(1e-8, 1e-3, 10)
    scheduler = ScheduleLR(Adam(parameters(), lr=0.3), eps=curve, beta2=schedules.constant(0.5))
    train_step(scheduler)
    train_step(scheduler)
    group = scheduler.optimizer.param_groups[0]
    assert group["eps"] == curve(2)
    assert group["betas"] == (0.9, 0.5)
    assert group["lr"] == scheduler.get_last_lr()[0] == 0.3


def test_any_function_of_the_step() -> None:
    scheduler = ScheduleLR(sgd(2), lr=lambda step: 1 / (1 + step))
    assert rates(scheduler, 5) == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert scheduler.total_steps == float("inf")
    assert ScheduleLR(sgd(2), lr=RATE).total_steps == RATE.total_steps


def test_a_function_that_fails_stops_the_step_and_nothing_counts() -> None:
    def curve(step: int) -> float:
        if step == 3:
            raise KeyError("three")
        return float("nan") if step == 4 else 0.5

    scheduler = ScheduleLR(sgd(), lr=curve)
    rates(scheduler, 2)
    for _ in range(2):
        with pytest.raises(KeyError, match="three"):
            scheduler.step()
        assert (scheduler.last_epoch, scheduler._step_count) == (2, 3)
    scheduler.last_epoch = 3
    with pytest.raises(ValueError, match="finite numbers, got nan at step 4"):
        scheduler.step()
    assert scheduler.optimizer.param_groups[0]["lr"] == 0.5


@given(at=st.integers(0, 40), maker=st.sampled_from(MAKERS))
def test_a_resumed_run_is_the_uninterrupted_run(
    at: int, maker: tuple[type[Optimizer], dict[str, Any]]
) -> None:
    """In every order of loading, and from last_epoch alone."""
    optimizer_class, options = maker

    def make(**more: Any) -> ScheduleLR:
        # Tensors must not be shared between two optimizers.
        made = optimizer_class(parameters(2), **copy.deepcopy(options))
        return ScheduleLR(made, lr=RATE, momentum=MOMENTUM, **more)

    def now(scheduler: ScheduleLR) -> list[Any]:
        groups = scheduler.optimizer.param_groups
        return [float(g["lr"]) for g in groups] + [
            float(g["betas"][0] if "betas" in g else g["momentum"]) for g in groups
        ]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the order of calls does not matter here
        whole = make()
        for _ in range(at):
            whole.step()
        states = scheduler_state, optimizer_state = whole.state_dict(), whole.optimizer.state_dict()
        before = copy.deepcopy(states)
        resumed = [make() for _ in range(4)]
        resumed[0].load_state_dict(scheduler_state)
        resumed[0].optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        resumed[1].optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        resumed[1].load_state_dict(scheduler_state)
        resumed[2].load_state_dict(scheduler_state)
        resumed[2].load_state_dict(scheduler_state)
        resumed[3] = make(last_epoch=at - 1)
        assert states == before
        for _ in range(3):
            for scheduler in resumed:
                assert now(scheduler) == now(whole)
                assert scheduler.last_epoch == whole.last_epoch
                assert scheduler.get_last_lr() == whole.get_last_lr()
                scheduler.step()
            whole.step()


def test_seven_million_steps_resume_at_once() -> None:
    curve = schedules.triangular2(0.001, 0.1, 2000)
    scheduler = ScheduleLR(sgd(), lr=curve, last_epoch=7_000_000)
    assert scheduler.last_epoch == 7_000_001
    assert scheduler.get_last_lr() == [curve(7_000_001)]


@pytest.mark.parametrize("tensor", [False, True])
def test_a_state_is_plain_numbers_and_texts(tensor: bool) -> None:
    scheduler = ScheduleLR(sgd(2, lr=torch.tensor(0.3) if tensor else 0.3), lr=RATE, momentum=MOMENTUM)
    train_step(scheduler)
    state = scheduler.state_dict()
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    assert torch.load(file, weights_only=True) == state

    def leaves(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from leaves(item)
        else:
            yield value

    assert {type(leaf) for leaf in leaves(state)} == {int, float, bool, str}


def test_a_longer_schedule_extends_the_run() -> None:
    short = ScheduleLR(sgd(), lr=schedules.one_cycle(0.1, 20))
    rates(short, 12)
    longer = schedules.one_cycle(0.1, 40)
    scheduler = ScheduleLR(sgd(), lr=longer)
    with pytest.warns(UserWarning, match="other schedules; this scheduler keeps its own") as seen:
        scheduler.load_state_dict(short.state_dict())
    assert seen[0].filename == __file__
    assert f"At step 12, lr of group 0 is 0.0500002 in the state and {longer(12):.6g} here" in str(seen[0])
    assert rates(scheduler, 5) == [longer(step) for step in range(12, 17)]


def test_groups_added_later_are_driven_too() -> None:
    scheduler = ScheduleLR(sgd(), lr=RATE, momentum=MOMENTUM)
    rates(scheduler, 3)
    scheduler.optimizer.add_param_group(parameters()[0])
    train_step(scheduler)
    for group in scheduler.optimizer.param_groups:
        assert (group["lr"], group["momentum"]) == (RATE(4), MOMENTUM(4))
    assert scheduler.get_last_lr() == [RATE(4)] * 2


def test_groups_added_where_each_has_its_own_schedule() -> None:
    scheduler = ScheduleLR(sgd(2), lr=[RATE, None])
    rates(scheduler, 3)
    scheduler.optimizer.add_param_group(parameters()[0])
    with pytest.raises(ValueError, match=r"3 parameter groups, but lr has 2 schedules.*schedules\['lr'\]"):
        scheduler.step()
    assert scheduler.last_epoch == 3
    scheduler.schedules["lr"].append(RATE.scaled(2))
    train_step(scheduler)
    assert [group["lr"] for group in scheduler.optimizer.param_groups] == [RATE(4), 0.3, 2 * RATE(4)]


def test_a_changed_schedule_or_value_is_seen() -> None:
    scheduler = ScheduleLR(sgd(2, lr=torch.tensor(0.3)), lr=RATE)
    groups = scheduler.optimizer.param_groups
    rates(scheduler, 3)
    groups[1]["lr"] = 0.3  # a number where there was a tensor
    groups[0]["lr"] = replaced = torch.tensor(0.3, dtype=torch.float64)
    train_step(scheduler)
    assert groups[1]["lr"] == float(replaced) == RATE(4)
    assert groups[0]["lr"] is replaced
    scheduler.schedules["lr"][1] = schedules.constant(2.0)
    train_step(scheduler)
    assert [float(group["lr"]) for group in groups] == [RATE(5), 2.0]


def test_values_are_found_wherever_their_keys_go() -> None:
    scheduler = ScheduleLR(sgd(2), lr=RATE, momentum=MOMENTUM)
    groups = scheduler.optimizer.param_groups

    def shuffle(step: int) -> None:
        if step == 1:  # the same keys in another order
            items = list(groups[0].items())[::-1]
            groups[0].clear()
            groups[0].update(items)
        if step == 2:  # equal keys that are other objects
            items = [("".join(list(key)), value) for key, value in groups[1].items()]
            groups[1].clear()
            groups[1].update(items)
        if step == 3:
            groups[1]["lr"] = groups[1].pop("lr")
        if step == 4:  # the dictionary grows
            groups[0].update({f"key {i}": i for i in range(100)})

    for step in range(8):
        shuffle(step)
        train_step(scheduler)
        expected = (RATE(step + 1), MOMENTUM(step + 1))
        assert [(group["lr"], group["momentum"]) for group in groups] == [expected] * 2
    del groups[0]["lr"]
    with pytest.raises(KeyError, match="lr"):
        scheduler.step()


def test_step_to_an_epoch() -> None:
    scheduler = ScheduleLR(sgd(), lr=RATE)
    scheduler.optimizer.step()
    with pytest.warns(UserWarning, match="epoch parameter in `scheduler.step"):
        scheduler.step(7)
    assert scheduler.get_last_lr() == [RATE(7)]
    scheduler.optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [RATE(8)]
    deprecated = pytest.warns(UserWarning, match="epoch parameter")
    with deprecated, pytest.raises(ValueError, match=r"must be a step from 0 to 2\*\*62, got -3"):
        scheduler.step(-3)
    assert scheduler.last_epoch == 8
    with pytest.raises(TypeError, match="one argument, epoch"):
        scheduler.step(1, 2)  # type: ignore[call-arg]


def test_calls_in_the_wrong_order_are_warned_about_where_they_are() -> None:
    scheduler = ScheduleLR(sgd(), lr=RATE)
    with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`") as caught:
        scheduler.step()
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()


BAD: list[tuple[type[Exception], str, Callable[[SGD], object]]] = [
    (TypeError, "float is not an Optimizer", lambda o: ScheduleLR(0.1, lr=RATE)),  # type: ignore[arg-type]
    (ValueError, "at least one of lr, momentum, weight_decay", ScheduleLR),
    (TypeError, "lr must be a schedule or a sequence of schedules, got 0.1", lambda o: ScheduleLR(o, lr=0.1)),  # type: ignore[arg-type]
    (TypeError, r"lr\[1\] must be a schedule", lambda o: ScheduleLR(o, lr=[RATE, 3])),  # type: ignore[list-item]
    (ValueError, "lr must have one schedule for each of 2 groups, got 1", lambda o: ScheduleLR(o, lr=[RATE])),
    (ValueError, "eps must be None: group 0 of SGD has none", lambda o: ScheduleLR(o, eps=RATE)),
    (ValueError, "beta1 must be None: group 0 of SGD has none", lambda o: ScheduleLR(o, beta1=RATE)),
    (TypeError, "nesterov must be a number in group 0", lambda o: ScheduleLR(o, nesterov=RATE)),
    (ValueError, "lr at step 0 must be finite", lambda o: ScheduleLR(o, lr=lambda step: float("nan"))),
    (ValueError, "lr at step 0 must be .* >= 0, got -1", lambda o: ScheduleLR(o, lr=lambda step: -1)),
    (
        ValueError,
        "momentum at step 5 must be .* >= 0",
        lambda o: ScheduleLR(o, momentum=lambda step: -step, last_epoch=4),
    ),
    (TypeError, "lr at step 0 must be a number", lambda o: ScheduleLR(o, lr=lambda step: "a")),  # type: ignore[arg-type,return-value]
    (ValueError, "last_epoch must be an integer from -1", lambda o: ScheduleLR(o, lr=RATE, last_epoch=-2)),
    (TypeError, "last_epoch must be an integer, got 1.5", lambda o: ScheduleLR(o, lr=RATE, last_epoch=1.5)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("error", "message", "make"), BAD, ids=[message for _, message, _ in BAD])
def test_bad_input_changes_nothing(error: type[Exception], message: str, make: Any) -> None:
    optimizer = sgd(2)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(error, match=message):
        make(optimizer)
    assert optimizer.state_dict() == before
    assert not hasattr(optimizer.step, "_wrapped_by_lr_sched")


def test_optimizers_without_momentum() -> None:
    with pytest.raises(ValueError, match="momentum must be None: group 0 of Adagrad has none"):
        ScheduleLR(Adagrad(parameters()), lr=RATE, momentum=MOMENTUM)


def test_a_bad_state_changes_nothing() -> None:
    scheduler = ScheduleLR(sgd(), lr=RATE)
    rates(scheduler, 3)
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match=r"last_epoch must be a step from -1 to 2\*\*62, got -inf"):
        scheduler.load_state_dict({**before, "last_epoch": float("-inf")})
    assert scheduler.state_dict() == before
    train_step(scheduler)
    assert scheduler.get_last_lr() == [RATE(4)]


def test_copies_and_pickles_go_on_alone() -> None:
    scheduler = ScheduleLR(sgd(2), lr=RATE, momentum=MOMENTUM)
    rates(scheduler, 4)
    copies = [copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))]
    for made in copies:
        assert made.get_last_lr() == [RATE(4)] * 2
        rates(made, 2)
        assert [g["lr"] for g in made.optimizer.param_groups] == [RATE(6)] * 2
    assert scheduler.last_epoch == 4


def test_nothing_is_kept_alive() -> None:
    gc.collect()
    gc.disable()
    try:
        optimizer = sgd()
        scheduler = ScheduleLR(optimizer, lr=RATE)
        rates(scheduler, 3)
        refs = weakref.ref(scheduler), weakref.ref(optimizer)
        del scheduler
        assert refs[0]() is None
        del optimizer
        assert refs[1]() is None
    finally:
        gc.enable()


def test_a_cycle_through_a_schedule_is_collected() -> None:
    holder: list[ScheduleLR] = []
    holder.append(ScheduleLR(sgd(), lr=lambda step, held=holder: 0.1 + len(held)))
    rates(holder[0], 3)
    ref = weakref.ref(holder[0])
    del holder
    gc.collect()
    assert ref() is None


def test_a_schedule_may_drop_the_plan_that_calls_it() -> None:
    def curve(step: int) -> float:
        if step == 3:
            scheduler._forget()
        return 1 / (1 + step)

    scheduler = ScheduleLR(sgd(), lr=curve)
    assert rates(scheduler, 6) == [1 / (1 + step) for step in range(6)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_tensors_of_any_float_type_and_shape(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    rate = torch.full(shape, 0.3, dtype=dtype)
    optimizer = sgd(1, lr=torch.tensor(0.3))
    optimizer.param_groups[0]["lr"] = rate
    scheduler = ScheduleLR(optimizer, lr=RATE)
    for step in range(4):
        assert torch.equal(rate, torch.full(shape, RATE(step), dtype=dtype))
        scheduler.optimizer.param_groups[0]["lr"] = 0.3  # what SGD takes
        optimizer.step()
        optimizer.param_groups[0]["lr"] = rate
        scheduler.step()
    last = scheduler.get_last_lr()[0]
    assert isinstance(last, torch.Tensor)
    assert last.dtype == dtype
    assert last.data_ptr() != rate.data_ptr()


def test_tensors_off_the_host_are_written_in_one_operation() -> None:
    """On the meta device, which has no memory, what matters are the calls."""
    optimizer = sgd(3)
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(0.3, device="meta")
    scheduler = ScheduleLR(optimizer, lr=RATE)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        scheduler._write(1)
    calls = [event.name for event in profile.events() if event.cpu_parent is None]
    assert calls.count("aten::_foreach_copy_") == 1
    assert not any("item" in name or "fill" in name for name in calls)


def test_torch_classes_compose_with_it() -> None:
    optimizer = sgd()
    first = lr_scheduler.LinearLR(optimizer, 0.5, total_iters=3)
    scheduler = lr_scheduler.SequentialLR(optimizer, [first, ScheduleLR(optimizer, lr=RATE)], [4])
    seen = rates(scheduler, 8)
    assert seen[4:] == [RATE(step) for step in range(4)]
    assert np.allclose(seen[:4], [0.15, 0.2, 0.25, 0.3])
