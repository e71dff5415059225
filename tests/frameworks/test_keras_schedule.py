"""Rates and momenta that Keras trains with, compared with updates written by hand."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

import clrfast  # noqa: E402
from clrfast import schedules  # noqa: E402
from clrfast.keras import ScheduleCallback  # noqa: E402

# Keras 3.15 turns its variables to arrays in a way that NumPy 2 no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PAGE = (Path(__file__).parents[2] / "docs" / "schedules_elsewhere.md").read_text(encoding="utf-8")
STEPS = 24
RATE = schedules.one_cycle(0.1, STEPS, div_factor=10)
MOMENTUM = RATE.reciprocal(0.6, 0.95, base_lr=RATE(0))
X = np.random.default_rng(0).normal(size=(STEPS, 4))
Y = X @ np.array([1.0, -2.0, 0.5, 0.0]) + 1.0


def line(optimizer: Any) -> Any:
    """A linear model of float64, one row a batch."""
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((4,), dtype="float64"), keras.layers.Dense(1, dtype="float64")])
    net.compile(optimizer, loss="mse")
    return net


def fit(net: Any, *callbacks: Any, rows: slice = slice(None)) -> np.ndarray[Any, Any]:
    net.fit(X[rows], Y[rows, None], batch_size=1, shuffle=False, verbose=0, callbacks=list(callbacks))
    return np.concatenate([w.flatten() for w in net.get_weights()])


def gradients(weights: np.ndarray[Any, Any], step: int) -> np.ndarray[Any, Any]:
    row = np.append(X[step], 1.0)
    return 2 * (row @ weights - Y[step]) * row


def by_hand(kind: str, weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The updates as their papers write them, with another rate and momentum in each step."""
    m, v = np.zeros(5), np.zeros(5)
    for step in range(STEPS):
        rate, momentum = RATE(step), MOMENTUM(step)
        g = gradients(weights, step)
        if kind == "adam":
            m = momentum * m + (1 - momentum) * g
            v = 0.999 * v + 0.001 * g * g
            m_hat, v_hat = m / (1 - momentum ** (step + 1)), v / (1 - 0.999 ** (step + 1))
            weights = weights - rate * m_hat / (np.sqrt(v_hat) + 1e-9)
        elif kind == "rmsprop":
            v = 0.9 * v + 0.1 * g * g
            m = momentum * m + rate * g / np.sqrt(v + 1e-9)
            weights = weights - m
        else:
            m = momentum * m - rate * g
            weights = weights + (momentum * m - rate * g if kind == "nesterov" else m)
    return weights


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.01, momentum=0.5),
    "nesterov": lambda: keras.optimizers.SGD(0.01, momentum=0.5, nesterov=True),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01, momentum=0.5, epsilon=1e-9),
    "adam": lambda: keras.optimizers.Adam(0.01, epsilon=1e-9),
    "scaled adam": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01, epsilon=1e-9)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rate_and_momentum_are_those_in_force(name: str) -> None:
    net = line(OPTIMIZERS[name]())
    start = np.concatenate([w.flatten() for w in net.get_weights()])
    callback = ScheduleCallback(lr=RATE, momentum=MOMENTUM)
    seen = fit(net, callback)
    assert seen == pytest.approx(by_hand(name.split()[-1], start), rel=1e-5, abs=1e-6)  # rates are float32
    assert callback.history["lr"] == RATE.values(0, STEPS).tolist()
    assert callback.history["momentum"] == MOMENTUM.values(0, STEPS).tolist()
    constant = line(OPTIMIZERS[name]())
    assert fit(constant, ScheduleCallback(lr=RATE)) != pytest.approx(seen, rel=1e-2)


@pytest.mark.parametrize("name", ["Adamax", "AdamW", "Lamb", "Lion", "Muon", "Nadam"])
def test_all_optimizers_of_the_kind_are_driven(name: str) -> None:
    low, high = (
        line(getattr(keras.optimizers, name)(0.01)),
        line(getattr(keras.optimizers, name)(0.01)),
    )
    constant = [ScheduleCallback(momentum=schedules.constant(value)) for value in (0.3, 0.8)]
    assert fit(low, constant[0]) != pytest.approx(fit(high, constant[1]), rel=1e-3)


