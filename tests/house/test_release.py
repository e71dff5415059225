"""What a release says of itself agrees: versions, Pythons, licences, notes from the changelog."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

import clrfast

ROOT = Path(__file__).parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_citation_names_the_version() -> None:
    assert f"\nversion: {clrfast.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_each_python_that_is_named_has_wheels_but_the_oldest() -> None:
    named = re.findall(r"Python :: 3\.(\d+)", "\n".join(metadata("clrfast").get_all("Classifier") or []))
    wheels = re.findall(r'"cp3(\d+)-\*"', PROJECT)
    assert f'requires-python = ">=3.{named[0]}"' in PROJECT
    assert named[1:] == wheels
    assert '"cp314t-*"' in PROJECT


def test_licences_come_along() -> None:
    assert set(metadata("clrfast").get_all("License-File") or []) == {"LICENSE", "licenses/pybind11.txt"}


@pytest.mark.skipif(sys.platform == "win32", reason="the script is one of the shell's")
@pytest.mark.parametrize(
    ("heading", "version", "wrong"),
    [
        ("## 9.9.9 (2031-02-03)", "9.9.9", None),
        ("## 9.9.9 (unreleased)", "9.9.9", "CHANGELOG.md"),
        ("## 9.9.8 (2031-02-03)", "9.9.9", "CHANGELOG.md"),
        ("## 9.9.8 (2031-02-03)", "9.9.8", "pyproject.toml"),
    ],
)
def test_release_notes(tmp_path: Path, heading: str, version: str, wrong: str | None) -> None:
    """They are those of one release, and there are none unless all files agree on it."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "release_notes", tmp_path / ".ci")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9.9.9"\n')
    (tmp_path / "CITATION.cff").write_text("version: 9.9.9\n")
    (tmp_path / "CHANGELOG.md").write_text(
        f"# Changelog\n\n{heading}\n\n- New.\n\n## 9.9.7 (2030-01-01)\n\n- Old.\n"
    )
    done = subprocess.run(
        [tmp_path / ".ci" / "release_notes", version], capture_output=True, text=True, check=False
    )
    if wrong is None:
        assert (done.returncode, done.stdout.strip()) == (0, "- New.")
    else:
        assert done.returncode == 1
        assert wrong in done.stderr


def test_the_changelog_has_a_section_for_the_version() -> None:
    assert f"\n## {clrfast.__version__} (" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
