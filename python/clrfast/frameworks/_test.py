"""What the range tests of all frameworks share: what is asked for, what was found, how it is put in place."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from torch import Tensor

from clrfast._apply_lr import apply_lr, planned
from clrfast._range_test import _containers, range_test
from clrfast._range_test._kinds import trains
from clrfast._range_test._training_step import Batches
from clrfast.analysis import Suggestion
from clrfast.logs import Log

# What each framework has in its own way, and a user sets there.
_ITS_OWN = {"accumulate", "autocast", "device", "scaler", "train_step"}


class RunsRangeTest:
    """A range test that a framework runs: its options, and afterwards its log and suggestion.

    Attributes:
        apply: Whether the suggested rate is put in place.
        options: What is handed to `clrfast.range_test`.
        log: What the last test recorded; None before the first one.
    """

    apply: bool
    options: dict[str, Any]
    log: Log | None

    def _take(self, apply: bool, options: dict[str, Any]) -> None:
        """Keep what a user asks for; TypeError for what is no option of a range test."""
        if not isinstance(apply, bool):
            raise TypeError(f"apply must be True or False, got {apply!r}")
        parameters = inspect.signature(range_test).parameters.values()
        allowed = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY} - _ITS_OWN
        for name in options:
            if name not in allowed:
                raise TypeError(f"options must be among {', '.join(sorted(allowed))}, got {name!r}")
        self.apply, self.options, self.log = apply, options, None

    @property
    def suggestion(self) -> Suggestion:
        """The range of rates that the log suggests.

        Raises:
            RuntimeError: There was no test yet.
        """
        if self.log is None:
            raise RuntimeError("the range test must have run before it suggests anything, got none yet")
        return self.log.analyze().suggestion

    def _run(
        self,
        model: Any,
        optimizer: Any,
        loader: Iterable[Any],
        step: Callable[[list[Any]], Any],
        *,
        batches_a_step: int = 1,
        also: Iterable[Any] = (),
        schedulers: Any = None,
    ) -> None:
        """Test, and keep the log.

        Args:
            model: As of `range_test`.
            optimizer: As there.
            loader: The batches, as `step` takes them.
            step: Takes a list of `batches_a_step` batches, trains one step, returns the loss.
            batches_a_step: Batches for each step.
            also: What else a step changes.
            schedulers: Those of the optimizer, one or several, which are put back, too.
        """
        options = dict(self.options)
        listed = schedulers if isinstance(schedulers, (list, tuple)) else [schedulers]
        held = [*options.pop("also", ()), *also, *(each for each in listed if each is not None)]
        self.log = range_test(
            model,
            optimizer,
            None,
            Together(loader, batches_a_step),
            train_step=_Unfollowed(step),
            also=[each if hasattr(each, "__dict__") else SimpleNamespace(held=each) for each in held],
            **options,
        )

    def _put_in_place(self, put: Callable[[float], object]) -> None:
        """Hand the suggested rate to `put`, if that is asked for and there is one."""
        if not self.apply:
            return
        found = self.suggestion
        if found:
            put(found.max_lr)
            if found.confidence != "low":
                return
            what = f"the learning rate was set to {found.max_lr:.3g}, but with low confidence"
        else:
            what = "the learning rate stays as it is, because the log suggests none"
        warnings.warn(f"{what}: {'; '.join(found.reasons)}", UserWarning, stacklevel=3)

    def _put_into(self, optimizer: Any, schedulers: Any) -> None:
        """Apply the suggested rate, as `apply_lr` does."""
        self._put_in_place(lambda rate: apply_lr(optimizer, rate, scheduler=schedulers))

    def _check_apply(self, optimizer: Any, schedulers: Any) -> None:
        """Raise before a test what `apply_lr` would raise after it."""
        if self.apply:
            planned(optimizer, 1.0, schedulers)


class Together:
    """The batches of a loader in lists of equal length, without an end if the loader can be passed again."""

    def __init__(self, loader: Iterable[Any], count: int) -> None:
        """Ask for nothing yet."""
        self._loader, self._count = loader, count

    def __iter__(self) -> Iterator[list[Any]]:
        """Begin a pass."""
        batches = Batches(self._loader)
        try:
            while True:
                taken = batches.take(self._count)
                if not taken:
                    return
                yield taken
        finally:
            batches.close()


class _Unfollowed:
    """A step that `range_test` does not look into: from a framework's object one reaches its data, and all else."""

    __slots__ = ("_step",)

    def __init__(self, step: Callable[[list[Any]], Any]) -> None:
        self._step = step

    def __call__(self, batches: list[Any]) -> Tensor | float:
        return self._step(batches)  # type: ignore[no-any-return]


@contextmanager
def attributes_kept(*holders: Any) -> Iterator[None]:
    """Put back which attributes objects have, and what is in those that are lists, dictionaries and the like.

    For what a framework counts and remembers in objects that also lead to its data, which a range test would copy.
    """
    undo = []
    for holder in holders:
        attributes = vars(holder)
        undo += [_containers.save(value) for value in attributes.values() if isinstance(value, _containers.KINDS)]
        undo.append(_containers.save(attributes))
    try:
        yield
    finally:
        for put_back in undo:
            put_back()


def parts_in_training(holder: Any, *but: Any) -> list[Any]:
    """Return what of an object's attributes is a part of training: a teacher, an average, a second optimizer."""
    return [
        value for value in vars(holder).values() if trains(value) and not any(value is each for each in but)
    ]


def mean(losses: list[Any]) -> Any:
    """Return the mean of losses; of one alone, that one as it is."""
    return losses[0] if len(losses) == 1 else sum(losses) / len(losses)
