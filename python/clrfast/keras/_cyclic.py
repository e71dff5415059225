"""Cycles of the learning rate, with the arguments of Kenstler's `clr_callback`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras

from clrfast import _check, _core, schedules
from clrfast.schedules._cyclic import cycles_of


class CyclicLR(keras.callbacks.Callback):  # type: ignore[misc] # Keras is not typed
    """Cycles the learning rate after each batch: Smith, arXiv:1506.01186, as Kenstler's `clr_callback` does.

    Args:
        base_lr: The lowest rate, >= 0.
        max_lr: The highest rate, at least `base_lr`.
        step_size: Batches from `base_lr` to `max_lr`, > 0: two to eight times those of an epoch.
        mode: 'triangular', 'triangular2' (half the amplitude in each next cycle) or 'exp_range' (the
            amplitude times ``gamma ** iteration``). Not used with `scale_fn`.
        gamma: The factor of 'exp_range', > 0.
        scale_fn: A function that gives the amplitude's factor.
        scale_mode: Whether `scale_fn` is given the number of the 'cycle', from 1, or of 'iterations', from 0.

    Attributes:
        history: Lists with an entry for each batch: ``lr``, ``iterations`` (from 1), and what Keras logged.
        iterations: Batches since the first one, or since `reset`; the rate is a function of it alone.

    Raises:
        TypeError: An argument is not a number or not a function. At the start of training: the optimizer's
            rate is a schedule already.
        ValueError: An argument is out of its range.

    >>> model.fit(x, y, callbacks=[CyclicLR(base_lr=0.001, max_lr=0.006, step_size=2000)])  # doctest: +SKIP
    """

    def __init__(
        self,
        base_lr: float = 0.001,
        max_lr: float = 0.006,
        step_size: float = 2000.0,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
    ) -> None:
        """Check everything."""
        super().__init__()
        self.mode = _check.choice("mode", mode, ["triangular", "triangular2", "exp_range"])
        self.gamma = _check.real("gamma", gamma, above=0.0)
        if scale_fn is not None and not callable(scale_fn):
            raise TypeError(f"scale_fn must be a function or None, got {scale_fn!r}")
        self.scale_fn = scale_fn
        self.scale_mode = _check.choice("scale_mode", scale_mode, ["cycle", "iterations"])
        self.history: dict[str, list[Any]] = {}
        self._trained = 0
        self.base_lr, self.max_lr, self.step_size = base_lr, max_lr, step_size
        self.reset()

    def reset(
        self, base_lr: float | None = None, max_lr: float | None = None, step_size: float | None = None
    ) -> None:
        """Begin the cycles anew; the history goes on.

        Args:
            base_lr: Another lowest rate, >= 0; None keeps it.
            max_lr: Another highest rate; None keeps it.
            step_size: Other batches from one to the other, > 0; None keeps them.

        Raises:
            TypeError, ValueError: As at the beginning. Nothing is changed then.
        """
        low = self.base_lr if base_lr is None else base_lr
        high = self.max_lr if max_lr is None else max_lr
        size = _check.real("step_size", self.step_size if step_size is None else step_size, above=0.0)
        if self.scale_fn is None and self.mode == "triangular2":
            self._schedule = schedules.triangular2(low, high, size)
        elif self.scale_fn is None and self.mode == "exp_range":
            schedules.triangular(low, high, size)  # checks all but gamma, which may be above 1 here
            scaling = _core.Scaling("step", gamma=self.gamma, floor=float(low))
            self._schedule = cycles_of(float(low), float(high), size, size, scaling=scaling)
        else:
            self._schedule = schedules.triangular(low, high, size)
        self.base_lr, self.max_lr, self.step_size = low, high, size
        self.iterations = 0

    def clr(self) -> float:
        """The rate of the current iteration."""
        rate = self._schedule(self.iterations)
        if self.scale_fn is None:
            return rate
        cycle = 1 + math.floor(self.iterations / (2 * self.step_size))
        factor = self.scale_fn(cycle if self.scale_mode == "cycle" else self.iterations)
        return self.base_lr + (rate - self.base_lr) * factor

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Set the rate that the cycles are at: the lowest one in a first training."""
        self._set()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the batch, and set the rate of the next one."""
        self._trained += 1
        for key, value in {"lr": self.clr(), "iterations": self._trained, **(logs or {})}.items():
            self.history.setdefault(key, []).append(value)
        self.iterations += 1
        self._set()

    def _set(self) -> None:
        try:
            self.model.optimizer.learning_rate = self.clr()
        except TypeError as error:
            raise TypeError(f"the optimizer's learning_rate must be a number to be cycled: {error}") from None
