"""Claim: ten million values of a schedule are written about as fast as memory takes them.

Run: python benchmarks/schedule_fill.py
The yardstick is ``ndarray.fill``; the peers are NumPy's and torch's expressions of the same curve.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

import clrfast
from clrfast import schedules
from timing import medians, primed, report

N = 10_000_000
SIZE = 1000


def numpy_triangular(steps: np.ndarray) -> np.ndarray:
    cycle = np.floor(1 + steps / (2 * SIZE))
    x = np.abs(steps / SIZE - 2 * cycle + 1)
    return 0.001 + 0.005 * np.maximum(0, 1 - x)


def numpy_cosine(steps: np.ndarray) -> np.ndarray:
    return 0.001 + 0.005 * (1 + np.cos(np.pi * (steps % SIZE) / SIZE)) / 2


def torch_cosine(steps: torch.Tensor) -> torch.Tensor:
    return 0.001 + 0.005 * (1 + torch.cos(torch.pi * (steps % SIZE) / SIZE)) / 2


def main() -> None:
    torch.set_num_threads(1)
    out, narrow = np.empty(N), np.empty(N, np.float32)
    steps = np.arange(N)
    tensor = torch.arange(N, dtype=torch.float64)
    triangular = schedules.triangular(0.001, 0.006, SIZE)
    cosine = schedules.sgdr(0.006, SIZE, min_lr=0.001)
    assert np.allclose(triangular.values_into(out), numpy_triangular(steps), rtol=1e-9, atol=0)
    assert np.allclose(cosine.values_into(out), numpy_cosine(steps), rtol=1e-9, atol=0)
    runs: dict[str, Callable[[], object]] = {
        "ndarray.fill": lambda: out.fill(1.0),
        "triangular.values_into": lambda: triangular.values_into(out),
        "cosine (sgdr).values_into": lambda: cosine.values_into(out),
        "cosine (sgdr).values_into, float32": lambda: cosine.values_into(narrow),
        "triangular(steps)": lambda: triangular(steps),
        "NumPy triangular": lambda: numpy_triangular(steps),
        "NumPy cosine": lambda: numpy_cosine(steps),
        "torch cosine": lambda: torch_cosine(tensor),
    }
    written = {name: narrow if "float32" in name else out for name in runs}
    seconds = medians(
        {name: primed(lambda a=written[name]: a.fill(0.0), run) for name, run in runs.items()}, rounds=9
    )
    level = clrfast.build_config()["cpu_level"]
    report(f"{N:,} values, one thread, CPU level {level}", seconds, "ndarray.fill", "ms")


if __name__ == "__main__":
    main()
