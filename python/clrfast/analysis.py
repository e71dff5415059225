"""What a range test's log says: the loss against ln(lr), its phases, and a range of rates.

The method is a local linear regression of the raw loss on ln(lr), computed from statistics on a
fixed grid, so that the answer does not depend on how many rows a log has, on their spacing or on
their order. See :func:`analyze`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from clrfast import _core
from clrfast._columns import bad_rate, columns, thread_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Analysis", "Phases", "State", "Suggestion", "analyze", "analyze_repeats", "analyze_runs"]


def __dir__() -> list[str]:
    return __all__


@dataclasses.dataclass(frozen=True)
class Phases:
    """Where the loss changes its character along the ramp; rates, or None where it does not.

    Attributes:
        plateau_end_lr: the loss has begun to fall (the flat phase ends).
        steepest_lr: it falls fastest against ln(lr).
        min_lr: the fitted loss is lowest.
        turn_lr: it has begun to rise again (the steep phase ends).
        divergence_lr: it is back at its starting level, or no longer finite.
    """

    plateau_end_lr: float | None
    steepest_lr: float | None
    min_lr: float | None
    turn_lr: float | None
    divergence_lr: float | None


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A range of rates to cycle in, with how far it can be trusted.

    Attributes:
        base_lr: the lower bound; None if the log shows nothing to suggest a range by.
        max_lr: the upper bound, and the peak for one-cycle training; None likewise.
        base_lr_interval: where `base_lr` would probably lie in another test, as (low, high).
        max_lr_interval: where `max_lr` would.
        confidence: "high", "medium" or "low".
        lower_bound: whether the loss still falls at the highest rate of the log, so that `max_lr`
            may well be higher.
        reasons: what lowered the confidence, a sentence each; empty if nothing did.
        rule: the name of the rule that made the suggestion.
    """

    base_lr: float | None
    max_lr: float | None
    base_lr_interval: tuple[float, float] | None
    max_lr_interval: tuple[float, float] | None
    confidence: Literal["high", "medium", "low"]
    lower_bound: bool
    reasons: tuple[str, ...]
    rule: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """What :func:`analyze` found in one log.

    Attributes:
        lr: the rates as given, shape (rows,); empty if a :class:`State` was analysed.
        loss: the losses as given, likewise.
        beta: the factor of `smoothed`.
        lr_range: the lowest and the highest rate.
        grid_lr: rates at which the loss was fitted, ascending, float64, shape (cells,).
        grid_loss: the fitted loss there, float64, shape (cells,).
        grid_loss_se: its standard error, float64, shape (cells,).
        grid_slope: fitted d loss / d ln(lr) there, float64, shape (cells,).
        grid_slope_se: its standard error, float64, shape (cells,).
        grid_lowest: the lowest loss of the rows around each of these rates.
        grid_highest: the highest.
        window: half-width of the fit's kernel, in units of ln(lr).
        phases: where the curve changes its character.
        suggestion: the range of rates to train with.
        n: number of rows.
        n_nonfinite: how many of them have a loss that is NaN, infinite or beyond 1e100.
    """

    lr: NDArray[np.floating[Any]]
    loss: NDArray[np.floating[Any]]
    beta: float
    lr_range: tuple[float, float]
    grid_lr: NDArray[np.float64]
    grid_loss: NDArray[np.float64]
    grid_loss_se: NDArray[np.float64]
    grid_slope: NDArray[np.float64]
    grid_slope_se: NDArray[np.float64]
    grid_lowest: NDArray[np.float64]
    grid_highest: NDArray[np.float64]
    window: float
    phases: Phases
    suggestion: Suggestion
    n: int
    n_nonfinite: int

    @functools.cached_property
    def smoothed(self) -> NDArray[np.float64]:
        """The debiased exponential moving average of `loss`, float64, shape (rows,).

        Computed when first asked for. A non-finite loss leaves it where it was; it is NaN before
        the first finite one.
        """
        return _core.ema(self.loss, self.beta)

    def __repr__(self) -> str:
        """One line: the range, its confidence, the number of rows."""
        s = self.suggestion
        found = "no range" if s.max_lr is None else f"{s.base_lr:.3g} to {s.max_lr:.3g}"
        return f"<Analysis of {self.n:,} rows: {found}, confidence {s.confidence}>"

    def __str__(self) -> str:
        """The three phases and the suggestion, for people."""
        p, s = self.phases, self.suggestion
        bad = f", {self.n_nonfinite:,} not finite" if self.n_nonfinite else ""

        def rate(lr: float | None) -> str:
            return "(not reached)" if lr is None else f"{lr:.2e}"

        def bound(name: str, lr: float | None, interval: tuple[float, float] | None) -> str:
            if lr is None or interval is None:
                return f"{name:8}no suggestion"
            return f"{name:8}{lr:.2e}   (between {interval[0]:.2e} and {interval[1]:.2e})"

        lines = [
            f"{self.n:,} rows{bad}, rates {self.lr_range[0]:.2e} to {self.lr_range[1]:.2e}",
            f"  flat     until lr {rate(p.plateau_end_lr)}",
            f"  falling  steepest at lr {rate(p.steepest_lr)}, lowest at {rate(p.min_lr)}",
            f"  rising   from lr {rate(p.turn_lr)}, diverged at {rate(p.divergence_lr)}",
            bound("base_lr", s.base_lr, s.base_lr_interval),
            bound("max_lr", s.max_lr, s.max_lr_interval),
            f"confidence: {s.confidence}",
            *(f"  - {reason}" for reason in s.reasons),
        ]
        return "\n".join(lines)

    def to_dict(self, *, curve: bool = False) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dictionaries, fit for JSON.

        Args:
            curve: also give the fitted curve (keys `grid_lr`, `grid_loss`, `grid_loss_se`,
                `grid_slope`, `grid_slope_se`). The rows themselves are never included.

        Returns:
            The fields `n`, `n_nonfinite`, `lr_range`, `window`, `phases` and `suggestion`; what is
            not a finite number is None.
        """
        summary: dict[str, Any] = {
            "n": self.n,
            "n_nonfinite": self.n_nonfinite,
            "lr_range": self.lr_range,
            "window": self.window,
            "phases": dataclasses.asdict(self.phases),
            "suggestion": dataclasses.asdict(self.suggestion),
        }
        if curve:
            names = ("grid_lr", "grid_loss", "grid_loss_se", "grid_slope", "grid_slope_se")
            summary.update({name: getattr(self, name).tolist() for name in names})
        return cast("dict[str, Any]", _plain(summary))

    def plot(self, ax: Axes | None = None, *, intervals: bool = True, legend: bool = True) -> Axes:
        """Draw the curve, its phases and the suggested range over a logarithmic axis of rates.

        Args:
            ax: where to draw; a new figure's axes by default.
            intervals: shade the intervals of both bounds.
            legend: add a legend.

        Returns:
            The axes drawn into. Nothing is shown or saved. Needs matplotlib.
        """
        from clrfast._plot_analysis import plot_analysis

        return plot_analysis(self, ax, intervals=intervals, legend=legend)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def analyze(lrs: ArrayLike, losses: ArrayLike, *, beta: float = 0.98, threads: int | None = None) -> Analysis:
    """Find the phases of a range test's curve and suggest `base_lr` and `max_lr`.

    The loss is fitted against ln(lr) by local linear regression, on the raw losses: no
    successive differences, no bias towards the ramp's direction. Rows may come in any order and
    from any ramp (exponential, linear, staircase, repeated); a falling ramp is analysed as the
    data it is, although its losses carry what was learned at higher rates.

    Args:
        lrs: the rate of each row, positive and finite: a list, an array of any real dtype, or a
            CPU tensor, one-dimensional.
        losses: the loss of each row, as long as `lrs`. May be negative, NaN or infinite: a
            non-finite loss counts as divergence.
        beta: factor of the debiased exponential moving average in `Analysis.smoothed`, in [0, 1).
            The suggestion does not depend on it.
        threads: how many to use at most, at least 1; by default one for each core. Short logs take
            one anyway.

    Returns:
        The analysis.

    Raises:
        TypeError: a column does not hold real numbers.
        ValueError: the columns differ in length or are not one-dimensional; a rate is not
            positive and finite; there are too few rates with a finite loss to lay a curve
            through; `beta` or `threads` is out of range.
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be in [0, 1), not {beta!r}")
    lr, loss = columns(lrs, losses)
    state = _core.State()
    _add(state, lr, loss, 0, threads)
    return _analysis(state, lr, loss, beta)


