"""Logs that are no range test are told from ramps of every kind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clrfast import schedules
from clrfast.analysis import State, analyze, analyze_repeats, analyze_runs

RISES = "the rate rises and then falls again over the steps, as in a training: this is no range test"
FALLS = "the rate falls and then rises again over the steps, as in a training: this is no range test"
HELD = "most rows have one and the same rate, as in a training: this is no range test"


def rates(schedule, rows):
    return np.array([max(schedule(step), 1e-12) for step in range(rows)])


def loss_of(lr, seed=0):
    """As of a training: it falls with the steps, whatever the rate."""
    steps = np.arange(len(lr))
    return 2 * np.exp(-steps / 300) + 0.05 * np.random.default_rng(seed).standard_normal(len(lr))


def range_loss(lr, seed=0):
    x = np.log(lr)
    noise = 0.03 * np.random.default_rng(seed).standard_normal(len(lr))
    return 2 - 1.5 / (1 + np.exp(-2 * (x - math.log(1e-3)))) + np.exp(1.5 * x) + noise


def warm_up_and_decay(rows, warm, end=0.0):
    up = np.linspace(0.1 / warm, 0.1, warm)
    down = end + (0.1 - end) * 0.5 * (1 + np.cos(np.pi * np.arange(1, rows - warm + 1) / (rows - warm)))
    return np.maximum(np.concatenate([up, down]), 1e-9)


RAMP = np.geomspace(1e-6, 1.0, 600)
TRAININGS = {
    "one cycle": (rates(schedules.one_cycle(0.1, 1000), 1000), RISES),
    "one cycle, linear": (rates(schedules.one_cycle(0.1, 1000, shape="linear"), 1000), RISES),
    "warm-up and cosine": (warm_up_and_decay(2000, 200), RISES),
    "short warm-up and cosine to a tenth": (warm_up_and_decay(2000, 100, end=0.01), RISES),
    "two cycles": (rates(schedules.triangular(1e-3, 0.1, 250), 1000), RISES),
    "cycles, ended on the way up": (rates(schedules.triangular(1e-3, 0.1, 250), 1120), RISES),
    "cycles, ended on the way down": (rates(schedules.triangular(1e-3, 0.1, 250), 1370), RISES),
    "there and back": (np.concatenate([RAMP, RAMP[::-1]]), RISES),
    "down and up again": (np.concatenate([RAMP[::-1], RAMP]), FALLS),
    "warm-up and constant": (np.concatenate([np.linspace(1e-3, 0.1, 100), np.full(900, 0.1)]), HELD),
    "warm-up, constant, decay": (
        np.concatenate([np.linspace(1e-3, 0.1, 100), np.full(900, 0.1), np.linspace(0.1, 1e-3, 200)]),
        HELD,
    ),
    "three constants": (np.repeat([0.1, 0.01, 0.001], [900, 400, 300]), HELD),
}
RANGE_TESTS = {
    "ramp": RAMP,
    "linear ramp": np.linspace(1e-4, 1.0, 600),
    "falling ramp": RAMP[::-1],
    "staircase": np.repeat(RAMP[::20], 20),
    "falling staircase": np.repeat(RAMP[::-20], 20),
    "three ramps": np.tile(RAMP, 3),
    "three falling ramps": np.tile(RAMP[::-1], 3),
    "three staircases": np.tile(np.repeat(RAMP[::20], 20), 3),
    "a repeat that was interrupted": np.concatenate([RAMP, RAMP, RAMP[:333]]),
    "a coarse ramp and a finer one": np.concatenate([RAMP[::3], np.geomspace(1e-4, 1e-1, 300)]),
    "no order": np.random.default_rng(0).permutation(np.tile(RAMP, 3)),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_gives_no_number_and_says_why(name):
    lr, reason = TRAININGS[name]
    for loss in (loss_of(lr), range_loss(lr)):
        found = analyze(lr, loss)
        assert found.suggestion.bounds == (None, None)
        assert found.suggestion.reasons == (reason,)
        assert found.suggestion.confidence == "low"
        assert repr(found.phases) == "<Phases: none>"
        assert len(found.grid_lr) == len(found.grid_loss) > 0
        assert reason in str(found)


@pytest.mark.parametrize("name", RANGE_TESTS)
def test_a_ramp_is_analysed_as_the_data_it_is(name):
    lr = RANGE_TESTS[name]
    found = analyze(lr, range_loss(lr))
    assert 1e-3 < found.suggestion.max_lr < 1
    assert not [reason for reason in found.suggestion.reasons if "no range test" in reason]


def test_repeats_are_no_cycle():
    lr = np.tile(RAMP, 4)
    loss = np.concatenate([range_loss(RAMP, seed) for seed in range(4)])
    run = np.repeat(np.arange(4), len(RAMP))
    beside = np.arange(len(lr)).reshape(4, -1).T.ravel()  # logged side by side
    for order in (slice(None), beside):
        assert analyze_repeats(lr[order], loss[order], run=run[order]).suggestion
    parts = State()
    for seed in range(4):  # each counts its steps from 0
        part = State()
        part.add(RAMP, range_loss(RAMP, seed))
        parts.merge(part)
    assert parts.analyze().suggestion


@pytest.mark.parametrize("name", ["one cycle", "cycles, ended on the way up", "warm-up and constant"])
def test_however_the_log_is_cut(name):
    lr, reason = TRAININGS[name]
    loss = loss_of(lr)
    live, forth, back = State(), State(), State()
    for rate, value in zip(lr.tolist(), loss.tolist()):
        live.add(rate, value)
    cuts = [0, 17, 400, 401, 830, len(lr)]
    parts = []
    for start, stop in zip(cuts, cuts[1:]):
        forth.add(lr[start:stop], loss[start:stop])
        parts.append(State(first_step=start))
        parts[-1].add(lr[start:stop], loss[start:stop])
    for part in reversed(parts):
        back.merge(part)
    for state in (live, forth, back, State.from_bytes(back.to_bytes())):
        assert state.analyze().suggestion.reasons == (reason,)
    table = analyze_runs(np.tile(lr, 2), np.tile(loss, 2), offsets=[0, len(lr), 2 * len(lr)])
    assert np.isnan(table["max_lr"]).all()


def test_threads_see_what_one_sees():
    lr = np.concatenate([np.geomspace(1e-5, 1, 200_000), np.geomspace(1, 1e-5, 200_000)])
    for threads in (1, 2, 5):
        found = analyze(lr, np.ones(len(lr)), threads=threads)
        assert found.suggestion.reasons == (RISES,)


def test_a_rate_that_hardly_changes():
    lr = np.geomspace(0.1, 0.11, 400)
    reason = "there are fewer than 8 rates, 4 % or more apart, with a finite loss: the rate hardly changes"
    assert analyze(lr, range_loss(lr)).suggestion.reasons == (reason,)
    with pytest.raises(ValueError, match="at least 3 rates, 4 % or more apart"):
        analyze(np.full(400, 0.1), np.ones(400))
