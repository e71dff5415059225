"""The schedules of a recipe, for a whole training and for the short ones that it is found by."""

from __future__ import annotations

from clrfast import schedules
from clrfast._tune._settings import Momentum
from clrfast.schedules import Schedule

SCHEDULES = ("one_cycle", "triangular", "warmup_stable_decay")
_CYCLES = 2  # of a triangular schedule: it ends at its lower bound
_WARM_UP, _DECAY = 0.05, 0.2  # shares of the steps, where the rate stays between them


def rate_schedule(name: str, base_lr: float, max_lr: float, total_steps: int) -> Schedule:
    """Return the schedule of the rate for so many steps, at least 2."""
    if name == "triangular":
        return schedules.triangular(base_lr, max_lr, (total_steps - 1) / (2 * _CYCLES))
    if name == "warmup_stable_decay":
        return schedules.warmup_stable_decay(max_lr, *_phases(total_steps))
    return schedules.one_cycle(max_lr, total_steps)


def momentum_schedule(rate: Schedule, momentum: Momentum | None) -> Schedule | None:
    """Return that of a momentum which is cycled against the rate; None for one that is constant."""
    return rate.reciprocal(*momentum, base_lr=rate(0)) if isinstance(momentum, tuple) else None


def code_of(name: str, base_lr: float, max_lr: float, total_steps: int) -> str:
    """Return the call that makes the same schedule."""
    if name == "triangular":
        size = (total_steps - 1) / (2 * _CYCLES)
        return f"schedules.triangular({base_lr!r}, {max_lr!r}, step_size_up={size!r})"
    if name == "warmup_stable_decay":
        warmup, stable, decay = _phases(total_steps)
        lengths = f"warmup_steps={warmup}, stable_steps={stable}, decay_steps={decay}"
        return f"schedules.warmup_stable_decay({max_lr!r}, {lengths})"
    return f"schedules.one_cycle({max_lr!r}, total_steps={total_steps})"


def _phases(total_steps: int) -> tuple[int, int, int]:
    warmup, decay = round(_WARM_UP * total_steps), max(1, round(_DECAY * total_steps))
    return warmup, total_steps - warmup - decay, decay
