"""The record of a range test while it runs: what was seen, and on disk where that is asked for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clrfast._range_test._stop_rule import Watch
from clrfast.logs import Log


class Record:
    """Takes one loss for each rate.

    Args:
        rates: The rates of the test, shape (steps,), float64.
        watch: Keeps the losses and decides about stopping.
        file: Where the log is written, at each check and at the end; None for nowhere.
    """

    def __init__(self, rates: NDArray[np.float64], watch: Watch, file: Path | None) -> None:
        """Write nothing yet."""
        self.rates, self._watch, self._file = rates, watch, file

    def add(self, loss: Tensor | float) -> bool:
        """Record the next loss; return whether it is known by now that one of them stops."""
        stop = self._watch.add(loss)
        if self._file is not None and self._watch.checks():
            self.write(self.log())
        return stop

    def log(self, error: BaseException | None = None) -> Log:
        """Return what was recorded, up to the loss that stops; `error` is what ended the test."""
        losses, stopped = self._watch.result()
        lrs = self.rates[: len(losses)]
        status = _status(losses, lrs, len(self.rates), stopped, error)
        return Log(lrs, np.array(losses), np.arange(len(losses)), status)

    def keep(self, error: BaseException) -> None:
        """Attach the log to what ended the test, as ``error.clrfast_log``, and write it where asked for."""
        if isinstance(getattr(error, "clrfast_log", None), Log):
            return
        try:
            log = self.log(error)
            error.clrfast_log = log  # type: ignore[attr-defined]
            self.write(log)
        except Exception as another:  # such as a device that does not answer: what ended the test says more
            _note(error, f"The log could not be kept: {another}")

    def write(self, log: Log) -> None:
        """Write the log to its file, if there is one."""
        if self._file is not None:
            log.to_csv(self._file)


def _note(error: BaseException, text: str) -> None:
    if hasattr(error, "add_note"):  # Python 3.11 and later
        error.add_note(text)


def _status(
    losses: list[float], lrs: NDArray[np.float64], steps: int, stopped: bool, error: BaseException | None
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
        return f"Ended {where}: the loader can be passed only once and gave no more batches."
    return f"Ran all {steps} steps, up to lr {lrs[-1]:.3g}."


def named(error: BaseException) -> str:
    """Return an exception in one line."""
    text = str(error).split("\n", 1)[0]
    return f"{type(error).__name__}: {text}".rstrip(": ")
