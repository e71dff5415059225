"""The search for a recipe: what is tried when, within the budget."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clrfast._range_test._length import length_for
from clrfast._range_test._training import Training
from clrfast._tune._candidates_of import LONG, USUAL, Decays, Grid, Momenta, momenta, rate_for, weight_decays
from clrfast._tune._choice import Choice, best_of, kept, text_of
from clrfast._tune._made_schedules import rate_schedule
from clrfast._tune._rate import Rate, choose_rate
from clrfast._tune._settings import Momentum, Settings, one_momentum, with_momentum
from clrfast._tune._short_trainings import ShortTrainings, Trained

if TYPE_CHECKING:
    from clrfast.schedules import Schedule

FEWEST_IN_ALL = 50  # steps of a range test
_PROBES = 11  # at most, the measurement of the start among them ...
_PROBE_STEPS = 100  # ... of each: shorter ones prefer rates that are too high for a whole training
_UNTOLD = "no rate was found, and so nothing else can be told"
_FEWEST, _MOST = 30, 200  # steps of a short training


class Search:
    """Makes one choice after another from the same start, and counts what that takes.

    Args:
        training: What is trained.
        optimizers: Its optimizers.
        options: What `RangeTest` is given.
        kind: The name of the schedule.
        total_steps: Steps of the training to come.
        budget: Steps that may be spent; None for half of the training, or a range test.

    Attributes:
        spent: Training steps so far.
    """

    def __init__(
        self,
        training: Training,
        optimizers: list[Any],
        options: dict[str, Any],
        kind: str,
        total_steps: int,
        budget: int | None,
    ) -> None:
        """Train nothing yet."""
        self._training, self._optimizers, self._options = training, optimizers, options
        self._groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        self._kind, self._total = kind, total_steps
        ramp = length_for(total_steps)
        self._budget = max(total_steps // 2, ramp) if budget is None else budget
        self._ramp_steps = min(ramp, self._budget)
        affords = self._budget - self._ramp_steps >= _PROBES * _PROBE_STEPS
        self._probe_steps = _PROBE_STEPS if affords else 0
        self._now = max(float(group["lr"]) for group in self._groups)
        if isinstance(training.loader, Iterator):
            longest = max(self._ramp_steps, _MOST) * training.accumulate
            training.loader = _taken(training.loader, longest)
        self._short = ShortTrainings(training, options, self._scheduled)
        self._trained: dict[Settings, Trained] = {}
        self._at: float | None = None  # the momentum of the range test, where that is not the optimizer's
        self._share, self._steps = 0.0, 0  # base_lr / max_lr, and the steps of a short training
        self.spent = 0
        inner = training.step

        def counted(batches: list[Any]) -> Any:
            self.spent += 1
            return inner(batches)

        training.step = counted

    def rate(self, asked_momentum: Momenta) -> Rate:
        """Choose the highest rate, by a range test and probes.

        Args:
            asked_momentum: Whether the momentum may change: then a long one does not lag behind the ramp.
        """
        momentum = one_momentum(self._groups)
        if asked_momentum is not False and momentum is not None and momentum > LONG:
            self._at = USUAL
            self._training.held = [(group, *with_momentum(group, USUAL)) for group in self._groups]
        found = choose_rate(self._training, self._options, self._ramp_steps, self._probe_steps, self._now)
        self._share = found.base_lr / found.choice.value
        return found._replace(choice=dataclasses.replace(found.choice, steps=self.spent))

    def others(
        self, rate: Rate, asked_momentum: Momenta, asked_decay: Decays
    ) -> tuple[float, Choice, Choice]:
        """Choose what goes with a rate.

        Args:
            rate: What `rate` has found.
            asked_momentum: Whether to tune the momentum, None where that depends on it, or what to try.
            asked_decay: The same of the weight decay.

        Returns:
            The highest rate that goes with the momentum chosen, and the choices.
        """
        max_lr: float = rate.choice.value
        momentum = momenta(asked_momentum, self._groups, cycles=self._kind != "warmup_stable_decay")
        if self._at is not None:
            momentum.said.append(f"the range test was made at {self._at:g}: at {momentum.now:g} it lags")
        at = self._at if self._at is not None and rate.is_found else momentum.now  # what goes with the rate
        decay = weight_decays(asked_decay, self._optimizers, (self._now, max_lr), at, self._total)
        if not rate.is_found:
            momentum, decay = momentum.without(_UNTOLD), decay.without(_UNTOLD)
        momentum, decay = self._afforded(momentum, decay)
        settings = Settings(max_lr, at, decay.now)
        chosen = self._momentum(settings, momentum)
        settings = self._with_momentum(settings, chosen.value)
        return settings.max_lr, chosen, self._weight_decay(settings, decay)

    def _afforded(self, momentum: Grid, decay: Grid) -> tuple[Grid, Grid]:
        """Return what of both the budget allows, and set how long each training is; one is that of now."""
        left = self._budget - self.spent
        small = f"the budget leaves {left} steps, too few for trainings of {_FEWEST} at least"
        for grids in (
            (momentum, decay),
            (momentum, decay.without(small)),
            (momentum.without(small), decay),
        ):
            self._steps = min(_MOST, left // (1 + sum(grid.others for grid in grids)))
            if self._steps >= _FEWEST:
                return grids
        return momentum.without(small), decay.without(small)

    def _momentum(self, first: Settings, grid: Grid) -> Choice:
        if not grid.others:
            return kept("momentum", grid.now, *grid.said, confidence=grid.confidence)
        before = self.spent
        # In doubt that of now stays; but not one that is too long even for a ramp: none was found to gain.
        values = sorted(grid.values, key=lambda one: one != first.momentum)
        settings = [self._with_momentum(first, momentum) for momentum in values]
        trained = [self._train(one, f"momentum {text_of(one.momentum)}") for one in settings]
        rates = [one.max_lr for one in settings]
        return best_of("momentum", values, trained, rates, self.spent - before, grid.said, grid.now)

    def _with_momentum(self, first: Settings, momentum: Momentum | None) -> Settings:
        """Return settings with another momentum, and the rate that goes with it."""
        if first.momentum is None or momentum is None:
            return first
        max_lr = rate_for(first.max_lr, first.momentum, momentum, self._groups)
        return dataclasses.replace(first, max_lr=max_lr, momentum=momentum)

    def _weight_decay(self, first: Settings, grid: Grid) -> Choice:
        if not grid.others:
            return kept("weight_decay", grid.now, *grid.said, confidence=grid.confidence)
        before = self.spent
        start = self._train(first, "weight decay as it is")
        if start.again and self._training.validation is None:
            said = "losses of batches that were trained on before say little of it: give validation"
            return dataclasses.replace(kept("weight_decay", grid.now, said), steps=self.spent - before)
        settings = [dataclasses.replace(first, weight_decay=one) for one in grid.values]
        trained = [self._train(one, f"weight decay {text_of(one.weight_decay)}") for one in settings]
        rates = [first.max_lr] * len(trained)
        return best_of("weight_decay", grid.values, trained, rates, self.spent - before, grid.said, grid.now)

    def _train(self, settings: Settings, title: str) -> Trained:
        """Train briefly; once with the same settings."""
        if settings not in self._trained:
            self._trained[settings] = self._short.train(settings, self._steps, title)
        return self._trained[settings]

    def _scheduled(self, max_lr: float, steps: int) -> Schedule:
        return rate_schedule(self._kind, self._share * max_lr, max_lr, steps)


def _taken(batches: Iterator[Any], count: int) -> list[Any]:
    """Take batches that will not come again; what they drew from random generators is put back."""
    from clrfast._range_test._generators import save_shared

    undo = save_shared()
    try:
        return list(itertools.islice(batches, count))
    finally:
        for put_back in undo:
            put_back()
