"""What checkpoints hold, what is said about others, what is refused; and how schedulers show themselves."""

from __future__ import annotations

import copy
import io
import math
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, Adam

from clrfast import Schedule, lr_scheduler, schedules
from clrfast.lr_scheduler import DeviceScheduleLR, JointScheduleLR, ScheduleLR

RATE = schedules.cosine(0.1, 20)
OTHER = schedules.cosine(0.1, 40)
MOMENTUM = RATE.reciprocal(0.85, 0.95)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of|The epoch parameter")
        yield


def adam(groups: int = 2) -> Adam:
    return Adam(
        [
            {"params": [torch.nn.Parameter(torch.ones(1))], "lr": torch.tensor(0.1, dtype=torch.float64)}
            for _ in range(groups)
        ],
        betas=(torch.tensor(0.9, dtype=torch.float64), torch.tensor(0.99)),
        foreach=False,
    )


MAKERS: dict[str, Any] = {
    "CyclicLR": lambda last=-1: lr_scheduler.CyclicLR(adam(), 0.01, 0.1, 7, last_epoch=last),
    "OneCycleLR": lambda last=-1: lr_scheduler.OneCycleLR(adam(), 0.1, 50, last_epoch=last),
    "CosineAnnealingWarmRestarts": lambda last=-1: lr_scheduler.CosineAnnealingWarmRestarts(
        adam(), 5, 2, last_epoch=last
    ),
    "ScheduleLR": lambda last=-1: ScheduleLR(adam(), lr=RATE, momentum=MOMENTUM, last_epoch=last),
    "DeviceScheduleLR": lambda last=-1: DeviceScheduleLR(adam(), lr=RATE, last_epoch=last),
}


def written(scheduler: Any) -> list[float]:
    groups = scheduler.optimizer.param_groups
    return [float(group["lr"]) for group in groups] + [float(group["betas"][0]) for group in groups]


def stepped(scheduler: Any, steps: int) -> Any:
    for _ in range(steps):
        scheduler.step()
    return scheduler


NO_STEP = [
    2**63 - 1,
    2**63,
    2**62 + 2**12,
    10**400,
    -2,
    -(2**63),
    -1.5,
    float("nan"),
    float("inf"),
    float("-inf"),
    1e300,
    "12",
    None,
    True,
    [3],
]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("last", NO_STEP, ids=[str(last)[:20] for last in NO_STEP])
def test_no_step_is_loaded_made_gone_to_or_counted_on_from(name: str, last: Any) -> None:
    scheduler = stepped(MAKERS[name](), 3)
    state, before = scheduler.state_dict(), written(scheduler)
    with pytest.raises(ValueError, match="last_epoch must be"):
        scheduler.load_state_dict({**state, "last_epoch": last})
    assert (scheduler.state_dict(), written(scheduler)) == (state, before)
    if not isinstance(last, list) and last is not None:
        with pytest.raises((ValueError, TypeError), match=r"must be|Expected"):
            scheduler.step(last)
        assert written(scheduler) == before
    with pytest.raises((ValueError, TypeError), match="last_epoch must be"):
        MAKERS[name](last)
    scheduler.load_state_dict(state)
    scheduler.step()
    assert scheduler.last_epoch == 4


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"DeviceScheduleLR", "OneCycleLR"}))
def test_nothing_is_counted_beyond_the_last_step_that_is_one(name: str) -> None:
    scheduler = MAKERS[name]()
    state = {**scheduler.state_dict(), "last_epoch": 2**62 - 1}
    scheduler.load_state_dict(state)
    scheduler.step()
    assert scheduler.last_epoch == 2**62
    before = written(scheduler)
    assert 0.0 <= before[0] <= 0.1
    with pytest.raises(ValueError, match=r"must be a step from 0 to 2\*\*62"):
        scheduler.step()
    assert (scheduler.last_epoch, written(scheduler)) == (2**62, before)


@pytest.mark.parametrize("last", [2**63 - 1, -2, 2**64])
def test_no_step_is_set_on_a_device(last: int) -> None:
    """Where its count would turn negative, and the first value come again."""
    scheduler = stepped(DeviceScheduleLR(adam(), lr=RATE), 3)
    with pytest.raises(ValueError, match="last_epoch must be an integer from -1"):
        scheduler.last_epoch = last
    with pytest.raises(ValueError, match="last_epoch must be an integer from -1"):
        scheduler._update_lr(last)  # as SequentialLR does
    assert (scheduler.last_epoch, written(scheduler)[0]) == (3, RATE(3))