def _add(
    state: _core.State,
    lr: NDArray[np.floating[Any]],
    loss: NDArray[np.floating[Any]],
    first_step: int,
    threads: int | None,
) -> None:
    bad = state.add(lr, loss, first_step, thread_count(threads))
    if bad is not None:
        raise bad_rate(float(lr[bad]), f" (row {bad})")


def _analysis(
    state: _core.State,
    lr: NDArray[np.floating[Any]],
    loss: NDArray[np.floating[Any]],
    beta: float,
) -> Analysis:
    found, extent = state.analyze(), state.extent()
    curve, suggestion = found["curve"], found["suggestion"]
    return Analysis(
        lr=lr,
        loss=loss,
        beta=beta,
        lr_range=(extent["lowest_lr"], extent["highest_lr"]),
        grid_lr=np.exp(curve["x"]),
        grid_loss=curve["loss"],
        grid_loss_se=curve["loss_se"],
        grid_slope=curve["slope"],
        grid_slope_se=curve["slope_se"],
        grid_lowest=found["lowest"],
        grid_highest=found["highest"],
        window=found["window"],
        phases=Phases(**found["phases"]),
        suggestion=Suggestion(
            base_lr=suggestion["base_lr"],
            max_lr=suggestion["max_lr"],
            base_lr_interval=suggestion["base_lr_interval"],
            max_lr_interval=suggestion["max_lr_interval"],
            confidence=cast('Literal["high", "medium", "low"]', suggestion["confidence"]),
            lower_bound=suggestion["lower_bound"],
            reasons=suggestion["reasons"],
            rule="clrfast",
        ),
        n=extent["rows"],
        n_nonfinite=extent["nonfinite"],
    )


