"""What range tests recorded: rates and losses."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._require import require

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from clrfast.analysis import Analysis


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Log:
    """What range tests recorded, one row for each step. Its arrays are read-only copies of what is given.

    Args:
        lr: The rate of each row, shape (rows,), float64.
        loss: The loss of each row before that rate was applied, shape (rows,), float64. NaN and infinite
            losses are data: they are where training broke.
        step: The number of each row's step, shape (rows,), int64, or None.
        status: Why the record ends where it does, a sentence.
        runs: The names of the runs, where there are several, one after another.
        offsets: Where each of them begins, and the last one ends, shape (runs + 1,), int64; None for one run.
        problems: What could not be read of the files, a sentence each.

    Raises:
        ValueError: A column is not one-dimensional, or the columns differ in length; or the offsets do not
            ascend from 0 to the number of rows, or are not one more than the runs.
    """

    lr: NDArray[np.float64]
    loss: NDArray[np.float64]
    step: NDArray[np.int64] | None = None
    status: str = ""
    runs: tuple[str, ...] = ()
    offsets: NDArray[np.int64] | None = None
    problems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Convert, copy and check the columns."""
        dtypes = {"lr": np.float64, "loss": np.float64, "step": np.int64, "offsets": np.int64}
        for name, dtype in dtypes.items():
            if getattr(self, name) is None:
                continue
            column = np.array(getattr(self, name), dtype=dtype)
            if column.ndim != 1:
                raise ValueError(f"{name} must be one-dimensional, got shape {column.shape}")
            if name != "offsets" and len(column) != len(self.lr):
                raise ValueError(f"{name} must be as long as lr, {len(self.lr)}, got {len(column)} rows")
            column.flags.writeable = False
            object.__setattr__(self, name, column)
        starts = [0, len(self.lr)] if self.offsets is None else self.offsets.tolist()
        if starts[:1] != [0] or starts[-1] != len(self.lr) or starts != sorted(starts):
            raise ValueError(
                f"offsets must ascend from 0 to the number of rows, {len(self.lr)}, got {starts}"
            )
        if len(self.runs) != (0 if self.offsets is None else len(starts) - 1):
            raise ValueError(
                f"runs and offsets must fit, got {len(self.runs)} names and {len(starts)} offsets"
            )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lr)

    def __repr__(self) -> str:
        """One line: how many rows, between which rates, why it ended."""
        rates = f", lr {self.lr.min():.3g} to {self.lr.max():.3g}" if len(self) else ""
        runs = f" in {len(self.runs):,} runs" if self.runs else ""
        return f"<Log of {len(self):,} rows{runs}{rates}: {self.status or 'no status'}>"

    def analyze(self, **options: Any) -> Analysis:
        """Find the phases and suggest a range: :func:`clrfast.analyze` of this record, with its options.

        Raises:
            ValueError: As there; or there are several runs, which :meth:`analyze_runs` analyses each on its
                own and :meth:`analyze_repeats` as repeats of one test.
        """
        from clrfast.analysis import analyze

        if self.runs:
            raise ValueError(
                f"the log holds {len(self.runs)} runs: use analyze_runs() for each, or analyze_repeats() if "
                "they repeat one test"
            )
        return analyze(self.lr, self.loss, **options)

    def analyze_runs(self, *, threads: int | None = None) -> NDArray[np.void]:
        """Analyse each run on its own: :func:`clrfast.analysis.analyze_runs` of this record, with names."""
        from clrfast.analysis import analyze_runs

        offsets = [0, len(self)] if self.offsets is None else self.offsets
        table = analyze_runs(self.lr, self.loss, offsets=offsets, threads=threads)
        names = np.array(self.runs or [""])
        fields = [("run", names.dtype), *(field for field in table.dtype.descr if field[0] != "run")]
        named = np.empty(len(table), fields)
        for name in table.dtype.names or ():
            named[name] = names if name == "run" else table[name]
        return named

    def analyze_repeats(self, *, threads: int | None = None) -> Analysis:
        """Analyse the runs as repeats of one test: :func:`clrfast.analysis.analyze_repeats` of this log."""
        from clrfast.analysis import analyze_repeats

        offsets = [0, len(self)] if self.offsets is None else self.offsets
        return analyze_repeats(self.lr, self.loss, offsets=offsets, threads=threads)

    def split(self) -> dict[str, Log]:
        """Return each run by its name; one run alone has none, and is called ``""``."""
        if self.offsets is None:
            return {"": self}
        found = {}
        for run, (begin, end) in zip(self.runs, zip(self.offsets, self.offsets[1:])):
            step = None if self.step is None else self.step[begin:end]
            found[run] = Log(self.lr[begin:end], self.loss[begin:end], step, self.status)
        return found

    def unsmoothed(self, beta: float) -> Log:
        """Return the log with the losses as they were before an exponential moving average.

        Suggestions are best made from raw losses. Undoes ``m = beta * m + (1 - beta) * loss`` from m = 0,
        recorded as ``m / (1 - beta ** t)`` in the t-th row of each run, as fastai and Lightning do. Rounding
        errors grow by ``1 / (1 - beta)``.

        Args:
            beta: The factor of that average, in [0, 1).

        Raises:
            ValueError: It is out of range.
        """
        if not 0 <= beta < 1:
            raise ValueError(f"beta must be in [0, 1), not {beta!r}")
        loss = np.empty(len(self))
        offsets = [0, len(self)] if self.offsets is None else self.offsets
        for begin, end in zip(offsets, offsets[1:]):
            average = self.loss[begin:end] * (1 - beta ** np.arange(1.0, end - begin + 1))
            loss[begin:end] = (average - beta * np.concatenate([[0.0], average[:-1]])[: end - begin]) / (
                1 - beta
            )
        return dataclasses.replace(self, loss=loss)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses as recorded over a logarithmic axis of rates; ``analyze().plot()`` shows more.

        Args:
            ax: Where to draw; a new figure's axes by default.

        Returns:
            The axes drawn into. Nothing is shown or saved. Needs matplotlib.
        """
        if ax is None:
            require("matplotlib", "plot()", extra="plot")
            from matplotlib import pyplot as plt

            _, ax = plt.subplots(layout="constrained")
        ax.plot(self.lr, self.loss, lw=1)
        ax.set_xscale("log")
        ax.set_xlabel("Learning rate")
        ax.set_ylabel("Loss")
        return ax

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write the columns (step where there is one, lr, loss) so that `read` gives the same numbers."""
        names = ["lr", "loss"] if self.step is None else ["step", "lr", "loss"]
        columns = [getattr(self, name).tolist() for name in names]
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows(zip(*columns))
