"""The code of a recipe: what `Recipe.apply` does, for a program that does not tune."""

from __future__ import annotations

from typing import Any

from clrfast._range_test._rates import group_ratios
from clrfast._tune._settings import Momentum, decays, shared_out


def code_for(
    optimizers: dict[str, Any],
    rate: str,
    momentum: Momentum | None,
    weight_decay: float | None,
) -> str:
    """Return lines for a program that has these optimizers, as they are now.

    Args:
        optimizers: By the names that messages call them: one, or several, which are `optimizers` in the code.
        rate: The call that makes the schedule of the rate.
        momentum: The momentum, or the bounds of one that is cycled.
        weight_decay: That of the group which has the largest.
    """
    groups = [group for optimizer in optimizers.values() for group in optimizer.param_groups]
    lines = ["from clrfast import lr_scheduler, schedules", "", f"rate = {rate}"]
    driven = ""
    if isinstance(momentum, tuple):
        low, high = momentum
        lines.append(f"momentum = rate.reciprocal({low!r}, {high!r}, base_lr=rate(0))  # against the rate")
        driven = ", momentum=momentum"
    several = len(optimizers) > 1
    all_groups = "optimizer.param_groups"
    if several:
        lines.append("groups = [group for optimizer in optimizers for group in optimizer.param_groups]")
        all_groups = "groups"
    lines += _written(groups, all_groups, momentum, weight_decay)
    if several:
        lines.append(f"scheduler = lr_scheduler.JointScheduleLR(optimizers, lr=rate{driven})")
        return "\n".join(lines)
    of_groups = group_ratios([(f"param_groups[{i}]", group) for i, group in enumerate(groups)])
    scaled = ["rate" if ratio == 1 else f"rate.scaled({ratio!r})" for ratio in of_groups]
    rates = "rate" if set(scaled) == {"rate"} else f"[{', '.join(scaled)}]"
    lines.append(f"scheduler = lr_scheduler.ScheduleLR(optimizer, lr={rates}{driven})")
    return "\n".join(lines)


def _written(
    groups: list[Any], all_groups: str, momentum: Momentum | None, weight_decay: float | None
) -> list[str]:
    """Return the loop that writes what does not change during the training."""
    body, now = [], decays(groups)
    head = f"for group in {all_groups}:"
    if weight_decay is not None and now is not None:
        values = shared_out(weight_decay, now)
        if len(set(values)) > 1:
            head = f"for group, weight_decay in zip({all_groups}, {values!r}):"
            body.append('    group["weight_decay"] = weight_decay')
        else:
            body.append(f'    group["weight_decay"] = {values[0]!r}')
    if isinstance(momentum, float):
        if all("betas" in group for group in groups):
            body.append(f'    group["betas"] = ({momentum!r}, *group["betas"][1:])')
        elif not any("betas" in group for group in groups):
            body.append(f'    group["momentum"] = {momentum!r}')
        else:
            body.append('    if "betas" in group:')
            body.append(f'        group["betas"] = ({momentum!r}, *group["betas"][1:])')
            body.append("    else:")
            body.append(f'        group["momentum"] = {momentum!r}')
    return [head, *body] if body else []
