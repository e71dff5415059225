"""CyclicLR, OneCycleLR and CosineAnnealingWarmRestarts against torch's own, in all that torch has right."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim import SGD, Adam, Optimizer, Rprop

from clrfast import lr_scheduler as ours

theirs = torch.optim.lr_scheduler
NAMES = ("CyclicLR", "OneCycleLR", "CosineAnnealingWarmRestarts")
MANY = settings(max_examples=1000)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Most tests here step without an optimizer step in between, and some to an epoch."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Detected call of|Seems like|The epoch parameter|To get the last learning rate"
        )
        yield


def optimizer_of(kind: str, tensors: list[bool], rate: float = 0.3) -> Optimizer:
    """An optimizer with one group for each of `tensors`, which says whether its rate is one."""
    groups = [
        {
            "params": [torch.nn.Parameter(torch.ones(1, dtype=torch.float64))],
            "lr": torch.tensor(rate, dtype=torch.float64) if tensor else rate,
        }
        for tensor in tensors
    ]
    if kind == "SGD":
        return SGD(groups, lr=rate, momentum=0.5)
    if kind == "Adam":
        return Adam(groups, lr=rate)
    return Adam(groups, lr=rate, betas=(torch.tensor(0.9), torch.tensor(0.999)))


def momentum(group: dict[str, Any]) -> float:
    return float(group["betas"][0] if "betas" in group else group["momentum"])


def written(scheduler: Any) -> list[float]:
    groups = scheduler.optimizer.param_groups
    return [float(group["lr"]) for group in groups] + [momentum(group) for group in groups]


def agree(mine: Any, torchs: Any, scale: float = 1.0) -> None:
    assert written(mine) == pytest.approx(written(torchs), rel=1e-6, abs=1e-13 * scale)
    rates = [[float(rate) for rate in scheduler.get_last_lr()] for scheduler in (mine, torchs)]
    assert rates[0] == pytest.approx(rates[1], rel=1e-12, abs=1e-13 * scale)
    for name in ("last_epoch", "_step_count"):
        assert getattr(mine, name) == getattr(torchs, name)


def both(name: str, kind: str, tensors: list[bool], **arguments: Any) -> tuple[Any, Any]:
    """Our scheduler and torch's, each with its own optimizer."""
    mine, torchs = (
        getattr(module, name)(optimizer_of(kind, tensors), **copy.deepcopy(arguments))
        for module in (ours, theirs)
    )
    assert isinstance(mine, getattr(theirs, name))
    return mine, torchs


kinds = st.sampled_from(["SGD", "Adam", "tensor betas"])
groups = st.lists(st.booleans(), min_size=1, max_size=3)
numbers = st.floats(1e-5, 10)


@st.composite
def cyclic(draw: st.DrawFn) -> dict[str, Any]:
    tensors = draw(groups)

    def some(least: float, most: float) -> Any:
        each = st.floats(least, most)
        return draw(st.one_of(each, st.lists(each, min_size=len(tensors), max_size=len(tensors))))

    sizes = st.one_of(st.integers(1, 20), st.floats(0.5, 20))
    up = draw(sizes)
    # A fall at once between two steps is where torch's phase, which is rounded, may be on the other side.
    down = draw(st.one_of(st.none(), sizes, st.just(0)) if isinstance(up, int) else sizes)
    return {
        "kind": draw(kinds),
        "tensors": tensors,
        "base_lr": some(0.0, 1.0),
        "max_lr": some(1.0, 10.0),
        "step_size_up": up,
        "step_size_down": down,
        "mode": draw(st.sampled_from(["triangular", "triangular2", "exp_range"])),
        "gamma": draw(st.floats(0.5, 1.1)),
        "scale_fn": draw(st.sampled_from([None, None, lambda x: 1 / (1 + x), lambda x: 0.9**x])),
        "scale_mode": draw(st.sampled_from(["cycle", "iterations"])),
        "cycle_momentum": draw(st.booleans()),
        "base_momentum": some(0.0, 0.5),
        "max_momentum": some(0.5, 0.9),
    }


