"""What notebooks show: numbers and a picture, in light and dark, whatever things are called."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

import clrfast
from clrfast import schedules

DATA = Path(__file__).parents[1] / "data" / "keras_one_cycle.json"
LOGS = {name: clrfast.Log(log["lr"], log["loss"]) for name, log in json.loads(DATA.read_text()).items()}
RATES = np.array([0.001, 0.01, 0.1])
PROBES = clrfast.Probes(
    tuple({"lr": float(lr)} for lr in RATES),
    RATES,
    1 + np.abs(np.log10(RATES / 0.01))[:, None] + np.sin(np.arange(20.0)) / 50,
    5 + np.sin(np.arange(20.0)) / 50,
)
SHOWN: dict[str, Any] = {
    "analysis": LOGS["mobilenet"].analyze(),
    "log": LOGS["small"],
    "runs": clrfast.Log.of_runs(LOGS),
    "empty": clrfast.Log([], []),
    "bad": clrfast.Log([0.0, np.nan, np.inf, -1.0], [np.nan, np.inf, 1.0, 2.0]),
    "one cycle": schedules.one_cycle(0.01, 1000),
    "endless": schedules.triangular(0.001, 0.01, 100),
    "constant": schedules.constant(0.1),
    "probes": PROBES,
    "nothing": clrfast.analyze(np.geomspace(1e-4, 1, 50), np.ones(50)),
}
WITHOUT_PICTURE = {"empty"}


class Text(HTMLParser):
    """The text that a browser would show, and the tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and "svg" not in self.open:
            self.text += data


def test_a_real_notebook_shows_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    kernel = tmp_path / "kernels" / "this"  # this Python, which the kernels that are installed need not be
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    begin = f"""
import json, clrfast
found = json.load(open({str(DATA)!r}))["small"]
log = clrfast.Log(found["lr"], found["loss"])
"""
    shown = ["log", "log.analyze()", "log.analyze().suggestion", "log.analyze().suggestion.one_cycle(1000)"]
    bar = "from clrfast._range_test._progress import is_watched\nis_watched()"
    cells = [nbformat.v4.new_code_cell(begin + cell) for cell in [*shown, bar]]
    book = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(book, kernel_name="this", timeout=300).execute()
    outputs = [cell.outputs for cell in book.cells]
    assert [len(output) for output in outputs] == [1] * len(cells)  # no error, no warning, no second picture
    assert outputs.pop()[0].data["text/plain"] == "True"
    pages = [output[0].data["text/html"] for output in outputs]
    assert [html.count("<svg") for html in pages] == [1, 1, 0, 1]
    suggestion = LOGS["small"].analyze().suggestion
    for html in pages[1:3]:
        assert f"{suggestion.max_lr:.3g}" in Text(html).text
        assert suggestion.reasons[0] in Text(html).text
    assert "<Analysis of 338 rows" in outputs[1][0].data["text/plain"]


@pytest.mark.parametrize("name", SHOWN)
def test_everything_can_be_shown(name: str) -> None:
    before, figures = dict(mpl.rcParams), plt.get_fignums()
    html = SHOWN[name]._repr_html_()
    assert Text(html).tags.count("svg") == (name not in WITHOUT_PICTURE)
    assert "#0a0b0c" not in html
    assert plt.get_fignums() == figures
    assert dict(mpl.rcParams) == before


def test_numbers_are_those_of_the_thing() -> None:
    found = SHOWN["analysis"].suggestion
    text = Text(SHOWN["analysis"]._repr_html_()).text
    assert f"max_lr{found.max_lr:.3g}between {found.max_lr_interval[0]:.2g}" in text
    assert f"base_lr{found.base_lr:.3g}" in text
    assert "confidencemedium" in text
    assert f"rows{len(SHOWN['runs']):,}runs7rates1e-05" in Text(SHOWN["runs"]._repr_html_()).text
    assert "steps1,000first0.0004" in Text(SHOWN["one cycle"]._repr_html_()).text
    assert "stepsendless" in Text(SHOWN["endless"]._repr_html_()).text
    assert "max_lrnone" in Text(SHOWN["nothing"]._repr_html_()).text
    assert "best lr 0.01" in Text(PROBES._repr_html_()).text


def test_lines_and_letters_have_the_colour_of_the_text_around() -> None:
    with plt.style.context("dark_background"):  # the user's own style does not matter
        html = SHOWN["analysis"]._repr_html_()
    picture = html[html.index("<svg") :]
    colours = set(re.findall(r"(?:fill|stroke): ?(#\w+|currentColor)", picture))
    assert "currentColor" in colours
    assert not {"#000000", "#ffffff"} & colours


def test_without_matplotlib_numbers_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    for name, thing in SHOWN.items():
        assert "svg" not in Text(thing._repr_html_()).tags, name
    found = SHOWN["analysis"].suggestion
    assert f"max_lr{found.max_lr:.3g}" in Text(SHOWN["analysis"]._repr_html_()).text


def test_names_are_text() -> None:
    evil = "<script>alert(1)</script>\x1b[31m$x_{"
    lr, loss = LOGS["small"].lr, LOGS["small"].loss
    runs = {evil: clrfast.Log(lr, loss, status=evil, problems=[evil]), "_b": clrfast.Log(lr, loss)}
    for log in (runs[evil], clrfast.Log.of_runs(runs)):
        html = log._repr_html_()
        assert "script" not in Text(html).tags
        assert "\x1b" not in html
        assert "<script>alert(1)</script>" in Text(html).text


def test_long_logs_stay_small() -> None:
    lr = np.geomspace(1e-5, 1, 19_000)
    log = clrfast.Log(
        lr, 2 - np.exp(-(np.log(lr / 0.03) ** 2)) + np.random.default_rng(0).normal(0, 1, 19_000)
    )
    for thing in (log, log.analyze()):
        assert len(thing._repr_html_()) < 400_000
