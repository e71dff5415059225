"""A recipe: what to train with, why, and the code for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clrfast._tune._choice import Choice, text_of
from clrfast._tune._settings import Momentum
from clrfast.analysis._analysis import plain
from clrfast.logs import Log
from clrfast.schedules import Schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from clrfast._range_test._context import Optimizers

_FORMAT = 1  # of to_dict()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Recipe:
    """What :func:`clrfast.tune` found: what to train with, from what it was chosen, and how sure that is.

    Attributes:
        max_lr: the highest rate, of the group whose rate is the highest.
        base_lr: the lower bound, which `triangular` schedules come back to.
        momentum: SGD's momentum or Adam's beta1; a pair, (base_momentum, max_momentum), where it is cycled
            against the rate; None where the optimizer has none, or several.
        weight_decay: that of the group which has the largest; None where the optimizer has none.
        batch_size: None: it is as it was.
        schedule: of the rate.
        momentum_schedule: of the momentum, None where it is constant.
        total_steps: steps of the training to come.
        steps: training steps that were spent.
        choices: a :class:`clrfast.Choice` by name: "max_lr", "momentum", "weight_decay".
        log: what the range test recorded, with its probes.
        code: the lines that do what `apply` does, for a program that does not tune.
    """

    __module__ = "clrfast"

    max_lr: float
    base_lr: float
    momentum: Momentum | None
    weight_decay: float | None
    batch_size: int | None
    schedule: Schedule
    momentum_schedule: Schedule | None
    total_steps: int
    steps: int
    choices: Mapping[str, Choice]
    log: Log
    code: str

    def apply(self, optimizer: Optimizers) -> Any:
        """Put momentum and weight decay into the optimizer, and return the scheduler that drives the rest.

        The rates of groups keep their ratios, and so do weight decays: a group without any beside others that
        have some stays so. Tensors are filled in place. If anything fails, nothing has been changed.

        Args:
            optimizer: That which was tuned, or one that is made like it; where several were, all of them.

        Returns:
            A `clrfast.lr_scheduler.ScheduleLR`, or a JointScheduleLR of several optimizers: call its `step`
            after each step of the optimizer.

        Raises:
            TypeError: It is no optimizer.
            ValueError: It has no momentum, or no weight decay, where the recipe has one.
        """
        from clrfast._tune._apply import apply

        return apply(optimizer, self.momentum, self.weight_decay, self.schedule, self.momentum_schedule)

    def plot(self) -> Figure:
        """Draw the range test, and the losses of all that was tried with a colour bar for each choice.

        Returns:
            A new figure. Nothing is shown or saved.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from clrfast._pictures._grid import new_figure

        drawn = [choice for choice in self.choices.values() if choice.candidates]
        figure, axes = new_figure(1 + len(drawn))
        try:
            self.log.analyze().plot(axes[0], legend=False)
        except ValueError:  # it diverged at once
            self.log.plot(axes[0])
        for choice, ax in zip(drawn, axes[1:]):
            choice.plot(ax)
        return figure

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dictionaries, fit for JSON, without losses of steps.

        Returns:
            The number of this layout, `format`, 1, and what this class has, by its names, but for `log`;
            schedules are JSON texts, for `clrfast.Schedule.from_json`.
        """
        momentum = self.momentum_schedule
        fields = (
            "max_lr",
            "base_lr",
            "momentum",
            "weight_decay",
            "batch_size",
            "total_steps",
            "steps",
            "code",
        )
        return {
            "format": _FORMAT,
            **{name: plain(getattr(self, name)) for name in fields},
            "schedule": self.schedule.to_json(),
            "momentum_schedule": None if momentum is None else momentum.to_json(),
            "choices": {name: choice.to_dict() for name, choice in self.choices.items()},
        }

    def __repr__(self) -> str:
        """One line: what was chosen, and how sure that is."""
        chosen = [
            f"{name} {text_of(choice.value)} ({choice.confidence})"
            for name, choice in self.choices.items()
            if choice.value is not None
        ]
        return f"<Recipe: {', '.join(chosen)}, {self.steps:,} steps>"

    def __str__(self) -> str:
        """What was tried, and the code, for people."""
        head = (
            f"max_lr {self.max_lr:.3g}, base_lr {self.base_lr:.3g} for {self.total_steps:,} steps, "
            f"found in {self.steps:,}"
        )
        return "\n".join([head, *(f"\n{choice}" for choice in self.choices.values()), "", self.code])
