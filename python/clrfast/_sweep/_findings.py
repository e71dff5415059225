"""What a sweep holds: the numbers that :class:`clrfast.Sweep` shows, writes and draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from clrfast._sweep._run import SweptRun
from clrfast._sweep._scale import Scale
from clrfast._sweep._settings import Shift
from clrfast._sweep._valley import Valley

INSIDE = (0.025, 0.975)  # of all that the runs leave possible: a 95 % interval


@dataclasses.dataclass(frozen=True)
class Move:
    """How the best rate goes with one setting, the others being equal.

    Attributes:
        setting: its name.
        level: of a setting of words, the one that is compared with `reference`; None of a number.
        reference: the value at which :attr:`Sweep.best_lr` holds.
        exponent: of a number, p in "the best rate goes with the setting to the power of p"; of words, ln of
            how many times as high the best rate is as at `reference`.
        exponent_se: its standard error.
        exponent_interval: 95 % of what the runs leave possible of it.
    """

    __module__ = "clrfast"

    setting: str
    level: str | None
    reference: float | str
    exponent: float
    exponent_se: float
    exponent_interval: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Fit:
    """What was fitted, for those who ask more of a sweep."""

    valley: Valley
    shifts: tuple[Shift, ...]
    scale: Scale


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """The fields of a :class:`clrfast.Sweep`, which says what they are."""

    metric: str
    mode: str
    runs: tuple[SweptRun, ...]
    best_lr: float | None
    best_lr_interval: tuple[float, float] | None
    basins: Mapping[float, tuple[float, float] | None]
    cost_of: str
    expected_cost: float | None
    moves: tuple[Move, ...]
    settings: tuple[str, ...]
    diverged: tuple[str, ...]
    confidence: str
    reasons: tuple[str, ...]
    problems: tuple[str, ...]
    _fit: Fit | None
