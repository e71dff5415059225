"""Claim: fastai's valley rule takes O(n log n) steps here, where its own code takes O(n^2).

Run: python benchmarks/analysis_valley.py
The original's loops are timed as they are, in Python over floats, and checked to give the same answers.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from clrfast import rules


def original(lr: Any, loss: list[float]) -> float:
    n = len(loss)
    best, max_start, max_end = [1] * n, 0, 0
    for i in range(1, n):
        for j in range(i):
            if loss[i] < loss[j] and best[i] < best[j] + 1:
                best[i] = best[j] + 1
            if best[max_end] < best[i]:
                max_end = i
                max_start = max_end - best[max_end]
    third = (max_end - max_start) / 3
    return float(lr[max_start + int(third) + int(third / 2)])


def seconds(call: Any) -> tuple[float, float]:
    begin = time.perf_counter()
    value = call()
    return time.perf_counter() - begin, value


def main() -> None:
    rng = np.random.default_rng(0)
    print(f"{'rows':>10} {'fastai':>12} {'clrfast':>12}")
    for rows in (1000, 2000, 4000, 100_000, 1_000_000):
        lr = np.geomspace(1e-6, 1, rows + 5)
        loss = (rng.standard_normal(rows + 5) - np.linspace(0, 3, rows + 5)).astype(np.float32)
        ours, answer = min(
            seconds(lambda lr=lr, loss=loss: rules.fastai_valley(lr, loss, num_it=1)) for _ in range(5)
        )
        if rows <= 4000:
            theirs, same = seconds(lambda lr=lr, loss=loss, rows=rows: original(lr, loss[:rows].tolist()))
            assert same == answer
            print(f"{rows:10,} {theirs:10.3f} s {ours:10.6f} s   {theirs / ours:8.0f} x")
        else:
            print(f"{rows:10,} {'-':>12} {ours:10.6f} s")


if __name__ == "__main__":
    main()
