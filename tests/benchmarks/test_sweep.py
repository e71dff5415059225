"""The benchmarks of sweeps, in their short forms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmark_scripts import run

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_rates() -> None:
    pytest.importorskip("scipy")
    shown = run(FOLDER, "sweep_rates/run.py", "--short")
    cost, other = re.search(r"clrfast\.sweep ([\d.]+)%, best run's rate ([\d.]+)%", shown).groups()
    assert float(cost) < float(other)


def test_reading() -> None:
    """The script itself compares all runs with what pandas finds."""
    for module in ("pandas", "polars", "pyarrow"):
        pytest.importorskip(module)
    shown = run(FOLDER, "sweep.py", "--runs", "40", "--rows", "30", "--files", "3", "--rounds", "1")
    assert "40 runs of 30 rows in 3 Parquet files" in shown