@st.composite
def one_cycle(draw: st.DrawFn) -> dict[str, Any]:
    tensors = draw(groups)
    three_phase = draw(st.booleans())
    total = draw(st.integers(3, 60))
    pct_start = draw(st.floats(0.1, 0.5 if three_phase else 0.95))
    # Torch divides by the length of each phase.
    ends = [0.0, pct_start * total - 1, 2 * pct_start * total - 2 if three_phase else 0.0, total - 1.0]
    assume(ends[1] > 0 and (not three_phase or ends[2] > ends[1]) and ends[3] > max(ends[1:3]))
    return {
        "kind": draw(kinds),
        "tensors": tensors,
        "max_lr": draw(st.one_of(numbers, st.lists(numbers, min_size=len(tensors), max_size=len(tensors)))),
        "total_steps": total,
        "pct_start": pct_start,
        "anneal_strategy": draw(st.sampled_from(["cos", "linear"])),
        "cycle_momentum": draw(st.booleans()),
        "base_momentum": draw(st.floats(0.0, 0.5)),
        "max_momentum": draw(st.floats(0.5, 0.9)),
        "div_factor": draw(st.floats(1.0, 100.0)),
        "final_div_factor": draw(st.floats(1.0, 1e4)),
        "three_phase": three_phase,
    }


@st.composite
def warm_restarts(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "kind": draw(kinds),
        "tensors": draw(groups),
        "T_0": draw(st.integers(1, 12)),
        "T_mult": draw(st.integers(1, 4)),
        "eta_min": draw(st.one_of(st.just(0), st.floats(0.0, 0.3))),
    }


ARGUMENTS = {"CyclicLR": cyclic(), "OneCycleLR": one_cycle(), "CosineAnnealingWarmRestarts": warm_restarts()}


def compare(name: str, arguments: dict[str, Any]) -> None:
    mine, torchs = both(name, **arguments)
    identities = [[id(group["lr"]) for group in mine.optimizer.param_groups]]
    agree(mine, torchs, 10.0)
    for _ in range(arguments.get("total_steps", 41) - 1):
        mine.step()
        torchs.step()
        agree(mine, torchs, 10.0)
    identities.append([id(group["lr"]) for group in mine.optimizer.param_groups])
    assert all(a == b for a, b, tensor in zip(*identities, arguments["tensors"]) if tensor)


@MANY
@given(arguments=cyclic())
def test_cyclic_is_torchs(arguments: dict[str, Any]) -> None:
    compare("CyclicLR", arguments)


@MANY
@given(arguments=one_cycle())
def test_one_cycle_is_torchs(arguments: dict[str, Any]) -> None:
    compare("OneCycleLR", arguments)


@MANY
@given(arguments=warm_restarts())
def test_warm_restarts_are_torchs(arguments: dict[str, Any]) -> None:
    compare("CosineAnnealingWarmRestarts", arguments)


@MANY
@given(arguments=warm_restarts(), epochs=st.lists(st.one_of(st.none(), st.floats(0, 60)), max_size=20))
def test_warm_restarts_at_fractions_of_an_epoch(
    arguments: dict[str, Any], epochs: list[float | None]
) -> None:
    mine, torchs = both("CosineAnnealingWarmRestarts", **arguments)
    for epoch in epochs:
        mine.step(epoch)
        torchs.step(epoch)
        # Near a restart torch may be in the wrong cycle, which another test is about.
        for scheduler in (mine, torchs):
            assume(1e-9 <= scheduler.T_cur <= scheduler.T_i * (1 - 1e-9))
        assert (mine.T_cur, mine.T_i) == (pytest.approx(torchs.T_cur, abs=1e-9), torchs.T_i)
        agree(mine, torchs)


