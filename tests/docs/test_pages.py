"""The code of every page runs as it stands, section by section, in a folder with the repository's data."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import clrfast
import given
from clrfast.logs import ReadWarning
from experiments import fingerprint, generators

os.environ.setdefault("KERAS_BACKEND", "torch")
DOCS = given.ROOT / "docs"
# Their code is run elsewhere, with what it says held against the libraries it speaks of.
ELSEWHERE = {"schedules_elsewhere.md"}
# After these the models are what they were before.
LEAVES_NO_TRACE = {"range_test.md", "probes.md", "batch_size.md", "guide/find_a_rate.md#Another loop"}


def sections() -> Iterator[tuple[str, list[str]]]:
    """The Python blocks below each heading of the second rank, by page and heading."""
    for path in sorted(DOCS.rglob("*.md")):
        page = path.relative_to(DOCS).as_posix()
        if page in ELSEWHERE:
            continue
        for section in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            blocks = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
            if blocks:
                yield f"{page}#{section.splitlines()[0]}", blocks


SECTIONS = dict(sections())


def test_links_lead_somewhere() -> None:
    """Sphinx checks those between pages; these lead out of them too, to files of the repository."""
    links = [
        (path, target)
        for path in DOCS.rglob("*.md")
        for target in re.findall(r"\]\(([^)#: ]*[./][^)#: ]*)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    ]
    assert len(links) > 40
    assert [(str(path), target) for path, target in links if not (path.parent / target).exists()] == []


def test_there_is_much_to_run() -> None:
    assert len(SECTIONS) > 30
    pages = {name.partition("#")[0] for name in SECTIONS}
    assert {name.partition("#")[0] for name in (*given.MORE, *LEAVES_NO_TRACE)} <= pages
    assert {name for name in given.MORE if "#" in name} <= set(SECTIONS)
    loops = SECTIONS["range_test.md#A loop of your own"]
    assert len(loops) == 6


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.filterwarnings("ignore")  # theirs
def test_section_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("docs", "tests"):
        Path(folder).symlink_to(given.ROOT / folder)
    monkeypatch.setattr(torch, "compile", lambda step: step)  # test_loops.py compiles
    names = given.common()
    for of in (name.partition("#")[0], name):
        libraries, more = given.MORE.get(of, ([], dict))
        for library in libraries:
            pytest.importorskip(library)
        names.update(more())
    modules = [value for value in names.values() if isinstance(value, nn.Module)]
    warnings.simplefilter("error", ReadWarning)
    with given.fresh_accelerate():
        for block in SECTIONS[name]:
            names.pop("test", None)
            before = [fingerprint(module) for module in modules], generators()
            run(block, name, names)
            if name.partition("#")[0] in LEAVES_NO_TRACE or name in LEAVES_NO_TRACE:
                assert before == ([fingerprint(module) for module in modules], generators())


def run(block: str, name: str, names: dict[str, Any]) -> None:
    exec(compile(block, name, "exec"), names)
    if "test" in names and hasattr(names["test"], "log"):
        assert len(names["test"].log) > 30
    if "scaler" in names:
        assert names["scaler"].get_scale() == 2.0**16


def test_probes_tell_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    names = given.common()
    for section in ("Check a suggestion", "Compare anything else"):
        for block in SECTIONS[f"probes.md#{section}"]:
            run(block, section, names)
            assert isinstance(names["found"], (clrfast.Analysis, clrfast.Probes))
    assert names["log"].probes.losses.shape[1] == 100
    assert names["optimizer"].param_groups[0]["lr"] in (0.01, 0.1)
    assert "candidates" in capsys.readouterr().out
