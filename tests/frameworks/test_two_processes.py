"""Two processes that train in a framework get one log, and train on as without the test."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "framework_processes.py"


@pytest.mark.parametrize("framework", ["lightning", "transformers", "accelerate"])
def test_two_processes_get_one_log(framework: str, tmp_path: Path) -> None:
    pytest.importorskip({"lightning": "pytorch_lightning"}.get(framework, framework))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    outs = [tmp_path / f"out{rank}" for rank in (0, 1)]
    commands = [[sys.executable, SCRIPT, str(rank), port, out, framework] for rank, out in enumerate(outs)]
    started = [subprocess.Popen(each, stderr=subprocess.PIPE, text=True) for each in commands]
    try:
        errors = [each.communicate(timeout=120)[1] for each in started]
    finally:
        for each in started:
            each.kill()
    assert [each.returncode for each in started] == [0, 0], errors
    first, second = (json.loads(out.read_text()) for out in outs)
    assert first == second
    assert first["as without"]
    assert 10 < len(first["loss"]) <= 20
