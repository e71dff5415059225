"""The grids of tune: its short form."""

from __future__ import annotations

from pathlib import Path

from benchmark_scripts import run

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_short_form_shows_all_ways() -> None:
    head, line = run(FOLDER, "tune_grids.py", "--short").splitlines()
    assert head.split() == ["optimizer", "problem", "rate", "|", "default", "|", "grids"]
    assert line.startswith("SGD 0.9")
    assert line.count("steps") == 3
