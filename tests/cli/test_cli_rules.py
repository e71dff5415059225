"""``clrfast analyze`` with rules of others, and what it refuses before it reads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import clrfast
from clrfast import rules
from clrfast._cli import main

LOGS = json.loads((Path(__file__).parents[1] / "data" / "keras_one_cycle.json").read_text())
ALL = ["clrfast", *rules.RULES]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("mobilenet", "small"):
        clrfast.Log(LOGS[name]["lr"], LOGS[name]["loss"]).to_csv(tmp_path / f"{name}.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def analysed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["analyze", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("rule", rules.RULES)
@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("smoothed", [False, True])
def test_rule_makes_the_suggestion(
    log: str, rule: str, smoothed: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = np.array(LOGS[log]["lr"]), np.array(LOGS[log]["loss"])
    clrfast.Log(*columns).to_csv(tmp_path / "log.csv")
    arguments = ["--rule", rule, "--json", *(["--smoothed"] if smoothed else [])]
    answer = rules.compare(*columns, smoothed=smoothed)[rule]
    if answer is None:
        assert main(["analyze", str(tmp_path / "log.csv"), *arguments]) == 1
        assert rule in capsys.readouterr().err.splitlines()[-1]
        return
    printed = json.loads(analysed(capsys, str(tmp_path / "log.csv"), *arguments))
    base, top = answer if isinstance(answer, tuple) else (None, answer)
    assert (printed["base_lr"], printed["max_lr"]) == (base, top)
    assert printed["suggestion"]["rule"] == rule
    assert printed["suggestion"]["confidence"] is None
    assert printed["phases"] == clrfast.analyze(*columns).to_dict()["phases"]
    if smoothed:
        known = LOGS[log]["rules"][rule]
        assert top == pytest.approx(known[1] if isinstance(known, list) else known, rel=1e-6)


def test_our_rule_is_the_default(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analysed(capsys, "small.csv", "--rule", "clrfast") == analysed(capsys, "small.csv")
    text = analysed(capsys, "small.csv")
    assert "\nrule: clrfast\nconfidence: " in text
    assert "\n  - the loss falls from the lowest rate on" in text


def test_text_says_whose_rule_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top = rules.suggest("ignite", LOGS["small"]["lr"], LOGS["small"]["loss"]).max_lr
    out = analysed(capsys, "small.csv", "--rule", "ignite", "--plot", "out.svg", "--html", "out.html")
    assert f"base_lr no suggestion\nmax_lr  {top:.2e}\nrule: ignite\n" in out
    assert "confidence" not in out
    for file in ("out.svg", "out.html"):
        assert "rule: ignite" in Path(file).read_text()
    lines = analysed(capsys, ".", "--rule", "ignite").splitlines()
    assert lines[0].split() == ["run", "rows", "rule", "base_lr", "max_lr"]
    assert lines[2].split() == ["small.csv", "338", "ignite", "-", f"{top:.2e}"]


def test_rule_that_fails_is_told_for_its_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = np.geomspace(1e-4, 1, 12)
    clrfast.Log(short, 2 - short).to_csv("short.csv")
    lines = analysed(capsys, ".", "--rule", "fastai_slide").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["mobilenet.csv", "short.csv", "small.csv"]
    assert "loss must leave fastai_slide at least 16 rows" in lines[2]
    entries = json.loads(analysed(capsys, ".", "--rule", "fastai_slide", "--json"))
    assert "at least 16 rows" in entries[1]["error"]
    assert main(["analyze", "short.csv", "--rule", "fastai_slide"]) == 1
    assert "clrfast: short.csv: loss must leave fastai_slide" in capsys.readouterr().err


def test_rules_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = LOGS["small"]["lr"], LOGS["small"]["loss"]
    header, *lines = analysed(capsys, "small.csv", "--compare-rules").splitlines()
    assert header.split() == ["run", "rows", "rule", "base_lr", "max_lr", "between", "confidence"]
    assert lines[0].startswith("small.csv   338  clrfast (ours)  ")
    assert [line.split()[2] for line in lines] == ALL
    for line, answer in zip(lines[1:], rules.compare(*columns).values()):
        base, top = answer if isinstance(answer, tuple) else (None, answer)
        assert line.split()[3:] == ["-" if base is None else f"{base:.2e}", f"{top:.2e}"]
    assert len(analysed(capsys, ".", "--compare-rules").splitlines()) == 1 + 2 * len(ALL)


def test_rules_side_by_side_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = json.loads(analysed(capsys, "small.csv", "--compare-rules", "--json"))
    compared = printed.pop("rules")
    assert printed == json.loads(analysed(capsys, "small.csv", "--json"))
    assert [entry["rule"] for entry in compared] == ALL
    assert compared[0] == printed["suggestion"]
    both = json.loads(analysed(capsys, ".", "--compare-rules", "--json"))
    assert [entry["run"] for entry in both] == ["mobilenet.csv", "small.csv"]
    assert both[1]["rules"] == compared


def test_rules_side_by_side_say_why_one_has_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lr = np.geomspace(1e-4, 1, 12)
    clrfast.Log(lr, 2 - lr).to_csv("short.csv")
    lines = analysed(capsys, "short.csv", "--compare-rules").splitlines()
    slide = lines[ALL.index("fastai_slide") + 1]
    assert re.search(r"fastai_slide +- +- +loss must leave fastai_slide at least 16 rows", slide)
    printed = json.loads(analysed(capsys, "short.csv", "--compare-rules", "--json"))
    entry = printed["rules"][ALL.index("fastai_slide")]
    assert entry["max_lr"] is None
    assert "at least 16 rows" in entry["error"]


def test_pictures_show_the_rules(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = analysed(
        capsys, "small.csv", "--compare-rules", "--plot", "out.svg", "--html", "out.html", "--json"
    )
    for file in ("out.svg", "out.html"):
        text = Path(file).read_text()
        for entry in json.loads(out)["rules"][1:]:
            assert f"{entry['rule']} {entry['max_lr']:.2g}" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rule", "valley"], "invalid choice: 'valley' (choose from"),
        (["--rule", "ignite", "--compare-rules"], "not allowed with argument --rule"),
        (["--repeats", "--rule", "ignite"], "--repeats: rules of others know no repeats"),
        (["--repeats", "--compare-rules"], "--repeats: rules of others know no repeats"),
        (["--smoothed"], "--smoothed: only rules of others ask"),
        (["--rule", "clrfast", "--smoothed"], "--smoothed: only rules of others ask"),
        (["--plot", "out.xyz"], "--plot: must end in .png or .svg or .pdf, got 'out.xyz'"),
        (["--plot", "out"], "--plot: must end in"),
        (["--html", "out.png"], "--html: must end in .html or .htm, got 'out.png'"),
        (["--plot", "none/out.png"], "--plot: there is no folder 'none'"),
        (["--html", "none/out.html"], "--html: there is no folder 'none'"),
        (["--html", "folder.html"], "--html: 'folder.html' cannot be written"),
    ],
)
def test_wrong_usage_is_found_before_anything_is_read(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "folder.html").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["analyze", "no such file.csv", *arguments])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]


def test_unknown_rule_lists_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["analyze", "x.csv", "--rule", "valley"])
    err = capsys.readouterr().err
    assert all(rule in err for rule in ALL)


@pytest.mark.parametrize(
    ("option", "module"), [("out.png", "_matplotlib.plot"), ("out.html", "_html_page.page")]
)
def test_failed_drawing_leaves_no_file(
    option: str,
    module: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ValueError("cannot draw")

    monkeypatch.setattr(f"clrfast._pictures.{module}", fail)
    flag = "--plot" if option.endswith("png") else "--html"
    assert main(["analyze", "small.csv", flag, option]) == 1
    assert capsys.readouterr().err.endswith("clrfast: cannot draw\n")
    assert not Path(option).exists()


def test_name_in_a_picture_is_no_formula(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("small.csv").rename("$x_{.csv")
    assert analysed(capsys, "$x_{.csv", "--plot", "out.png")
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")


def test_suggest_names_the_rules() -> None:
    with pytest.raises(ValueError, match=r"rule must be one of 'fastai_valley', .*, got 'valley'"):
        rules.suggest("valley", [0.1, 0.2], [1, 2])
