"""Any schedule of the rate, and of the momentum against it: one-cycle is one use of it."""

from __future__ import annotations

from typing import Any, SupportsIndex

import keras

from clrfast import _check
from clrfast.keras._backend import check_torch
from clrfast.keras._optimizer import check_optimizer, inner
from clrfast.schedules import Schedule


class ScheduleCallback(keras.callbacks.Callback):  # type: ignore[misc] # Keras is not typed
    """Drives the learning rate, and the momentum against it, batch by batch.

    The values are those of the step alone: beyond its end a schedule holds its last one.

    Args:
        lr: The rate of each batch, counted from 0; None leaves it alone.
        momentum: The same for the optimizer's `momentum` (SGD, RMSprop, Muon) or `beta_1` (Adam and its
            relatives), above 0 and below 1. Needs Keras' PyTorch backend: the others compile the number in.
        step: The step of the first batch, >= 0: ``int(model.optimizer.iterations)`` goes on with a loaded
            model.

    Attributes:
        step: The step of the next batch. A second `fit` goes on with it.
        history: Lists with an entry for each batch: ``lr`` and ``momentum``, if they are driven.

    Raises:
        TypeError: An argument is no schedule. At the start of training: the optimizer's rate is a schedule
            already, or it has no momentum.
        ValueError: Nothing is driven, or `step` is out of its range. At the start of training: the
            optimizer was made with momentum 0, for which Keras keeps no velocities, or a schedule gives a
            momentum that is not above 0 and below 1.
        RuntimeError: At the start of training: `momentum` is given, and Keras does not run on PyTorch.

    One cycle (Smith and Topin, arXiv:1708.07120) with the momentum against it:

    >>> rate = schedules.one_cycle(0.1, total_steps=epochs * len(loader))  # doctest: +SKIP
    >>> momentum = rate.reciprocal(0.85, 0.95, base_lr=rate(0))  # doctest: +SKIP
    >>> model.fit(loader, callbacks=[ScheduleCallback(lr=rate, momentum=momentum)])  # doctest: +SKIP
    """

    def __init__(
        self, *, lr: Schedule | None = None, momentum: Schedule | None = None, step: SupportsIndex = 0
    ) -> None:
        """Check everything that needs no optimizer."""
        super().__init__()
        for name, schedule in (("lr", lr), ("momentum", momentum)):
            if schedule is not None and not isinstance(schedule, Schedule):
                raise TypeError(f"{name} must be a Schedule or None, got {schedule!r}")
        if lr is None and momentum is None:
            raise ValueError("lr or momentum must be given, got neither")
        self.lr, self.momentum = lr, momentum
        self.step = _check.whole("step", step)
        self.history: dict[str, list[float]] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Refuse an optimizer that cannot be driven, and set the values of the first batch."""
        if self.lr is not None:
            check_optimizer(self.model)
        if self.momentum is not None:
            check_torch("a momentum that changes")
            optimizer, name = inner(self.model.optimizer), self._momentum_name()
            if name == "momentum" and optimizer.momentum == 0:
                raise ValueError(
                    "the optimizer's momentum must be > 0 when it is made, or Keras keeps no velocity, got 0"
                )
            _check_momentum(self.momentum(self.step))
        self._set()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the values of this batch, and set those of the next one."""
        for name, schedule in (("lr", self.lr), ("momentum", self.momentum)):
            if schedule is not None:
                self.history.setdefault(name, []).append(schedule(self.step))
        self.step += 1
        self._set()

    def _set(self) -> None:
        if self.lr is not None:
            self.model.optimizer.learning_rate = self.lr(self.step)
        if self.momentum is not None:
            value = _check_momentum(self.momentum(self.step))
            setattr(inner(self.model.optimizer), self._momentum_name(), value)

    def _momentum_name(self) -> str:
        optimizer = inner(self.model.optimizer)
        kind = type(optimizer).__name__
        for name in ("momentum", "beta_1"):
            # The schedule-free one takes its last step back by the beta_1 that was then.
            if hasattr(optimizer, name) and kind != "ScheduleFreeAdamW":
                return name
        raise TypeError(f"the optimizer must have a momentum or beta_1 that may change, got {kind}")


def _check_momentum(value: float) -> float:
    return _check.real("momentum", value, above=0.0, below=1.0)
