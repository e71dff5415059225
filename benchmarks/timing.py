"""How every benchmark here measures: contenders take turns, and medians are compared.

Machines differ and are shared, so a time alone says nothing; a ratio of medians from one run does.
"""

from __future__ import annotations

import gc
import statistics
import time
import timeit
from collections.abc import Callable, Mapping

Contenders = Mapping[str, Callable[[], object]]


def statement(code: str, names: Mapping[str, object], number: int = 200_000) -> Callable[[], float]:
    """A contender that times `code` itself, `number` times in a loop without a function call of its own."""
    timer = timeit.Timer(code, globals=dict(names))
    return lambda: timer.timeit(number) / number


def primed(prime: Callable[[], object], run: Callable[[], object]) -> Callable[[], float]:
    """A contender that times `run` right after `prime`, so that all find the caches in the same state."""

    def contender() -> float:
        prime()
        begin = time.perf_counter()
        run()
        return time.perf_counter() - begin

    return contender


def medians(contenders: Contenders, rounds: int = 15) -> dict[str, float]:
    """Seconds of each contender: the median of `rounds`, in each of which all take turns.

    A contender that returns a float has timed itself; any other is timed from outside.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender()  # warm caches and lazy imports
    gc.disable()
    try:
        for _ in range(rounds):
            for name, contender in contenders.items():
                begin = time.perf_counter()
                result = contender()
                elapsed = time.perf_counter() - begin
                times[name].append(result if isinstance(result, float) else elapsed)
    finally:
        gc.enable()
    return {name: statistics.median(values) for name, values in times.items()}


def report(title: str, seconds: Mapping[str, float], against: str, unit: str = "ns") -> None:
    """Print a row for each contender, with its ratio to the one named."""
    scale = {"ns": 1e9, "us": 1e6, "ms": 1e3, "s": 1.0}[unit]
    print(f"\n{title}")
    for name, value in seconds.items():
        print(f"  {name:48} {value * scale:10.2f} {unit}  {value / seconds[against]:8.2f} x {against}")
