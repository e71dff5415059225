"""What a range test shows while it runs: a bar, lines of text, or whatever a function does with it."""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
from collections.abc import Callable, Sequence
from typing import Literal, Union

from clrfast._require import require
from clrfast.analysis import Analysis
from clrfast.logs import Log


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a range test is; what it says of the losses is worked out when it is asked for.

    Attributes:
        log: What was recorded so far, a row at least; one process of several sees what all agreed on.
        steps: Steps of the whole test.
    """

    __module__ = "clrfast"

    log: Log
    steps: int

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.log)

    @functools.cached_property
    def analysis(self) -> Analysis | None:
        """What the log so far says; None while it is too short, or has too few finite losses."""
        try:
            return self.log.analyze()
        except ValueError:
            return None

    @property
    def lr(self) -> float:
        """The last rate."""
        return float(self.log.lr[-1])

    @property
    def loss(self) -> float:
        """The last loss as recorded."""
        return float(self.log.loss[-1])

    @property
    def smoothed(self) -> float:
        """The loss at the last rate, fitted to all so far; NaN where there is none yet."""
        return math.nan if self.analysis is None else float(self.analysis.grid_loss[-1])

    @property
    def phase(self) -> Literal["flat", "falling", "rising", "diverged"]:
        """What the loss does at the last rate."""
        if not math.isfinite(self.loss):
            return "diverged"
        if self.analysis is None:
            return "flat"
        phases, lr = self.analysis.phases, self.lr
        if phases.divergence_lr is not None and lr >= phases.divergence_lr:
            return "diverged"
        if phases.turn_lr is not None and lr >= phases.turn_lr:
            return "rising"
        if phases.plateau_end_lr is not None and lr >= phases.plateau_end_lr:
            return "falling"
        return "flat"

    def __str__(self) -> str:
        """One line."""
        return f"step {self.step} of {self.steps}, {self._where()}"

    def _where(self) -> str:
        if self.analysis is None:
            return f"lr {self.lr:.2e}, loss {self.loss:.3g}"
        return f"lr {self.lr:.2e}, loss {self.smoothed:.3g}, {self.phase}"


Told = Callable[[Progress], object]
Asked = Union[bool, Literal["plain"], Told, Sequence[Union[bool, Literal["plain"], Told]]]


class Shown:
    """Shows progress in the ways that were asked for.

    Args:
        progress: Those ways; see `RangeTest`.
        steps: Steps of the test.
        is_first: Whether this process is the one that prints.
        title: What a line begins with.
    """

    def __init__(self, progress: Asked, steps: int, is_first: bool, title: str) -> None:
        """Import what is needed; print nothing yet."""
        self._title, self._steps = title, steps
        self._told: list[Told] = []
        self._has_bar = False
        self._bar: object = None
        for one in progress if isinstance(progress, (list, tuple)) else [progress]:
            if callable(one):
                self._told.append(one)
            elif one and is_first and one != "plain" and is_watched():
                require("tqdm", "progress=True", extra="demo")
                self._has_bar = True
            elif one and is_first:
                self._told.append(self._print)

    def __bool__(self) -> bool:
        """Return whether anyone wants to be told of the losses."""
        return self._has_bar or bool(self._told)

    def open(self) -> None:
        """The test begins."""
        if self._has_bar:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self._steps, desc=self._title, unit="step")

    def step(self) -> None:
        """A step has been done."""
        if self._bar is not None:
            self._bar.update()  # type: ignore[attr-defined]

    def tell(self, log: Log) -> None:
        """These losses are known."""
        progress = Progress(log, self._steps)
        if self._bar is not None:
            self._bar.set_postfix_str(progress._where())  # type: ignore[attr-defined]
        for told in self._told:
            told(progress)

    def close(self) -> None:
        """The test has ended."""
        if self._bar is not None:
            self._bar.close()  # type: ignore[attr-defined]

    def _print(self, progress: Progress) -> None:
        print(f"{self._title}: {progress}", file=sys.stderr, flush=True)


def is_watched() -> bool:
    """Return whether someone sees a line change: in a terminal or a notebook."""
    return sys.stderr.isatty() or _is_notebook()


def _is_notebook() -> bool:
    """Return whether a Jupyter kernel runs this code; a program may import its modules and be none."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
