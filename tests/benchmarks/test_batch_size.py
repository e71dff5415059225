"""The comparison of batch sizes: its short form."""

from __future__ import annotations

import re
from pathlib import Path

from benchmark_scripts import run

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_short_form() -> None:
    shown = run(FOLDER, "batch_size.py", "--short")
    direct = re.findall(r"^\| (\d+) \| [\d.e-]+ \| (\d+) \|", shown, re.MULTILINE)
    assert [int(size) for size, _ in direct] == [64, 128, 256]
    assert all(10 < int(steps) < 1000 for _, steps in direct)
    (answer,) = re.findall(r"^\| 10 \| .* samples \|$", shown, re.MULTILINE)
    assert re.search(r"\| (64|128|256) \| (high|medium|low) \|", answer)
