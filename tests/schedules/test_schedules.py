"""Schedules as their users see them: peers, composition, arrays, bad input, and the peers' defects."""

from __future__ import annotations

import copy
import math
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clrfast import Schedule, _core, schedule, schedules

with suppress(ImportError):  # on Python 3.9, for which there is no torch that is supported
    import torch
    from torch.optim import lr_scheduler

needs_torch = pytest.mark.skipif("torch" not in globals(), reason="torch is not installed")

SOME = [
    schedules.constant(0.1),
    schedules.linear(0.1, 0.01, 50),
    schedules.cosine(0.1, 77),
    schedules.polynomial(0.1, 40, 2.5, min_lr=0.001),
    schedules.exponential(0.1, 0.99),
    schedules.inverse_sqrt(0.1, 30),
    schedules.step(0.1, 7, 0.5),
    schedules.multistep(0.1, [5, 20, 20], 0.5),
    schedules.ramp(1e-5, 1.0, 60),
    schedules.ramp(1e-5, 1.0, 60, staircase=7),
    schedules.triangular(0.01, 0.1, 10, 13),
    schedules.triangular(0.01, 0.1, 2.5, 4.25),
    schedules.triangular2(0.01, 0.1, 10),
    schedules.exp_range(0.01, 0.1, 10, gamma=0.97),
    schedules.welch(0.01, 0.1, 10, 5),
    schedules.hann(0.01, 0.1, 10, 5),
    schedules.sawtooth(0.01, 0.1, 10),
    schedules.cyclic(0.01, 0.1, 5, scale_fn=lambda c: 1 / c, scale_steps=50),
    schedules.one_cycle(0.1, 100),
    schedules.one_cycle(0.1, 51, 0.25, "linear", three_phase=True),
    schedules.sgdr(0.1, 10),
    schedules.sgdr(0.1, 10, 1.5, 0.01, gamma=0.9, cycles=4),
    schedules.warmup(schedules.sgdr(0.1, 10, 2), 15),
    schedules.warmup(schedules.cosine(0.1, 30), 15, shape="exponential"),
    schedules.warmup_stable_decay(0.1, 10, 20, 30),
    schedules.flat_cosine(0.1, 60),
    schedules.triangular(0.01, 0.1, 10).then(schedules.cosine(0.1, 30), at=33).repeat(2),
    schedules.hann(0.01, 0.1, 10).scaled(0.5).shifted(0.02).clamped(0.03, 0.06),
    schedules.one_cycle(0.1, 100).reciprocal(base_lr=0.004),
    schedules.rex(0.1, 50, 0.01),
    schedules.power(0.02, 1024, 4096),
    schedules.triangular(0.001, 0.006, 20.1, 9.7),
    schedules.inverse_sqrt(0.1, 30).cooldown_from(100, 50),
    schedules.cosine(0.1, 60).rewarm(60, schedules.cosine(0.05, 40), 10),
]


@pytest.mark.parametrize("made", SOME, ids=range(len(SOME)))
def test_arrays_scalars_and_copies_agree(made: Schedule) -> None:
    steps = np.arange(300)
    one_by_one = [made(int(step)) for step in steps]
    assert made(steps).tolist() == one_by_one
    assert made.values(0, 300).tolist() == one_by_one
    assert made.values(7, 300).tolist() == one_by_one[7:]
    assert made(steps[::-1].reshape(3, 100)).tolist() == np.reshape(one_by_one[::-1], (3, 100)).tolist()
    assert made(steps.astype(np.uint16)).tolist() == one_by_one
    assert made(steps.astype(float)) == pytest.approx(one_by_one, rel=1e-14)
    for other in (pickle.loads(pickle.dumps(made)), Schedule.from_json(made.to_json()), copy.copy(made)):
        assert other == made
        assert hash(other) == hash(made)
        assert other.values(0, 300).tolist() == one_by_one
    assert all(math.isfinite(value) for value in one_by_one)
    assert made(2**63 - 1) >= 0
    with ThreadPoolExecutor(4) as pool:
        assert all(v.tolist() == one_by_one for v in pool.map(lambda _: made.values(0, 300), range(16)))


