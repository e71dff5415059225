"""``clrfast sweep``: what it prints, saves and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sweep_runs
from clrfast._cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    sweep_runs.table(tmp_path / "runs", sweep_runs.made(40))
    return tmp_path / "runs"


def test_text(folder, capsys):
    assert main(["sweep", str(folder)]) == 0
    shown = capsys.readouterr().out
    for words in ("40 runs", "best_lr", "costs under 5%", "batch_size^(0.", "confidence: "):
        assert words in shown


def test_json_is_all_of_the_output(folder, capsys):
    assert main(["sweep", str(folder), "--json", "--by", "batch_size", "--take", "best"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [move["setting"] for move in found["moves"]] == ["batch_size"]
    assert len(found["runs"]) == 40


def test_other_settings_and_a_bar(folder, capsys):
    assert main(["sweep", str(folder), "--json", "--settings", "optimizer", "--progress"]) == 0
    shown = capsys.readouterr()
    assert set(json.loads(shown.out)["runs"][0]["settings"]) >= {"optimizer"}
    assert "Reading: 100%" in shown.err


def test_pictures(folder, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    pytest.importorskip("plotly")
    picture, page = tmp_path / "sweep.png", tmp_path / "sweep.html"
    assert main(["sweep", str(folder), "--plot", str(picture), "--html", str(page)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "Sweep: runs" in page.read_text()


def test_what_was_not_used_is_told(folder, capsys):
    path = folder / "wandb_export.csv"
    path.write_text(path.read_text() + "crashed,failed,2026,1,0.1,64,adam,,\n")
    assert main(["sweep", str(folder)]) == 0
    assert "clrfast: warning: 1 run has no value of the metric" in capsys.readouterr().err


def test_names_do_not_steer_the_terminal(folder, capsys):
    path = folder / "wandb_export.csv"
    path.write_text(path.read_text().replace("optimizer", "opt\x1b[31mimizer").replace("adam", "ad\x1b[2Jam"))
    assert main(["sweep", str(folder)]) == 0
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "lost"], "metric must be a name that runs have"),
        (["--by", "width"], "by must hold settings of the runs"),
        (["--settings", "optimiser"], "settings must hold settings of the runs"),
    ],
)
def test_names_that_are_not_there(folder, capsys, options, message):
    assert main(["sweep", str(folder), *options]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--take", "first"], "must be last, best or a whole number of at least 1, got 'first'"),
        (["--plot", "picture.gif"], "must end in .png or .svg or .pdf"),
    ],
)
def test_wrong_usage(folder, capsys, options, message):
    with pytest.raises(SystemExit, match="2"):
        main(["sweep", str(folder), *options])
    assert message in capsys.readouterr().err


def test_an_input_is_never_overwritten(folder, capsys):
    pytest.importorskip("plotly")
    page = folder / "page.html"
    page.hardlink_to(folder / "wandb_export.csv")
    assert main(["sweep", str(folder), "--html", str(page)]) == 1
    assert "--html must be another file than" in capsys.readouterr().err
