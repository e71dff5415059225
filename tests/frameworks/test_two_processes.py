"""Two processes that train in a framework get one log, and train on as without the test."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "framework_processes.py"


FRAMEWORKS = {"accelerate": "accelerate", "transformers": "transformers", "lightning": "pytorch_lightning"}


@cache
def experiments() -> list[dict[str, Any]]:
    """Return what each of two processes found in the frameworks that are installed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    installed = [name for name, module in FRAMEWORKS.items() if find_spec(module)]
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder) / f"out{rank}" for rank in (0, 1)]
        started = [
            subprocess.Popen(
                [sys.executable, SCRIPT, str(rank), port, out, *installed], stderr=subprocess.PIPE, text=True
            )
            for rank, out in enumerate(outs)
        ]
        try:
            errors = [each.communicate(timeout=240)[1] for each in started]
        finally:
            for each in started:
                each.kill()
        assert [each.returncode for each in started] == [0, 0], errors
        return [json.loads(out.read_text()) for out in outs]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_two_processes_get_one_log(framework: str) -> None:
    pytest.importorskip(FRAMEWORKS[framework])
    first, second = (found[framework] for found in experiments())
    assert first == second
    assert first["as without"]
    assert 10 < len(first["loss"]) <= 20
