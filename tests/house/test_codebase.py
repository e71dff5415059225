"""The code itself: formatted, linted, typed, its C++ tests passed under sanitizers, its versions alike."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import clang_format
import pytest

import clrfast

ROOT = Path(__file__).parents[2]
CPP = sorted(str(p) for d in ("src/cpp", "tests") for p in (ROOT / d).rglob("*.?pp"))


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(arguments: list[str]) -> None:
    run(sys.executable, "-m", "ruff", *arguments, "--no-cache", ".")


def test_clang_format() -> None:
    assert len(CPP) > 10
    program = Path(clang_format.__file__).parent / "data" / "bin" / "clang-format"
    run(str(program), "--dry-run", "-Werror", *CPP)


def test_mypy(tmp_path: Path) -> None:
    run(sys.executable, "-m", "mypy", f"--cache-dir={tmp_path}")


def test_core_is_free_of_python_headers() -> None:
    for path in CPP:
        text = Path(path).read_text()
        if "/bindings/" not in path:
            assert not re.search(r"#include [<\"](Python\.h|pybind11|numpy)", text), path


@pytest.mark.skipif(sys.platform != "linux", reason="the sanitizers are asked for as gcc on Linux has them")
def test_cpp_units_under_sanitizers(tmp_path: Path) -> None:
    run(
        *("cmake", "-S", str(ROOT), "-B", str(tmp_path), "-G", "Ninja", "-DCLRFAST_PYTHON=OFF"),
        *("-DCLRFAST_TESTS=ON", "-DCLRFAST_WERROR=ON", "-DCLRFAST_SANITIZE=address,undefined"),
        "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
    )
    run("cmake", "--build", str(tmp_path))
    output = run("ctest", "--test-dir", str(tmp_path), "--output-on-failure")
    assert "100% tests passed" in output
    assert "No tests were found" not in output


def test_versions() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{clrfast.__version__}"' in text
    assert clrfast.__version__ == version("clrfast")


def test_build_config() -> None:
    config = clrfast.build_config()
    assert set(config) == {"build_type", "compiler", "cpu_level", "pybind11"}
    assert config["cpu_level"] in ("base", "v3", "v4")


SHOW_MODULES = "import sys; import clrfast{extra}; print(sorted(set(sys.modules)))"
HEAVY = (
    "dask",
    "matplotlib",
    "pandas",
    "plotly",
    "polars",
    "pyarrow",
    "sklearn",
    "tensorboard",
    "torch",
    "tqdm",
)


@pytest.mark.parametrize("extra", ["", "; import matplotlib"])
def test_import_is_light(extra: str) -> None:
    """Import loads none of the extras; and this test would notice (second case)."""
    loaded = run(sys.executable, "-c", SHOW_MODULES.format(extra=extra))
    assert any(f"'{name}'" in loaded for name in HEAVY) == bool(extra)


@pytest.mark.parametrize("level", ["base", "v3", "v4"])
def test_every_cpu_level_passes_or_is_refused(level: str) -> None:
    levels = ["base", "v3", "v4"]
    if levels.index(level) > levels.index(best_level()):
        pytest.skip(f"this processor or build has no {level}")
    run(sys.executable, "-m", "pytest", "-q", "tests/schedules", CLRFAST_CPU=level)


def best_level() -> str:
    environment = {k: v for k, v in os.environ.items() if k != "CLRFAST_CPU"}
    code = "import clrfast; print(clrfast.build_config()['cpu_level'])"
    return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip()


def test_unknown_cpu_level_is_an_error() -> None:
    code = "import clrfast; clrfast.build_config()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CLRFAST_CPU": "v9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "CLRFAST_CPU is 'v9', but it must be base, v3 or v4" in done.stderr