@settings(max_examples=300)
@given(
    data=st.data(), name=st.sampled_from(NAMES), steps=st.lists(st.integers(0, 12), min_size=3, max_size=3)
)
def test_states_go_back_and_forth(data: st.DataObject, name: str, steps: list[int]) -> None:
    """From torch's class to ours and back, through a file; the run goes on as if nothing had happened."""
    arguments = data.draw(ARGUMENTS[name])
    assume(sum(steps) < arguments.get("total_steps", 100))
    mine, torchs = both(name, **arguments)
    assert set(mine.state_dict()) == set(torchs.state_dict())
    scheduler = torchs
    for round_, count in enumerate(steps):
        for _ in range(count):
            scheduler.step()
            mine.step()
        agree(mine, scheduler, 10.0)
        file = io.BytesIO()
        torch.save((scheduler.state_dict(), scheduler.optimizer.state_dict()), file)
        file.seek(0)
        state, optimizer_state = torch.load(file, weights_only=True)
        module = theirs if round_ % 2 else ours
        optimizer = optimizer_of(arguments["kind"], arguments["tensors"])
        rest = {k: v for k, v in arguments.items() if k not in ("kind", "tensors")}
        scheduler = getattr(module, name)(optimizer, **rest)
        scheduler.load_state_dict(state)
        optimizer.load_state_dict(optimizer_state)
        agree(mine, scheduler, 10.0)


SOME: dict[str, dict[str, Any]] = {
    "CyclicLR": {
        "base_lr": 0.01,
        "max_lr": 0.2,
        "step_size_up": 3,
        "step_size_down": 5,
        "mode": "exp_range",
        "gamma": 0.97,
    },
    "OneCycleLR": {"max_lr": 0.2, "total_steps": 40},
    "CosineAnnealingWarmRestarts": {"T_0": 3, "T_mult": 2, "eta_min": 0.01},
}


def make(name: str, kind: str = "SGD", tensors: tuple[bool, ...] = (False, True), **more: Any) -> Any:
    return getattr(ours, name)(optimizer_of(kind, list(tensors)), **{**SOME[name], **more})


RESUMES = (
    "scheduler first",
    "optimizer first",
    "scheduler alone",
    "twice",
    "last_epoch",
    "last_epoch, optimizer first",
    "pickle",
)


@pytest.mark.parametrize("how", RESUMES)
@pytest.mark.parametrize("at", [0, 1, 2, 3, 9, 30])
@pytest.mark.parametrize("kind", ["SGD", "Adam", "tensor betas"])
@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_is_the_uninterrupted_run(name: str, kind: str, at: int, how: str) -> None:
    whole = make(name, kind)
    for _ in range(at):
        whole.step()
    state, optimizer_state = whole.state_dict(), copy.deepcopy(whole.optimizer.state_dict())
    before = copy.deepcopy(state)
    if how == "pickle":
        resumed = pickle.loads(pickle.dumps(whole))
    elif how.startswith("last_epoch"):
        optimizer = optimizer_of(kind, [False, True])
        if "optimizer" in how:
            optimizer.load_state_dict(optimizer_state)
        elif name == "CosineAnnealingWarmRestarts":  # which has its highest rate from nowhere else
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        resumed = getattr(ours, name)(optimizer, **SOME[name], last_epoch=at - 1)
    else:
        resumed = make(name, kind)
        if how == "optimizer first":
            resumed.optimizer.load_state_dict(optimizer_state)
        resumed.load_state_dict(state)
        if how == "twice":
            resumed.load_state_dict(state)
        if how == "scheduler first":
            resumed.optimizer.load_state_dict(optimizer_state)
    assert state == before
    for _ in range(9):
        assert written(resumed) == written(whole)
        assert resumed.get_last_lr() == whole.get_last_lr()
        assert resumed.last_epoch == whole.last_epoch
        resumed.step()
        whole.step()


