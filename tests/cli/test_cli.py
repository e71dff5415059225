"""The command line: results on standard output, talk on standard error, and the exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import clrfast
from clrfast._cli import main


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    lr = np.geomspace(1e-5, 1, 100)
    clrfast.Log(lr, 2 - np.exp(-(np.log(lr / 0.03) ** 2))).to_csv(path)
    return path


def test_runs_as_a_module_and_says_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clrfast", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"clrfast {clrfast.__version__}\n"


def test_says_nothing_when_nobody_reads_on(log: Path) -> None:
    command = [sys.executable, "-m", "clrfast", "analyze", str(log), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == f"Read 100 rows of 'lr' and 'loss' from {log}.\n"
    assert process.returncode == 1


def test_analyze_prints_phases_and_range(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(log)]) == 0
    out, err = capsys.readouterr()
    analysis = clrfast.logs.read(log).analyze()
    assert out == f"{analysis}\n"
    for word in ("flat", "falling", "rising", "base_lr", "max_lr", "confidence"):
        assert word in out
    assert err == f"Read 100 rows of 'lr' and 'loss' from {log}.\n"


def test_analyze_prints_json_alone(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(log), "--json", "--lr", "lr", "--loss", "loss"]) == 0
    printed = json.loads(capsys.readouterr().out)
    analysis = clrfast.logs.read(log).analyze()
    assert printed == {
        "base_lr": analysis.suggestion.base_lr,
        "max_lr": analysis.suggestion.max_lr,
        **analysis.to_dict(),
    }
    assert 0 < printed["base_lr"] < printed["max_lr"]


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_analyze_saves_a_picture(
    suffix: str, start: bytes, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / f"picture{suffix}"
    assert main(["analyze", str(log), "--json", "--plot", str(picture)]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)
    assert err.endswith(f"Saved {picture}\n")
    assert picture.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (None, [], "No such file"),
        (
            "a,b\n1,2\n",
            [],
            "no column has one of the usual names for lr; give --lr one of its columns: 'a', 'b'",
        ),
        ("lr,loss\n1,2\n", ["--loss", "x"], "no column has the name 'x'"),
        ("lr,loss\n", [], "log.csv: "),
        ("lr,loss\n1,2\n", [], "log.csv: "),
        ("lr,loss\n-1,2\n0.1,2\n0.2,3\n", [], "-1"),
    ],
)
def test_bad_data_is_one_line_and_status_1(
    text: str | None,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("log.csv").write_text(text)
    assert main(["analyze", "log.csv", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("clrfast: ")
    assert message in err.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["analyse"],
        ["analyze"],
        ["analyze", "x.csv", "--rate", "3"],
        ["demo", "--seeds", "0"],
        ["demo", "--seeds", "two"],
        ["demo", "--data", "cats"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "usage: clrfast" in err


@pytest.mark.parametrize("module", ["torch", "matplotlib", "sklearn", "tqdm"])
def test_demo_names_the_extra_that_is_missing(
    module: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if module != "torch":  # which is asked for first
        pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["demo"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert (
        err == f"clrfast: clrfast demo needs {module}, which is not installed: pip install 'clrfast[demo]'\n"
    )


def test_a_picture_without_matplotlib_names_the_extra(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["analyze", str(log), "--plot", "x.png"]) == 1
    assert "pip install 'clrfast[plot]'" in capsys.readouterr().err
    assert not Path("x.png").exists()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three repeats of a test, a log that is too short, and a file that is no log."""
    random = np.random.default_rng(0)
    lr = np.geomspace(1e-5, 1, 300)
    (tmp_path / "logs").mkdir()
    for name in ("a", "b", "c"):
        loss = 2 - np.exp(-(np.log(lr / 0.03) ** 2)) + random.normal(0, 0.02, 300)
        clrfast.Log(lr, loss).to_csv(tmp_path / "logs" / f"{name}.csv")
    (tmp_path / "logs" / "short.csv").write_text("lr,loss\n1,2\n")
    (tmp_path / "logs" / "other.json").write_text("{}")
    return tmp_path / "logs"


def test_analyze_gives_a_table_of_many_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(folder)]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["run", "rows", "rule", "base_lr", "max_lr", "between", "confidence"]
    assert [line.split()[0] for line in lines[1:]] == ["a.csv", "b.csv", "c.csv", "short.csv"]
    assert "lr must hold at least" in lines[-1]
    suggestion = clrfast.logs.read(folder / "a.csv").analyze().suggestion
    assert f"300  clrfast  {suggestion.base_lr:.2e}  {suggestion.max_lr:.2e}  " in lines[1]
    assert err.splitlines()[0].startswith(f"clrfast: warning: {folder / 'other.json'}: no column has one of")
    assert err.splitlines()[1] == f"Read 901 rows of 4 runs from {folder}."


def test_analyze_gives_a_list_of_many_runs_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(folder / name) for name in ("b.csv", "short.csv")]
    assert main(["analyze", *files, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["run"] == files[0]
    assert first["max_lr"] == clrfast.logs.read(files[0]).analyze().suggestion.max_lr
    assert second["max_lr"] is None
    assert "lr must hold at least" in second["error"]


def test_analyze_takes_runs_for_repeats(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "repeats.svg"
    assert main(["analyze", str(folder / "?.csv"), "--repeats", "--json", "--plot", str(picture)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["n"] == 900
    repeats = clrfast.logs.read(folder / "?.csv").analyze_repeats()
    assert printed["max_lr"] == repeats.suggestion.max_lr
    assert "loss, lowest to highest" in picture.read_text()  # not a line that goes up and down
    assert "loss, lowest to highest" in repeats.to_html("repeats")
    assert picture.exists()


def test_analyze_finds_the_columns_that_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lr = np.geomspace(1e-5, 1, 100)
    rows = [f"{r},{2 - r},{s}" for s in ("one", "two") for r in lr]
    (tmp_path / "log.txt").write_text("a,b,c\n" + "\n".join(rows))
    columns = ["--lr", "a", "--loss", "b", "--run", "c"]
    assert main(["analyze", str(tmp_path / "log.txt"), *columns, "--json", "--progress"]) == 0
    out, err = capsys.readouterr()
    assert [entry["run"] for entry in json.loads(out)] == ["one", "two"]
    assert "100%" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["logs/short.csv", "logs/short.csv", "log.json"], "log.json: No such file"),
        (["logs/short.csv", "logs/none.csv"], "none of 2 runs can be analysed; logs/short.csv: lr must"),
        (["logs/nothing*"], "logs/nothing*: no file there has a name of a known format"),
        (["logs/other.json"], "logs/other.json: no column has one of the usual names for lr"),
    ],
)
def test_many_bad_files_are_one_line_too(
    arguments: list[str],
    message: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "none.csv").write_text("lr,loss\n-1,2\n")
    monkeypatch.chdir(folder.parent)
    assert main(["analyze", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith(f"clrfast: {message}")
