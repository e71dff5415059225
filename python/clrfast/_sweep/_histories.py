"""What is kept of each run while its rows pass by: a few numbers, so that memory does not grow with the rows.

Parts of a log can be read apart and put together: the result is that of all rows in one go, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clrfast._sweep._run import SettingValue
from clrfast.analysis._columns import in_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SILENT = 2  # times its longest gap that a metric must be silent at the end to count as lost
_INFINITE = 1e100


class Rows(NamedTuple):
    """Some rows of one run or many, in their order, each of shape (rows,) but for the settings.

    `lr` is NaN where there is none, `step` too; `missing` says where there is no value, which may be NaN
    itself.
    """

    run: NDArray[np.intp]  # the place of its label in `labels`
    labels: Sequence[Hashable]
    lr: NDArray[np.float64]
    value: NDArray[np.float64]
    missing: NDArray[np.bool_]
    step: NDArray[np.float64]
    settings: NDArray[np.float64]  # shape (settings, rows); NaN where there is none


class Histories:
    """The state of all runs.

    Args:
        last: How many of the last values are kept.
        mode: "min" or "max": which value is the best.
        settings: How many settings each row has.

    Attributes:
        labels: What each run is called, in order of appearance.
        rows: How many rows it has.
        first_row: Where the first of them stood among all.
        peak: Its highest rate, NaN without one.
        best: Its best finite value, infinite without one.
        settings: Its settings, as its first rows give them, shape (settings, runs).
        varies: Which settings vary within a run and so are none, shape (settings,).
    """

    def __init__(self, last: int, mode: str, settings: int = 0) -> None:
        """Begin with no run."""
        self.last, self.mode = last, mode
        self.labels: dict[Hashable, int] = {}
        self.seen = 0
        self.varies = np.zeros(settings, np.bool_)
        self._codes: list[dict[str, int]] = [{} for _ in range(settings)]
        self._sign = 1.0 if mode == "min" else -1.0
        self._allocate(0, settings)

    def _allocate(self, size: int, settings: int) -> None:
        self.rows = np.zeros(size, np.int64)
        self.first_row = np.full(size, -1, np.int64)
        self.peak = np.full(size, math.nan)
        self.best = np.full(size, math.inf)
        self.count = np.zeros(size, np.int64)  # of values
        self.first_at = np.full(size, -1, np.int64)  # the row of the run that has the first value
        self.last_at = np.full(size, -1, np.int64)
        self.gap = np.ones(size, np.int64)  # the most rows from one value to the next
        self.last_step = np.full(size, math.nan)  # of any row
        self.tail_step = np.full((size, self.last), -math.inf)  # of the last values, ascending
        self.tail_value = np.full((size, self.last), math.nan)
        self.settings = np.full((settings, size), math.nan)

    _BY_RUN = ("rows", "first_row", "peak", "best", "count", "first_at", "last_at", "gap", "last_step")

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.labels)

    def _places(self, labels: Sequence[Hashable]) -> NDArray[np.intp]:
        """Return the place of each label, and make room for new ones."""
        places = np.array([self.labels.setdefault(label, len(self.labels)) for label in labels], np.intp)
        room = len(self.rows)
        if len(self.labels) > room:
            old = {name: getattr(self, name) for name in (*self._BY_RUN, "tail_step", "tail_value")}
            settings = self.settings
            self._allocate(max(2 * room, len(self.labels)), len(settings))
            for name, values in old.items():
                getattr(self, name)[:room] = values
            self.settings[:, :room] = settings
        return places

    def add(self, rows: Rows) -> None:
        """Take some rows, which follow those before."""
        if not len(rows.run):
            return
        run = self._places(rows.labels)[rows.run]
        order: NDArray[np.intp] | slice = slice(None)  # where the runs follow each other, nothing is copied
        if np.any(run[1:] < run[:-1]):
            order, starts = in_groups(run, len(self.labels))
        else:
            starts = np.searchsorted(run, np.arange(len(self.labels) + 1))
        here = np.flatnonzero(starts[1:] > starts[:-1])  # the runs that have rows
        begin, length = starts[here], (starts[1:] - starts[:-1])[here]
        of_group = np.repeat(np.arange(len(here)), length)
        place = np.arange(len(run)) - begin[of_group] + self.rows[here][of_group]  # among those of its run
        self._take_settings(rows.settings[:, order], here, begin, of_group)
        new = self.rows[here] == 0
        first = begin[new] if isinstance(order, slice) else order[begin[new]]
        self.first_row[here[new]] = self.seen + first
        self.peak[here] = np.fmax(self.peak[here], np.fmax.reduceat(rows.lr[order], begin))
        step = np.where(np.isnan(rows.step[order]), place, rows.step[order])
        self.last_step[here] = np.fmax(self.last_step[here], np.maximum.reduceat(step, begin))
        self.rows[here] += length
        self.seen += len(run)
        there = np.flatnonzero(~rows.missing[order])
        if len(there):
            groups = of_group[there]
            starts = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
            self._take_values(
                here[groups[starts]], starts, place[there], step[there], rows.value[order][there]
            )

    def _take_settings(
        self,
        settings: NDArray[np.float64],
        here: NDArray[np.intp],
        begin: NDArray[np.intp],
        of_group: NDArray[np.intp],
    ) -> None:
        for number, column in enumerate(settings):
            if self.varies[number]:
                continue
            known = self.settings[number, here]
            known = np.where(np.isnan(known), np.fmax.reduceat(column, begin), known)
            self.settings[number, here] = known
            self.varies[number] = bool(np.any((column != known[of_group]) & ~np.isnan(column)))

    def _take_values(
        self,
        runs: NDArray[np.intp],
        begin: NDArray[np.intp],
        place: NDArray[np.int64],
        step: NDArray[np.float64],
        value: NDArray[np.float64],
    ) -> None:
        """Take the values of runs, those of each in a row that begins at its `begin`."""
        end = np.append(begin[1:], len(value))
        gaps = np.diff(place, prepend=0)
        before = self.last_at[runs]
        gaps[begin] = np.where(before >= 0, place[begin] - before, 1)
        self.gap[runs] = np.maximum(self.gap[runs], np.maximum.reduceat(gaps, begin))
        self.first_at[runs] = np.where(before >= 0, self.first_at[runs], place[begin])
        self.last_at[runs] = place[end - 1]
        self.count[runs] += end - begin
        sound = np.where(np.abs(value) < _INFINITE, self._sign * value, math.inf)
        self.best[runs] = np.minimum(self.best[runs], np.minimum.reduceat(sound, begin))
        within = np.diff(step, prepend=-math.inf)
        within[begin] = 0
        if np.any(within < 0):  # steps that turn back, as where a run was resumed
            number = np.repeat(np.arange(len(begin)), end - begin)
            order = np.lexsort((step, number))
            step, value = step[order], value[order]
        picked = end[:, None] - np.arange(self.last, 0, -1)
        empty = picked < begin[:, None]
        picked = np.maximum(picked, 0)
        self._take_tails(
            runs, np.where(empty, -math.inf, step[picked]), np.where(empty, math.nan, value[picked])
        )

    def _take_tails(
        self, runs: NDArray[np.intp], step: NDArray[np.float64], value: NDArray[np.float64]
    ) -> None:
        steps = np.concatenate([self.tail_step[runs], step], axis=1)
        values = np.concatenate([self.tail_value[runs], value], axis=1)
        order = np.argsort(steps, axis=1, kind="stable")[:, -self.last :]
        self.tail_step[runs] = np.take_along_axis(steps, order, axis=1)
        self.tail_value[runs] = np.take_along_axis(values, order, axis=1)

    def code(self, setting: int, word: str) -> int:
        """Return the number that stands for a word of a setting."""
        return self._codes[setting].setdefault(word, len(self._codes[setting]))

    def setting(self, setting: int, number: int) -> SettingValue:
        """Return a run's setting, by both their numbers; None where it has none."""
        value = float(self.settings[setting, number])
        if math.isnan(value):
            return None
        codes = self._codes[setting]
        if codes:
            return list(codes)[int(value)]
        return int(value) if value.is_integer() and abs(value) < 2**53 else value

    def append(self, other: Histories) -> None:
        """Take the rows of another state, which follow those of this one."""
        runs, size = self._places(list(other.labels)), len(other)
        before = self.rows[runs]
        new = before == 0
        self.first_row[runs] = np.where(new, self.seen + other.first_row[:size], self.first_row[runs])
        last = self.last_at[runs]
        first = other.first_at[:size] + before
        has = other.count[:size] > 0
        bridge = np.where((last >= 0) & has, first - last, 1)
        self.gap[runs] = np.maximum(np.maximum(self.gap[runs], other.gap[:size]), bridge)
        self.first_at[runs] = np.where((last < 0) & has, first, self.first_at[runs])
        self.last_at[runs] = np.where(has, other.last_at[:size] + before, last)
        self.count[runs] += other.count[:size]
        self.rows[runs] += other.rows[:size]
        self.peak[runs] = np.fmax(self.peak[runs], other.peak[:size])
        self.best[runs] = np.minimum(self.best[runs], other.best[:size])
        self.last_step[runs] = np.fmax(self.last_step[runs], other.last_step[:size])
        self._take_tails(runs, other.tail_step[:size], other.tail_value[:size])
        known = self.settings[:, runs]
        theirs = other.settings[:, :size].copy()
        for setting, codes in enumerate(other._codes):
            if codes:
                ours = np.array([self.code(setting, word) for word in codes], float)
                there = ~np.isnan(theirs[setting])
                theirs[setting, there] = ours[theirs[setting, there].astype(np.intp)]
        differs = (known != theirs) & ~np.isnan(known) & ~np.isnan(theirs)
        self.varies |= other.varies | differs.any(axis=1)
        self.settings[:, runs] = np.where(np.isnan(known), theirs, known)
        self.seen += other.seen

    def value(self, number: int, take: str | int) -> float:
        """Return what the run ended at, by its number: NaN where it diverged.

        Args:
            number: The place of its label.
            take: "best", or "last" or a whole number for the last ones' mean.

        Raises:
            ValueError: It has no value.
        """
        if not self.count[number]:
            raise ValueError("no value of the metric")
        if take == "best":
            return self._sign * float(self.best[number]) if math.isfinite(self.best[number]) else math.nan
        if self.lost(number):
            return math.nan
        values = self.tail_value[number][self.tail_step[number] > -math.inf]
        return float(values.mean()) if len(values) > 1 else float(values[0])

    def lost(self, number: int) -> bool:
        """Say whether the metric fell silent: many writers leave a cell empty for NaN."""
        silent = int(self.rows[number] - 1 - self.last_at[number])
        return bool(self.count[number] > 1 and silent >= _SILENT * self.gap[number])