def test_all_of_them_differ() -> None:
    assert len(set(SOME)) == len(SOME)
    assert len({repr(made) for made in SOME}) > len(SOME) - 2


def torch_rates(make: Any, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@needs_torch
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (schedules.triangular(0.01, 0.1, 7, 5), lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 7, 5)),
        (
            schedules.triangular2(0.01, 0.1, 7),
            lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 7, mode="triangular2"),
        ),
        (
            schedules.exp_range(0.01, 0.1, 7, gamma=0.98),
            lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 7, mode="exp_range", gamma=0.98),
        ),
        (
            schedules.cyclic(0.01, 0.1, 7, scale_fn=lambda c: 1 / c, scale_steps=100),
            lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 7, scale_fn=lambda c: 1 / c),
        ),
        (schedules.one_cycle(0.1, 100), lambda o: lr_scheduler.OneCycleLR(o, 0.1, 100)),
        (
            schedules.one_cycle(
                0.1, 101, 0.27, "linear", div_factor=10, final_div_factor=100, three_phase=True
            ),
            lambda o: lr_scheduler.OneCycleLR(
                o, 0.1, 101, None, None, 0.27, "linear", True, 0.85, 0.95, 10, 100, True
            ),
        ),
        (schedules.sgdr(0.1, 9, 2, 0.01), lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 9, 2, 0.01)),
        (schedules.cosine(0.1, 120, 0.01), lambda o: lr_scheduler.CosineAnnealingLR(o, 120, 0.01)),
        (schedules.polynomial(0.1, 60, 3.0), lambda o: lr_scheduler.PolynomialLR(o, 60, 3.0)),
        (schedules.exponential(0.1, 0.97), lambda o: lr_scheduler.ExponentialLR(o, 0.97)),
        (schedules.step(0.1, 9, 0.5), lambda o: lr_scheduler.StepLR(o, 9, 0.5)),
        (schedules.multistep(0.1, [3, 9, 9], 0.5), lambda o: lr_scheduler.MultiStepLR(o, [3, 9, 9], 0.5)),
        (
            schedules.warmup(schedules.constant(0.1), 20, start_lr=0.025),
            lambda o: lr_scheduler.LinearLR(o, 0.25, 1.0, 20),
        ),
    ],
    ids=range(13),
)
def test_torch_agrees(ours: Schedule, theirs: Any) -> None:
    assert ours.values(0, 100) == pytest.approx(torch_rates(theirs, 100), rel=1e-11, abs=1e-15)


@needs_torch
def test_momentum_is_torchs_for_cycles() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    theirs = lr_scheduler.CyclicLR(optimizer, 0.01, 0.1, 7, mode="triangular2", base_momentum=0.8)
    ours = schedules.triangular2(0.01, 0.1, 7).reciprocal(0.8, 0.9)
    for step in range(60):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["momentum"], rel=1e-12)
        optimizer.step()
        theirs.step()