@pytest.mark.parametrize("total", [41, 80, 30])
def test_another_length_is_kept_when_a_state_is_loaded(total: int) -> None:
    part = make("OneCycleLR")
    for _ in range(17):
        part.step()
    resumed, whole = make("OneCycleLR", total_steps=total), make("OneCycleLR", total_steps=total)
    with pytest.warns(
        UserWarning, match=f"run of 40 steps; this scheduler keeps its own total_steps, {total}"
    ) as seen:
        resumed.load_state_dict(part.state_dict())
    assert seen[0].filename == __file__
    for _ in range(17):
        whole.step()
    for _ in range(total - 17):
        assert written(resumed) == written(whole)
        resumed.step()
        whole.step()


def test_a_run_cannot_be_shortened_to_what_is_behind_it() -> None:
    part = make("OneCycleLR")
    for _ in range(17):
        part.step()
    resumed = make("OneCycleLR", total_steps=16)
    with (
        pytest.warns(UserWarning, match="keeps its own"),
        pytest.raises(ValueError, match="Tried to step 17"),
    ):
        resumed.load_state_dict(part.state_dict())
    assert (resumed.last_epoch, resumed.total_steps) == (0, 16)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["SGD", "Adam", "tensor betas"])
def test_groups_added_later_go_with_the_others(name: str, kind: str) -> None:
    scheduler = make(name, kind)
    for _ in range(4):
        scheduler.step()
    scheduler.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.3})
    for _ in range(9):
        scheduler.step()
        rates, momenta = written(scheduler)[:3], written(scheduler)[3:]
        assert rates == pytest.approx([rates[0]] * 3)
        assert momenta == pytest.approx([momenta[0]] * 3)
        assert len(scheduler.get_last_lr()) == 3
    resumed = make(name, kind, (False, True, False))
    resumed.load_state_dict(scheduler.state_dict())
    assert written(resumed) == written(scheduler)


def test_groups_added_later_where_the_others_differ() -> None:
    new = {"params": [torch.nn.Parameter(torch.ones(1))]}
    cyclic = make("CyclicLR", base_lr=[0.01, 0.02], cycle_momentum=False)
    cyclic.optimizer.add_param_group(dict(new))
    with pytest.raises(
        ValueError, match=r"3 parameter groups, but base_lrs has 2 values.*scheduler\.base_lrs"
    ):
        cyclic.step()
    cyclic.base_lrs.append(0.03)
    cyclic.step()
    assert float(cyclic.get_last_lr()[2]) > float(cyclic.get_last_lr()[1])
    one = make("OneCycleLR", max_lr=[0.1, 0.2])
    one.optimizer.add_param_group(dict(new))
    with pytest.raises(ValueError, match=r"param_groups\[2\] needs a value for 'initial_lr'"):
        one.step()
    one.optimizer.param_groups[2].update(initial_lr=0.1, max_lr=0.2, min_lr=0.0)
    one.step()
    assert one.get_last_lr()[2] == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_plain_optimizer_states_can_be_loaded(name: str) -> None:
    """One that was saved before there was a scheduler has none of its keys."""
    scheduler = make(name)
    scheduler.step()
    expected = written(scheduler)
    scheduler.step()
    scheduler.optimizer.load_state_dict(optimizer_of("SGD", [False, True]).state_dict())
    scheduler.last_epoch -= 2
    if name == "CosineAnnealingWarmRestarts":
        scheduler.T_cur -= 2
    scheduler.step()
    assert written(scheduler) == expected


