"""Benchmarks as they are run: with a Python of their own, in their folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(folder: Path, *arguments: str | Path) -> str:
    """Run Python with these arguments in a folder, each warning an error; return what it prints."""
    command = [sys.executable, "-W", "error", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_code(folder: Path, code: str, *arguments: str | Path) -> str:
    """Run code that imports the folder's modules, likewise."""
    return run(folder, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}", *arguments)