def analyze_runs(
    lrs: ArrayLike,
    losses: ArrayLike,
    *,
    run: ArrayLike | None = None,
    offsets: ArrayLike | None = None,
    threads: int | None = None,
) -> NDArray[np.void]:
    """Analyse many logs at once, each as :func:`analyze` would.

    Say which rows belong together by `run` or by `offsets`, not by both.

    Args:
        lrs: rates of all runs, as :func:`analyze` takes them.
        losses: losses of all runs, as long as `lrs`.
        run: the run of each row, as long as `lrs`: numbers or names, in any order.
        offsets: where runs that follow each other start, and the last one ends: ascending
            integers from 0 to the number of rows, one more than there are runs.
        threads: how many to use at most, at least 1; by default one for each core.

    Returns:
        A structured array, one record a run, in the order in which the runs appear (which
        `pandas.DataFrame` takes as it is), with the fields `run`, `n`, `n_nonfinite`, `base_lr`,
        `base_lr_low`, `base_lr_high`, `max_lr`, `max_lr_low`, `max_lr_high`, `plateau_end_lr`,
        `steepest_lr`, `min_lr`, `turn_lr`, `divergence_lr`, `confidence` ("low", "medium",
        "high") and `lower_bound`. A rate is NaN where :class:`Suggestion` and :class:`Phases`
        have None, or where a run is too short for an analysis.

    Raises:
        TypeError, ValueError: as :func:`analyze` does; or `run` and `offsets` do not fit.
    """
    lr, loss = columns(lrs, losses)
    names, starts, order = _runs(len(lr), run, offsets)
    if order is not None:
        lr, loss = lr[order], loss[order]
    found = _core.analyze_runs(lr, loss, starts.tolist(), thread_count(threads))
    if isinstance(found, int):
        row = found if order is None else int(order[found])
        raise bad_rate(float(lr[found]), f" (row {row})")
    fields = [("run", names.dtype)]
    for name in found.dtype.names or ():
        fields.append((name, np.dtype("U6") if name == "confidence" else found.dtype[name]))
    table = np.empty(len(found), dtype=fields)
    table["run"] = names
    for name in found.dtype.names or ():
        table[name] = found[name]
    table["confidence"] = np.array(["low", "medium", "high"])[found["confidence"]]
    return table


