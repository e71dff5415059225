"""New phases for a running schedule: cooldown_from and rewarm; and the newer decays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpmath import mpf

import exact
from clrfast import Schedule, schedules

RUNNING = {
    "constant": schedules.constant(0.1),
    "inverse_sqrt": schedules.inverse_sqrt(0.1, 30),
    "power": schedules.power(0.02, 128, 1024),
    "warmed": schedules.warmup(schedules.constant(0.1), 37, start_lr=0.001),
    "cosine": schedules.cosine(0.1, 200),
    "ended": schedules.cosine(0.1, 20, 0.01),
    "cycles": schedules.triangular2(0.01, 0.1, 13),
    "fractional": schedules.triangular(0.01, 0.1, 13.1, 8.7),
    "mapped": schedules.hann(0.01, 0.1, 10).scaled(0.5).shifted(0.02).clamped(0.03, 0.06),
    "repeated": schedules.one_cycle(0.1, 30).repeat(),
}
STEPS = [0, 1, 20, 37, 50, 101]


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("shape", ["1-sqrt", "linear", "cosine", "exponential"])
def test_cooldown(name: str, step: int, shape: str) -> None:
    running = RUNNING[name]
    made = running.cooldown_from(step, 40, shape=shape, min_lr=1e-4)
    assert made.values(0, step).tolist() == running.values(0, step).tolist()
    assert made(step) == running(step)
    assert made(step + 40) == made(step + 1000) == 1e-4
    assert made.total_steps == step + 40
    assert (np.diff(made.values(step, step + 41)) < 0).all()
    left = {
        "1-sqrt": lambda x: 1 - mpf(x) ** mpf("0.5"),
        "linear": lambda x: 1 - x,
        "cosine": exact.cosine_left,
    }
    for k in range(40):
        if shape == "exponential":
            true = mpf(running(step)) * (mpf(1e-4) / mpf(running(step))) ** (mpf(k) / 40)
        else:
            true = exact.fall(running(step), 1e-4, 40, left[shape])(k)
        assert exact.ulps(made(step + k), true) <= 4


def test_cooldown_is_that_of_warmup_stable_decay() -> None:
    stable = schedules.warmup(schedules.constant(0.1), 10)
    assert stable.cooldown_from(60, 20) == schedules.warmup_stable_decay(0.1, 10, 50, 20)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"step": -1}, ValueError, "step must be an integer from 0"),
        ({"step": 1.5}, TypeError, "step must be an integer"),
        ({"cooldown_steps": 0}, ValueError, "cooldown_steps must be an integer from 1"),
        ({"min_lr": 0.2}, ValueError, r"min_lr must be finite and >= 0 and <= 0\.1"),
        ({"min_lr": -0.1}, ValueError, "min_lr must be finite and >= 0"),
        ({"shape": "exponential"}, ValueError, r"end of the shape 'exponential' must be > 0, got 0\.0"),
        ({"shape": "sqrt"}, ValueError, "shape must be one of '1-sqrt', 'linear', 'cosine', 'exponential'"),
    ],
)
def test_cooldown_says_what_is_wrong(change: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        schedules.constant(0.1).cooldown_from(**{"step": 5, "cooldown_steps": 5, **change})


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize("following", RUNNING)
@pytest.mark.parametrize("step", STEPS)
def test_rewarm(name: str, following: str, step: int) -> None:
    running, after = RUNNING[name], RUNNING[following]
    made = running.rewarm(step, after, 25)
    assert made.values(0, step).tolist() == running.values(0, step).tolist()
    assert made(step) == running(step)
    assert made.values(step + 25, step + 125).tolist() == after.values(0, 100).tolist()
    assert made.total_steps == step + 25 + after.total_steps
    line = exact.fall(running(step), after(0), 25, lambda x: 1 - x)
    assert all(exact.ulps(made(step + k), line(k)) <= 4 for k in range(25))


def test_rewarm_in_other_shapes() -> None:
    running, after = schedules.cosine(0.1, 60, 0.001), schedules.cosine(0.05, 40)
    for shape, middle in (("cosine", (0.001 + 0.05) / 2), ("exponential", (0.001 * 0.05) ** 0.5)):
        assert running.rewarm(60, after, 10, shape=shape)(65) == pytest.approx(middle, rel=1e-14)
    with pytest.raises(ValueError, match=r"start of the shape 'exponential' must be > 0, got 0.0"):
        schedules.cosine(0.1, 60).rewarm(60, after, 10, shape="exponential")
    with pytest.raises(TypeError, match=r"following must be a Schedule, got 0.1"):
        running.rewarm(60, 0.1, 10)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="warmup_steps must be an integer from 1"):
        running.rewarm(60, after, 0)


def test_rex_is_the_papers() -> None:
    made = schedules.rex(0.3, 200)
    for step in range(200):
        share = 1 - step / 200
        assert made(step) == pytest.approx(0.3 * share / (1 / 2 + 1 / 2 * share), rel=1e-14)
    assert made(200) == 0.0


def test_power_is_the_papers() -> None:
    made = schedules.power(0.02, 1024, 4096)  # a = 4, b = -0.51
    for tokens in (10**9, 10**11, 10**12):
        step = tokens // (1024 * 4096)
        formula = 1024 * 4 * (step * 1024 * 4096) ** -0.51
        assert made(step) == pytest.approx(min(0.02, formula), rel=1e-13)
    assert made(0) == made(1) == 0.02
    assert made.reciprocal(base_lr=0.0)(0) == 0.85
    bad = {"max_lr": 0.0, "batch_size": 0, "sequence_length": -1, "amplitude": 0, "power": 0.5}
    for name, value in bad.items():
        with pytest.raises(ValueError, match=f"{name} must be"):
            schedules.power(**{"max_lr": 0.02, "batch_size": 8, "sequence_length": 8, name: value})
    with pytest.raises(ValueError, match="power must be below 0, got 0"):
        schedules.power(0.02, 8, 8, power=0)


def test_the_whole_power_scheduler() -> None:
    """Equation 8 of the paper: a warm-up to the power law, and a decay from it, each in tokens."""
    law = schedules.power(0.02, 128, 1024)
    made: Schedule = schedules.linear(0.0, law(100), 100).then(law.then(law, at=1), at=100)
    assert made(50) == law(100) / 2
    cooled = law.cooldown_from(10_000, 1000, shape="exponential", min_lr=1e-6)
    assert cooled(10_000) == law(10_000)
    assert cooled(11_000) == 1e-6
