"""What a picture of a sweep shows."""

from __future__ import annotations

import numpy as np

from clrfast._pictures._sweep_picture import SweepPicture, ValleyCurve
from clrfast._sweep._findings import INSIDE, Findings, Fit
from clrfast._sweep._scale import is_finite
from clrfast._sweep._text import text_of


def picture_of(sweep: Findings) -> SweepPicture:
    """Return what is drawn of a sweep."""
    values = np.array([run.value for run in sweep.runs], float)
    found = sweep._fit
    return SweepPicture(
        sweep.metric,
        np.array([run.lr for run in sweep.runs], float),
        np.where(is_finite(values), values, np.nan),
        found is not None and found.scale.logarithmic,
        None if found is None else _curve(sweep, found),
        bool(sweep.settings),
        "" if sweep.best_lr is None else f"{sweep.confidence} confidence",
        text_of(sweep),
        _table(sweep),
    )


def _curve(sweep: Findings, found: Fit) -> ValleyCurve:
    valley, scale = found.valley, found.scale
    ends = scale.original(np.quantile(valley.curves, INSIDE, axis=0))
    assert sweep.best_lr is not None
    assert sweep.best_lr_interval is not None
    return ValleyCurve(
        np.exp(valley.log_lr),
        scale.original(valley.loss),
        ends.min(axis=0),
        ends.max(axis=0),
        sweep.best_lr,
        sweep.best_lr_interval,
        [(cost, basin) for cost, basin in sweep.basins.items() if basin is not None],
        (np.exp(valley.places), scale.original(valley.losses)),
    )


def _table(sweep: Findings) -> list[tuple[str, ...]]:
    """Return a header and a row for each run, the best first, those that diverged last."""
    head = ("run", "peak rate", sweep.metric, *sweep.settings)
    sign = 1.0 if sweep.mode == "min" else -1.0
    order = sorted(sweep.runs, key=lambda run: (run.name in sweep.diverged, sign * run.value, run.name))
    rows = [
        (
            run.name,
            f"{run.lr:.3g}",
            f"{run.value:.6g}",
            *(_cell(run.settings.get(name)) for name in sweep.settings),
        )
        for run in order
    ]
    return [head, *rows]


def _cell(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
