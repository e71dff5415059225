"""The types as a user meets them: two checkers on scripts and on README, and the core's stub on the core."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clrfast import _core

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "typing"

# What README's examples take as given, as a stub.
GIVEN = """
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
model: nn.Module
optimizer: Optimizer
loss_fn: nn.CrossEntropyLoss
loader: DataLoader[tuple[Tensor, Tensor]]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts, outside the source tree and its configuration."""
    folder = tmp_path_factory.mktemp("user")
    for script in ("right.py", "wrong.py"):
        shutil.copy(SCRIPTS / script, folder)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    (folder / "given.pyi").write_text(GIVEN)
    begin = "from given import loader, loss_fn, model, optimizer\n"
    (folder / "readme.py").write_text("".join([begin, *blocks]), encoding="utf-8")
    (folder / "pyrightconfig.json").write_text("{}")
    return folder


def mypy(folder: Path) -> list[tuple[str, int, str]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={folder / 'cache'}"]
    done = subprocess.run([*command, "."], cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = re.findall(r"^(\w+\.py):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    return [(file, int(line), message) for file, line, message in found]


def pyright(folder: Path) -> list[tuple[str, int, str]]:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1, found["message"])
        for found in json.loads(done.stdout)["generalDiagnostics"]
        if found["severity"] == "error"
    ]


@pytest.mark.parametrize("checker", [mypy, pyright], ids=lambda checker: checker.__name__)
def test_scripts_of_users(checker: Callable[[Path], list[tuple[str, int, str]]], folder: Path) -> None:
    """Right ones pass, and in the wrong one each marked line is an error, and no other."""
    found = checker(folder)
    wrong = (folder / "wrong.py").read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(wrong, 1) if line.endswith("# error")}
    assert len(marked) > 30
    assert [error for error in found if error[0] != "wrong.py"] == []
    missed = [wrong[number - 1] for number in sorted(marked - {line for _, line, _ in found})]
    assert missed == []
    assert [error for error in found if error[1] not in marked] == []


def test_stub_of_the_core(tmp_path: Path) -> None:
    """The stub says what the compiled module has; other packages are of no interest here."""
    ours = "[mypy-clrfast.*,numpy.*]\nfollow_imports = normal\n"
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nfollow_imports = skip\n{ours}")
    # pybind11 gives its classes a metaclass that no stub can name, and an __init__ even where it only raises.
    bound = [name for name, value in vars(_core).items() if type(value).__name__ == "pybind11_type"]
    allowed = [f"clrfast\\._core\\.{name}(\\.__init__)?\n" for name in bound]
    (tmp_path / "allowed.txt").write_text("".join(allowed))
    command = [sys.executable, "-m", "mypy.stubtest", "clrfast._core", "--concise"]
    options = ["--mypy-config-file=mypy.ini", "--allowlist=allowed.txt"]
    done = subprocess.run([*command, *options], cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