def test_a_step_that_was_set_is_looked_at_in_the_next_one() -> None:
    for name in ("CyclicLR", "ScheduleLR", "CosineAnnealingWarmRestarts", "OneCycleLR"):
        scheduler = stepped(MAKERS[name](), 3)
        before = written(scheduler)
        for last in (2**63 - 1, 2**64, -3, float("nan")):
            if last == -3 and name == "CosineAnnealingWarmRestarts":
                continue  # which then begins, as torch's does
            scheduler.last_epoch = last
            with pytest.raises(ValueError, match=r"must be a step|Expected|Tried to step"):
                scheduler.step()
            assert written(scheduler) == before


def test_a_device_holds_its_last_value_for_ever() -> None:
    scheduler = DeviceScheduleLR(adam(), lr=RATE)
    scheduler.load_state_dict({"last_epoch": 2**62})
    assert written(stepped(scheduler, 3))[0] == RATE(20)


# What no state of the class holds, key by key.
NONSENSE: dict[str, dict[str, list[Any]]] = {
    "CyclicLR": {
        "base_lrs": [float("nan"), [float("nan")] * 2, ["a", 0.1], 0.1, "ab"],
        "max_lrs": [[float("inf"), 0.1], [None, 0.1]],
        "total_size": [0, -3.0, float("nan"), "7", 1e300],
        "step_ratio": [-0.1, 1.5, float("nan"), None],
        "gamma": [float("nan"), "a"],
        "scale_mode": ["cats", 3],
        "mode": ["cats", None],
        "use_beta1": [None, "a", 1],
        "cycle_momentum": [0, "a"],
        "base_momentums": [[float("nan")] * 2],
        "max_momentums": [[float("inf")] * 2],
        "_step_count": [-1, 1.5, "a", 2**63],
    },
    "OneCycleLR": {
        "total_steps": [0, -1, 1.5, "50", float("nan"), 2**63, True],
        "_schedule_phases": [None, [3], [{}], [{"end_step": float("nan")}]],
        "_anneal_func_type": ["cats", 3],
        "_step_count": [-1, None],
    },
    "CosineAnnealingWarmRestarts": {
        "T_0": [0, -1, 1.5, "a", 2**63],
        "T_i": [0, float("nan"), None],
        "T_mult": [0, 0.5, "a"],
        "T_cur": [float("nan"), -2, 1e300, "a"],
        "eta_min": [float("nan"), "a"],
        "base_lrs": [[float("nan")] * 2],
    },
    "ScheduleLR": {
        "base_lrs": [float("nan"), ["a"]],
        "_last_lr": [0.1, [float("nan")] * 2],
        "schedules": [
            3,
            "a",
            {},
            {"json": [], "groups": {"lr": [0]}},
            {"json": [None], "groups": {"lr": [-1]}},
            {"json": [3], "groups": {"lr": [0]}},
            {"json": [None], "groups": {"lr": ["a"]}},
            {"json": [None], "groups": [0]},
            {"json": [None], "groups": {"lr": 0}},
        ],
    },
    "DeviceScheduleLR": {
        "last_epoch": [1.5],
        "total_steps": [0, "a", float("nan")],
        "schedules": [3, {"json": [], "groups": {"lr": [0]}}],
    },
}


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [(name, key, value) for name in NONSENSE for key in NONSENSE[name] for value in NONSENSE[name][key]],
)
def test_nonsense_in_a_state_is_named_and_changes_nothing(name: str, key: str, value: Any) -> None:
    scheduler = stepped(MAKERS[name](), 3)
    state, before = scheduler.state_dict(), written(scheduler)
    with pytest.raises(ValueError, match=key):
        scheduler.load_state_dict({**state, key: value})
    assert (scheduler.state_dict(), written(scheduler)) == (state, before)
    scheduler.step()
    assert scheduler.last_epoch == 4


json_like = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3),
    max_leaves=5,
)