class TestPeersDefects:
    """Each is how a well-known implementation fails; ours must not."""

    def test_triangular2_overflows_after_1024_cycles(self) -> None:
        assert schedules.triangular2(0.1, 0.5, 1)(2 * 5000 + 1) == 0.1
        assert schedule(2 * 5000 + 1, base_lr=0.1, max_lr=0.5, step_size_up=1, mode="triangular2") == 0.1

    def test_phase_is_lost_after_billions_of_steps(self) -> None:
        made = schedules.triangular(0.0, 1.0, 2)
        assert [made(7 * 10**12 + k) for k in (0, 1, 2, 3)] == [0.0, 0.5, 1.0, 0.5]
        assert made(2**62 + 2) == 1.0

    @pytest.mark.parametrize("steps", range(1, 40))
    @pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 1.0])
    @pytest.mark.parametrize("three_phase", [False, True])
    def test_one_cycle_divides_by_zero_when_short(self, steps: int, share: float, three_phase: bool) -> None:
        made = schedules.one_cycle(1.0, steps, min(share, 0.5), three_phase=three_phase)
        values = made.values(0, 2 * steps)
        assert np.isfinite(values).all()
        assert ((values >= 1 / 25e4) & (values <= 1.0)).all()
        assert values[steps - 1] == 1 / 25 / 1e4

    @pytest.mark.parametrize("shape", ["cosine", "linear"])
    def test_one_cycle_rises_or_turns_negative_past_its_end(self, shape: str) -> None:
        made = schedules.one_cycle(0.1, 10, shape=shape)
        assert set(made.values(9, 100)) == {0.1 / 25 / 1e4}

    @pytest.mark.parametrize("first", [1, 3, 7, 10])
    @pytest.mark.parametrize("mult", range(2, 11))
    def test_restarts_are_missed_by_rounding(self, first: int, mult: int) -> None:
        made = schedules.sgdr(0.1, first, mult)
        start = 0
        for cycle in range(15):
            assert made(start) == 0.1
            assert made(float(start)) == 0.1
            start += first * mult**cycle

    def test_unknown_or_degenerate_arguments_are_accepted(self) -> None:
        with pytest.raises(ValueError, match="scale_mode must be one of 'cycle', 'iterations', got 'x'"):
            schedules.cyclic(0.1, 1, 5, scale_mode="x")
        with pytest.raises(ValueError, match="step_size_up must be finite and > 0"):
            schedules.triangular(0.1, 1, 0)
        with pytest.raises(ValueError, match=r"max_lr must be finite and >= 0.5, got 0.1"):
            schedules.triangular(0.5, 0.1)
        with pytest.raises(ValueError, match="max_lr must be finite and >= 0, got nan"):
            schedules.one_cycle(math.nan, 10)


class TestComposition:
    def test_then_goes_on_from_step_zero(self) -> None:
        first, second = schedules.triangular(0.1, 1.0, 10), schedules.cosine(0.5, 20)
        both = first.then(second, at=13)
        assert both.values(0, 13).tolist() == first.values(0, 13).tolist()
        assert both.values(13, 60).tolist() == second.values(0, 47).tolist()

    def test_at_defaults_to_the_end(self) -> None:
        first, second = schedules.cosine(1.0, 8), schedules.linear(0.5, 0.1, 4)
        assert first.then(second) == first.then(second, at=8)
        assert first.then(second).total_steps == 12
        with pytest.raises(ValueError, match="never ends"):
            schedules.constant(0.1).then(second)

    def test_held_value_is_the_limit_from_the_left(self) -> None:
        assert schedules.sgdr(1.0, 5, cycles=3)(15) == 0.0
        assert schedules.sgdr(1.0, 5).then(schedules.constant(0.3), at=15)(15) == 0.3
        assert (
            schedules.concatenate([schedules.constant(0.3), schedules.sgdr(1.0, 5, cycles=2)], at=[4])(14)
            == 0.0
        )

    @pytest.mark.parametrize("made", SOME, ids=range(len(SOME)))
    def test_repeat(self, made: Schedule) -> None:
        part = made.then(schedules.linear(0.2, 0.1, 3), at=11)
        assert part.repeat(5)(range(14 * 5)).tolist() == part(range(14)).tolist() * 5
        assert part.repeat().values(14 * 10**9, 14 * 10**9 + 14).tolist() == part(range(14)).tolist()
        with pytest.raises(ValueError, match="times must be an integer from 1"):
            part.repeat(0)

    @pytest.mark.parametrize("made", SOME, ids=range(len(SOME)))
    @pytest.mark.parametrize("factor", [2.0, -0.5, 0.0])
    def test_maps_compose_in_order(self, made: Schedule, factor: float) -> None:
        steps = np.arange(120)
        mapped = made.clamped(0.02, 0.07).scaled(factor).shifted(0.3).clamped(0.2, 0.31)
        expected = np.clip(np.clip(made(steps), 0.02, 0.07) * factor + 0.3, 0.2, 0.31)
        assert mapped(steps) == pytest.approx(expected, rel=1e-14)
        assert mapped.values(0, 120, dtype=np.float32).tolist() == mapped(steps).astype(np.float32).tolist()

    def test_ten_thousand_pieces(self) -> None:
        parts = [schedules.cosine(1.0 / (k + 1), 7) for k in range(10_000)]
        long = schedules.concatenate(parts)
        assert long.total_steps == 70_000
        for k in (0, 1, 4321, 9_999):
            assert long(7 * k) == 1.0 / (k + 1)
        assert long(np.arange(70_000)).tolist() == np.concatenate([p.values(0, 7) for p in parts]).tolist()

    def test_discriminative(self) -> None:
        made = schedules.triangular(0.1, 1.0, 10)
        groups = schedules.discriminative(made, lowest=0.01, groups=3)
        assert [group(10) for group in groups] == pytest.approx([0.01, 0.1, 1.0])
        assert [group(0) for group in schedules.discriminative(made, [0.5, 2.0])] == [0.05, 0.2]
        with pytest.raises(TypeError, match="either factors, or lowest and groups"):
            schedules.discriminative(made)


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["linear", "cosine", "welch"]),
)
def test_cycles_stay_in_bounds_meet_them_and_move_one_way(
    up: int, down: int, a: float, b: float, shape: str
) -> None:
    low, high = sorted([a, b])
    values = schedules.cyclic(low, high, up, down, shape=shape).values(0, 2 * (up + down) + 1)
    assert values.min() == low
    assert values.max() == high
    assert values[0] == values[up + down] == values[-1] == low
    assert values[up] == high
    assert (np.diff(values[: up + 1]) >= 0).all()
    assert (np.diff(values[up : up + down + 1]) <= 0).all()
    assert values[: up + down].tolist() == values[up + down : -1].tolist()


