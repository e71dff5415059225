"""What to do next with a suggestion, for people who look at its picture."""

from __future__ import annotations


def advice(
    bounds: tuple[float | None, float | None], confidence: str | None, verified: bool | None
) -> tuple[str, ...]:
    """Return what to do next with both rates, a sentence each, with code between backticks."""
    base_lr, max_lr = bounds
    if max_lr is None:
        return (
            "Do not train by this test. Repeat it with more steps or other rates, or let short trainings "
            "look for a rate: `clrfast.range_test(..., verify=100)`.",
        )
    lines = []
    if confidence == "low":
        lines.append("Look at the curve before you trust the number.")
    if confidence in ("low", "medium") and verified is None:
        lines.append("Short trainings can check it: `clrfast.range_test(..., verify=100)`.")
    lines.append(f"One rise and one fall: `schedules.one_cycle({max_lr:.3g}, total_steps)`.")
    if base_lr is not None:
        lines.append(f"Cycles: `schedules.triangular({base_lr:.3g}, {max_lr:.3g}, step_size_up)`.")
    return tuple(lines)