@given(name=st.sampled_from(sorted(MAKERS)), data=st.data())
def test_any_state_gives_finite_rates_or_a_value_error(name: str, data: st.DataObject) -> None:
    scheduler = stepped(MAKERS[name](), 3)
    state, before = scheduler.state_dict(), written(scheduler)
    keys = data.draw(st.lists(st.sampled_from(sorted(state)), max_size=2))
    changed = {**copy.deepcopy(state), **{key: data.draw(json_like) for key in keys}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            scheduler.load_state_dict(changed)
        except ValueError:
            assert (scheduler.state_dict(), written(scheduler)) == (state, before)
    assert all(map(math.isfinite, written(scheduler)))


@pytest.mark.parametrize("kind", [ScheduleLR, DeviceScheduleLR])
def test_a_state_holds_each_schedule_once(kind: Any) -> None:
    curves = [RATE, OTHER, None, RATE, schedules.cosine(0.1, 20), lambda step: 0.5]
    length = {"total_steps": 50} if kind is DeviceScheduleLR else {}
    scheduler = kind(adam(6), lr=curves, momentum=RATE, **length)
    saved = scheduler.state_dict()["schedules"]
    assert saved["json"] == [RATE.to_json(), OTHER.to_json(), None]
    assert saved["groups"] == {"lr": [0, 1, None, 0, 0, 2], "momentum": [0] * 6}
    assert Schedule.from_json(saved["json"][1]) == OTHER
    file = io.BytesIO()
    torch.save(scheduler.state_dict(), file)
    file.seek(0)
    scheduler.load_state_dict(torch.load(file, weights_only=True))  # and nothing is said: they are equal
    assert scheduler.state_dict()["schedules"] == saved


@pytest.mark.parametrize("kind", [ScheduleLR, DeviceScheduleLR])
@pytest.mark.parametrize("from_kind", [ScheduleLR, DeviceScheduleLR])
def test_other_schedules_are_told_with_what_both_give(kind: Any, from_kind: Any) -> None:
    def make(made: Any, **curves: Any) -> Any:
        return made(adam(), **curves, **({"total_steps": 30} if made is DeviceScheduleLR else {}))

    state = stepped(make(from_kind, lr=RATE, momentum=MOMENTUM), 7).state_dict()
    before, other, momentum = (f"{curve(7):.6g}" for curve in (RATE, OTHER, MOMENTUM))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"lr": OTHER, "momentum": MOMENTUM}, f"lr of group 0 is {before} in the state and {other} here."),
        ({"lr": [RATE, OTHER], "momentum": MOMENTUM}, f"lr of group 1 is {before} in the state and {other}"),
        ({"lr": [RATE, None], "momentum": MOMENTUM}, f"1 is {before} in the state and left alone here."),
        ({"lr": RATE}, f"momentum of group 0 is {momentum} in the state and left alone here."),
        ({"lr": lambda step: 0.25, "momentum": MOMENTUM}, f"is {before} in the state and 0.25 here."),
        ({"lr": OTHER}, f"{other} here and momentum of group 0 is"),
    ]
    for curves, message in cases:
        scheduler = make(kind, **curves)
        with pytest.warns(UserWarning, match="keeps its own. At step 7, ") as caught:
            scheduler.load_state_dict(state)
        assert message in str(caught[0].message)
        assert (len(caught), caught[0].filename) == (1, __file__)
        expected = stepped(make(kind, **curves), 7)
        for _ in range(4):  # the constructor's are the ones that count
            assert written(scheduler) == written(expected)
            scheduler.step()
            expected.step()


def test_what_cannot_be_compared_is_told_too() -> None:
    state = stepped(ScheduleLR(adam(), lr=lambda step: 0.5), 2).state_dict()
    ScheduleLR(adam(), lr=lambda step: 0.25).load_state_dict(state)  # neither was saved
    with pytest.warns(UserWarning, match="lr of group 0 is what a function gives in the state and"):
        ScheduleLR(adam(), lr=RATE).load_state_dict(state)
    state["schedules"]["json"] = ['{"written": "by a later version"}']
    with pytest.warns(UserWarning, match="lr of group 0 is unknown .* in the state and"):
        ScheduleLR(adam(), lr=RATE).load_state_dict(state)


@pytest.mark.parametrize("name", ["ScheduleLR", "DeviceScheduleLR"])
def test_states_from_before_they_held_schedules_are_loaded(name: str) -> None:
    whole = stepped(MAKERS[name](), 7)
    state = {k: v for k, v in whole.state_dict().items() if k not in ("schedules", "total_steps")}
    scheduler = MAKERS[name]()
    scheduler.load_state_dict(state)
    assert written(scheduler) == written(whole)


def test_a_state_does_not_take_the_place_of_the_schedules() -> None:
    scheduler = ScheduleLR(adam(), lr=RATE)
    scheduler.load_state_dict(scheduler.state_dict())
    assert scheduler.schedules == {"lr": [RATE, RATE]}
    other = ScheduleLR(adam(), lr=OTHER).state_dict()
    del scheduler.optimizer.param_groups[0]["lr"]
    with pytest.warns(UserWarning, match="own"), pytest.raises(ValueError, match="must have 'lr'"):
        scheduler.load_state_dict(other)
    assert scheduler.schedules == {"lr": [RATE, RATE]}


