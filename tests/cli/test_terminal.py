"""What reaches the terminal: no control character of a name, no traceback where nobody listens."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import unicodedata
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clrfast import Log, logs
from clrfast._cli import main
from clrfast._visible import visible

posix = pytest.mark.skipif(os.name != "posix", reason="names and descriptors as POSIX has them")
BAD = "\x1b[2J\x1b]0;title\x07\r\nforged  9\x7f\x9b\u202e\u2028\u200b"
OPTION = f"--{BAD}".replace(" ", "")  # with a space it would be none


def harmless(text: str) -> bool:
    return all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text.replace("\n", ""))


def write_log(path: Path, rows: int = 100) -> Path:
    lr = np.geomspace(1e-5, 1, rows)
    Log(lr, 2 - np.exp(-(np.log(lr / 0.03) ** 2))).to_csv(path)
    return path


@given(text=st.text(st.characters(), max_size=30))
def test_visible_text_is_harmless_and_plain_text_is_kept(text: str) -> None:
    assert harmless(visible(text))
    assert "\n" not in visible(text)
    assert visible(visible(text)) == visible(text)
    if text.isprintable():
        assert visible(text) == text


@posix
@pytest.mark.parametrize("arguments", [[], ["--json"], ["--html", "out.html"], ["--compare-rules"]])
def test_names_of_files_and_runs_steer_no_terminal(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / f"logs{BAD}".replace("/", "")
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    text = write_log(folder / f"a{BAD}.csv").read_text().splitlines()
    runs = [f"{name}{line}" for name in ("one\x1b[1m,", '"two\u202e",') for line in text[1:]]
    (folder / f"b{BAD}.csv").write_text("run,lr,loss\n" + "\n".join(runs) + "\n\x1b,2\n", encoding="utf-8")
    (folder / f"c{BAD}.csv").write_text("lr\x1b\x07,x\n1,2\n")
    (folder / f"d{BAD}.csv.gz").write_bytes(b"\x1f\x8b")
    assert main(["analyze", str(folder), *arguments]) == 0
    out, err = capsys.readouterr()
    assert harmless(out)
    assert harmless(err)
    assert "\\x1b[2J" in err
    if arguments == ["--json"]:
        assert json.loads(out)[0]["run"] == f"a{BAD}.csv"
    else:
        assert "\\x1b[2J" in out
        assert not any(line.startswith("forged") for line in out.splitlines())
    assert not any(line.startswith("forged") for line in err.splitlines())


@posix
@pytest.mark.parametrize(
    "arguments", [["analyze", BAD], ["analyze", f"{BAD}*"], ["analyze", "x", "--lr", BAD]]
)
def test_errors_repeat_nothing_that_steers(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert_harmless_errors(capsys)


@posix
@pytest.mark.parametrize("arguments", [[BAD], ["analyze", "x", OPTION], ["analyze", "x", "--plot", BAD]])
def test_wrong_usage_repeats_nothing_that_steers(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert_harmless_errors(capsys)


def assert_harmless_errors(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = capsys.readouterr()
    assert out == ""
    assert err
    assert harmless(err)
    assert not any(line.startswith("forged") for line in err.splitlines())


@posix
def test_warnings_and_reprs_of_the_library_steer_nothing(tmp_path: Path) -> None:
    path = write_log(tmp_path / f"a{BAD}.csv")
    with path.open("a") as file:
        file.write("x\n")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        log = logs.read(path)
    assert len(told) == 1
    assert harmless(str(told[0].message))
    assert harmless("".join(log.problems) + repr(log) + log.status)


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "clrfast", *arguments]
    return subprocess.run(command, capture_output=True, check=False, **options)


@posix
@pytest.mark.parametrize("redirect", [">&-", "| true", "> /dev/full", ">&- 2>&-", "2>&-", "2>/dev/full"])
@pytest.mark.parametrize("arguments", ["analyze log.csv", "analyze log.csv --json", "--help", "--version"])
def test_where_nobody_reads_there_is_no_traceback(redirect: str, arguments: str, tmp_path: Path) -> None:
    if "full" in redirect and not Path("/dev/full").exists():
        pytest.skip("needs Linux's device that is always full")
    write_log(tmp_path / "log.csv")
    script = f"{sys.executable} -m clrfast {arguments} {redirect}"
    if "|" in redirect:
        script = f"{{ sleep 0.01; {sys.executable} -m clrfast {arguments}; echo $? >status; }} | true"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    status = int((tmp_path / "status").read_text()) if "|" in redirect else done.returncode
    delivered = redirect.startswith("2")
    assert status == (0 if delivered else 1)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    if redirect == ">&-":
        assert "standard output" in done.stderr
    assert bool(done.stdout) == delivered
    if delivered and "--json" in arguments:
        json.loads(done.stdout)  # no talk in it


@posix
def test_a_table_fits_the_terminal(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    names = ["a.csv", f"{'long name, ' * 9}.csv", "\x1b[2J.csv"]
    for name in names:
        write_log(tmp_path / name)
    (tmp_path / "z.csv").write_text("lr,loss\n1,2\n")
    for columns in (60, 80, 132, 400):
        ours, theirs = pty.openpty()
        done = subprocess.run(
            [sys.executable, "-m", "clrfast", "analyze", str(tmp_path)],
            **{"stdout": theirs, "stderr": subprocess.PIPE, "check": True},
            env={**os.environ, "COLUMNS": str(columns)},
        )
        os.close(theirs)
        text = os.read(ours, 100_000).decode()
        os.close(ours)
        lines = text.replace("\r\n", "\n").splitlines()
        assert done.stderr
        assert harmless(text.replace("\r", ""))
        assert max(map(len, lines[1:])) <= max(columns, 80)  # what numbers need
        assert "".join(lines).count("long") == 9  # however broken, nothing of a name is lost
        piped = run("analyze", str(tmp_path)).stdout.decode().splitlines()
        assert len(piped) == 5  # one line a run where programs read
        assert (lines == piped) == (columns == 400)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shells_are_told_how_to_complete(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit) as stop:
        main(["--print-completion", shell])
    assert not stop.value.code
    script = capsys.readouterr().out
    for word in ("analyze", "recover", "demo", "--max-expansion"):
        assert word in script
    if shell == "bash":
        ask = "COMP_WORDS=(clrfast analyze --comp); COMP_CWORD=2; _shtab_clrfast; echo ${COMPREPLY[@]}"
        done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["--compare-rules"]


def test_a_shell_that_is_not_known_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit) as stop:
        main(["--print-completion", "cmd"])
    assert stop.value.code == 2
    assert "--print-completion must be one of bash, zsh" in capsys.readouterr().err


@posix
def test_what_cannot_be_encoded_is_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    text = write_log(tmp_path / "log.csv").read_bytes()
    for name in (b"a\xff.csv", "é\u4e2d.csv".encode()):
        (folder / os.fsdecode(name)).write_bytes(text)
    for encoding in ("ascii", "utf-8", "latin-1"):
        done = run("analyze", str(folder), env={**os.environ, "PYTHONIOENCODING": encoding})
        assert done.returncode == 0, done.stderr
        lines = done.stdout.decode(encoding).splitlines()
        assert len(lines) == 3
        assert lines[1].startswith("a\\udcff.csv ")
        expected = {"utf-8": "é\u4e2d", "latin-1": "é\\u4e2d", "ascii": "\\xe9\\u4e2d"}[encoding]
        assert lines[2].startswith(expected)
        done = run("analyze", str(folder / os.fsdecode(b"a\xff.csv")), "--html", str(tmp_path / "a.html"))
        assert done.returncode == 0, done.stderr


def test_python_s_own_warnings_go_the_same_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def warns(options: argparse.Namespace) -> None:
        warnings.warn(f"careful {BAD}", UserWarning, stacklevel=1)

    monkeypatch.setattr("clrfast._cli._analyze.run", warns)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["analyze", "x"]) == 0
    assert capsys.readouterr().err == f"clrfast: warning: careful {visible(BAD)}\n"
