"""The page: all in one file, true to the analysis, whatever the runs are called."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import clrfast
import sweep_runs
from browser import WIDTHS, frames, needs_browser
from clrfast._cli import _read as _cli_read
from clrfast._cli import _show as _cli_show
from clrfast._cli import main

LOGS = json.loads((Path(__file__).parents[1] / "data" / "keras_one_cycle.json").read_text())
EVIL = [
    "<script>alert(1)</script>",
    "</script>",
    '"><img src=x onerror=alert(1)>',
    "&amp;",
    "$title ' \" \\ ü",
]


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and self.cdata_elem:
            self.scripts[-1] += data
        elif self.lasttag != "style":
            self.text += data

    @property
    def runs(self) -> list[dict[str, Any]]:
        return [run for run in self.figures if run["id"] != "together"]

    @property
    def figures(self) -> list[dict[str, Any]]:
        figures: list[dict[str, Any]] = json.loads(self.scripts[1])
        return figures


def numbers(column: dict[str, str] | list[float]) -> NDArray[np.float64]:
    """Plotly packs arrays of numbers."""
    if isinstance(column, list):
        return np.array(column, np.float64)
    return np.frombuffer(base64.b64decode(column["bdata"]), column["dtype"]).astype(np.float64)


def traces(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in run["figure"]["data"] if "name" in trace}


def analysis_of(name: str) -> clrfast.Analysis:
    return clrfast.analyze(LOGS[name]["lr"], LOGS[name]["loss"])


@pytest.fixture(scope="module")
def small() -> Page:
    return Page(analysis_of("small").to_html("A test"))


def test_page_loads_nothing(small: Page) -> None:
    assert [tag for tag, _ in small.tags if tag in ("link", "img", "iframe", "object", "video", "a")] == []
    for _, attributes in small.tags:
        assert not attributes.keys() & {"src", "href", "srcset", "data"}
    policy = next(attributes["content"] for _, attributes in small.tags if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert len(small.scripts) == 3
    assert "plotly.js" in small.scripts[0][:100]
    assert "showSendToCloud: false" in small.scripts[2]


def test_page_shows_what_the_analysis_holds(small: Page) -> None:
    analysis = analysis_of("small")
    (run,) = small.runs
    assert run["text"] == str(analysis)
    assert small.text.count("A test") == 2  # title and heading
    drawn = traces(run)
    found = analysis.suggestion
    assert found.max_lr_interval is not None
    np.testing.assert_array_equal(numbers(drawn["loss"]["x"]), analysis.lr)
    np.testing.assert_array_equal(numbers(drawn["loss"]["y"]), analysis.loss)
    for name, axis, values in (
        ("fitted loss", None, analysis.grid_loss),
        ("slope", "y2", analysis.grid_slope),
    ):
        np.testing.assert_array_equal(numbers(drawn[name]["x"]), analysis.grid_lr)
        np.testing.assert_array_equal(numbers(drawn[name]["y"]), values)
        assert drawn[name].get("yaxis", "y") == (axis or "y")
    bands = [trace for trace in run["figure"]["data"] if trace.get("legendgroup") == "± standard error"]
    for (low, high), values, error in zip(
        (bands[:2], bands[2:]),
        (analysis.grid_loss, analysis.grid_slope),
        (analysis.grid_loss_se, analysis.grid_slope_se),
    ):
        np.testing.assert_array_equal(numbers(low["y"]), values - error)
        np.testing.assert_array_equal(numbers(high["y"]), values + error)
        assert high["fill"] == "tonexty"
    top = drawn[f"max_lr {found.max_lr:.2g}"]
    assert top["x"] == [found.max_lr]
    low, high = found.max_lr_interval
    assert top["error_x"]["array"] == [high - found.max_lr]
    assert top["error_x"]["arrayminus"] == [found.max_lr - low]
    assert f"base_lr {found.base_lr:.2g}" in drawn
    layout = run["figure"]["layout"]
    assert layout["xaxis"]["type"] == "log"
    assert layout["xaxis"]["range"] == pytest.approx(np.log10(analysis.lr_range))
    labels = [label["text"] for label in layout["annotations"]]
    assert labels == ["flat", "falling", "rising", "diverged"]
    assert layout["annotations"][1]["x"] == pytest.approx(np.log10(analysis.phases.plateau_end_lr or 0))


def test_diverged_losses_do_not_flatten_the_curve() -> None:
    lr = np.geomspace(1e-5, 1, 300)
    loss = 2 - np.exp(-(np.log(lr / 0.01) ** 2))
    loss[250:] = np.geomspace(10, 1e80, 50)
    loss[290:] = [np.nan, np.inf] * 5
    (run,) = Page(clrfast.analyze(lr, loss).to_html()).runs
    low, high = run["figure"]["layout"]["yaxis"]["range"]
    assert 0 < low < 1
    assert 2 < high < 4
    np.testing.assert_array_equal(numbers(traces(run)["loss"]["y"]), loss)


def test_long_log_is_a_band_on_the_page_and_in_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lr = np.geomspace(1e-5, 1, 20_001)
    loss = 2 - np.exp(-(np.log(lr / 0.03) ** 2)) + np.random.default_rng(0).normal(0, 0.1, len(lr))
    clrfast.Log(lr, loss).to_csv(tmp_path / "log.csv")
    monkeypatch.setattr(clrfast.logs, "read", None)  # the log is never read whole
    monkeypatch.chdir(tmp_path)
    assert main(["analyze", "log.csv", "--html", "out.html", "--plot", "out.svg"]) == 0
    assert "loss, lowest to highest" in Path("out.svg").read_text()
    (run,) = Page(Path("out.html").read_text()).runs
    assert "loss" not in traces(run)
    low, high, *_ = run["figure"]["data"]
    assert high["name"] == "loss, lowest to highest"
    analysis = clrfast.analyze(lr, loss)
    np.testing.assert_array_equal(numbers(low["y"]), analysis.grid_lowest)
    np.testing.assert_array_equal(numbers(high["y"]), analysis.grid_highest)


def test_page_of_many_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, log in LOGS.items():
        clrfast.Log(log["lr"], log["loss"]).to_csv(tmp_path / f"{name}.csv")
    (tmp_path / "zz.csv").write_text("lr,loss\n1,2\n")
    out = tmp_path / "out.html"
    assert main(["analyze", str(tmp_path), "--html", str(out), "--json"]) == 0
    printed, told = capsys.readouterr()
    page = Page(out.read_text())
    assert told.endswith(f"Saved {out}\n")
    assert [run["name"] for run in page.runs] == sorted(f"{name}.csv" for name in LOGS)
    for run in page.runs:
        analysis = analysis_of(run["name"][:-4])
        assert run["text"] == str(analysis)
        np.testing.assert_array_equal(numbers(traces(run)["loss"]["y"]), analysis.loss)
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == [*(f"#{run['id']}" for run in page.runs), "#together"]
    (together,) = (figure for figure in page.figures if figure["id"] == "together")
    for name in LOGS:
        line, dot = (line for line in together["figure"]["data"] if line["name"] == f"{name}.csv")
        analysis = analysis_of(name)
        np.testing.assert_array_equal(numbers(line["x"]), analysis.grid_lr)
        np.testing.assert_array_equal(numbers(line["y"]), analysis.grid_loss)
        assert dot["x"] == [analysis.suggestion.max_lr]
        assert dot["marker"]["color"] == line["line"]["color"]
        assert (dot["marker"].get("symbol") == "circle-open") == (analysis.suggestion.confidence == "low")
    for entry in json.loads(printed):
        assert entry["run"] in page.text
        assert entry["max_lr"] is None or f"{entry['max_lr']:.2e}" in page.text
    assert "lr must hold at least 3 rates" in page.text  # why zz.csv is not drawn


def test_page_of_too_many_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cli_show, "MOST_RUNS", 2)
    for name in ("a", "b", "c"):
        clrfast.Log(LOGS["small"]["lr"], LOGS["small"]["loss"]).to_csv(tmp_path / f"{name}.csv")
    out = tmp_path / "out.html"
    assert main(["analyze", str(tmp_path), "--html", str(out)]) == 0
    assert f"{out} has the curves of the first 2 of 3 runs\n" in capsys.readouterr().err
    page = Page(out.read_text())
    assert [run["name"] for run in page.runs] == ["a.csv", "b.csv"]
    assert "c.csv" in page.text  # in the table


def test_names_are_text(tmp_path: Path) -> None:
    log = LOGS["small"]
    rows = [
        f'{r},{v},"{name.replace(chr(34), chr(34) * 2)}"'
        for name in EVIL
        for r, v in zip(log["lr"], log["loss"])
    ]
    (tmp_path / "log.csv").write_text("lr,loss,run\n" + "\n".join(rows), encoding="utf-8")
    out = tmp_path / "out.html"
    assert main(["analyze", str(tmp_path / "log.csv"), "--html", str(out)]) == 0
    page = Page(out.read_text(encoding="utf-8"))
    assert [run["name"] for run in page.runs] == EVIL
    assert len(page.scripts) == 3
    legend = [line["name"] for line in page.figures[-1]["figure"]["data"]]
    assert [name for name in legend if "<" in name] == []  # which Plotly would take for HTML
    assert list(dict.fromkeys(map(html.unescape, legend))) == EVIL
    assert "img" not in [tag for tag, _ in page.tags]
    for name in EVIL:
        assert name in page.text


@pytest.mark.parametrize("name", ["</script>", "a/b $x_{"])
def test_only_run_of_a_column_keeps_its_name(name: str, tmp_path: Path) -> None:
    rows = [f"{r},{v},{name}" for r, v in zip(LOGS["small"]["lr"], LOGS["small"]["loss"])]
    (tmp_path / "log.csv").write_text("lr,loss,run\n" + "\n".join(rows))
    out, picture = tmp_path / "out.html", tmp_path / "out.svg"
    assert main(["analyze", str(tmp_path / "log.csv"), "--html", str(out), "--plot", str(picture)]) == 0
    page = Page(out.read_text())
    assert page.text.count(name) == 2
    assert [run["name"] for run in page.runs] == [name]


@pytest.mark.parametrize("title", EVIL)
def test_title_is_text(title: str) -> None:
    page = Page(analysis_of("small").to_html(title))
    assert page.text.count(title) == 2
    assert len(page.scripts) == 3


def test_page_and_picture_have_the_same_colours(small: Page) -> None:
    axes = analysis_of("small").plot()
    drawn = traces(small.runs[0])
    colours = {str(line.get_label()): line.get_color() for line in axes.lines}
    shared = drawn.keys() & colours.keys()
    assert len(shared) == 4  # loss, fit, base_lr, max_lr
    for name in shared:
        style = drawn[name].get("line") or drawn[name]["marker"]
        assert style["color"] == colours[name]
    shapes = small.runs[0]["figure"]["layout"]["shapes"]
    drawn_in = {shape.get("fillcolor") or shape["line"]["color"] for shape in shapes}
    assert drawn_in == {"#7f7f7f", "#2ca02c", "#d62728", "#9467bd", "#ff7f0e"}


def test_verdict_stands_above_the_curve() -> None:
    analysis = analysis_of("mobilenet")
    found = analysis.suggestion
    page = Page(analysis.to_html())
    assert "clrfast-card medium" in [attributes.get("class") for _, attributes in page.tags]
    for number in (found.max_lr, found.base_lr):
        assert f"{number:.3g}" in page.text
    assert found.reasons
    for reason in found.reasons:
        assert reason in page.text
    assert f"schedules.one_cycle({found.max_lr:.3g}, total_steps)" in page.text
    assert "verify=100" in page.text
    nothing = Page(clrfast.analyze(np.geomspace(1e-4, 1, 50), np.ones(50)).to_html())
    assert "one_cycle" not in nothing.text
    assert "Do not train by this test" in nothing.text


def test_verdict_of_the_run_that_is_shown(tmp_path: Path) -> None:
    for name in ("a", "b"):
        clrfast.Log(LOGS["small"]["lr"], LOGS["small"]["loss"]).to_csv(tmp_path / f"{name}.csv")
    out = tmp_path / "out.html"
    assert main(["analyze", str(tmp_path), "--html", str(out)]) == 0
    page = Page(out.read_text())
    verdicts = [attributes for _, attributes in page.tags if attributes.get("class") == "verdict"]
    assert [verdict["data-run"] for verdict in verdicts] == [run["id"] for run in page.runs]
    assert ["hidden" in verdict for verdict in verdicts] == [False, True]


def test_a_reason_is_text() -> None:
    analysis = analysis_of("small")
    for evil in EVIL:
        found = dataclasses.replace(analysis.suggestion, reasons=(evil, f"`{evil}`"), rule=evil)
        page = Page(dataclasses.replace(analysis, suggestion=found).to_html())
        assert page.text.count(evil) == 3
        assert len(page.scripts) == 3
        assert "img" not in [tag for tag, _ in page.tags]


@needs_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("command", ["analyze", "sweep"])
def test_page_fits_a_phone_and_a_desk(command: str, dark: bool, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    if command == "sweep":
        sweep_runs.table(logs, sweep_runs.made())
    else:
        for name, log in LOGS.items():
            clrfast.Log(log["lr"], log["loss"]).to_csv(logs / f"{name}.csv")
    page = tmp_path / "page.html"
    assert main([command, str(logs), "--html", str(page)]) == 0
    for width, seen in zip(WIDTHS, frames(page, dark=dark)):
        assert seen["page"] == width
        assert seen["curve"] <= width
        assert seen["verdicts"] == (command == "analyze")
        ground, ink = ([int(part) for part in re.findall(r"\d+", seen[what])] for what in ("ground", "ink"))
        assert (max(ground) < 50 and min(ink) > 200) if dark else (min(ground) > 200 and max(ink) < 50)


def test_rows_of_short_runs_are_kept_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cli_read, "_MOST_ROWS_IN_ALL", 30_000)
    analysis = dataclasses.replace(analysis_of("small"), lr=np.empty(0), loss=np.empty(0))
    rows = _cli_read.KeptRows()
    parts = [np.full(8_000, float(number)) for number in range(1, 4)]
    for part in parts:
        rows.add("long", part, part)  # 24,000 rows
    for run in ("a", "b"):
        for part in parts[:2]:
            rows.add(run, part, -part)  # 16,000: together too many
    rows.add("c", parts[0], -parts[0])
    for run, kept in {"long": [], "a": parts[:2], "b": [], "c": parts[:1], "none": []}.items():
        found = rows.on(run, analysis)
        np.testing.assert_array_equal(found.lr, np.concatenate([[], *kept]))
        np.testing.assert_array_equal(found.loss, -found.lr)
        assert found.suggestion is analysis.suggestion


def test_page_names_the_extra_that_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    out = tmp_path / "out.html"
    assert main(["analyze", str(tmp_path / "none.csv"), "--html", str(out)]) == 1  # before it reads
    assert re.fullmatch(r"clrfast: a page needs plotly, .* 'clrfast\[html\]'\n", capsys.readouterr().err)
    assert not out.exists()
    with pytest.raises(ImportError, match=r"pip install 'clrfast\[html\]'"):
        analysis_of("small").to_html()
