"""Every schedule against its definition in 50 digits, at any step, within 4 units in the last place.

The arguments are drawn from all that is allowed: sizes that are no whole numbers, steps up to 2**63 - 1.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

import clrfast
import exact
from clrfast import schedules

ULPS = 4.0

rates = st.floats(1e-9, 1e3)
sizes = st.integers(1, 10**7)
any_size = st.one_of(sizes, st.floats(2.0**-10, 1e4), st.floats(1.0, 2.0**52))
small_or_large = st.one_of(st.floats(0.2, 8.0), st.floats(-6, 6).map(lambda x: 10.0**x))
gammas = st.one_of(st.floats(0.9, 1.0), st.floats(1e-3, 1.0), st.just(1 - 2.0**-53), st.just(1 - 2.0**-40))
any_step = st.one_of(st.integers(0, 10_000), st.integers(0, 10**8), st.integers(0, 2**63 - 1))


def near(*joins: float) -> st.SearchStrategy[int]:
    """Steps around the places where a piece begins, where mistakes live."""
    whole = [min(int(join), 2**62) for join in joins]
    around = [st.integers(max(join - 3, 0), join + 3) for join in whole]
    return st.one_of(any_step, st.integers(0, max(*whole, 1) + 3), *around)


def anywhere(*joins: float) -> st.SearchStrategy[float]:
    """The same, and steps in between, which 50 digits can tell from their neighbours."""
    between = [st.floats(0.0, 2.0 * min(join, 2.0**40)) for join in joins if join > 0]
    fractions = st.one_of(st.floats(0.0, 1e6), *between).map(lambda step: round(step * 2**20) / 2**20)
    return st.one_of(near(*joins), fractions)


TINY = 1e-290  # below, where the factor of an amplitude has lost digits of its own


def assert_exact(schedule: clrfast.Schedule, reference: exact.Reference, step: float) -> None:
    value, true = schedule(step), reference(step)
    if 0 < true < TINY:
        assert 0 <= value <= 1.1 * TINY
    else:
        assert exact.ulps(value, true) <= ULPS, (schedule, step, value, true)
    if isinstance(step, float):
        return
    some = min(step, 2**63 - 9)
    one_by_one = [schedule(some + k) for k in range(8)]
    assert schedule.values(some, some + 8).tolist() == one_by_one  # the kernels agree bit for bit
    assert schedule(np.arange(some, some + 8)).tolist() == one_by_one
    narrow = schedule.values(some, some + 8, dtype=np.float32)
    with np.errstate(over="ignore"):
        assert narrow.tolist() == np.float32(one_by_one).tolist()


@given(rates, rates, sizes, st.data())
def test_triangular_is_the_tutorials_formula(a: float, b: float, size: int, data: st.DataObject) -> None:
    base, top = sorted([a, b])
    step = data.draw(near(size, 2 * size))
    reference = exact.tutorial(base, top, size, lambda cycle, i: mpf(1))
    assert_exact(schedules.triangular(base, top, size), reference, step)
    assert clrfast.schedule(step, base_lr=base, max_lr=top, step_size_up=size) == schedules.triangular(
        base, top, size
    )(step)


@given(rates, rates, st.integers(1, 1000), st.data())
def test_triangular2(a: float, b: float, size: int, data: st.DataObject) -> None:
    base, top = sorted([a, b])
    step = data.draw(st.one_of(near(size, 2 * size), st.integers(0, 4000 * size)))
    reference = exact.tutorial(base, top, size, lambda cycle, i: mpf(2) ** -cycle)
    assert_exact(schedules.triangular2(base, top, size), reference, step)


@given(rates, st.one_of(rates, st.just(0.0)), st.one_of(st.integers(1, 1000), any_size), gammas, st.data())
def test_exp_range(a: float, b: float, size: float, gamma: float, data: st.DataObject) -> None:
    base, top = sorted([a, b])
    step = data.draw(st.one_of(st.integers(0, 5000), near(size, 2 * size)))
    reference = exact.tutorial(base, top, size, lambda cycle, i: mpf(gamma) ** i)
    assert_exact(schedules.exp_range(base, top, size, gamma=gamma), reference, step)


@pytest.mark.parametrize("name", ["hann", "welch", "triangular"])
@given(rates, st.one_of(rates, st.just(0.0)), any_size, any_size, st.data())
def test_windows(name: str, a: float, b: float, up: float, down: float, data: st.DataObject) -> None:
    base, top = sorted([a, b])
    step = data.draw(anywhere(up, up + down))
    height = {"hann": exact.hann, "welch": exact.welch, "triangular": lambda x: x}[name]
    schedule = getattr(schedules, name)(base, top, up, down)
    assert_exact(schedule, exact.window(base, top, up, down, height), step)


@given(rates, st.sampled_from([0.0, 1e-12, 0.3, 1.0]), sizes, small_or_large, st.data())
def test_falls_that_end(start: float, share: float, steps: int, power: float, data: st.DataObject) -> None:
    end = start * share
    step = data.draw(anywhere(steps))
    for schedule, left in (
        (schedules.cosine(start, steps, end), exact.cosine_left),
        (schedules.rex(start, steps, end), lambda x: (1 - x) / (mpf(1) / 2 + (1 - x) / 2)),
        (schedules.linear(start, end, steps), lambda x: 1 - x),
        (schedules.polynomial(start, steps, power, min_lr=end), lambda x: (1 - x) ** mpf(power)),
        (schedules.polynomial(start, steps, 1.0, min_lr=end), lambda x: 1 - x),
    ):
        assert_exact(schedule, exact.fall(start, end, steps, left), step)


@given(rates, sizes, st.data())
def test_falls_to_zero(start: float, steps: int, data: st.DataObject) -> None:
    step = data.draw(near(steps))
    for shape, left in (
        ("linear", lambda x: 1 - x),
        ("cosine", exact.cosine_left),
        ("1-sqrt", lambda x: 1 - mpf(x) ** mpf("0.5")),
    ):
        schedule = schedules.warmup_stable_decay(start, 0, 0, steps, shape=shape)
        assert_exact(schedule, exact.fall(start, 0.0, steps, left), step)


ends = st.one_of(rates, st.floats(-320, 308).map(lambda x: 10.0**x).filter(lambda x: x > 0))


@given(ends, ends, sizes, st.data())
def test_ramps(a: float, b: float, steps: int, data: st.DataObject) -> None:
    start, end = sorted([a, b])
    assume(math.log2(end) - math.log2(start) < 2000)
    step = data.draw(anywhere(steps))
    geometric = schedules.ramp(start, end, steps + 1)
    ratio = mpf(end) / mpf(start)
    assert_exact(geometric, lambda i: mpf(start) * ratio ** (mpf(min(i, steps)) / steps), step)
    with mp.workdps(700):  # the ends may be 600 digits apart
        straight = schedules.ramp(start, end, steps + 1, shape="linear")
        assert_exact(straight, exact.fall(start, end, steps, lambda x: 1 - x), step)


mults = st.one_of(
    st.floats(1.01, 4.0), st.integers(1, 10).map(float), st.sampled_from([1.0, 2.0, 1e3, 1e18 + 0.5, 1e300])
)


@given(
    rates,
    st.one_of(st.just(0.0), st.floats(0.0, 1.0)),
    st.one_of(st.integers(1, 1000), st.integers(1, 2**53)),
    mults,
    st.one_of(st.just(1.0), gammas),
    st.data(),
)
def test_sgdr(top: float, share: float, first: int, mult: float, gamma: float, data: st.DataObject) -> None:
    low = top * share
    step = data.draw(anywhere(first, first + min(first * mult, 1e18)))
    schedule = schedules.sgdr(top, first, mult, low, gamma=gamma)
    assert_exact(schedule, exact.restarts(top, low, first, mult, gamma), step)


@given(
    rates,
    st.integers(30, 10**6),
    st.floats(0.1, 0.45),
    st.sampled_from(["cosine", "linear"]),
    st.floats(1.0, 100.0),
    st.floats(1.0, 1e5),
    st.booleans(),
    st.data(),
)
def test_one_cycle(
    peak: float,
    steps: int,
    share: float,
    form: str,
    div: float,
    final: float,
    three: bool,
    data: st.DataObject,
) -> None:
    step = data.draw(near(int(share * steps), int(2 * share * steps), steps))
    schedule = schedules.one_cycle(
        peak, steps, share, form, div_factor=div, final_div_factor=final, three_phase=three
    )
    assert_exact(schedule, exact.one_cycle(peak, steps, share, form, div, final, three), step)


@given(rates, st.floats(-300, 300).map(lambda x: 10.0**x), st.one_of(any_step, st.floats(0, 1e7)))
def test_inverse_sqrt(base: float, timescale: float, step: float) -> None:
    assert_exact(schedules.inverse_sqrt(base, timescale), exact.inverse_sqrt(base, timescale), step)


@given(
    st.floats(1e-6, 1.0),
    st.floats(1.0, 1e5),
    st.floats(1.0, 1e6),
    st.floats(-3.0, -0.01),
    st.one_of(any_step, st.floats(0.0, 1e9)),
)
def test_power(top: float, batch: float, length: float, power: float, step: float) -> None:
    made = schedules.power(top, batch, length, amplitude=3.7, power=power)

    def reference(i: float) -> mpf:
        if i == 0:
            return mpf(top)
        tokens = mpf(i) * mpf(batch) * mpf(length)
        return min(mpf(top), mpf(batch) * mpf(3.7) * tokens ** mpf(power))

    assert_exact(made, reference, step)


@given(rates, gammas, st.one_of(st.integers(0, 5000), any_step), st.integers(1, 500))
def test_exponential_and_step(base: float, gamma: float, step: int, size: int) -> None:
    assert_exact(schedules.exponential(base, gamma), lambda i: mpf(base) * mpf(gamma) ** i, step)
    stairs = schedules.step(base, size, gamma)
    assert_exact(stairs, lambda i: mpf(base) * mpf(gamma) ** (i // size), step)


@given(rates, rates, st.integers(2, 2000), st.data())
@settings(max_examples=50)
def test_composition_is_piecewise(a: float, b: float, size: int, data: st.DataObject) -> None:
    base, top = sorted([a, b])
    cut = data.draw(st.integers(1, 5 * size))
    tail = schedules.cosine(top, size)
    schedule = schedules.triangular(base, top, size).then(tail, at=cut)
    first = exact.tutorial(base, top, size, lambda cycle, i: mpf(1))
    second = exact.fall(top, 0.0, size, exact.cosine_left)
    step = data.draw(near(cut, cut + size))
    assert_exact(schedule, lambda i: first(i) if i < cut else second(i - cut), step)
    again = schedule.repeat()
    period = cut + size
    step = data.draw(near(period, period + cut))
    assert_exact(again, lambda i: reference_cycle(first, second, cut, i % period), step)


def reference_cycle(first: exact.Reference, second: exact.Reference, cut: int, i: int) -> mpf:
    return first(i) if i < cut else second(i - cut)


@given(rates, sizes, sizes, st.floats(1e-3, 1.0), st.data())
def test_warmups(peak: float, rise: int, decay: int, share: float, data: st.DataObject) -> None:
    step = data.draw(near(rise, rise + decay))
    start = share * peak
    after = (decay, exact.fall(peak, 0.0, decay, exact.cosine_left))
    ratio = mpf(peak) / mpf(start)
    for shape, warm in (
        ("linear", exact.fall(start, peak, rise, lambda x: 1 - x)),
        ("cosine", exact.fall(start, peak, rise, exact.cosine_left)),
        ("exponential", lambda i: mpf(start) * ratio ** (mpf(i) / rise)),
    ):
        made = schedules.warmup(schedules.cosine(peak, decay), rise, start_lr=start, shape=shape)
        assert_exact(made, exact.rows((rise, warm), after), step)


@given(rates, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**6), st.data())
def test_plateaus(peak: float, rise: int, stay: int, decay: int, data: st.DataObject) -> None:
    step = data.draw(near(rise, rise + stay, rise + stay + decay))
    made = schedules.warmup_stable_decay(peak, rise, stay, decay, min_lr=peak / 8, shape="linear")
    fall = exact.fall(peak, peak / 8, decay, lambda x: 1 - x)
    up = exact.fall(0.0, peak, max(rise, 1), lambda x: 1 - x)
    assert_exact(made, exact.rows((rise, up), (stay, lambda i: mpf(peak)), (decay, fall)), step)
    flat = schedules.flat_cosine(peak, stay + decay, stay / (stay + decay))
    curve = exact.fall(peak, 0.0, decay, exact.cosine_left)
    assert_exact(flat, exact.rows((stay, lambda i: mpf(peak)), (decay, curve)), step)


@given(rates, rates, sizes, st.floats(0.3, 1.0), st.data())
def test_sawtooth_and_amplitudes(a: float, b: float, size: int, gamma: float, data: st.DataObject) -> None:
    base, top = sorted([a, b])
    step = data.draw(near(size, 3 * size))
    height = mpf(top) - mpf(base)
    assert_exact(schedules.sawtooth(base, top, size), lambda i: mpf(base) + height * (i % size) / size, step)
    step = data.draw(st.integers(0, 200 * size))
    made = schedules.cyclic(base, top, size, gamma=gamma)
    assert_exact(made, exact.tutorial(base, top, size, lambda cycle, i: mpf(gamma) ** cycle), step)
    factors = [gamma, 0.5, 2.0, 0.0, 1.0]
    made = schedules.cyclic(base, top, size, scale_fn=lambda c: factors[int(c) - 1], scale_steps=10 * size)
    reference = exact.tutorial(base, top, size, lambda cycle, i: mpf(factors[min(cycle, 4)]))
    assert_exact(made, reference, step)


@given(rates, st.lists(st.integers(1, 1000), min_size=1, max_size=6), any_step)
def test_multistep(base: float, gaps: list[int], step: int) -> None:
    milestones = [sum(gaps[: k + 1]) for k in range(len(gaps))]
    made = schedules.multistep(base, milestones, 0.5)
    assert_exact(made, lambda i: mpf(base) / 2 ** sum(m <= i for m in milestones), step)


@given(
    rates, rates, st.integers(2, 10**6), st.integers(2, 10**6), st.sampled_from(["linear", "cosine", "welch"])
)
def test_joins_are_continuous(a: float, b: float, up: int, down: int, shape: str) -> None:
    base, top = sorted([a, b])
    made = schedules.cyclic(base, top, up, down, shape=shape)
    for join in (up, up + down, 2 * up + down):
        for side in (-1e-6, 1e-6):
            assert abs(made(join + side) - made(join)) <= 1e-5 * (top - base) + 1e-15 * top