def analyze_repeats(
    lrs: ArrayLike,
    losses: ArrayLike,
    *,
    run: ArrayLike | None = None,
    offsets: ArrayLike | None = None,
    threads: int | None = None,
) -> Analysis:
    """Analyse repeated runs of one test (other seeds, say) as one, for a surer suggestion.

    Args:
        lrs: rates of all runs, as :func:`analyze` takes them.
        losses: losses of all runs, as long as `lrs`.
        run: the run of each row, as in :func:`analyze_runs`.
        offsets: where runs start and end, as in :func:`analyze_runs`.
        threads: how many to use at most, at least 1; by default one for each core.

    Returns:
        The analysis of all rows; `lr` and `loss` hold them run by run. With three runs or more
        that have a suggestion of their own, the intervals are 95 % confidence intervals from how
        much these differ.

    Raises:
        TypeError, ValueError: as :func:`analyze_runs` does, or :func:`analyze`.
    """
    lr, loss = columns(lrs, losses)
    _, starts, order = _runs(len(lr), run, offsets)
    if order is not None:
        lr, loss = lr[order], loss[order]
    table = analyze_runs(lr, loss, offsets=starts, threads=threads)
    state = _core.State()
    for start, stop in zip(starts, starts[1:]):
        _add(state, lr[start:stop], loss[start:stop], 0, threads)  # all count their steps from 0
    merged = _analysis(state, lr, loss, beta=0.0)
    base = _spread(table["base_lr"], merged.suggestion.base_lr)
    top = _spread(table["max_lr"], merged.suggestion.max_lr)
    if base is None or top is None:
        return merged
    suggestion = dataclasses.replace(merged.suggestion, base_lr_interval=base, max_lr_interval=top)
    return dataclasses.replace(merged, suggestion=suggestion)


def _spread(rates: NDArray[np.float64], merged: float | None) -> tuple[float, float] | None:
    """Return a 95 % confidence interval of the geometric mean, wide enough to hold `merged`."""
    logs = np.log(rates[np.isfinite(rates)])
    if merged is None or len(logs) < 3:
        return None
    freedom = len(logs) - 1
    students_t = (
        (4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)[freedom - 2]
        if freedom <= 10
        else 1.96 + 2.5 / freedom
    )
    reach = students_t * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    low, high = math.exp(logs.mean() - reach), math.exp(logs.mean() + reach)
    return min(low, merged), max(high, merged)


def _runs(
    rows: int, run: ArrayLike | None, offsets: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64] | None]:
    """Return the runs' names, their offsets, and the order that puts each run's rows together."""
    if (run is None) == (offsets is None):
        raise TypeError("one of run and offsets must be given, and not both")
    if offsets is not None:
        starts = np.asarray(offsets)
        if starts.ndim != 1 or starts.dtype.kind not in "iu" or len(starts) < 1:
            raise TypeError(f"offsets must be a column of integers, not {offsets!r:.60}")
        if starts[0] != 0 or starts[-1] != rows or np.any(starts[1:] < starts[:-1]):
            raise ValueError(f"offsets must ascend from 0 to the number of rows, {rows}")
        return np.arange(len(starts) - 1), starts.astype(np.int64), None
    names = np.asarray(run)
    if names.shape != (rows,):
        raise ValueError(f"run must have one entry a row, shape ({rows},), not {names.shape}")
    starts = np.flatnonzero(np.concatenate([[rows > 0], names[1:] != names[:-1]]))
    if len(np.unique(names[starts])) == len(starts):  # every run in one piece
        return names[starts], np.append(starts, rows), None
    _, first, number = np.unique(names, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))  # as they appear
    number = rank[number]
    order = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[order], np.arange(len(first) + 1))
    return names[np.sort(first)], starts, order