@pytest.mark.parametrize("name", NAMES)
def test_changed_attributes_are_seen_in_the_next_step(name: str) -> None:
    mine, torchs = both(name, "SGD", [False, True, False], **SOME[name])
    changes: dict[str, list[Any]] = {
        "CyclicLR": [
            lambda s: setattr(s, "base_lrs", [0.1, 0.05, 0.02]),
            lambda s: s.max_lrs.__setitem__(0, 0.9),
            lambda s: setattr(s, "total_size", 20.0),
            lambda s: s.max_momentums.__setitem__(2, 0.95),
        ],
        "OneCycleLR": [
            lambda s: s.optimizer.param_groups[0].__setitem__("max_lr", 0.9),
            lambda s: s.optimizer.param_groups[2].__setitem__("base_momentum", 0.1),
            lambda s: setattr(s, "_anneal_func_type", "linear"),
            lambda s: s._schedule_phases[0].__setitem__("end_step", 11.0),
        ],
        "CosineAnnealingWarmRestarts": [
            lambda s: setattr(s, "base_lrs", [0.1, 0.2, 0.3]),
            lambda s: s.base_lrs.__setitem__(1, 0.7),
            lambda s: setattr(s, "eta_min", 0.05),
            lambda s: setattr(s, "T_cur", 0),
            lambda s: setattr(s, "T_mult", 3),
        ],
    }
    for change in changes[name]:
        for scheduler in (mine, torchs):
            change(scheduler)
            scheduler.step()
        agree(mine, torchs)
        mine.step()
        torchs.step()
        agree(mine, torchs)


def test_last_rates_survive_a_change_of_the_bounds() -> None:
    scheduler = make("CyclicLR")
    scheduler.step()
    before = [float(group["lr"]) for group in scheduler.optimizer.param_groups]
    scheduler.max_lrs = [5.0, 5.0]
    assert [float(rate) for rate in scheduler.get_last_lr()] == before


@pytest.mark.parametrize("name", NAMES)
def test_subclasses_with_their_own_rates(name: str) -> None:
    class Doubled(getattr(ours, name)):  # type: ignore[misc]
        def get_lr(self) -> list[Any]:
            return [2 * rate for rate in super().get_lr()]

    plain, doubled = make(name), Doubled(optimizer_of("SGD", [False, True]), **SOME[name])
    for _ in range(9):
        plain.step()
        doubled.step()
        expected = [2 * float(rate) for rate in plain.get_last_lr()]
        assert [float(group["lr"]) for group in doubled.optimizer.param_groups] == pytest.approx(expected)
        assert written(doubled)[2:] == pytest.approx(written(plain)[2:])
        assert doubled.last_epoch == plain.last_epoch


def test_subclasses_with_their_own_scale_fn() -> None:
    def scale_fn(self: Any, x: float) -> float:
        return 0.5 / x

    pair = [
        type("Own", (module.CyclicLR,), {"scale_fn": scale_fn})(optimizer_of("SGD", [False]), 0.1, 0.2, 3)
        for module in (ours, theirs)
    ]
    for _ in range(20):
        pair[0].step()
        pair[1].step()
        agree(*pair)


@pytest.mark.parametrize("name", NAMES)
def test_in_sequential_and_chained_schedulers(name: str) -> None:
    def sequence(module: Any) -> Any:
        optimizer = optimizer_of("SGD", [False, True])
        parts = [
            theirs.LinearLR(optimizer, 0.1, total_iters=4),
            getattr(module, name)(optimizer, **SOME[name]),
            theirs.ConstantLR(optimizer, 0.5, total_iters=100),
        ]
        return theirs.SequentialLR(optimizer, parts, milestones=[4, 20])

    def chain(module: Any) -> Any:
        optimizer = optimizer_of("SGD", [False, True])
        first = getattr(module, name)(optimizer, **SOME[name])
        return theirs.ChainedScheduler([first, theirs.ExponentialLR(optimizer, 0.9)])

    for compose in (sequence, chain):
        mine, torchs = compose(ours), compose(theirs)
        for step in range(30):
            assert written(mine) == pytest.approx(written(torchs), rel=1e-6)
            if step == 12:
                again = compose(ours)
                again.load_state_dict(copy.deepcopy(mine.state_dict()))
                again.optimizer.load_state_dict(mine.optimizer.state_dict())
                mine = again
            mine.step()
            torchs.step()


