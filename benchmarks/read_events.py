"""Claim: event files are read more than 30 times as fast as by TensorBoard's reader, and none is sampled.

What both find is compared first.

Run: python benchmarks/read_events.py [STEPS]
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

import clrfast
from timing import medians, primed, report


def accumulated(folder: str) -> EventAccumulator:
    everything = {"scalars": 0, "tensors": 0}
    return EventAccumulator(folder, size_guidance=everything).Reload()


def losses(events: EventAccumulator, new_style: bool) -> Iterator[float]:
    if new_style:
        return (event.tensor_proto.float_val[0] for event in events.Tensors("loss"))
    return (event.value for event in events.Scalars("loss"))


def main(steps: int) -> None:
    for new_style in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            writer = SummaryWriter(folder, max_queue=10_000)
            for step, lr in enumerate(np.geomspace(1e-7, 1, steps)):
                writer.add_scalar("lr", lr, step, new_style=new_style)
                writer.add_scalar("loss", 2 - lr, step, new_style=new_style)
            writer.close()
            found = clrfast.logs.read(folder)
            np.testing.assert_array_equal(found.loss, list(losses(accumulated(folder), new_style)))
            size = sum(path.stat().st_size for path in Path(folder).iterdir())
            seconds = medians(
                {
                    # What TensorBoard leaves behind (it holds cycles) is cleared before the clock starts.
                    "tensorboard": primed(gc.collect, lambda folder=folder: accumulated(folder)),
                    "clrfast": primed(gc.collect, lambda folder=folder: clrfast.logs.read(folder)),
                },
                rounds=3,
            )
        style = "tensors" if new_style else "simple values"
        report(f"{2 * steps:,} scalars, {style}, {size / 1e6:.1f} MB", seconds, "clrfast", "ms")
        print(f"  {seconds['clrfast'] / (2 * steps) * 1e9:.0f} ns a scalar, checksums verified")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
