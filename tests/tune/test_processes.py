"""Two processes that train one model get one recipe, and end together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
SCRIPT = Path(__file__).parents[1] / "tune_processes.py"


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no processes")
def test_two_processes_get_one_recipe(tmp_path: Path) -> None:
    outs = [tmp_path / f"out{rank}" for rank in (0, 1)]
    command = [sys.executable, str(SCRIPT)]
    address = f"file://{tmp_path}/meet"
    started = [
        subprocess.Popen([*command, str(rank), address, out], stderr=subprocess.PIPE, text=True)
        for rank, out in enumerate(outs)
    ]
    ends = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], ends
    first, second = (json.loads(out.read_text(encoding="utf-8")) for out in outs)
    assert first["recipes"] == second["recipes"]
    assert first["unchanged"]
    assert second["unchanged"]
    assert first["failed"].startswith("RuntimeError")
    assert second["failed"] == "ValueError: boom in the loss"
    validated, other = first["recipes"]["validated"], first["recipes"]["not validated"]
    assert validated["choices"]["momentum"]["candidates"] == [0.9, 0.8]
    assert len(validated["choices"]["weight_decay"]["candidates"]) == 4
    assert "give validation" in other["choices"]["weight_decay"]["reasons"][0]
