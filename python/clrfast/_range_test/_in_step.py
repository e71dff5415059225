"""How a range test goes from step to step: alone, or with other processes, which never wait in vain."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from clrfast._range_test._passes import Passes
from clrfast._range_test._processes import SharedWatch
from clrfast._range_test._record import Record, named
from clrfast._range_test._signals import Signals

NO_MORE = "the loader can be passed only once and gave no more batches"


class Alone:
    """One process: nobody waits for it."""

    def __init__(self, record: Record) -> None:
        """Record nothing yet."""
        self._record = record
        self.end: Callable[[Tensor | float], bool] = record.watch.add if record.is_alone else record.add

    def begin(self) -> None:
        """A step begins."""

    def goes_on_without_batches(self) -> bool:
        """Return whether steps must be made though the loader has ended."""
        self._record.why = NO_MORE
        return False

    def leave(self, error: BaseException | None) -> None:
        """The loop has ended, or was left."""


class InStep:
    """Several processes: train as one does, and go on for the others' sake until all know how it ends.

    Passes through a wrapped model communicate, and so all processes must make the same ones until they next
    agree. A process that has no more batches repeats its last step; one in which a step has failed makes up
    for the passes that are missing, with gradients of 0. Signals wait wherever the others wait for this one.

    Args:
        record: Where losses go.
        watch: Its watch.
        signals: Paused here, and released by whoever lets the user's code run.
        batches_a_step: Passes of a step, until one has been seen.
    """

    def __init__(self, record: Record, watch: SharedWatch, signals: Signals, batches_a_step: int) -> None:
        """Communicate nothing yet."""
        self._record, self._watch, self._signals = record, watch, signals
        self._batches_a_step = batches_a_step
        record.why = NO_MORE
        self._passes: Passes | None = None
        self._known = self._within = self._over = False

    def begin(self) -> None:
        """A step begins, the first one when all processes are ready.

        Raises:
            RuntimeError: Another process is not.
            ValueError: They were not asked for the same test.
        """
        self._signals.pause()
        if self._passes is None:
            self._known = True
            self._watch.processes.agree_to_start(self._record.rates, self._watch.factor, self._batches_a_step)
            self._passes = Passes(self._watch.processes.wrapped, self._batches_a_step)
        self._passes.begin()
        self._within = True

    def end(self, loss: Tensor | float) -> bool:
        """A step has ended with this loss; return whether all know by now that the test stops."""
        self._signals.pause()
        self._within = False
        stop = self._record.add(loss)
        self._over = stop or self._watch.count == len(self._record.rates)
        return stop

    def goes_on_without_batches(self) -> bool:
        """Return whether steps must be made though the loader has ended: until all know of it."""
        self._watch.ended = min(self._watch.ended, self._watch.count)
        return True

    def leave(self, error: BaseException | None) -> None:
        """The loop has ended, or was left: make what steps the others still expect.

        Raises:
            RuntimeError: Another process failed.
        """
        if self._passes is None:
            if not self._known:
                self._watch.processes.cannot_start()
            return
        if not self._over:
            if error is None:
                self._record.why = "the loop was left"
                self._watch.ended = min(self._watch.ended, self._watch.count)
            else:
                self._watch.failed = self._watch.count
            try:
                self._make_up(self._passes)
            except Exception:  # the others are freed when this process ends, or by their group's timeout
                if error is None:
                    raise
                return
        self._watch.finish()
        if self._watch.first_failure < math.inf:
            said = self._watch.processes.texts(None if error is None else named(error))
            if error is None:
                rank, text = next((rank, text) for rank, text in enumerate(said) if text is not None)
                raise RuntimeError(
                    f"the range test failed in process {rank} of {len(said)}, in step "
                    f"{int(self._watch.first_failure) + 1}: {text}"
                )

    def _make_up(self, passes: Passes) -> None:
        if not self._within:
            passes.begin()
        passes.broken = True
        while not self._over:
            passes.complete()
            self.end(math.nan)
            passes.begin()