@pytest.mark.parametrize("name", NAMES)
def test_get_lr_is_a_function_of_the_state(name: str) -> None:
    """Ignite counts on its own, and asks with torch's flag set."""
    scheduler, whole = make(name), make(name)
    assert isinstance(scheduler.get_lr(), list)
    for _ in range(12):
        whole.step()
        scheduler.last_epoch += 1
        if name == "CosineAnnealingWarmRestarts":
            scheduler.T_cur, scheduler.T_i = whole.T_cur, whole.T_i
        scheduler._get_lr_called_within_step = True
        rates = scheduler.get_lr()
        scheduler._get_lr_called_within_step = False
        assert rates == whole.get_last_lr()
        if name != "CosineAnnealingWarmRestarts":
            assert written(scheduler)[2:] == written(whole)[2:]


@pytest.mark.parametrize("name", NAMES)
def test_get_lr_warns_as_torchs_does(name: str) -> None:
    with pytest.warns(UserWarning, match=r"please use `get_last_lr\(\)`"):
        make(name).get_lr()


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_warnings_are_torchs(name: str) -> None:
    def seen(module: Any) -> list[str]:
        scheduler = getattr(module, name)(optimizer_of("SGD", [False]), **SOME[name])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler.step()
            scheduler.step()
            scheduler.step(7)
            scheduler.step(epoch=3)
        assert all(warning.filename == __file__ for warning in caught)
        return [str(warning.message) for warning in caught]

    assert seen(ours) == seen(theirs)
    assert len(seen(ours)) == 3


# What torch refuses, we refuse with the same error; (class, arguments, optimizer).
SGD2 = ("SGD", [False, False])
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("CyclicLR", {"base_lr": [0.1], "max_lr": 1.0}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": [1.0, 1.0, 1.0]}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "base_momentum": [0.1]}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "mode": "cats"}),
    ("OneCycleLR", {"max_lr": 0.1}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 3}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 0}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": -3}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 2.5}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 0, "steps_per_epoch": 3}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 3, "steps_per_epoch": 1.5}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "pct_start": 1.1}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "pct_start": -0.1}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "anneal_strategy": "cats"}),
    ("OneCycleLR", {"max_lr": [0.1], "total_steps": 10}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "max_momentum": [0.9]}),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}),
    ("CosineAnnealingWarmRestarts", {"T_0": -1}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 0}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 1.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "eta_min": "0"}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "last_epoch": 3}),
]


def error_of(module: Any, name: str, optimizer: Any, arguments: dict[str, Any]) -> Exception:
    before = copy.deepcopy(optimizer.state_dict()) if isinstance(optimizer, Optimizer) else None
    with pytest.raises((TypeError, ValueError, KeyError)) as caught:
        getattr(module, name)(optimizer, **arguments)
    if module is ours and isinstance(optimizer, Optimizer):
        assert optimizer.state_dict() == before
        assert not hasattr(optimizer.step, "_wrapped_by_lr_sched")
    return caught.value


@pytest.mark.parametrize(("name", "arguments"), REFUSED)
def test_what_torch_refuses(name: str, arguments: dict[str, Any]) -> None:
    mine, torchs = (error_of(module, name, optimizer_of(*SGD2), arguments) for module in (ours, theirs))
    assert type(mine) is type(torchs)
    assert str(torchs) in str(mine)  # ours may say more


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_optimizer_or_has_no_momentum(name: str) -> None:
    for optimizer in (0.1, Rprop([torch.ones(1)])):
        if name == "CosineAnnealingWarmRestarts" and optimizer != 0.1:
            continue
        mine, torchs = (error_of(module, name, optimizer, SOME[name]) for module in (ours, theirs))
        assert (type(mine), str(mine)) == (type(torchs), str(torchs))


def test_one_step_too_many() -> None:
    mine, torchs = both("OneCycleLR", *SGD2, **SOME["OneCycleLR"])
    for _ in range(40):
        mine.step()
        torchs.step()
    with pytest.raises(ValueError, match="Tried to step") as caught:
        mine.step()
    with pytest.raises(ValueError, match="Tried to step") as expected:
        torchs.step()
    assert str(caught.value) == str(expected.value)
    assert mine.last_epoch == 40


