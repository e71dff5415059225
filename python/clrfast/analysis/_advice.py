"""What to do next with a suggestion, for people who look at its picture."""

from __future__ import annotations

from clrfast.analysis._suggestion import Suggestion

_CHECK = "short trainings can check it: `clrfast.range_test(..., verify=100)`"


def advice(found: Suggestion) -> tuple[str, ...]:
    """Return what to do next, a sentence each, with code between backticks."""
    base_lr, max_lr = found.bounds
    if max_lr is None:
        return (
            "Do not train by this test. Repeat it with more steps or other rates, or let short trainings "
            "look for a rate: `clrfast.range_test(..., verify=100)`.",
        )
    lines = []
    if found.confidence == "low":
        lines.append(f"Look at the curve before you trust the number; {_CHECK}.")
    elif found.confidence == "medium" and found.verified is None:
        lines.append(f"Train with it; {_CHECK}.")
    lines.append(f"One rise and one fall: `schedules.one_cycle({max_lr:.3g}, total_steps)`.")
    if base_lr is not None:
        lines.append(f"Cycles: `schedules.triangular({base_lr:.3g}, {max_lr:.3g}, step_size_up)`.")
    return tuple(lines)