class TestScheduleFunction:
    def test_tutorials_numbers(self) -> None:
        for step in range(10_000):
            cycle = math.floor(1 + step / (2 * 2000))
            x = abs(step / 2000 - 2 * cycle + 1)
            expected = 0.001 + (0.006 - 0.001) * max(0, 1 - x)
            assert schedule(step, base_lr=0.001, max_lr=0.006, step_size_up=2000) == pytest.approx(
                expected, rel=1e-15 * 8
            )

    @pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range", "welch", "hann", "sawtooth"])
    def test_is_the_schedule_object(self, mode: str) -> None:
        gamma = {"gamma": 0.97} if mode == "exp_range" else {}
        made = getattr(schedules, mode)(0.1, 1.0, 7, **gamma)
        steps = np.arange(100)
        arguments: dict[str, Any] = {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 7, "mode": mode, **gamma}
        assert schedule(steps, **arguments).tolist() == made(steps).tolist()
        assert [schedule(int(i), **arguments) for i in steps] == made(steps).tolist()
        assert schedule(step=3, **arguments) == made(3)
        assert schedule(np.int32(3), **arguments) == made(3)
        assert schedule(2.5, **arguments) == made(2.5)
        pytest.importorskip("torch")
        assert schedule(torch.tensor(3), **arguments) == made(3)
        assert schedule(torch.arange(100), **arguments).tolist() == made(steps).tolist()

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"base_lr": -1.0}, ValueError, "base_lr must be >= 0 and finite, got -1.0"),
            ({"base_lr": math.nan}, ValueError, "base_lr must be >= 0 and finite, got nan"),
            ({"max_lr": 0.05}, ValueError, "max_lr must be finite and at least base_lr, got 0.05"),
            ({"max_lr": math.inf}, ValueError, "max_lr must be finite"),
            ({"step_size_up": 0}, ValueError, r"step_size_up must be > 0 and at most 2\*\*52, got 0"),
            ({"step_size_up": "7"}, TypeError, "step_size_up must be a number, got '7'"),
            ({"step_size_down": -3}, ValueError, "step_size_down must be None, or > 0"),
            ({"mode": "trianglar"}, ValueError, "mode must be one of triangular, .* got 'trianglar'"),
            ({"mode": 3}, ValueError, "mode must be one of"),
            ({"gamma": 0.0}, ValueError, "gamma must be > 0 and at most 1, got 0.0"),
            ({"stepsize": 3}, TypeError, "unexpected keyword argument 'stepsize'"),
        ],
    )
    def test_says_what_is_wrong(self, change: dict[str, Any], error: type, message: str) -> None:
        arguments: dict[str, Any] = {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 7, **change}
        with pytest.raises(error, match=message):
            schedule(3, **arguments)

    def test_needs_its_arguments(self) -> None:
        with pytest.raises(TypeError, match="misses the keyword argument 'max_lr'"):
            schedule(3, base_lr=0.1, step_size_up=3)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="one positional argument"):
            schedule(base_lr=0.1, max_lr=1.0, step_size_up=3)  # type: ignore[call-overload]


