"""What the runs of a search say about the rate."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from clrfast._sweep._findings import INSIDE, Findings
from clrfast._sweep._picture import picture_of
from clrfast._sweep._run import SettingValue
from clrfast._sweep._text import line_of, text_of
from clrfast.analysis._analysis import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FORMAT = 1  # of to_dict()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Sweep(Findings):
    """What :func:`clrfast.sweep` found: the loss at the end of each run as a curve over its peak rate.

    Attributes:
        metric: what the runs are judged by.
        mode: "min" or "max": whether low or high values of it are good.
        runs: those that were read, each with `name`, `lr`, `value`, `settings` and `steps`.
        best_lr: the rate where the fitted curve is best, at the reference of each of `moves`; None where the
            runs say too little.
        best_lr_interval: 95 % of what the runs leave possible of it, or None.
        basins: for each cost, 0.01 and 0.05, the lowest and the highest rate of those around the best that
            are expected to cost less; None where the runs cannot tell so little.
        cost_of: what costs are shares of.
        expected_cost: what `best_lr` is expected to cost against the true best, such a share, or None.
        moves: how the best rate goes with other settings.
        settings: the other settings that were taken into account.
        diverged: the names of the runs whose metric ended at what is no finite number.
        confidence: "high", "medium" or "low".
        reasons: why, a sentence each.
        problems: what could not be read or used, a sentence each.
    """

    __module__ = "clrfast"

    def lr_at(self, **settings: SettingValue) -> tuple[float, tuple[float, float]]:
        """Return the best rate at other settings, and 95 % of what the runs leave possible of it.

        Args:
            settings: values of settings in `moves`, such as ``batch_size=512``; the others stay at their
                reference. Far from where runs were made this is a guess, by the law that holds between them.

        Raises:
            ValueError: a name is not among `moves`, or its value is not positive; or the runs say too little.
        """
        if self._fit is None:
            raise ValueError(f"the runs must show a best rate, got none: {'; '.join(self.reasons)}")
        valley, shifts = self._fit.valley, self._fit.shifts
        known = sorted({shift.setting for shift in shifts})
        for name in settings:
            if name not in known:
                raise ValueError(
                    f"settings must be of those that move the rate ({', '.join(known) or 'none'}), got {name}"
                )
        places = [
            shift.measure(settings[shift.setting]) if shift.setting in settings else 0.0 for shift in shifts
        ]
        moved = valley.exponents @ np.array(places)
        low, high = np.exp(np.quantile(valley.log_lr[valley.lowest] + moved, INSIDE)).tolist()
        return math.exp(valley.log_lr[valley.loss.argmin()] + moved.mean()), (low, high)

    def __repr__(self) -> str:
        """One line: how many runs, the best rate, how sure that is."""
        return f"<Sweep of {len(self.runs):,} runs: {line_of(self)}>"

    def __str__(self) -> str:
        """All of it in words, for people."""
        return text_of(self)

    def to_dict(self, *, curve: bool = False) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dictionaries, fit for JSON.

        Args:
            curve: also give the fitted curve (keys `grid_lr`, `grid_value`, and `grid_low` and `grid_high`,
                between which 95 % of what the runs leave possible lies).

        Returns:
            The number of this layout, `format`, 1, and what this class has, by its names; what is not a
            finite number is None.
        """
        found: dict[str, Any] = {"format": _FORMAT, "best_lr": self.best_lr}
        for field in dataclasses.fields(self):
            if not field.name.startswith("_") and field.name != "runs":
                found[field.name] = getattr(self, field.name)
        found["basins"] = [{"cost": cost, "interval": basin} for cost, basin in self.basins.items()]
        found["moves"] = [dataclasses.asdict(move) for move in self.moves]
        found["runs"] = [{**run._asdict(), "settings": dict(run.settings)} for run in self.runs]
        if curve and self._fit is not None:
            valley, scale = self._fit.valley, self._fit.scale
            ends = scale.original(np.quantile(valley.curves, INSIDE, axis=0))
            found["grid_lr"] = np.exp(valley.log_lr).tolist()
            found["grid_value"] = scale.original(valley.loss).tolist()
            found["grid_low"], found["grid_high"] = ends.min(axis=0).tolist(), ends.max(axis=0).tolist()
        return cast("dict[str, Any]", plain(found))

    def plot(self, ax: Axes | None = None, *, legend: bool = True) -> Axes:
        """Draw each run over its rate, the fitted curve, the best rate and its basin.

        Args:
            ax: where to draw; a new figure's axes by default.
            legend: add a legend.

        Returns:
            The axes drawn into. Nothing is shown or saved.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from clrfast._pictures._sweep_matplotlib import plot_sweep

        return plot_sweep(picture_of(self), ax, legend=legend)

    def to_html(self, title: str = "Sweep") -> str:
        """Return a page for a browser, about 5 MB: the picture, to zoom into, and the table of all runs.

        Args:
            title: its heading, any text.

        Returns:
            HTML that holds all it needs and loads nothing.

        Raises:
            ImportError: Plotly is not installed.
        """
        from clrfast._pictures._sweep_page import sweep_page

        return sweep_page(title, picture_of(self))
