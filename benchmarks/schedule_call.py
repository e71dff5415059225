"""Claim: a value of a schedule costs about what a call of a C function costs.

Run: python benchmarks/schedule_call.py [--peers]
The yardstick is ``math.sqrt(4.0)``, called the same way; --peers adds optax, where it is installed.
"""

from __future__ import annotations

import argparse
import math

import torch

import clrfast
from clrfast import schedules
from timing import medians, report, statement


def formula(step: int, base_lr: float, max_lr: float, step_size_up: float) -> float:
    """The tutorial's formula, as people write it."""
    cycle = math.floor(1 + step / (2 * step_size_up))
    x = abs(step / step_size_up - 2 * cycle + 1)
    return base_lr + (max_lr - base_lr) * max(0, 1 - x)


def optax_value() -> tuple[str, dict[str, object]]:
    import optax

    made = optax.linear_onecycle_schedule(transition_steps=4000, peak_value=0.006)
    return "optax_schedule(step)", {"optax_schedule": made}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", action="store_true", help="also optax")
    peers = parser.parse_args().peers
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    cyclic = torch.optim.lr_scheduler.CyclicLR(optimizer, 0.001, 0.006, 2000, cycle_momentum=False)
    cyclic._get_lr_called_within_step = True
    bounds = {"base_lr": 0.001, "max_lr": 0.006, "step_size_up": 2000}
    names: dict[str, object] = {
        "sqrt": math.sqrt,
        "formula": formula,
        "schedule": clrfast.schedule,
        "triangular": schedules.triangular(0.001, 0.006, 2000),
        "cosine": schedules.cosine(0.006, 4000),
        "one_cycle": schedules.one_cycle(0.006, 4000),
        "sgdr": schedules.sgdr(0.006, 100, 2),
        "exp_range": schedules.exp_range(0.001, 0.006, 2000),
        "cyclic": cyclic,
        "step": 1234,
    }
    keywords = "base_lr=0.001, max_lr=0.006, step_size_up=2000"
    for step in range(10_000):  # the timed results are right
        assert math.isclose(formula(step, **bounds), clrfast.schedule(step, **bounds), rel_tol=1e-14)
        assert clrfast.schedule(step, **bounds) == names["triangular"](step)  # type: ignore[operator]
    codes = [
        "sqrt(4.0)",
        "triangular(1234)",
        "cosine(1234)",
        "one_cycle(1234)",
        "sgdr(1234)",
        "exp_range(1234)",
        f"schedule(1234, {keywords})",
        f"formula(1234, {keywords})",
        "cyclic.get_lr()",
    ]
    if peers:
        code, more = optax_value()
        names |= more
        codes.append(code.replace("step", "1234"))
    contenders = {
        code: statement(code, names, 2_000 if "get_lr" in code or "optax" in code else 200_000)
        for code in codes
    }
    seconds = medians(contenders)
    report("one value", seconds, "sqrt(4.0)")
    ours = seconds[f"schedule(1234, {keywords})"]
    print(f"  the Python formula takes {seconds[f'formula(1234, {keywords})'] / ours:.1f} x clrfast.schedule")


if __name__ == "__main__":
    main()
