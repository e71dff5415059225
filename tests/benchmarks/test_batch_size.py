"""The comparison of batch sizes: its short form."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "batch_size.py"


def test_short_form() -> None:
    command = [sys.executable, "-W", "error", str(SCRIPT), "--short"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    direct = re.findall(r"^\| (\d+) \| [\d.e-]+ \| (\d+) \|", done.stdout, re.MULTILINE)
    assert [int(size) for size, _ in direct] == [64, 128, 256]
    assert all(10 < int(steps) < 1000 for _, steps in direct)
    (answer,) = re.findall(r"^\| 10 \| .* samples \|$", done.stdout, re.MULTILINE)
    assert re.search(r"\| (64|128|256) \| (high|medium|low) \|", answer)