def test_negative_epochs() -> None:
    mine, torchs = both("CosineAnnealingWarmRestarts", *SGD2, **SOME["CosineAnnealingWarmRestarts"])
    for scheduler in (mine, torchs):
        with pytest.raises(ValueError, match="Expected non-negative epoch, but got -1"):
            scheduler.step(-1)
    with pytest.raises(ValueError, match=r"step must be a step from 0 to 2\*\*62, got -1"):
        make("CyclicLR").step(-1)


# What torch takes without a word, or crashes on.
NONSENSE: list[tuple[str, dict[str, Any], str]] = [
    ("CyclicLR", {"base_lr": -0.1}, "base_lr must be finite and >= 0, got -0.1"),
    ("CyclicLR", {"base_lr": float("nan")}, "base_lr must be finite and >= 0, got nan"),
    ("CyclicLR", {"max_lr": float("inf")}, "max_lr must be finite and >= 0, got inf"),
    ("CyclicLR", {"max_lr": 0.001}, "base_lr must be at most max_lr, got 0.01 and 0.001"),
    ("CyclicLR", {"step_size_up": 0}, "step_size_up must be finite and > 0"),
    ("CyclicLR", {"step_size_up": -2}, "step_size_up must be finite and > 0"),
    ("CyclicLR", {"step_size_down": -1}, "step_size_down must be finite and >= 0"),
    ("CyclicLR", {"scale_mode": "cats"}, "scale_mode must be one of 'cycle', 'iterations', got 'cats'"),
    ("CyclicLR", {"gamma": -1.0}, "gamma must be finite and > 0"),
    ("CyclicLR", {"scale_fn": 3}, "scale_fn must be a function or None, got 3"),
    ("CyclicLR", {"base_momentum": 0.95}, "base_momentum must be at most max_momentum"),
    ("CyclicLR", {"last_epoch": -2}, "last_epoch must be an integer from -1"),
    ("OneCycleLR", {"max_lr": -0.1}, "max_lr must be finite and >= 0"),
    ("OneCycleLR", {"max_lr": float("nan")}, "max_lr must be finite and >= 0"),
    ("OneCycleLR", {"max_lr": "a"}, "max_lr must be a number"),
    ("OneCycleLR", {"div_factor": 0}, "div_factor must be finite and > 0"),
    ("OneCycleLR", {"final_div_factor": -1}, "final_div_factor must be finite and > 0"),
    ("OneCycleLR", {"pct_start": 0.6, "three_phase": True}, "at most 0.5 with three_phase"),
    ("OneCycleLR", {"total_steps": True}, "Expected positive integer total_steps, but got True"),
    ("CosineAnnealingWarmRestarts", {"eta_min": float("nan")}, "eta_min must be finite and >= 0"),
    ("CosineAnnealingWarmRestarts", {"eta_min": -1.0}, "eta_min must be finite and >= 0"),
    ("CosineAnnealingWarmRestarts", {"T_0": "a"}, "Expected positive integer T_0, but got a"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), NONSENSE)
def test_what_torch_should_refuse(name: str, arguments: dict[str, Any], message: str) -> None:
    error = error_of(ours, name, optimizer_of(*SGD2), {**SOME[name], **arguments})
    assert message in str(error)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("state", [{"last_epoch": -3}, {"last_epoch": float("nan")}])
def test_bad_states_change_nothing(name: str, state: dict[str, Any]) -> None:
    scheduler = make(name)
    scheduler.step()
    before = scheduler.state_dict(), written(scheduler)
    with pytest.raises(ValueError, match="last_epoch must be"):
        scheduler.load_state_dict({**scheduler.state_dict(), **state})
    assert (scheduler.state_dict(), written(scheduler)) == before
