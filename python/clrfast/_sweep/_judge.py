"""From runs to a :class:`Sweep`: the fit, what it costs to be wrong, and how sure that is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clrfast._sweep._findings import INSIDE, Fit, Move
from clrfast._sweep._result import Sweep
from clrfast._sweep._run import SweptRun
from clrfast._sweep._scale import Scale, cap_of, is_finite, scale_of
from clrfast._sweep._settings import Design, Shift, design_of
from clrfast._sweep._valley import Valley, fit_valley

if TYPE_CHECKING:
    from numpy.typing import NDArray

COSTS = (0.01, 0.05)
_FEWEST_RATES = 4  # that differ: three always lie on a valley's parabola
_FEWEST_RUNS = 6
_FEW_RUNS = 12
_SAME_RATE = 1e-3  # of ln(lr)
_AT_EDGE = 0.25  # the share of possible curves that are lowest at an end of the sweep
_WIDE = 0.7  # the share of the rates tried that an interval fills where hardly anything is known


class Judgement(NamedTuple):
    """What is asked of the runs."""

    metric: str
    mode: str
    by: Sequence[str] | None = None
    settings: Sequence[str] | None = None


def judged(runs: Sequence[SweptRun], asked: Judgement, problems: Sequence[str]) -> Sweep:
    """Return what the runs say.

    Raises:
        ValueError: `by` or `settings` holds what is no setting of a run.
    """
    values = np.array([run.value for run in runs], float)
    finite = is_finite(values)
    design = design_of(runs, asked.by, asked.settings)
    reason = _too_little(runs, values, finite)
    whole = Sweep(
        metric=asked.metric,
        mode=asked.mode,
        runs=tuple(runs),
        best_lr=None,
        best_lr_interval=None,
        basins=dict.fromkeys(COSTS),
        cost_of="",
        expected_cost=None,
        moves=(),
        settings=tuple(design.used),
        diverged=tuple(run.name for run, sound in zip(runs, finite) if not sound),
        confidence="low",
        reasons=tuple(filter(None, [reason, _divergence(runs, finite)])),
        problems=(*problems, *design.notes),
        _fit=None,
    )
    if reason:
        return whole
    scale = scale_of(values[finite], asked.mode)
    loss = scale.fitted(np.where(finite, values, values[finite][0]))
    cap = cap_of(loss[finite])
    loss = np.where(finite, np.minimum(loss, cap), cap)
    log_lr = np.log([run.lr for run in runs])
    cliff = _cliff(log_lr, finite)
    fitted = finite | (log_lr < cliff)  # beyond the cliff there is no valley to fit
    shifts = design.shifts
    moved = np.column_stack([shift.values for shift in shifts]) if shifts else np.zeros((len(runs), 0))
    scales = np.array([shift.scale for shift in shifts])
    valley = fit_valley(
        log_lr[fitted], loss[fitted], moved[fitted], scales, design.effects[fitted], below=cliff
    )
    return _with_answer(whole, valley, design, scale, float(np.median(loss[fitted])), cliff)


def _cliff(log_lr: NDArray[np.float64], finite: NDArray[np.bool_]) -> float:
    """Return ln of the rate that best parts runs that diverged from others; infinite where none did."""
    order = np.argsort(log_lr, kind="stable")
    rates, sound = log_lr[order], finite[order]
    wrong = np.concatenate([[0], np.cumsum(~sound)]) + np.append(np.cumsum(sound[::-1])[::-1], 0)
    apart = np.concatenate([[True], rates[1:] > rates[:-1], [True]])  # runs of one rate are on one side
    wrong = np.where(apart, wrong, len(rates) + 1)
    place = len(wrong) - 1 - int(np.argmin(wrong[::-1]))
    if place == len(rates):
        return math.inf
    return float(rates[0]) if place == 0 else float(rates[place - 1] + rates[place]) / 2


def _too_little(runs: Sequence[SweptRun], values: NDArray[np.float64], finite: NDArray[np.bool_]) -> str:
    """Say why the runs can show no valley; "" where they can."""
    count = int(finite.sum())
    rates = np.sort(np.log([run.lr for run, sound in zip(runs, finite) if sound]))
    different = int(np.count_nonzero(np.diff(rates) > _SAME_RATE)) + 1 if count else 0
    if count < _FEWEST_RUNS:
        return f"{count} runs that did not diverge are too few: at least {_FEWEST_RUNS} are needed"
    if different < _FEWEST_RATES:
        return (
            f"{different} different rates are too few to show a valley: at least {_FEWEST_RATES} are needed"
        )
    if np.ptp(values[finite]) <= 1e-12 * np.abs(values[finite]).max():
        return "all runs end at the same value: it does not depend on the rate"
    return ""


def _with_answer(
    whole: Sweep, valley: Valley, design: Design, scale: Scale, typical: float, cliff: float
) -> Sweep:
    lr = np.exp(valley.log_lr)
    place = int(valley.loss.argmin())
    best = float(valley.loss[place])
    price = valley.price()
    low, high = np.quantile(lr[valley.lowest], INSIDE).tolist()
    interval = (min(low, float(lr[place])), max(high, float(lr[place])))
    expected = scale.share(float(price[place]), best, typical)
    confidence, reasons = _confidence(whole, valley, interval, expected, cliff)
    return dataclasses.replace(
        whole,
        best_lr=float(lr[place]),
        best_lr_interval=interval,
        basins={cost: _basin(lr, price <= scale.distance(cost, best, typical), place) for cost in COSTS},
        cost_of=scale.cost_of(whole.metric, best),
        expected_cost=expected,
        moves=tuple(map(_move, design.shifts, valley.exponents.T)),
        confidence=confidence,
        reasons=(*reasons, *whole.reasons),
        _fit=Fit(valley, tuple(design.shifts), scale),
    )


def _basin(lr: NDArray[np.float64], cheap: NDArray[np.bool_], place: int) -> tuple[float, float] | None:
    """Return the ends of the cheap rates around a place, or None where that is not one."""
    if not cheap[place]:
        return None
    dear = np.flatnonzero(~cheap)
    after = int(np.searchsorted(dear, place))
    start = dear[after - 1] + 1 if after else 0
    stop = dear[after] - 1 if after < len(dear) else len(lr) - 1
    return float(lr[start]), float(lr[stop])


def _move(shift: Shift, drawn: NDArray[np.float64]) -> Move:
    low, high = np.quantile(drawn, INSIDE).tolist()
    mean, deviation = float(drawn.mean()), float(drawn.std())
    return Move(shift.setting, shift.level, shift.reference, mean, deviation, (low, high))


def _confidence(
    whole: Sweep, valley: Valley, interval: tuple[float, float], expected: float, cliff: float
) -> tuple[str, list[str]]:
    """Return how sure the best rate is, and why."""
    lr = np.exp(valley.log_lr)
    rank = int(expected > COSTS[0]) + int(expected > COSTS[1])
    reasons = [f"taking best_lr is expected to cost {expected:.2%} against the true best"]
    for end, name, beyond in ((0, "lowest", "below"), (len(lr) - 1, "highest", "above")):
        share = float(np.mean(valley.lowest == end))
        if share > _AT_EDGE:
            sure = "lies" if share > 1 - _AT_EDGE else "may lie"
            if end and cliff < math.inf:
                rank = max(rank, 1)
                reasons.append(f"the best rate {sure} right below {lr[end]:.2e}, where runs diverge")
                continue
            rank = 2
            reasons.append(
                f"the best rate {sure} at the {name} one that was tried, {lr[end]:.2e}: try {beyond} it"
            )
    if math.log(interval[1] / interval[0]) > _WIDE * (valley.log_lr[-1] - valley.log_lr[0]):
        rank = max(rank, 1)
        reasons.append("its interval fills most of what was tried: the runs hardly tell the rates apart")
    if len(whole.runs) < _FEW_RUNS:
        rank = max(rank, 1)
        reasons.append(f"there are only {len(whole.runs)} runs")
    return ("high", "medium", "low")[rank], reasons


def _divergence(runs: Sequence[SweptRun], finite: NDArray[np.bool_]) -> str:
    """Say which runs diverged; "" where none did."""
    if finite.all():
        return ""
    diverged = [run.lr for run, sound in zip(runs, finite) if not sound]
    beyond = sum(run.lr >= min(diverged) and bool(sound) for run, sound in zip(runs, finite))
    others = f"as {beyond:,} others with no lower rates did not" if beyond else "as all above did"
    count = f"{len(diverged):,} of {len(runs):,} runs diverged"
    return f"{count}, the lowest of them at {min(diverged):.2e}, {others}"