def test_two_trainings_are_one() -> None:
    whole, parts, loaded = (line(keras.optimizers.SGD(0.01, momentum=0.5)) for _ in range(3))
    weights = fit(whole, ScheduleCallback(lr=RATE, momentum=MOMENTUM))
    callback = ScheduleCallback(lr=RATE, momentum=MOMENTUM)
    fit(parts, callback, rows=slice(0, 10))
    assert (fit(parts, callback, rows=slice(10, None)) == weights).all()
    assert callback.step == STEPS
    fit(loaded, ScheduleCallback(lr=RATE, momentum=MOMENTUM), rows=slice(0, 10))
    goes_on = ScheduleCallback(lr=RATE, momentum=MOMENTUM, step=int(loaded.optimizer.iterations))
    assert (fit(loaded, goes_on, rows=slice(10, None)) == weights).all()
    assert goes_on.history["lr"] == RATE.values(10, STEPS).tolist()


@pytest.mark.parametrize(("end", "scale"), [(0.1, 0.1), (0.3, 0.1), (0.25, 0.05)])
def test_the_page_on_keras_one_cycle(end: float, scale: float) -> None:
    """The lines of docs/schedules_elsewhere.md, and what titu1994's OneCycleLR computes."""
    names: dict[str, Any] = {"clrfast": clrfast, "schedules": schedules, "total_steps": 200, "max_lr": 0.4}
    names |= {"end_percentage": end, "scale_percentage": scale}
    names |= {"minimum_momentum": 0.85, "maximum_momentum": 0.95}
    section = PAGE[PAGE.index("## keras-one-cycle") :]
    exec(re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0], names)
    half = int(200 * (1 - end) / 2)
    for step in range(200):
        share, factor = 0.0, 1 - 0.99 * (step - 2 * half) / (200 - 2 * half)
        if step <= 2 * half:
            share = step / half if step <= half else 1 - (step - half) / half
            factor = 1 + share * (100 * scale - 1)
        assert names["rate"](step) == pytest.approx(0.4 * scale * factor, rel=1e-12)
        assert names["momentum"](step) == pytest.approx(0.95 - 0.1 * share, rel=1e-12)
    net = line(keras.optimizers.SGD(0.01, momentum=0.9))
    fit(net, names["callback"])
    assert names["callback"].history["lr"] == names["rate"].values(0, STEPS).tolist()


def test_what_cannot_be_driven_is_refused() -> None:
    with pytest.raises(TypeError, match=r"lr must be a Schedule or None, got 0\.1"):
        ScheduleCallback(lr=0.1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lr or momentum must be given, got neither"):
        ScheduleCallback()
    with pytest.raises(ValueError, match="step must be an integer from 0"):
        ScheduleCallback(lr=RATE, step=-1)
    both = {"lr": RATE, "momentum": MOMENTUM}
    net = line(keras.optimizers.SGD(0.01))
    with pytest.raises(ValueError, match="momentum must be > 0 when it is made"):
        fit(net, ScheduleCallback(**both))
    assert float(net.optimizer.learning_rate) == np.float32(0.01)
    for name in ("Adagrad", "ScheduleFreeAdamW"):
        optimizer = getattr(keras.optimizers, name, keras.optimizers.Adadelta)(0.01)
        with pytest.raises(TypeError, match=r"momentum or beta_1 that may change, got (A|Sch)"):
            fit(line(optimizer), ScheduleCallback(**both))
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    with pytest.raises(TypeError, match="learning_rate must be a number, got a schedule"):
        fit(line(keras.optimizers.SGD(decay)), ScheduleCallback(lr=RATE))
    too_high = ScheduleCallback(lr=RATE, momentum=schedules.constant(1.0))
    net = line(keras.optimizers.Adam(0.01))
    with pytest.raises(ValueError, match=r"momentum must be finite and > 0 and < 1, got 1\.0"):
        fit(net, too_high)
    assert (net.optimizer.beta_1, float(net.optimizer.learning_rate)) == (0.9, np.float32(0.01))
