"""The search for a recipe: what is tried when, within the budget."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clrfast._range_test._length import steps_for
from clrfast._range_test._training import Training
from clrfast._tune._candidates_of import momenta, rate_for, weight_decays
from clrfast._tune._choice import Choice, best_of, kept, text_of
from clrfast._tune._made_schedules import rate_schedule
from clrfast._tune._rate import Rate, choose_rate
from clrfast._tune._settings import Momentum, Settings, mean_of, sums_up
from clrfast._tune._short_trainings import ShortTrainings, Trained

if TYPE_CHECKING:
    from clrfast.schedules import Schedule

FEWEST_IN_ALL = 50  # steps of a range test
_PROBES = 6  # at most, around a rate that a ramp suggests
_FEWEST, _MOST = 30, 200  # steps of a short training


class Search:
    """Makes one choice after another from the same start, and counts what that takes.

    Args:
        training: What is trained.
        optimizers: Its optimizers.
        options: What `RangeTest` is given.
        kind: The name of the schedule.
        total_steps: Steps of the training to come.
        budget: Steps that may be spent; None for half of the training, or a range test with all probes.

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
        ramp, probe = int(steps_for(total_steps, None)), min(max(10, 3 * total_steps // 100), 100)
        self._budget = max(total_steps // 2, ramp + _PROBES * probe) if budget is None else budget
        self._ramp_steps = min(ramp, self._budget)
        probe = min(probe, (self._budget - self._ramp_steps) // _PROBES)
        self._probe_steps = probe if probe >= 10 else 0
        self._now = max(float(group["lr"]) for group in self._groups)
        if isinstance(training.loader, Iterator):
            longest = max(self._ramp_steps, _MOST) * training.accumulate
            training.loader = list(itertools.islice(training.loader, longest))
        self._short = ShortTrainings(training, options, self._scheduled)
        self._trained: dict[Settings, Trained] = {}
        self._share, self._steps = 0.0, 0  # base_lr / max_lr, and the steps of a short training
        self.spent = 0
        inner = training.step

        def counted(batches: list[Any]) -> Any:
            self.spent += 1
            return inner(batches)

        training.step = counted

    def rate(self) -> Rate:
        """Choose the highest rate, by a range test and probes."""
        found = choose_rate(self._training, self._options, self._ramp_steps, self._probe_steps, self._now)
        self._share = found.base_lr / found.choice.value
        return found._replace(choice=dataclasses.replace(found.choice, steps=self.spent))

    def others(
        self, rate: Rate, momentum: bool | list[Momentum], weight_decay: bool | list[float]
    ) -> tuple[float, Choice, Choice]:
        """Choose what goes with a rate.

        Args:
            rate: What `rate` has found.
            momentum: Whether to tune the momentum, or what to try.
            weight_decay: Likewise.

        Returns:
            The highest rate that goes with the momentum chosen, and the choices.
        """
        max_lr: float = rate.choice.value
        if not rate.is_found:  # and so nothing else can be told
            momentum, weight_decay = momentum and [], weight_decay and []
        tried, why = momenta(momentum, self._groups, cycles=self._kind != "warmup_stable_decay")
        length = 1 / (1 - mean_of(tried[0])) if tried and all(map(sums_up, self._groups)) else 1.0
        decaying, said = weight_decays(
            weight_decay, self._optimizers, (self._now, max_lr), length, self._total
        )
        first = Settings(max_lr, tried[0] if tried else None, decaying[0] if decaying else None)
        with_momentum, with_decay = self._affordable(len(tried) - 1, len(decaying) - 1)
        chosen = kept("momentum", first.momentum, why or self._too_small(len(tried)))
        if with_momentum:
            chosen = self._momentum(first, tried)
        settings = self._with_momentum(first, chosen.value)
        if len(decaying) <= 1:
            return settings.max_lr, chosen, kept("weight_decay", settings.weight_decay, *said)
        if not with_decay:
            reason = self._too_small(len(decaying))
            return settings.max_lr, chosen, kept("weight_decay", settings.weight_decay, reason)
        return settings.max_lr, chosen, self._weight_decay(settings, decaying, said)

    def _affordable(self, momenta: int, weight_decays: int) -> tuple[bool, bool]:
        """Say which of both can be tried, and set how long each training is; they share that of now.

        Args:
            momenta: How many there are beside that of now.
            weight_decays: Likewise.
        """
        left = self._budget - self.spent
        for with_momentum, with_decay in ((True, True), (True, False), (False, True)):
            count = with_momentum * max(momenta, 0) + with_decay * max(weight_decays, 0)
            self._steps = min(_MOST, left // (count + 1))
            if count and self._steps >= _FEWEST:
                return with_momentum and momenta > 0, with_decay and weight_decays > 0
        return False, False

    def _too_small(self, trainings: int) -> str:
        left = self._budget - self.spent
        return f"the budget leaves {left} steps for {trainings} trainings, each of {_FEWEST} at least"

    def _momentum(self, first: Settings, tried: list[Momentum]) -> Choice:
        before = self.spent
        settings = [self._with_momentum(first, momentum) for momentum in tried]
        trained = [self._train(one, f"momentum {text_of(one.momentum)}") for one in settings]
        rates = [one.max_lr for one in settings]
        held = [f"lr / (1 - momentum) is held at {rates[0] / (1 - mean_of(tried[0])):.3g}"]
        return best_of(
            "momentum", tried, trained, rates, self.spent - before, held if rates[0] != rates[-1] else []
        )

    def _with_momentum(self, first: Settings, momentum: Momentum | None) -> Settings:
        """Return settings with another momentum, and the rate that goes with it."""
        if first.momentum is None or momentum is None:
            return first
        max_lr = rate_for(first.max_lr, first.momentum, momentum, self._groups)
        return dataclasses.replace(first, max_lr=max_lr, momentum=momentum)

    def _weight_decay(self, first: Settings, tried: list[float], said: list[str]) -> Choice:
        before = self.spent
        start = self._train(first, "weight decay as it is")
        if start.again and self._training.validation is None:
            reason = "losses of batches that were trained on before say nothing of it: give validation"
            return kept("weight_decay", first.weight_decay, reason)
        settings = [dataclasses.replace(first, weight_decay=one) for one in tried]
        trained = [self._train(one, f"weight decay {text_of(one.weight_decay)}") for one in settings]
        rates = [first.max_lr] * len(tried)
        return best_of("weight_decay", tried, trained, rates, self.spent - before, said)

    def _train(self, settings: Settings, title: str) -> Trained:
        """Train briefly; once with the same settings."""
        if settings not in self._trained:
            self._trained[settings] = self._short.train(settings, self._steps, title)
        return self._trained[settings]

    def _scheduled(self, max_lr: float, steps: int) -> Schedule:
        return rate_schedule(self._kind, self._share * max_lr, max_lr, steps)
