"""Short trainings: a whole schedule in few steps, from one state, on the same batches."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._range_test._context import RangeTest
from clrfast._range_test._rates import Rates, put
from clrfast._range_test._training import Training
from clrfast._tune._made_schedules import momentum_schedule
from clrfast._tune._settings import Settings, decays, put_momentum, shared_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clrfast.logs import Log
    from clrfast.schedules import Schedule

MakeSchedule = Callable[[float, int], "Schedule"]  # of the highest rate and the steps
_TAIL = 0.2  # the last share of the steps, whose losses count where there is nothing to validate with


@dataclasses.dataclass(frozen=True)
class Trained:
    """What one short training reached.

    Attributes:
        losses: Of each step, before its update, float64, shape (steps,); NaN after one that is not finite.
        measured: What it is judged by, float64, shape (n,): the validation loss of each batch after the last
            step, or else the losses of the last fifth of the steps; infinite where a loss was not finite.
        again: Whether it saw a batch for a second time.
    """

    losses: NDArray[np.float64]
    measured: NDArray[np.float64]
    again: bool

    @property
    def score(self) -> float:
        """The mean of what it is judged by."""
        return float(self.measured.mean())

    def above(self, other: Trained) -> tuple[float, float]:
        """Return by how much its score lies above another's, and the standard error of that, pair by pair."""
        if not (math.isfinite(self.score) and math.isfinite(other.score)):
            return self.score - other.score if math.isfinite(other.score) else math.nan, math.nan
        pairs = self.measured - other.measured
        if len(pairs) == 1:  # a function's one number: what the steps' losses differ by is all there is
            pairs = self.losses[_tail(len(self.losses))] - other.losses[_tail(len(self.losses))]
        return self.score - other.score, float(np.std(pairs, ddof=1) / math.sqrt(len(pairs)))


class ScheduledRates(Rates):
    """Rates and momenta that follow a schedule in each step of a short training.

    Args:
        ramps: Those of a range test on the same optimizers, which say how the groups' rates go together.
        settings: What the training is made with.
        rate: The schedule of the rate.
        steps: Steps of the training.
    """

    def __init__(self, ramps: Rates, settings: Settings, rate: Schedule, steps: int) -> None:
        """Set nothing."""
        self.named_groups, self._optimizers = ramps.named_groups, ramps._optimizers
        self._all = [group for _, group in self.named_groups]
        self._ratios = ramps.of_groups(1.0)
        self.held = []  # all is in the settings
        self.recorded = rate.values(0, steps)
        self._momenta: list[float] = []
        cycled = momentum_schedule(rate, settings.momentum)
        if cycled is not None:
            self._momenta = cycled.values(0, steps).tolist()
        elif isinstance(settings.momentum, float):
            self._momenta = [settings.momentum] * steps
        self._decays: list[float] = []
        now = decays(self._all)
        if settings.weight_decay is not None and now is not None:
            self._decays = shared_out(settings.weight_decay, now)

    def set(self, step: int) -> None:
        """Set all that the settings say."""
        for group, ratio in zip(self._all, self._ratios):
            put(group, "lr", float(self.recorded[step]) * ratio)
        for group in self._all if self._momenta else ():
            put_momentum(group, self._momenta[step])
        for group, weight_decay in zip(self._all, self._decays):
            put(group, "weight_decay", weight_decay)
        if step == 0:
            self._check_held()


class ShortTrainings:
    """Trains briefly with one setting after another, and counts the steps.

    Args:
        training: What is trained.
        options: What `RangeTest` is given.
        make: Makes the schedule of the rate.

    Attributes:
        made: The steps made so far.
    """

    def __init__(self, training: Training, options: dict[str, Any], make: MakeSchedule) -> None:
        """Train nothing yet."""
        self._training, self._options, self._make = training, options, make
        self._batches: list[Any] | None = None
        self.made = 0

    def train(self, settings: Settings, steps: int, title: str) -> Trained:
        """Train so many steps, from the state of now, measure, and put everything back."""
        from clrfast._range_test._processes import find

        training = self._training
        test = RangeTest(training.model, training.optimizer, stop_factor=math.inf, **self._options)
        test._rates = ScheduledRates(test._rates, settings, self._make(settings.max_lr, steps), steps)
        test._trains = True  # a range test has seen that steps change parameters
        test._title, test._caller = title, "tune()"
        training.enter_into(test, training.accumulate)
        measured: NDArray[np.float64] | None = None
        with test:
            training.begin(test)
            self._prepare(test)
            for batches in test._batches(training.loader, training.accumulate):
                test.record(training.step(batches))
            again = test._passes[0].passes > 0
            self.made += test._count
            test._signals.release()
            measured = self._measure()
        losses = _row(test.log, steps)
        if processes := find(test._models.values(), self._options["process_group"]):
            mean = math.nan if measured is None else float(measured.mean())
            rows = processes.gather([float(again), mean])
            again = bool(rows[:, 0].any())
            measured = None if measured is None else rows[:, 1].numpy()
        if measured is None:
            measured = losses[_tail(steps)]
        sound = np.isfinite(losses).all() and np.isfinite(measured).all()
        return Trained(losses, measured if sound else np.full(len(measured), math.inf), again)

    def _prepare(self, test: RangeTest) -> None:
        """Keep the batches to validate with, which are asked for once."""
        usual, validation = self._training.usual, self._training.validation
        if (
            self._batches is None
            and validation is not None
            and not callable(validation)
            and usual is not None
        ):
            test._use(validation)
            self._batches = usual.on(list(validation))
            if not self._batches:
                raise ValueError("validation must give batches, got none: is it used up?")

    def _measure(self) -> NDArray[np.float64] | None:
        """Return the validation loss of each batch, or a function's one number."""
        usual, validation = self._training.usual, self._training.validation
        if callable(validation):
            return np.array([float(validation())])
        if self._batches is None or usual is None:
            return None
        return np.array([float(usual.validate([batch])) for batch in self._batches])


def _row(log: Log, steps: int) -> NDArray[np.float64]:
    """Return the losses of a log, NaN where there are none, or none that are finite."""
    losses = np.full(steps, math.nan)
    losses[: len(log)] = np.where(np.isfinite(log.loss), log.loss, math.nan)
    return losses


def _tail(steps: int) -> slice:
    return slice(steps - max(2, round(_TAIL * steps)), steps)
