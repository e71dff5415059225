"""Trainings and range tests with batches of any size, all from one state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._batch_size._noise_scale import noise_scale
from clrfast._batch_size._steps_to_loss import recent_means
from clrfast._range_test._candidates import HeldRates
from clrfast._range_test._context import RangeTest
from clrfast._range_test._training import Training

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from clrfast._batch_size._gradient_noise import NoiseScale
    from clrfast._range_test._rates import Rates
    from clrfast.logs import Log


# Not a share of the steps: trainings to one loss are compared that were allowed more steps, or fewer.
_WARM_UP = 10


class BrieflyWarmed(HeldRates):
    """A rate that is held after ten steps, however many there are to come."""

    def __init__(self, ramps: Rates, candidate: Mapping[str, Any], steps: int) -> None:
        """Set nothing."""
        super().__init__(ramps, candidate, steps)
        self._shares = np.minimum(1.0, np.arange(1, steps + 1) / _WARM_UP).tolist()
        self.recorded = self.lr * np.array(self._shares)


class SizeTrainer:
    """Trains with batches of any size, puts everything back each time, and counts the steps.

    Args:
        model: As in `clrfast.batch_sizes`, as are the next three.
        optimizer: Its optimizer.
        loss_fn: The loss.
        make_loader: Makes a loader.
        how: `autocast`, `scaler` and `device`.
        options: What `RangeTest` takes beside them.
        most: The largest batch that is made whole; None as long as memory allows.

    Attributes:
        accumulate: Of each size, how many batches share a step.
        spent_steps: Of each size, the steps made so far.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss_fn: Callable[..., Tensor] | None,
        make_loader: Callable[[int], Iterable[Any]],
        how: dict[str, Any],
        options: dict[str, Any],
        most: int | None,
    ) -> None:
        """Train nothing yet."""
        self._model, self._optimizer, self._loss_fn = model, optimizer, loss_fn
        self._make_loader, self._how, self._options, self._most = make_loader, how, options, most
        self._fits = 0  # the largest size that memory was enough for
        self.accumulate: dict[int, int] = {}
        self.spent_steps: dict[int, int] = {}

    def ramp(self, size: int, steps: int) -> Log:
        """Return the log of a range test; the sizes must come in ascending order.

        Where memory is too short, gradients of smaller batches are accumulated, for all larger sizes too.
        """
        from clrfast._batch_size._memory import unless_too_large

        self.spent_steps[size] = 0
        title = f"range test at batch size {size}"
        if self._most is None or size <= self._most:
            self.accumulate[size] = 1
            if not self._fits:  # there is nothing smaller to take instead
                log: Log | None = self._run(size, title, steps)
            else:
                log = unless_too_large(lambda: self._run(size, title, steps))
            if log is not None:
                self._fits = size
                return log
            self._most = self._fits
        self.accumulate[size] = size // math.gcd(size, self._most)
        return self._run(size, title, steps)

    def train(self, size: int, lr: float, steps: int, loss: float) -> list[float]:
        """Return the losses of a training at a rate, until the mean of the recent ones is as low as this."""
        log = self._run(size, f"training at batch size {size}", steps, lr, loss)
        return [float(value) for value in log.loss]

    def noise(self, size: int, lr: float, steps: int) -> NoiseScale:
        """Return the noise scale along a training at a rate."""
        count = self.accumulate[size]
        found = noise_scale(
            self._model,
            self._loss_fn,
            self._make_loader(size // count),
            steps=steps,
            optimizer=self._optimizer,
            lr=lr,
            accumulate=count,
            device=self._how["device"],
            **self._options,
        )
        self.spent_steps[size] += len(found.losses)
        return found

    def _run(
        self, size: int, title: str, steps: int, lr: float | None = None, loss: float = -math.inf
    ) -> Log:
        """Return the log of a range test, or of a training at one rate that ends at a loss."""
        count = self.accumulate[size]
        training = Training(
            self._model,
            self._optimizer,
            self._loss_fn,
            self._make_loader(size // count),
            accumulate=count,
            train_step=None,
            **self._how,
        )
        stop_factor = 4.0 if lr is None else math.inf
        test = RangeTest(self._model, self._optimizer, steps=steps, stop_factor=stop_factor, **self._options)
        if lr is not None:
            test._rates = BrieflyWarmed(test._rates, {"lr": lr}, steps)
        test._title, test._caller = title, "batch_sizes()"
        training.enter_into(test, count)
        with test:
            training.begin(test)
            for batches in test._batches(training.loader, count):
                if not self.spent_steps[size]:
                    _check_size(batches[0], size // count)
                test.record(training.step(batches))
                self.spent_steps[size] += 1
                if test._watch.checks() and _has_reached(loss, test._watch.result()[0]):
                    break
        return test.log


def _has_reached(loss: float, losses: list[float]) -> bool:
    """Return whether the mean of the recent losses was as low, as far as they have come from a device."""
    return len(losses) > 0 and bool(recent_means(losses).min() <= loss)


def _check_size(batch: Any, size: int) -> None:
    """Raise where a loader gives batches of another size than asked for, as far as that can be told."""
    from clrfast._batch_size._halves import samples_of

    try:
        found = samples_of(batch)
    except TypeError:
        return
    if found != size:
        raise ValueError(f"make_loader({size}) must give batches of {size} samples, got {found}")
