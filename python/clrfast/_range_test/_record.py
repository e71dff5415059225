"""The record of a range test while it runs: what was seen, and on disk where that is asked for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clrfast._range_test._progress import Shown
from clrfast._range_test._stop_rule import Watch
from clrfast.logs import Log


class Record:
    """Takes one loss for each rate.

    Args:
        rates: The rates of the test, shape (steps,), float64.
        watch: Keeps the losses and decides about stopping.
        shown: Who is told of them, at each check and at the end.
        file: Where the log is written, at the same times; None for nowhere.
        run: Which of several tests this is; "" for a test alone.
        earlier: The logs of those before it, which are written and kept with this one's.
    """

    def __init__(
        self,
        rates: NDArray[np.float64],
        watch: Watch,
        shown: Shown,
        file: Path | None,
        run: str,
        earlier: dict[str, Log],
    ) -> None:
        """Write nothing yet."""
        self.rates, self.watch, self._shown, self._file = rates, watch, shown, file
        self._run, self._earlier = run, earlier
        self.is_alone = not shown and file is None  # nobody hears of a loss while the test runs
        self._told = 0
        self.why = "the loop was left"  # where it ends early, and nothing else says why

    def add(self, loss: Tensor | float) -> bool:
        """Record the next loss; return whether it is known by now that one of them stops."""
        stop = self.watch.add(loss)
        self._shown.step()
        if self.watch.checks():
            log = self.log(runs=True)
            self.write(log)
            self.tell(log)
        return stop

    def tell(self, log: Log) -> None:
        """Tell whoever asked for it how far the test is."""
        if self._shown and self._told < len(log):
            self._told = len(log)
            self._shown.tell(log)

    def log(self, error: BaseException | None = None, *, runs: bool = False) -> Log:
        """Return what was recorded, up to the loss that stops.

        Args:
            error: What ended the test.
            runs: Whether it goes on.
        """
        losses, stopped = self.watch.result()
        lrs = self.rates[: len(losses)]
        why = "" if runs else self.why
        status = _status(losses, lrs, len(self.rates), stopped, error, why)
        return Log(lrs, np.array(losses), np.arange(len(losses)), status)

    def keep(self, error: BaseException) -> None:
        """Attach the log to what ended the test, as ``error.clrfast_log``, and write it where asked for."""
        if isinstance(getattr(error, "clrfast_log", None), Log):
            return
        try:
            log = self.log(error)
            error.clrfast_log = self.with_earlier(log)  # type: ignore[attr-defined]
            self.write(log)
        except Exception as another:  # such as a device that does not answer: what ended the test says more
            _note(error, f"The log could not be kept: {another}")

    def write(self, log: Log) -> None:
        """Write the log to its file, if there is one."""
        if self._file is not None:
            self.with_earlier(log).to_csv(self._file)

    def with_earlier(self, log: Log) -> Log:
        """Return the log among those of earlier tests, if it is one of several."""
        return Log.of_runs({**self._earlier, self._run: log}) if self._run else log


def _note(error: BaseException, text: str) -> None:
    if hasattr(error, "add_note"):  # Python 3.11 and later
        error.add_note(text)


def _status(
    losses: list[float],
    lrs: NDArray[np.float64],
    steps: int,
    stopped: bool,
    error: BaseException | None,
    why: str,
) -> str:
    done = len(losses)
    if not done:
        return f"Interrupted before the first of {steps} steps" + (f": {named(error)}." if error else ".")
    where = f"after {done} of {steps} steps, at lr {lrs[-1]:.3g}"
    if error is not None:
        return f"Interrupted {where}: {named(error)}."
    if stopped and not math.isfinite(losses[-1]):
        return f"Stopped {where}: the loss was {losses[-1]}."
    if stopped:
        return f"Stopped {where}: the loss had risen to {losses[-1]:.3g}, far above its lowest level."
    if done < steps:
        return f"Ended {where}: {why}." if why else f"Goes on {where}."
    return f"Ran all {steps} steps, up to lr {lrs[-1]:.3g}."


def named(error: BaseException) -> str:
    """Return an exception in one line."""
    text = str(error).split("\n", 1)[0]
    return f"{type(error).__name__}: {text}".rstrip(": ")
