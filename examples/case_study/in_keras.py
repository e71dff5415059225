"""The tutorial's network in Keras on PyTorch: made, tested for its range, trained, judged."""

from __future__ import annotations

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is imported

import keras

import clrfast.keras
from clrfast.schedules import Schedule
from data import Split

TITLE = "Keras"


def network(split: Split, hidden: int, seed: int) -> Any:
    """One hidden layer, untrained."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((split.x.shape[1],)), layers.Dense(hidden, activation="relu"), layers.Dense(10)]
    )


def range_test(model: Any, split: Split, batch_size: int, total_steps: int | None, seed: int) -> clrfast.Log:
    """A range test: of 200 steps, or as long as pays for a training of so many."""
    keras.utils.set_random_seed(1000 + seed)
    _compile(model)
    x, y = split.x.numpy(), split.y.numpy()
    return clrfast.keras.range_test(model, x, y, batch_size=batch_size, total_steps=total_steps)


def train(model: Any, split: Split, rate: Schedule, batch_size: int, epochs: int, seed: int) -> None:
    """Train with a new Adam at the schedule's rates."""
    keras.utils.set_random_seed(1000 + seed)
    _compile(model)
    model.fit(
        *(split.x.numpy(), split.y.numpy(), batch_size, epochs),
        verbose=0,
        callbacks=[clrfast.keras.ScheduleCallback(lr=rate)],
    )


def error(model: Any, split: Split) -> float:
    """The share of the test images that are told wrong, in percent."""
    told = model.predict(split.test_x.numpy(), batch_size=1000, verbose=0).argmax(axis=1)
    return 100 * float((told != split.test_y.numpy()).mean())


def _compile(model: Any) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss=loss)