class TestSteps:
    made = schedules.triangular(0.1, 1.0, 10)

    @pytest.mark.parametrize("bad", [-1, 2**63, -(2**70), np.int64(-1), -0.5, math.nan, math.inf])
    def test_out_of_range(self, bad: Any) -> None:
        with pytest.raises(ValueError, match="step must be >= 0"):
            self.made(bad)
        if not isinstance(bad, int) or abs(bad) < 2**63:
            with pytest.raises(ValueError, match="step must be >= 0"):
                self.made(np.array([3, bad]))

    @pytest.mark.parametrize("bad", ["3", None, True, 1j, [True], ["a"], object(), np.array([1j])])
    def test_of_another_type(self, bad: Any) -> None:
        with pytest.raises(TypeError, match="step must be an integer, a float or an array of either"):
            self.made(bad)

    def test_uint64_beyond_the_range(self) -> None:
        with pytest.raises(ValueError, match="step must be >= 0"):
            self.made(np.array([2**63], np.uint64))

    def test_any_array_works(self) -> None:
        steps = np.arange(24, dtype=">i4").reshape(4, 6)[::2, ::-1]
        steps.flags.writeable = False
        assert self.made(steps).shape == (2, 6)
        assert self.made(steps)[1, 0] == self.made(17)
        assert self.made(np.array(3)).shape == ()
        assert self.made(np.zeros((0, 3), int)).shape == (0, 3)
        assert self.made([]).shape == (0,)

    def test_values_into(self) -> None:
        out = np.zeros(40)
        view = out[::2]
        assert self.made.values_into(view, start=5) is view
        assert out[::2].tolist() == self.made.values(5, 25).tolist()
        assert not out[1::2].any()
        for bad, error, message in (
            (np.zeros(3, int), TypeError, "out must be of dtype float64 or float32, got int64"),
            ([0.0], TypeError, "out must be a NumPy array, got list"),
            (np.zeros((2, 2)), ValueError, r"out must have one dimension, got shape \(2, 2\)"),
            (np.broadcast_to(0.0, 3), ValueError, "out must be writable"),
        ):
            with pytest.raises(error, match=message):
                self.made.values_into(bad)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="stop must be an integer from 7"):
            self.made.values(7, 6)
        with pytest.raises(ValueError, match="dtype must be one of"):
            self.made.values(0, 3, dtype=np.int64)

    def test_called_wrongly(self) -> None:
        for arguments in ((), (1, 2)):
            with pytest.raises(TypeError, match="called with one argument"):
                self.made(*arguments)


def test_immutable() -> None:
    made = schedules.constant(0.1)
    with pytest.raises(AttributeError):
        made.base_lr = 3  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        made.total_steps = 3  # type: ignore[misc]


def test_not_json() -> None:
    for text in ("{}", "[]", '{"pieces": 3}', "3"):
        with pytest.raises(ValueError, match="must be the JSON of a schedule"):
            Schedule.from_json(text)


