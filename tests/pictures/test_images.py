"""The pictures of README and the documentation can be drawn again."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

MAKE = Path(__file__).parents[2] / "docs" / "images" / "make.py"


@pytest.mark.skipif(not MAKE.exists(), reason="a source distribution has no documentation")
def test_pictures_of_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("make", MAKE)
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    monkeypatch.setattr(make, "MOMENTA", (0.9, 0.95))
    make.main(tmp_path)
    drawn = {path.name for path in tmp_path.iterdir()}
    there = {path.name for path in MAKE.parent.glob("*.png")}
    assert drawn == there - {"sweep.png"}  # of a search in a package that nothing else needs
    light, dark = ((tmp_path / name).read_bytes() for name in ("range_test.png", "range_test_dark.png"))
    assert light.startswith(b"\x89PNG")
    assert light != dark
