"""Claim: a run resumes at step seven million as fast as at step ten.

Run: python benchmarks/scheduler_resume.py
For comparison torch's LambdaLR is stepped there, as people do where a scheduler cannot go on from a step; a
tenth of the steps is taken and counted ten times.
"""

from __future__ import annotations

import time
import warnings

import torch

from clrfast import lr_scheduler, schedules
from timing import medians, report

STEPS = 7_000_000


def optimizer() -> torch.optim.Optimizer:
    made = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
    made._opt_called = True  # type: ignore[attr-defined]
    return made


def replayed() -> float:
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer(), schedules.triangular2(0.1, 1.0, 2000))
    begin = time.perf_counter()
    for _ in range(STEPS // 10):
        scheduler.step()
    return (time.perf_counter() - begin) * 10


def main() -> None:
    warnings.filterwarnings("error")
    rate = schedules.triangular2(0.1, 1.0, 2000)
    contenders = {
        f"last_epoch={step}": lambda step=step: lr_scheduler.ScheduleLR(optimizer(), lr=rate, last_epoch=step)
        for step in (10, STEPS)
    }
    state = contenders[f"last_epoch={STEPS}"]().state_dict()
    scheduler = lr_scheduler.ScheduleLR(optimizer(), lr=rate)
    contenders["load_state_dict"] = lambda: scheduler.load_state_dict(state)
    seconds = medians(contenders, rounds=101)
    assert scheduler.get_last_lr() == [rate(STEPS + 1)]
    seconds["LambdaLR, replayed"] = replayed()
    report(f"resume at step {STEPS}", seconds, f"last_epoch={STEPS}", "us")


if __name__ == "__main__":
    main()