class TestParts:
    """What the factories hand the core: named, immutable, and checked when the schedule is made."""

    piece = _core.Piece(5, _core.Curve("linear", 0.1, 1.0))

    def test_are_read_by_name(self) -> None:
        made = schedules.triangular2(0.1, 1.0, 5).scaled(2.0).clamped(0.3, 1.5)
        first, second = made._pieces
        assert (first.until, second.until, first.nested, first.rest) == (5.0, 10.0, None, 0.0)
        curve = first.curve
        assert curve is not None
        assert (curve.shape, curve.start, curve.end, curve.param) == ("linear", 0.1, 1.0, 0.0)
        scaling = made._scaling
        assert (scaling.per, scaling.gamma, scaling.floor, scaling.factors) == ("cycle", 0.5, 0.1, ())
        assert (made._map.scale, made._map.shift, made._map.low, made._map.high) == (2.0, 0.0, 0.3, 1.5)
        assert (made._cycles, made._cycle_mult) == (0, 1.0)

    def test_are_immutable(self) -> None:
        for part, name in ((self.piece, "until"), (_core.Map(), "scale"), (_core.Scaling(), "gamma")):
            with pytest.raises(AttributeError):
                setattr(part, name, 3.0)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({}, TypeError, "pieces"),
            ({"pieces": [1]}, TypeError, r"pieces must hold _core\.Piece objects, got 1"),
            ({"pieces": 3}, TypeError, "not iterable"),
            ({"pieces": []}, ValueError, "pieces must not be empty"),
            ({"pieces": [piece, piece]}, ValueError, "pieces must each last longer than 0 steps, got 0"),
            ({"pieces": [piece], "cycles": -1}, ValueError, "cycles must be >= 0, got -1"),
            (
                {"pieces": [piece], "cycle_mult": 0.5},
                ValueError,
                "cycle_mult must be >= 1 and finite, got 0.5",
            ),
            ({"pieces": [piece], "scaling": ("none", 1.0)}, TypeError, "scaling must be a _core part"),
            ({"pieces": [piece], "map": 3}, TypeError, "map must be a _core part"),
            ({"pieces": [piece], "factor": 3}, TypeError, "factor"),
        ],
    )
    def test_no_schedule_of_nonsense(self, arguments: dict[str, Any], error: type, message: str) -> None:
        with pytest.raises(error, match=message):
            Schedule(**arguments)

    def test_no_part_of_nonsense(self) -> None:
        with pytest.raises(ValueError, match=r"shape must be one of 'constant', .* got 'curl'"):
            _core.Curve("curl", 0.0, 1.0)
        with pytest.raises(ValueError, match="per must be one of 'none', 'cycle', 'step', got 'year'"):
            _core.Scaling("year")
        with pytest.raises(TypeError, match=r"expected a clrfast\.Schedule, got int"):
            _core.Piece(3, nested=3)  # type: ignore[call-overload]


def test_only_the_names_of_the_vocabulary_are_accepted() -> None:
    with pytest.raises(ValueError, match="shape must be one of 'cosine', 'linear', got 'cos'"):
        schedules.one_cycle(0.1, 10, shape="cos")
    with pytest.raises(ValueError, match="shape must be one of 'exponential', 'linear', got 'exp'"):
        schedules.ramp(0.1, 1.0, 10, shape="exp")
    with pytest.raises(ValueError, match=r"min_lr must be finite and >= 0 and <= 0\.1, got 0\.2"):
        schedules.cosine(0.1, 10, 0.2)
    with pytest.raises(ValueError, match=r"start_lr must be finite and >= 0 and <= 0\.1, got 0\.2"):
        schedules.warmup(schedules.constant(0.1), 10, start_lr=0.2)
    assert schedules.warmup(schedules.constant(0.1), 10, shape="exponential")(0) == pytest.approx(1e-4)
    assert schedules.warmup_stable_decay(0.1, 10, 10, 10, start_lr=0.01, min_lr=0.02)(0) == 0.01


def test_plot_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"plot\(\) needs matplotlib.*pip install 'clrfast\[plot\]'"):
        schedules.constant(0.1).plot()


def test_plot_draws_the_values() -> None:
    axes = schedules.one_cycle(0.1, 100).plot()
    x, y = axes.lines[0].get_data()
    assert (x[0], x[-1], len(x)) == (0, 99, 100)
    assert np.asarray(y).max() == 0.1
    assert schedules.triangular(0.1, 1, 10).plot(axes, steps=35) is axes
    assert axes.lines[1].get_xdata()[-1] == 35
