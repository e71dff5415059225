"""The grids of tune: its short form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "tune_grids.py"


def test_short_form_shows_all_ways() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--short"], capture_output=True, text=True, check=True)
    head, line = done.stdout.splitlines()
    assert head.split() == ["optimizer", "problem", "rate", "|", "default", "|", "grids"]
    assert line.startswith("SGD 0.9")
    assert line.count("steps") == 3
