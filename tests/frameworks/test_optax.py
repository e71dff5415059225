"""Schedules as functions that JAX traces: equal to ours, in jit, vmap and scan, and in optax."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

from clrfast import Schedule, _core, schedules  # noqa: E402

MOST = 2**31 - 1
rates = st.floats(0.0, 10.0)
above = st.floats(1e-5, 10.0)
lengths = st.integers(1, 5000)
sizes = st.one_of(st.integers(1, 3000), st.floats(0.5, 3000.0))
gammas = st.floats(0.9, 1.0)
windows = st.tuples(rates, rates, sizes, sizes).map(lambda t: (min(t[:2]), max(t[:2]), *t[2:]))
falls = st.tuples(rates, lengths, rates).map(lambda t: (max(t[0], t[2]), t[1], min(t[0], t[2])))
# A strategy for each factory that makes a schedule of numbers alone.
FACTORIES: dict[str, st.SearchStrategy[Schedule]] = {
    "constant": rates.map(schedules.constant),
    "cosine": falls.map(lambda t: schedules.cosine(*t)),
    "cyclic": st.tuples(windows, st.sampled_from(["linear", "cosine", "welch"]), gammas).map(
        lambda t: schedules.cyclic(*t[0], shape=t[1], gamma=t[2])
    ),
    "exp_range": st.tuples(windows, gammas).map(lambda t: schedules.exp_range(*t[0], gamma=t[1])),
    "exponential": st.builds(schedules.exponential, rates, gammas),
    "flat_cosine": st.builds(schedules.flat_cosine, rates, lengths, st.floats(0, 1)),
    "hann": windows.map(lambda t: schedules.hann(*t)),
    "inverse_sqrt": st.builds(schedules.inverse_sqrt, rates, st.floats(1.0, 1e4)),
    "linear": st.builds(schedules.linear, rates, rates, lengths),
    "multistep": st.builds(
        schedules.multistep, rates, st.lists(lengths, max_size=20).map(sorted), st.floats(0.1, 1)
    ),
    "one_cycle": st.builds(
        schedules.one_cycle,
        rates,
        lengths,
        st.floats(0, 0.5),
        st.sampled_from(["cosine", "linear"]),
        three_phase=st.booleans(),
    ),
    "polynomial": st.tuples(falls, st.floats(0.2, 5)).map(
        lambda t: schedules.polynomial(t[0][0], t[0][1], t[1], min_lr=t[0][2])
    ),
    "power": st.builds(schedules.power, above, st.integers(1, 512), st.integers(1, 4096)),
    "ramp": st.tuples(above, above, st.integers(2, 500), st.sampled_from(["exponential", "linear"])).map(
        lambda t: schedules.ramp(min(t[:2]), max(t[:2]), t[2], shape=t[3], staircase=1 + t[2] // 99)
    ),
    "rex": falls.map(lambda t: schedules.rex(*t)),
    "sawtooth": windows.map(lambda t: schedules.sawtooth(*t[:3])),
    "sgdr": st.tuples(
        falls, st.one_of(st.just(1.0), st.floats(1.05, 3.0)), gammas, st.sampled_from([None, 1, 4])
    ).map(lambda t: schedules.sgdr(t[0][0], t[0][1], t[1], t[0][2], gamma=t[2], cycles=t[3])),
    "step": st.builds(schedules.step, rates, lengths, st.floats(0.1, 1)),
    "triangular": windows.map(lambda t: schedules.triangular(*t)),
    "triangular2": windows.map(lambda t: schedules.triangular2(*t)),
    "warmup_stable_decay": st.builds(
        schedules.warmup_stable_decay,
        rates,
        lengths,
        lengths,
        lengths,
        shape=st.sampled_from(["1-sqrt", "cosine"]),
    ),
    "welch": windows.map(lambda t: schedules.welch(*t)),
}
TRIANGLES = schedules.triangular(0.1, 1.0, 7)
GROWING_ROW = [
    _core.Piece(3, _core.Curve("linear", 0.1, 0.2)),
    _core.Piece(8, _core.Curve("rex", 0.5, 0.1)),
]
COMPOSED: list[Schedule] = [
    schedules.warmup(schedules.sgdr(0.1, 10, 1.5), 5),
    schedules.one_cycle(0.1, 50).repeat(3).then(schedules.sgdr(0.1, 10, 2)).scaled(0.5).clamped(1e-5, 0.04),
    schedules.sgdr(0.1, 10, 2, cycles=3).repeat().then(schedules.exponential(0.1, 0.99), at=500),
    schedules.one_cycle(0.1, 1000).reciprocal(0.85, 0.95),
    schedules.sgdr(0.1, 10, 1.5).cooldown_from(105, 40),
    schedules.cosine(0.1, 100).rewarm(80, schedules.inverse_sqrt(0.2, 30.0), 20),
    TRIANGLES.then(schedules.triangular2(0.2, 0.9, 3), at=100).shifted(1),
    schedules.cyclic(0.1, 1.0, 4, scale_fn=lambda cycle: 1 / cycle, scale_steps=100),
    schedules.cyclic(0.1, 1.0, 4.5, scale_fn=lambda i: 0.9**i, scale_mode="iterations", scale_steps=60),
    schedules.discriminative(schedules.one_cycle(0.1, 50), [0.1, 1.0])[0],
    schedules.constant(0.3).then(schedules.constant(0.1), at=2**32),
    Schedule(GROWING_ROW, cycles=0, cycle_mult=1.7, scaling=_core.Scaling("cycle", gamma=1.01)),
]
STEPS = np.concatenate(
    [np.arange(600), np.random.default_rng(0).integers(0, 10**6, 300), [2**24 - 1, 2**24 + 1, 10**9, MOST]]
).astype(np.int32)


def assert_equal(made: Schedule) -> None:
    """Equal to some rounding errors of float32; cycles of odd length may have drifted as far as is said."""
    steps = STEPS.astype(np.int64)
    seen = np.asarray(jax.jit(made.to_optax())(STEPS))
    assert seen.dtype == np.float32
    ends = [piece.until for piece in made._pieces if piece.until < MOST]
    odd = any(end != round(end) for end in ends)
    drift = 1e-9 * steps + 3e-7 * max(ends) if odd else 0.0
    values = [made(np.maximum(steps + shift, 0)) for shift in (0.0, -drift, drift)]
    # What is shifted, or drifts, loses in relation to the largest value.
    largest = np.abs(values).max() if odd or made._map.shift != 0.0 else 0.0
    allowed = 3e-6 * np.abs(values[0]) + 4e-7 * largest + 1e-36
    assert (seen >= np.min(values, axis=0) - allowed).all()
    assert (seen <= np.max(values, axis=0) + allowed).all()


@pytest.mark.parametrize("name", FACTORIES)
def test_every_factory(name: str) -> None:
    @hypothesis_settings(max_examples=8, phases=[Phase.generate])  # each is compiled anew
    @given(FACTORIES[name])
    def check(made: Schedule) -> None:
        assert_equal(made)

    check()


def test_every_factory_is_tried() -> None:
    others = {"Schedule", "concatenate", "discriminative", "warmup"}  # which are composed below
    assert {*FACTORIES, *others} == set(schedules.__all__)


@pytest.mark.parametrize("index", range(len(COMPOSED)))
def test_compositions(index: int) -> None:
    assert_equal(COMPOSED[index])


@pytest.mark.parametrize("name", ["int8", "uint8", "uint32"])
def test_steps_of_other_types(name: str) -> None:
    made = schedules.one_cycle(0.1, 100)
    steps = np.arange(0, 120, 7).astype(name)
    assert np.asarray(made.to_optax()(jnp.asarray(steps))) == pytest.approx(made(steps.astype(int)), rel=1e-6)


def test_it_is_a_function_of_one_step_and_of_many() -> None:
    made = schedules.sgdr(0.1, 10, 2, 0.001)
    rate = made.to_optax()
    assert float(rate(25)) == pytest.approx(made(25), rel=1e-6)
    assert rate(jnp.zeros((3, 2), int)).shape == (3, 2)
    assert float(rate(-5)) == np.float32(made(0))
    steps = jnp.arange(100)
    many = np.asarray(jax.vmap(rate)(steps))
    assert many == pytest.approx(made.values(0, 100), rel=1e-6)
    assert (np.asarray(rate(steps)) == many).all()
    _, scanned = jax.lax.scan(lambda step, _: (step + 1, rate(step)), 0, None, length=100)
    assert np.asarray(scanned) == pytest.approx(many, rel=1e-6)
    slope = jax.grad(lambda factor: factor * rate(3))(2.0)
    assert float(slope) == float(rate(3))
    with pytest.raises(TypeError, match="step must be an integer or an array of integers, got float32"):
        rate(1.5)
    with pytest.raises(ValueError, match=r"cycles must last at least 0\.001 steps for JAX"):
        schedules.triangular(0.1, 1.0, 1e-4).to_optax()


def test_it_drives_optax() -> None:
    """Plain gradient descent by hand, and AdamW against a table of the same rates."""
    made = schedules.one_cycle(0.1, 50)
    target = jnp.array([1.0, -2.0])

    def train(optimizer: Any) -> Any:
        @jax.jit
        def step(weights: Any, state: Any) -> Any:
            gradient = jax.grad(lambda w: jnp.sum((w - target) ** 2))(weights)
            updates, state = optimizer.update(gradient, state, weights)
            return optax.apply_updates(weights, updates), state

        weights = jnp.zeros(2)
        state = optimizer.init(weights)
        for _ in range(50):
            weights, state = step(weights, state)
        return np.asarray(weights)

    by_hand = np.zeros(2)
    for rate in made.values(0, 50):
        by_hand = by_hand - rate * 2 * (by_hand - np.array([1.0, -2.0]))
    assert train(optax.sgd(made.to_optax())) == pytest.approx(by_hand, rel=1e-5)
    table = jnp.asarray(made.values(0, 51), jnp.float32)
    expected = train(optax.adamw(lambda count: table[count]))
    assert train(optax.adamw(learning_rate=made.to_optax())) == pytest.approx(expected, rel=1e-5)


def run(code: str) -> str:
    return subprocess.check_output(
        [sys.executable, "-c", code], text=True, env={**os.environ, "JAX_PLATFORMS": "cpu"}
    )


def test_sixty_four_bits_give_more_digits() -> None:
    code = """
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
from clrfast import schedules
restarts = schedules.sgdr(0.1, 10, 1.5, gamma=0.99)
for made in (schedules.one_cycle(0.1, 1000), restarts, schedules.exponential(1.0, 0.99)):
    steps = np.arange(3000)
    seen = np.asarray(jax.jit(made.to_optax())(steps))
    assert seen.dtype == np.float64
    print(np.abs(seen / made(steps) - 1).max() < 1e-13)
"""
    assert run(code) == "True\nTrue\nTrue\n"


def test_jax_is_imported_when_it_is_asked_for() -> None:
    code = """
import sys
from clrfast import schedules
print("jax" in sys.modules)
sys.modules["jax"] = None
try:
    schedules.constant(1.0).to_optax()
except ImportError as error:
    print(error)
"""
    needs = "to_optax() needs jax, which is not installed: pip install 'clrfast[jax]'"
    assert run(code) == f"False\n{needs}\n"
