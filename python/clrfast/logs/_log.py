"""What range tests recorded: rates and losses."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast import _check
from clrfast._pictures import _log
from clrfast._visible import visible
from clrfast._write import write_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from clrfast.analysis import Analysis, Probes


@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class Log:
    """What range tests recorded, one row for each step. Its arrays are read-only copies of what is given.

    Args:
        lr: The rate of each row, shape (rows,), real numbers.
        loss: The loss of each row before that rate was applied, shape (rows,), real numbers. NaN and infinite
            losses are data: they are where training broke.
        step: The number of each row's step, shape (rows,), whole numbers; None, the default, if unknown.
        status: Why the record ends where it does, a sentence; "" by default.
        runs: The names of the runs, where there are several, one after another; () by default.
        offsets: Where each of them begins, and the last one ends, shape (runs + 1,), whole numbers; None, the
            default, for one run.
        problems: What could not be read of the files, a sentence each; () by default.
        probes: What probes around the suggestion have shown, as ``range_test(verify=)`` asks for them; None,
            the default, without. An analysis takes them into account; files of a log do not hold them.

    Each is an attribute too: `lr` and `loss` as float64, `step` and `offsets` as int64, or None.

    Raises:
        TypeError: A column holds what is no number.
        ValueError: A column is not one-dimensional, or the columns differ in length; a step or an offset is
            not whole; or the offsets do not ascend from 0 to the number of rows, or are not one more than the
            runs.
    """

    __module__ = "clrfast.logs"  # where users find it, and pickles will

    lr: NDArray[np.float64]
    loss: NDArray[np.float64]
    step: NDArray[np.int64] | None
    status: str
    runs: tuple[str, ...]
    offsets: NDArray[np.int64] | None
    problems: tuple[str, ...]
    probes: Probes | None

    def __init__(
        self,
        lr: ArrayLike,
        loss: ArrayLike,
        step: ArrayLike | None = None,
        status: str = "",
        runs: Iterable[str] = (),
        offsets: ArrayLike | None = None,
        problems: Iterable[str] = (),
        *,
        probes: Probes | None = None,
    ) -> None:
        """Convert, copy and check the columns."""
        rates = _column("lr", lr, np.float64)
        rows = len(rates)
        columns = {
            "lr": rates,
            "loss": _column("loss", loss, np.float64),
            "step": None if step is None else _column("step", step, np.int64),
        }
        for name, column in columns.items():
            if column is not None and len(column) != rows:
                raise ValueError(f"{name} must be as long as lr, {rows}, got {len(column)} rows")
        ends = None if offsets is None else _column("offsets", offsets, np.int64)
        names = tuple(runs)
        starts = [0, rows] if ends is None else ends.tolist()
        if starts[:1] != [0] or starts[-1] != rows or starts != sorted(starts):
            raise ValueError(f"offsets must ascend from 0 to the number of rows, {rows}, got {starts}")
        if len(names) != (0 if ends is None else len(starts) - 1):
            raise ValueError(f"runs and offsets must fit, got {len(names)} names and {len(starts)} offsets")
        fields = {
            **{**columns, "status": status, "runs": names, "offsets": ends, "problems": tuple(problems)},
            "probes": probes,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Check what was pickled, and make it read-only again."""
        Log.__init__(self, **state)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lr)

    def __repr__(self) -> str:
        """One line: how many rows, between which rates, why it ended."""
        rates = f", lr {self.lr.min():.3g} to {self.lr.max():.3g}" if len(self) else ""
        runs = f" in {len(self.runs):,} runs" if self.runs else ""
        probes = "" if self.probes is None else f", {len(self.probes.lr)} probes"
        return f"<Log of {len(self):,} rows{runs}{rates}{probes}: {visible(self.status) or 'no status'}>"

    def analyze(self, *, beta: float = 0.98, threads: int | None = None) -> Analysis:
        """Find the phases and suggest a range: :func:`clrfast.analyze` of this record.

        Args:
            beta: The share that the moving average, which is only shown, keeps in each step, in [0, 1).
            threads: How many threads at most; None, the default, for as many as help.

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
        return analyze(self, beta=beta, threads=threads)

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
        from clrfast.analysis._verdict import with_probes

        offsets = [0, len(self)] if self.offsets is None else self.offsets
        found = analyze_repeats(self.lr, self.loss, offsets=offsets, threads=threads)
        return with_probes(found, self.probes)

    def split(self) -> dict[str, Log]:
        """Return each run by its name; one run alone has none, and is called ``""``."""
        if self.offsets is None:
            return {"": self}
        found = {}
        for run, (begin, end) in zip(self.runs, zip(self.offsets, self.offsets[1:])):
            step = None if self.step is None else self.step[begin:end]
            found[run] = Log(self.lr[begin:end], self.loss[begin:end], step, self.status)
        return found

    @classmethod
    def of_runs(cls, logs: Mapping[str, Log]) -> Log:
        """Return one log of several runs by name, each a log of one run: what `split` takes apart.

        Steps are kept where all have them, `status` where all have the same.

        Raises:
            ValueError: There is none, or one holds several runs.
        """
        parts = list(logs.values())
        if not parts:
            raise ValueError("logs must hold a log at least, got none")
        for name, part in logs.items():
            if part.runs:
                raise ValueError(f"logs[{name!r}] must be a log of one run, got {len(part.runs)}")
        steps = [part.step for part in parts if part.step is not None]
        status = {part.status for part in parts}
        return cls(
            np.concatenate([part.lr for part in parts]),
            np.concatenate([part.loss for part in parts]),
            np.concatenate(steps) if len(steps) == len(parts) else None,
            status.pop()
            if len(status) == 1
            else "; ".join(f"{run}: {log.status}" for run, log in logs.items()),
            logs,
            np.cumsum([0, *map(len, parts)]),
            [problem for part in parts for problem in part.problems],
        )

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
        _check.beta(beta)
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

        Each run has a line of its own. Losses that rise far beyond the first ones are cut off.

        Args:
            ax: Where to draw; a new figure's axes by default.

        Returns:
            The axes drawn into. Nothing is shown or saved. Needs matplotlib.
        """
        return _log.plot(self.lr, self.loss, self.runs, self.offsets, ax)

    def _repr_html_(self) -> str:
        """What a notebook shows: how many rows, between which rates, why it ended, and the losses."""
        from clrfast._pictures._notebook import log_html

        facts = [("rows", f"{len(self):,}")]
        if self.runs:
            facts.append(("runs", f"{len(self.runs):,}"))
        if len(self):
            facts.append(("rates", f"{self.lr.min():.3g} to {self.lr.max():.3g}"))
        if self.probes is not None:
            facts.append(("probes", f"{len(self.probes.lr)}"))
        return log_html(facts, [self.status, *self.problems], self.plot if len(self) else None)

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write the columns (run and step where there are any, lr, loss) so that `read` gives them back.

        The file is written beside its place and then moved there, so that it is whole or as it was.

        Raises:
            OSError: It cannot be written.
        """
        names = ["lr", "loss"] if self.step is None else ["step", "lr", "loss"]
        columns = [getattr(self, name).tolist() for name in names]
        if self.offsets is not None:
            names.insert(0, "run")
            columns.insert(0, np.repeat(self.runs, np.diff(self.offsets)).tolist())
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(names)
        writer.writerows(zip(*columns))
        write_file(path, text.getvalue().encode())


def _column(name: str, values: ArrayLike, dtype: type[np.float64 | np.int64]) -> NDArray[Any]:
    """Return a read-only copy of a column, as numbers of a type."""
    try:
        given = np.array(values) if dtype is np.int64 else np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} must be a row of numbers: {error}") from None
    if given.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {given.shape}")
    if dtype is np.int64 and given.dtype.kind not in "bi" and len(given):
        whole = given.dtype.kind in "uf" and np.all((given == np.floor(given)) & (np.abs(given) < 2.0**63))
        if not whole:
            raise ValueError(f"{name} must be whole numbers, got {given.dtype}")
    column = given.astype(dtype)
    column.flags.writeable = False
    return column