class State:
    """The statistics of a log that grows: add rows or other states, analyse at any time.

    Its size depends on the range of the rates alone (64 cells to a decade), not on the number of
    rows. However rows are split into calls, files, threads or states, the answer is that of
    :func:`analyze` on all of them, to rounding. May be used from several threads, and pickled.

    Args:
        first_step: number of the first row. Give each shard of one log the number its first row
            has in the whole; repeated runs of one test each start at 0.
    """

    def __init__(self, *, first_step: int = 0) -> None:
        """Start without rows."""
        self._core = _core.State()
        self._next_step = _check_step(first_step)

    def add(
        self, lr: ArrayLike, loss: ArrayLike, *, step: int | None = None, threads: int | None = None
    ) -> None:
        """Add one row or many.

        Args:
            lr: one rate, or a column of them as :func:`analyze` takes it.
            loss: one loss, or a column of equal length.
            step: number of the first of these rows; by default they follow those before.
            threads: how many to use at most, at least 1; by default one for each core.

        Raises:
            TypeError, ValueError: as :func:`analyze` does; then nothing was added.
        """
        first = self._next_step if step is None else _check_step(step)
        rate, value = cast("object", lr), cast("object", loss)
        if isinstance(rate, float) and isinstance(value, float):  # what a live loop gives
            if not self._core.add_row(rate, value, first):
                raise bad_rate(rate)
            self._next_step = first + 1
            return
        if np.ndim(lr) == 0 and np.ndim(loss) == 0:
            lr, loss = np.reshape(lr, 1), np.reshape(loss, 1)
        rates, losses = columns(lr, loss)
        _add(self._core, rates, losses, first, threads)
        self._next_step = first + len(rates)

    def merge(self, other: State) -> None:
        """Add all rows that `other` holds; it stays as it is."""
        if not isinstance(cast("object", other), State):
            raise TypeError(f"other must be a State, not {type(other).__name__}")
        self._core.merge(other._core)
        self._next_step = max(self._next_step, other._next_step)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self._core.extent()["rows"]

    def analyze(self) -> Analysis:
        """Return what :func:`analyze` does for all rows; its `lr` and `loss` are empty.

        Raises:
            ValueError: there are too few rates with a finite loss to lay a curve through.
        """
        nothing = np.empty(0)
        return _analysis(self._core, nothing, nothing, beta=0.0)

    def to_bytes(self) -> bytes:
        """Return the state as bytes, the same on every machine: 64 for each cell of its range."""
        return self._next_step.to_bytes(8, "little", signed=True) + self._core.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> State:
        """Return the state that `data`, made by :meth:`to_bytes`, holds.

        Raises:
            ValueError: the data is something else, or damaged.
        """
        core = _core.State.from_bytes(bytes(data[8:]))
        state = cls(first_step=int.from_bytes(data[:8], "little", signed=True))
        state._core = core
        return state

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as bytes."""
        return (State.from_bytes, (self.to_bytes(),))

    def __repr__(self) -> str:
        """Say how many rows there are, between which rates."""
        extent = self._core.extent()
        if extent["rows"] == 0:
            return "<State of no rows>"
        return (
            f"<State of {extent['rows']:,} rows, "
            f"rates {extent['lowest_lr']:.3g} to {extent['highest_lr']:.3g}>"
        )


def _check_step(step: int) -> int:
    number = operator.index(step)
    if not -(2**52) <= number <= 2**52:
        raise ValueError(f"a step must be within 2**52 of 0, not {number}")
    return number
