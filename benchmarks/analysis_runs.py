"""How fast many short runs are analysed in one call, against one at a time and against one long log.

Run: python benchmarks/analysis_runs.py [--runs N] [--rows N]
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from clrfast.analysis import analyze, analyze_runs
from timing import medians, report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1000, help="rows of each run")
    options = parser.parse_args()
    runs, rows = options.runs, options.rows
    x = np.linspace(math.log(1e-6), math.log(10), rows)
    curve = 2 - 1.5 / (1 + np.exp(-2 * (x + 7))) + 0.1 * np.exp(1.5 * x)
    noise = 0.05 * np.random.default_rng(0).standard_normal((runs, rows))
    lr, loss = np.tile(np.exp(x), runs), (curve + noise).ravel()
    offsets = np.arange(runs + 1) * rows
    long_lr = np.sort(lr)

    table = analyze_runs(lr, loss, offsets=offsets)
    for k in range(0, runs, max(1, runs // 20)):
        alone = analyze(lr[offsets[k] : offsets[k + 1]], loss[offsets[k] : offsets[k + 1]])
        assert table["max_lr"][k] == alone.suggestion.max_lr

    def one_at_a_time() -> None:
        for start, stop in zip(offsets, offsets[1:]):
            analyze(lr[start:stop], loss[start:stop], threads=1)

    seconds = medians(
        {
            "analyze_runs, one thread": lambda: analyze_runs(lr, loss, offsets=offsets, threads=1),
            "analyze_runs, two threads": lambda: analyze_runs(lr, loss, offsets=offsets, threads=2),
            "analyze in a Python loop": one_at_a_time,
            "analyze of one log with as many rows": lambda: analyze(long_lr, loss, threads=1),
        },
        rounds=5,
    )
    report(f"{runs:,} runs of {rows:,} rows", seconds, "analyze_runs, one thread", "ms")
    each = seconds["analyze_runs, one thread"] / runs
    print(f"  {each * 1e6:.1f} us a run, {rows / each / 1e6:.0f} million rows a second")


if __name__ == "__main__":
    main()
