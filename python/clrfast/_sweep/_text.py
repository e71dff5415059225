"""A sweep in words."""

from __future__ import annotations

import math

from clrfast._sweep._findings import Findings, Move
from clrfast._visible import visible


def line_of(sweep: Findings) -> str:
    """Return the best rate and how sure it is, in one line."""
    if sweep.best_lr is None or sweep.best_lr_interval is None:
        return "no best rate"
    low, high = sweep.best_lr_interval
    return f"best_lr {sweep.best_lr:.2e} (between {low:.2e} and {high:.2e}), {sweep.confidence} confidence"


def text_of(sweep: Findings) -> str:
    """Return all that a sweep says, a line each."""
    lines = [_counts(sweep)]
    if sweep.best_lr is None or sweep.best_lr_interval is None:
        lines.append("best_lr no number")
    else:
        low, high = sweep.best_lr_interval
        lines.append(f"best_lr {sweep.best_lr:.2e}   (between {low:.2e} and {high:.2e}){_reference(sweep)}")
        lines += [_basin(cost, basin) for cost, basin in sweep.basins.items()]
        lines.append(f"  (costs are shares of {sweep.cost_of})")
    lines += [move_text(move) for move in sweep.moves]
    lines += [f"confidence: {sweep.confidence}", *(f"  - {reason}" for reason in sweep.reasons)]
    lines += [f"note: {problem}" for problem in sweep.problems]
    return "\n".join(map(visible, lines))


def _counts(sweep: Findings) -> str:
    rates = [run.lr for run in sweep.runs]
    between = f", peak rates {min(rates):.2e} to {max(rates):.2e}" if rates else ""
    diverged = f", {len(sweep.diverged):,} diverged" if sweep.diverged else ""
    good = "lower" if sweep.mode == "min" else "higher"
    return f"{len(sweep.runs):,} runs{diverged}{between}, judged by {sweep.metric} ({good} is better)"


def _reference(sweep: Findings) -> str:
    found = {move.setting: move.reference for move in sweep.moves}
    at = ", ".join(f"{name} {_value(value)}" for name, value in found.items())
    return f" at {at}" if at else ""


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _basin(cost: float, basin: tuple[float, float] | None) -> str:
    if basin is None:
        return f"  no rate is sure to cost under {cost:.0%}: the runs cannot tell so little"
    return f"  any rate from {basin[0]:.2e} to {basin[1]:.2e} costs under {cost:.0%}"


def move_text(move: Move) -> str:
    """Return the sentence on one setting."""
    low, high = move.exponent_interval
    if move.level is None:
        power = f"{move.setting}^({move.exponent:.2f} +- {move.exponent_se:.2f})"
        unknown = ", which may be none" if low < 0 < high else ""
        return f"the best rate goes with {power}{unknown}"
    times = f"{math.exp(move.exponent):.2g} times ({math.exp(low):.2g} to {math.exp(high):.2g})"
    return f"with {move.setting} {move.level!r} the best rate is {times} that with {move.reference!r}"
