"""total_steps is the number of steps that have values, wherever the word is used."""

from __future__ import annotations

import math

import pytest

from clrfast import Schedule, schedules

FINITE = {
    "linear": schedules.linear(0.1, 0.01, 100),
    "cosine": schedules.cosine(0.1, 100),
    "polynomial": schedules.polynomial(0.1, 100, 2.0),
    "rex": schedules.rex(0.1, 100),
    "flat_cosine": schedules.flat_cosine(0.1, 100),
    "warmup_stable_decay": schedules.warmup_stable_decay(0.1, 20, 50, 30),
    "one_cycle": schedules.one_cycle(0.1, 100),
    "one_cycle, three phases": schedules.one_cycle(0.1, 100, 0.25, "linear", three_phase=True),
    "one_cycle, all rise": schedules.one_cycle(0.1, 100, 1.0),
    "ramp": schedules.ramp(1e-5, 1.0, 100),
    "ramp, linear": schedules.ramp(1e-5, 1.0, 100, shape="linear"),
    "ramp, staircase": schedules.ramp(1e-5, 1.0, 100, staircase=7),
    "sgdr": schedules.sgdr(0.1, 25, cycles=4),
    "cooldown_from": schedules.inverse_sqrt(0.1, 30).cooldown_from(60, 40),
    "rewarm": schedules.cosine(0.1, 30).rewarm(30, schedules.cosine(0.05, 60), 10),
}


@pytest.mark.parametrize("name", FINITE)
def test_is_what_was_asked_for(name: str) -> None:
    made = FINITE[name]
    assert made.total_steps == 100
    assert isinstance(made.total_steps, int)
    assert made.values(0, 100).tolist() == [made(step) for step in range(100)]
    assert len(set(made.values(100, 200))) == 1  # held


@pytest.mark.parametrize("name", FINITE)
def test_the_next_schedule_begins_after_the_last_value(name: str) -> None:
    made = FINITE[name]
    after = schedules.cosine(0.7, 9)
    both = made.then(after)
    assert both.values(0, 100).tolist() == made.values(0, 100).tolist()
    assert both.values(100, 120).tolist() == after.values(0, 20).tolist()
    assert both.total_steps == 109


@pytest.mark.parametrize("name", FINITE)
def test_a_repetition_has_that_period(name: str) -> None:
    made = FINITE[name]
    once = made.values(0, 100).tolist()
    twice = made.repeat(2)
    assert twice.total_steps == 200
    assert twice.values(0, 200).tolist() == once * 2
    assert made.repeat()(range(300)).tolist() == once * 3
    assert made.repeat(2).repeat(3).values(0, 600).tolist() == once * 6


def test_the_final_rates_are_not_lost() -> None:
    one_cycle = schedules.one_cycle(0.1, 100)
    assert one_cycle.then(schedules.constant(0.5))(99) == 0.1 / 25 / 1e4
    assert one_cycle.repeat(2)(99) == one_cycle.repeat(2)(199) == 0.1 / 25 / 1e4
    assert one_cycle.repeat(2)(100) == 0.1 / 25
    ramp = schedules.ramp(1e-5, 1.0, 100)
    assert ramp.then(schedules.constant(0.5))(99) == 1.0


@pytest.mark.parametrize(
    "made",
    [
        schedules.constant(0.1),
        schedules.triangular(0.1, 1.0, 10),
        schedules.exponential(0.1, 0.9),
        schedules.power(0.02, 128, 1024),
        schedules.one_cycle(0.1, 100).repeat(),
        schedules.sgdr(0.1, 10, 2),
    ],
)
def test_is_infinite_where_there_is_no_end(made: Schedule) -> None:
    assert made.total_steps == math.inf
    with pytest.raises(ValueError, match="must have an end, got one that never ends"):
        made.repeat(2)
    with pytest.raises(ValueError, match="must have an end, got one that never ends"):
        made.repeat(1)
    with pytest.raises(ValueError, match="at must be given for a schedule that never ends"):
        made.then(schedules.constant(0.1))


def test_is_exact_beyond_2_53() -> None:
    made = schedules.sgdr(0.1, 3, 3, cycles=38)
    assert made.total_steps == 3 * (3**38 - 1) // 2
    assert made(made.total_steps) == 0.0
    assert made(int(made.total_steps) - 1) > 0.0