def test_a_device_table_of_another_length_is_told_where_it_matters() -> None:
    endless = schedules.triangular(0.01, 0.1, 7)

    def make(total: int) -> DeviceScheduleLR:
        return DeviceScheduleLR(adam(), lr=endless, total_steps=total)

    state = stepped(make(40), 25).state_dict()
    longer = make(60)
    longer.load_state_dict(state)
    assert written(longer)[0] == endless(25)
    with pytest.warns(UserWarning, match="run of 40 steps; .* own total_steps, 20, and"):
        make(20).load_state_dict(state)
    beyond = stepped(make(40), 45).state_dict()
    with pytest.warns(UserWarning, match="step 45 lies beyond one of them") as caught:
        longer.load_state_dict(beyond)
    assert caught[0].filename == __file__


def test_another_total_steps_in_an_attribute_leaves_the_past_as_it_was() -> None:
    """Its phases are what the values follow: beyond their end the last one is held."""
    whole, changed = MAKERS["OneCycleLR"](), stepped(MAKERS["OneCycleLR"](), 20)
    past = changed.history
    changed.total_steps = 80
    for key, values in past.items():
        assert (changed.history[key] == values).all()
    stepped(whole, 20)
    for _ in range(29):
        assert written(changed) == written(whole)
        whole.step()
        changed.step()
    last = written(changed)
    for _ in range(31):
        changed.step()
        assert written(changed) == last
    with pytest.raises(ValueError, match="Tried to step 81 times"):
        changed.step()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 30}),
        ("CosineAnnealingWarmRestarts", {"T_0": 30}),
    ],
)
def test_the_length_of_cycles_is_the_states(name: str, options: dict[str, Any]) -> None:
    """As in torch: so a state's past is never another one."""
    part = stepped(MAKERS[name](), 17)
    resumed = getattr(lr_scheduler, name)(adam(), **options)
    resumed.load_state_dict(part.state_dict())
    for _ in range(20):
        assert written(resumed) == written(part)
        resumed.step()
        part.step()


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_a_step_that_fails_is_not_counted(name: str) -> None:
    scheduler = stepped(MAKERS[name](), 3)
    scheduler.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})
    del scheduler.optimizer.param_groups[2]["lr"]
    before = {k: v for k, v in scheduler.__dict__.items() if k != "optimizer"}
    counts = scheduler.last_epoch, scheduler._step_count
    with pytest.raises(KeyError):
        scheduler.step()
    assert (scheduler.last_epoch, scheduler._step_count) == counts
    assert set(before) == {k for k in scheduler.__dict__ if k != "optimizer"}


REPRS: dict[str, str] = {
    "CyclicLR": "<CyclicLR at step 3, lr 0.0485714 in 2 groups: "
    "triangular, a cycle of 14 steps between 0.01 and 0.1>",
    "OneCycleLR": "<OneCycleLR at step 3, lr 0.0144721 in 2 groups: cosine, 50 steps, up to 0.1>",
    "CosineAnnealingWarmRestarts": "<CosineAnnealingWarmRestarts at step 3, lr 0.0345492 in 2 groups: "
    "T_0=5, T_mult=2, eta_min=0>",
    "ScheduleLR": f"<ScheduleLR at step 3, lr {RATE(3):.6g} in 2 groups: lr={RATE!r}, momentum={MOMENTUM!r}>",
    "DeviceScheduleLR": f"<DeviceScheduleLR at step 3, lr {RATE(3):.6g} in 2 groups: "
    f"lr={RATE!r} for 20 steps>",
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_scheduler_shows_its_step_its_rates_and_its_schedule(name: str) -> None:
    assert repr(stepped(MAKERS[name](), 3)) == REPRS[name]


def test_reprs_of_several_rates_and_of_what_is_not_made_or_not_on_the_host() -> None:
    scheduler = ScheduleLR(adam(6), lr=[RATE, OTHER, None, RATE, RATE, RATE])
    shown = f"<ScheduleLR at step 0, lr 0.1 in 6 groups: lr={RATE!r} / {OTHER!r} / None>"
    assert repr(scheduler) == shown
    assert "lr 0.0993844, 0.0998459, 0.1, 0.0993844, ... in 6 groups" in repr(stepped(scheduler, 1))
    assert repr(ScheduleLR.__new__(ScheduleLR)) == "<ScheduleLR, not yet made>"
    optimizer = adam(1)
    optimizer.param_groups[0]["lr"] = torch.tensor(0.1, device="meta")
    assert "<DeviceScheduleLR at step ?, lr ? in 1 group: " in repr(DeviceScheduleLR(optimizer, lr=RATE))
    assert repr(lr_scheduler.CyclicLR(SGD([torch.ones(1)], 0.1), 0.1, 0.2, 3, cycle_momentum=False))
    joint = JointScheduleLR([adam(1)], lr=RATE)
    assert repr(joint) == f"<JointScheduleLR: {joint.schedulers[0]!r}>"
