"""The range test around anyone's training loop."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeVar, Union, cast

import numpy as np

from clrfast import _check
from clrfast._range_test._arguments import by_name, check_loader, check_objects, check_progress, warn
from clrfast._range_test._length import USUAL_START, steps_for
from clrfast._range_test._progress import Asked, Shown
from clrfast._range_test._rates import OneOrEach, Rates
from clrfast._range_test._signals import Signals
from clrfast._require import require
from clrfast.logs import Log

if TYPE_CHECKING:
    from os import PathLike
    from types import CodeType, TracebackType

    import torch
    from torch import Tensor

    from clrfast._range_test._checkpoint import Checkpoint
    from clrfast._range_test._in_step import Alone, InStep
    from clrfast._range_test._record import Record
    from clrfast._range_test._snapshot import Snapshot
    from clrfast._range_test._start import Climb
    from clrfast._range_test._stop_rule import Watch
    from clrfast._range_test._training_step import Batches

    Models = Union[torch.nn.Module, Sequence[torch.nn.Module], Mapping[str, torch.nn.Module]]
    Optimizers = Union[
        torch.optim.Optimizer, Sequence[torch.optim.Optimizer], Mapping[str, torch.optim.Optimizer]
    ]

Batch = TypeVar("Batch")
# A loop that takes so many batches, and the whole loader twice, has forgotten to record.
_FORGOTTEN = 1000


class RangeTest:
    """The LR range test in a training loop of your own: it raises the rate and puts everything back.

    Smith, arXiv:1506.01186, section 3.3. ::

        with clrfast.RangeTest(model, optimizer) as test:
            for x, y in test(loader):
                loss = loss_fn(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                test.record(loss)
        print(test.log.analyze())

    ``test(loader)`` gives its batches, over and over, until the test ends; without a loader,
    ``for lr in test`` gives the rates. Each `record` ends a step, and the next batch, or the next rate,
    begins one: so a step may take as many batches as it likes. What `range_test` says of restoring,
    interrupts, devices and several processes holds here too. Schedulers, scalers, averages and whatever else
    can save its state are put back if the function around the ``with`` names them, or `also` does. Leave
    schedulers out of the loop: one that sets a rate before the optimizer's step falsifies the test.

    Modes, such as ``model.train()``, are yours to set, and gradients begin at None. Ctrl-C is heard from the
    first step on.

    Args:
        model: The module to train, or several: a list or a dictionary of them.
        optimizer: Its optimizer, or several, which must not share parameters. Groups whose rates differ keep
            their ratios, and the recorded rate is the largest of them; if all are 0, `initial_lr`, as
            schedulers leave it, gives the ratios. Rates held in tensors are filled in place, so that compiled
            steps see them.
        start_lr: The first rate, > 0; or one for each parameter group, those of all optimizers one after
            another. Then the recorded rate is that of the group whose `end_lr` is the highest. None, the
            default, is 1e-7, and with `total_steps` a rate from 1e-8 to 1e-5 that the first steps find.
        end_lr: The last one, greater than `start_lr`; or one for each group.
        steps: Steps of the test, >= 2. None, the default, is 200, or what `total_steps` says.
        total_steps: Steps of the training to come, >= 1, if they are known: the test then takes a tenth of
            them, at least 50 and at most 600, and finds its start: see `range_test`.
        shape: 'exponential' (equal ratios) or 'linear' (equal differences).
        hold: Steps at each rate, which make a staircase; at most half of `steps`.
        stop_factor: The test stops when the loss has risen above its lowest level by this many times the fall
            to that level, > 0; infinity stops at nothing but NaN and infinite losses, which always stop.
        also: Further modules, optimizers or other objects to restore.
        seed: Where all random generators begin, whole and >= 0, so that tests can be repeated with other
            numbers; None leaves them as they are. They are put back in any case.
        progress: True shows a bar, which needs tqdm, or lines where there is no terminal; 'plain' always
            shows lines. A function is called with a `Progress` about every 10 steps (5 % of them if that is
            more) and at the end. A list of these does several.
        checkpoint: A file for the state before the test: see `range_test`. When it is recovered, further
            models and optimizers come first in `also`.
        log_file: A CSV file for the log so far, written anew whenever progress is told.
        process_group: The group of processes that train the model: see `range_test`.

    Raises:
        TypeError, ValueError: An argument is not as said above; or, when the loop is left, no optimizer has
            changed a parameter, so that no loss can depend on the rate.
        OSError, ImportError: As for `range_test`, when the ``with`` begins.
    """

    __module__ = "clrfast"

    def __init__(
        self,
        model: Models,
        optimizer: Optimizers,
        *,
        start_lr: OneOrEach | None = None,
        end_lr: OneOrEach = 10.0,
        steps: SupportsIndex | None = None,
        total_steps: SupportsIndex | None = None,
        shape: Literal["exponential", "linear"] = "exponential",
        hold: SupportsIndex = 1,
        stop_factor: float = 4.0,
        also: Iterable[Any] = (),
        seed: SupportsIndex | None = None,
        progress: Asked = False,
        checkpoint: str | PathLike[str] | None = None,
        log_file: str | PathLike[str] | None = None,
        process_group: torch.distributed.ProcessGroup | None = None,
    ) -> None:
        """Check everything; change nothing."""
        require("torch", "a range test", extra="torch")
        import torch

        self._models: dict[str, torch.nn.Module] = by_name("model", model, torch.nn.Module)
        self._optimizers: dict[str, torch.optim.Optimizer] = by_name("optimizer", optimizer)
        self._extra = list(also)
        check_objects(self._models, self._optimizers, self._extra)
        check_progress(progress)
        length = steps_for(total_steps, steps)
        self._rates = Rates(
            self._optimizers, USUAL_START if start_lr is None else start_lr, end_lr, length, shape, hold
        )
        self._finds_start = total_steps is not None and start_lr is None
        self._factor = (
            math.inf if stop_factor == math.inf else _check.real("stop_factor", stop_factor, above=0.0)
        )
        self._seed = None if seed is None else _check.whole("seed", seed)
        self._asked, self._checkpoint, self._log_file = progress, checkpoint, log_file
        self._process_group = process_group
        self._holders: dict[str, object] | None = None
        self._epoch = self._seed
        # What `range_test` and `probe` set: the source of losses, the batches of a step, which test it is.
        self._source, self._batches_a_step = "record()", 1
        self._run, self._title, self._caller = "", "range test", "range_test()"
        self._earlier: dict[str, Log] = {}

        self._signals = Signals(_LEAVING)
        self._state: Literal["new", "running", "over", "left"] = "new"
        self._count = 0  # steps recorded
        self._set = -1  # the step whose rate is set
        self._trains = False
        self._passes: list[Batches] = []
        self._others: dict[str, list[tuple[int, Any]]] = {}
        self._lost: list[str] = []
        self._log: Log | None = None
        self._whole: Log | None = None  # with the logs of earlier tests
        self._snapshot: Snapshot | None = None
        self._saved_to: Checkpoint | None = None
        self._unseen: AbstractContextManager[Any] | None = None
        self._around: AbstractContextManager[Any] | None = None
        self._is_around = False
        self._shown: Shown | None = None
        self._record: Record
        self._watch: Watch
        self._climb: Climb | None = None
        self._pace: Alone | InStep | None = None

    @property
    def log(self) -> Log:
        """What was recorded: a row for each step up to the one that stopped the test; see its `status`.

        While the loop runs: what was recorded so far.
        """
        if self._state == "new":
            raise RuntimeError("log must be asked for after the test has begun")
        return self._record.log(runs=self._state == "running") if self._log is None else self._log

    @property
    def logs(self) -> dict[str, Log]:
        """The log of each loss: that of the one that decides, by the name ``"loss"``, and of the others."""
        log = self.log
        logs = {"loss": log}
        for name, recorded in self._others.items():
            rows = [step for step, _ in recorded if step < len(log)]
            losses = np.array([float(value) for _, value in recorded[: len(rows)]])
            logs[name] = Log(log.lr[rows], losses, rows, log.status)
        return logs

    def __enter__(self) -> RangeTest:
        """Keep the state of everything, and make signals wait until the first step."""
        if self._state != "new":
            raise RuntimeError("a RangeTest can be entered once: make another one")
        if self._holders is None:
            from clrfast._range_test._reachable import in_frame
            from clrfast._range_test._snapshot import numbered

            self._holders = numbered(in_frame(sys._getframe(1)), "the loop")
        self._state = "running"
        try:
            self._signals.hold()
            self._begin(self._holders)
        except BaseException as error:
            self._leave(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put everything back, however the loop was left; then deliver the signals that have waited."""
        try:
            try:
                self._leave(error)
            finally:  # what another thread throws into this one may have cut that short, anywhere
                self._put_back()
        except BaseException as another:
            if self._whole is None:
                self._keep(another)
            elif not hasattr(another, "clrfast_log"):
                another.clrfast_log = self._whole  # type: ignore[attr-defined] # at once: signals are back
            raise
        finally:
            if self._lost:
                warn(f"{self._caller} could not put back: {'; '.join(self._lost)}")

    def __call__(self, loader: Iterable[Batch]) -> Iterator[Batch]:
        """Give the batches of a loader, from the start again when they end, until the test ends.

        Args:
            loader: An iterable of batches; what of it the loop uses up is put back. One that can only be
                passed once ends the test.

        Raises:
            TypeError: It is no iterable.
            ValueError: It gives no batch.
            RuntimeError: The test has not begun; or the loop goes on and on without recording anything.
        """
        return self._batches(loader, 1, alone=True)

    def __iter__(self) -> Iterator[float]:
        """Give the rate of each step, until the test ends; each must be recorded."""
        while self._goes_on():
            yield float(self._rates.recorded[self._set])

    def record(self, loss: Tensor | float, **others: Tensor | float) -> bool:
        """End a step: record its loss, as it was before the update at this step's rate.

        Args:
            loss: The loss that decides when to stop: a tensor of one element, which is not waited for where
                it is on a device, or a real number.
            others: Further losses by name, to be found in `logs`.

        Returns:
            Whether the test goes on, for loops that do not ask.

        Raises:
            TypeError, ValueError: A loss is neither.
            RuntimeError: No step has begun since the last call.
        """
        if self._set != self._count or self._pace is None:
            raise RuntimeError(
                "record() must be called once in each step of the loop over test(loader) or test"
            )
        value = self._checked(loss, self._source)
        for name, other in others.items():
            kept = self._checked(other, f"record({name}=)")
            kept = kept if isinstance(kept, float) else kept.detach().clone()
            self._others.setdefault(name, []).append((self._count, kept))
        stops = self._pace.end(value)
        if self._climb is not None:
            self._climb.add(value)
        self._count += 1
        if stops or self._count == len(self._rates.recorded):
            self._state = "over"
        elif not self._trains and self._count >= 20 and self._watch.checks():
            self._trains = self._rates.check_effect(cast("Snapshot", self._snapshot), self._count)
        return self._state == "running"

    def group_lrs(self, lr: float) -> list[float]:
        """Return the rate that each parameter group has where the recorded one is `lr`.

        Such as ``test.group_lrs(test.log.analyze().suggestion.max_lr)``; the groups of all optimizers, one
        after another.

        Args:
            lr: A rate, > 0.
        """
        return self._rates.of_groups(_check.real("lr", lr, above=0.0))

    def _begin(self, holders: dict[str, object]) -> None:
        from clrfast._range_test._checkpoint import Checkpoint
        from clrfast._range_test._in_step import Alone, InStep
        from clrfast._range_test._processes import SharedWatch, find
        from clrfast._range_test._record import Record
        from clrfast._range_test._snapshot import Snapshot, numbered
        from clrfast._range_test._start import FEWEST, Climb
        from clrfast._range_test._stop_rule import Watch
        from clrfast._range_test._training_step import check_loss

        self._checked = check_loss
        steps = len(self._rates.recorded)
        processes = find(self._models.values(), self._process_group)
        is_first = processes is None or processes.rank == 0
        self._shown = Shown(self._asked, steps, is_first, self._title)
        file = Path(self._log_file) if self._log_file is not None and is_first else None
        self._watch = SharedWatch(steps, self._factor, processes) if processes else Watch(steps, self._factor)
        self._record = Record(self._rates.recorded, self._watch, self._shown, file, self._run, self._earlier)
        if isinstance(self._watch, SharedWatch):
            self._pace = InStep(self._record, self._watch, self._signals, self._batches_a_step)
        else:
            self._pace = Alone(self._record)

        self._saved_to = None if self._checkpoint is None else Checkpoint(self._checkpoint)
        if self._around is not None:
            self._is_around = True
            self._around.__enter__()
        snapshot = Snapshot({**self._models, **self._optimizers, **numbered(self._extra, "also"), **holders})
        if snapshot.kept_out:
            warn(f"{self._caller} cannot put back: {'; '.join(snapshot.kept_out)}")
        self._snapshot = snapshot
        if self._saved_to is not None:
            (model, *models), (optimizer, *optimizers) = self._models.values(), self._optimizers.values()
            self._saved_to.write(model, optimizer, [*models, *optimizers, *self._extra])
        snapshot.lay_aside()
        if self._seed is not None:
            snapshot.reseed(self._seed)
        if snapshot.watch is not None:
            self._unseen = cast("AbstractContextManager[Any]", snapshot.watch)
            self._unseen.__enter__()
        # Several processes would have to agree on each rate.
        if self._finds_start and processes is None and self._rates.is_one_ramp and steps >= FEWEST:
            self._climb = Climb(self._rates, self._optimizers.values(), snapshot)
        self._shown.open()

    def _batches(self, loader: Iterable[Any], count: int, *, alone: bool = False) -> Iterator[Any]:
        """Give lists of `count` batches, or one batch alone at a time, until the test ends."""
        from clrfast._range_test._training_step import Batches

        check_loader(loader)
        if self._state == "new":
            raise RuntimeError("test(loader) must be called inside of 'with RangeTest(...) as test:'")
        if self._state != "running":
            return iter(())
        self._use(loader)
        batches = Batches(loader)
        self._passes.append(batches)
        if not batches.look_ahead(count):
            raise ValueError("loader must give a batch for each step, got none: is it used up, or closed?")
        return self._steps(batches, count, alone)

    def _use(self, loader: Iterable[Any]) -> None:
        """Keep the state of a loader before it is asked for anything, and let signals through."""
        snapshot = cast("Snapshot", self._snapshot)
        kept_out = snapshot.include(loader)
        if kept_out:
            warn(f"{self._caller} cannot put back: {'; '.join(kept_out)}")
        if self._seed is not None and self._set < 0:
            snapshot.reseed(self._seed)
            sampler = getattr(loader, "sampler", None)
            if sampler is not None and hasattr(sampler, "set_epoch"):  # it makes its generator anew from this
                sampler.set_epoch(self._epoch)
        self._signals.release()

    def _steps(self, batches: Batches, count: int, alone: bool) -> Iterator[Any]:
        last: list[Any] = []
        recorded, given, passes = -1, 0, 0
        while self._goes_on():
            if recorded != self._count:
                recorded, given, passes = self._count, 0, batches.passes
            given += 1
            if given > _FORGOTTEN and batches.passes > passes + 1:
                raise RuntimeError(f"record() must be called in each step, got no call in {given} batches")
            taken = batches.take(count)
            if not taken and not cast("Alone", self._pace).goes_on_without_batches():
                self._signals.pause()
                self._state = "over"
                return
            last = taken or last
            yield last[0] if alone else last

    def _goes_on(self) -> bool:
        """Begin the next step, if the last one was recorded; return whether there is one.

        Signals are let through from here on, or wait from here on for everything to be put back.
        """
        if self._pace is None:
            raise RuntimeError("a RangeTest must be iterated inside of 'with RangeTest(...) as test:'")
        if self._state != "running":
            self._signals.pause()
            return False
        if self._set < self._count:
            self._pace.begin()
            if self._climb is not None and not self._climb.sets(self._count):
                self._climb = None
            self._rates.set(self._count)
            self._set = self._count
        if not self._signals.released:
            self._signals.release()
        return True

    def _finish(self, error: BaseException | None) -> None:
        """Agree with other processes, and make the log of what was recorded."""
        if self._pace is None:
            return
        self._pace.leave(error)
        if error is not None:
            self._record.keep(error)
            self._log = self._record.log(error)
            self._whole = self._record.with_earlier(self._log)
            return
        self._log = self._record.log()
        self._whole = self._record.with_earlier(self._log)
        self._record.write(self._log)
        self._record.tell(self._log)
        if not self._trains and len(self._log) == self._count > 1 and math.isfinite(self._log.loss[-1]):
            self._rates.check_effect(cast("Snapshot", self._snapshot), self._count)

    def _leave(self, error: BaseException | None) -> None:
        """Put everything back while signals wait, whatever else fails; see :class:`Signals`."""
        try:
            try:
                self._signals.hold()  # also handlers that came meanwhile, such as that of a loader's workers
                self._finish(error)
            finally:
                self._put_back()
        finally:
            self._state = "left"
            self._signals.hand_back(self._keep)

    def _keep(self, error: BaseException) -> None:
        """Give what ends the test the log, if there is one."""
        if self._pace is not None:
            self._record.keep(error)

    def _put_back(self) -> None:
        """Put everything back; called again, do what an interrupted call has left undone."""
        try:
            if self._shown is not None:
                self._shown.close()
            if self._unseen is not None:
                self._unseen.__exit__(None, None, None)
                self._unseen = None
            for batches in self._passes:
                batches.close()
        finally:
            if self._snapshot is not None:
                self._lost = self._snapshot.restore()
                self._snapshot = None  # a test that is kept for its log keeps no copies of the model
            if self._around is not None and self._is_around:
                self._around.__exit__(None, None, None)
                self._is_around = False
        if self._saved_to is not None:
            self._saved_to.remove()
            self._saved_to = None


_LEAVING: tuple[CodeType, ...] = (RangeTest.__enter__.__code__, RangeTest.__exit__.__code__)
