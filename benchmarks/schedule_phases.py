"""Claim: a schedule of ten thousand phases is read anywhere in less than a microsecond.

Run: python benchmarks/schedule_phases.py
The peer is torch's SequentialLR, which holds such a schedule but can only be stepped through.
"""

from __future__ import annotations

import numpy as np
import torch

from clrfast import schedules
from timing import medians, report, statement

PHASES = 10_000


def main() -> None:
    parts = [schedules.cosine(1.0 / (k + 1), 7) for k in range(PHASES)]
    long = schedules.concatenate(parts)
    order = np.random.default_rng(0).integers(0, 7 * PHASES, 1000).tolist()
    for step in order:
        assert long(step) == parts[step // 7](step % 7)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    torch_parts = [torch.optim.lr_scheduler.ConstantLR(optimizer, 0.5, 7) for _ in range(100)]
    sequential = torch.optim.lr_scheduler.SequentialLR(
        optimizer, torch_parts, [7 * (k + 1) for k in range(99)]
    )
    optimizer.step()
    seconds = medians(
        {
            f"one of {PHASES:,} phases, random step": statement(
                "for step in order: long(step)", {"order": order, "long": long}, 200
            ),
            "torch SequentialLR of 100 phases, 1000 x step()": statement(
                "for _ in order: scheduler.step()", {"order": order, "scheduler": sequential}, 1
            ),
        }
    )
    name = next(iter(seconds))
    report("1000 values", seconds, name, "us")
    print(f"  one random value: {seconds[name] * 1e6:.1f} ns")


if __name__ == "__main__":
    main()
