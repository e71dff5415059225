"""Claim: values of schedules lie within 4 units in the last place of 50-digit arithmetic.

Run: python benchmarks/schedule_exactness.py [--points 20000]
Prints, for each schedule, the largest error over random parameters and steps, next to that of the formula as
people write it in NumPy (float64), on the same points.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from mpmath import mpf

from clrfast import Schedule, schedules

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import exact

Case = tuple[Schedule, exact.Reference, float]


def steps_of(rng: np.random.Generator) -> tuple[int, int]:
    """A length and a step: both from tiny to long."""
    size = int(10 ** rng.uniform(0, 7))
    return size, int(rng.integers(0, 4 * size + 1))


def cyclic(name: str, rng: np.random.Generator) -> Iterator[tuple[int, Case]]:
    while True:
        size, step = steps_of(rng)
        base, top = np.sort(10 ** rng.uniform(-6, 1, 2))
        x = step / size - 2 * np.floor(1 + step / (2 * size)) + 1
        height: dict[str, tuple[Callable[[mpf], mpf], float]] = {
            "triangular": (lambda v: v, max(0.0, 1 - abs(x))),
            "hann": (exact.hann, (1 + np.cos(np.pi * x)) / 2),
            "welch": (exact.welch, 1 - x * x),
        }
        form, naive = height[name]
        reference = exact.window(base, top, size, size, form)
        yield step, (getattr(schedules, name)(base, top, size), reference, base + (top - base) * naive)


def falling(name: str, rng: np.random.Generator) -> Iterator[tuple[int, Case]]:
    while True:
        size, step = steps_of(rng)
        top = 10 ** rng.uniform(-6, 1)
        x = min(step / size, 1.0)
        if name == "cosine":
            case = (schedules.cosine(top, size), exact.cosine_left, (1 + np.cos(np.pi * x)) / 2)
        elif name == "polynomial":
            power = rng.uniform(0.5, 4)
            case = (
                schedules.polynomial(top, size, power),
                lambda v, p=power: (1 - v) ** mpf(p),
                (1 - x) ** power,
            )
        else:
            case = (
                schedules.warmup_stable_decay(top, 0, 0, size),
                lambda v: 1 - mpf(v) ** mpf("0.5"),
                1 - np.sqrt(x),
            )
        yield step, (case[0], exact.fall(top, 0.0, size, case[1]), top * case[2])


def ramps(_: str, rng: np.random.Generator) -> Iterator[tuple[int, Case]]:
    while True:
        size, step = steps_of(rng)
        step = min(step, size)
        start, end = np.sort(10 ** rng.uniform(-8, 1, 2))
        ratio = mpf(end) / mpf(start)
        reference = lambda i, s=start, r=ratio, n=size: mpf(s) * r ** (mpf(i) / n)  # noqa: E731
        yield step, (schedules.ramp(start, end, size + 1), reference, start * (end / start) ** (step / size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20_000)
    points = parser.parse_args().points
    print(f"largest error in units of the last place, {points:,} random points each")
    print(f"  {'schedule':24} {'clrfast':>10} {'NumPy formula':>16}")
    kinds = {
        "triangular": cyclic,
        "hann": cyclic,
        "welch": cyclic,
        "cosine": falling,
        "polynomial": falling,
        "1-sqrt decay": falling,
        "exponential ramp": ramps,
    }
    for name, cases in kinds.items():
        ours, naive = 0.0, 0.0
        source = cases(name, np.random.default_rng(0))
        for _ in range(points):
            step, (schedule, reference, written) = next(source)
            true = reference(step)
            if true:
                ours = max(ours, exact.ulps(schedule(step), true))
                naive = max(naive, exact.ulps(float(written), true))
        assert ours <= 4.0
        print(f"  {name:24} {ours:10.2f} {naive:16.3g}")


if __name__ == "__main__":
    main()
