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
from clrfast._range_test._length import with_total_steps
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
    """

    apply: bool
    options: dict[str, Any]
    _log: Log | None

    def _take(self, apply: bool, options: dict[str, Any]) -> None:
        """Keep what a user asks for; TypeError for what is no option of a range test."""
        if not isinstance(apply, bool):
            raise TypeError(f"apply must be True or False, got {apply!r}")
        parameters = inspect.signature(range_test).parameters.values()
        allowed = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY} - _ITS_OWN
        for name in options:
            if name not in allowed:
                raise TypeError(f"options must be among {', '.join(sorted(allowed))}, got {name!r}")
        self.apply, self.options, self._log = apply, options, None

    @property
    def log(self) -> Log | None:
        """What the last test recorded; None before the first one."""
        return self._log

    @property
    def suggestion(self) -> Suggestion:
        """The range of rates that the log suggests.

        Raises:
            RuntimeError: There was no test yet.
        """
        if self._log is None:
            raise RuntimeError("the range test must have run before it suggests anything, got none yet")
        return self._log.analyze().suggestion

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
        total_steps: float | None = None,
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
            total_steps: Steps of the training to come, as far as the framework knows: they choose the test's
                length and start, unless a user has.
        """
        options = with_total_steps(dict(self.options), total_steps)
        listed = schedulers if isinstance(schedulers, (list, tuple)) else [schedulers]
        held = [*options.pop("also", ()), *also, *(each for each in listed if each is not None)]
        self._log = range_test(
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
    """A step that `range_test` does not look into: a framework's objects lead to its data, and all else."""

    __slots__ = ("_step",)

    def __init__(self, step: Callable[[list[Any]], Any]) -> None:
        self._step = step

    def __call__(self, batches: list[Any]) -> Tensor | float:
        return self._step(batches)  # type: ignore[no-any-return]


@contextmanager
def attributes_kept(*holders: Any) -> Iterator[None]:
    """Put back which attributes objects have; what is in them is for the range test."""
    undo = [_containers.save(vars(holder)) for holder in holders]
    try:
        yield
    finally:
        for put_back in undo:
            put_back()


def state_in(holder: Any, *but: Any) -> list[Any]:
    """Return what of an object's attributes a step may change, except for some that lead elsewhere.

    These are parts of training, as a teacher or an average of the weights, and lists, dictionaries and such.
    """
    return [
        value
        for value in vars(holder).values()
        if (trains(value) or isinstance(value, _containers.KINDS)) and not any(value is each for each in but)
    ]


def mean(losses: list[Any]) -> Any:
    """Return the mean of losses; of one alone, that one as it is."""
    return losses[0] if len(losses) == 1 else sum(losses) / len(losses)
