"""Small files that ask for much memory or time are refused, or read in little of both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import hostile_files
import log_files
from clrfast import logs
from clrfast._cli import main

READ = """
import re, sys, warnings
import clrfast
warnings.simplefilter("ignore")
choice = {"lr": "0", "loss": "1"} if sys.argv[1].endswith("npy") else {}
try:
    print(len(clrfast.logs.read(sys.argv[1], **choice)))
except ValueError as error:
    print(error)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is asked of Linux")
@pytest.mark.parametrize("name", hostile_files.FILES)
def test_hostile_files_take_little_memory_and_end(name: str, tmp_path: Path) -> None:
    make, expected = hostile_files.FILES[name]
    path = tmp_path / name
    path.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True, timeout=300
    )
    result, peak = done.stdout.splitlines()
    if isinstance(expected, int):
        assert result == str(expected)
    else:
        assert str(path) in result
        assert expected in result
    assert int(peak) < 700_000  # KiB; most of it what pyarrow and Polars take


def test_the_limit_can_be_raised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.csv.zst"
    text = b"lr,loss\n" + b"0.1,2\n" * 3_200_000
    path.write_bytes(pa.compress(text, "zstd", asbytes=True))
    with pytest.raises(
        ValueError, match=r"log\.csv\.zst: becomes more than 1,000 times .* give max_expansion="
    ):
        logs.read(path)
    with pytest.raises(ValueError, match="more than 1,000 times as large"):
        list(logs.iter_chunks(path))
    assert len(logs.read(path, max_expansion=1e5)) == 3_200_000
    assert sum(len(chunk.lr) for chunk in logs.iter_chunks(path, max_expansion=1e5)) == 3_200_000
    assert main(["analyze", str(path)]) == 1
    assert "give --max-expansion a number above 1,000" in capsys.readouterr().err
    assert main(["analyze", str(path), "--max-expansion", "1e5"]) == 1  # of equal rates nothing is found
    assert "times as large" not in capsys.readouterr().err
    for wrong in (0.5, float("nan"), -1):
        with pytest.raises(ValueError, match="max_expansion must be finite and >= 1, got"):
            logs.read(path, max_expansion=wrong)


def test_a_bomb_beside_logs_costs_itself_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv.zst").write_bytes(hostile_files.repeated_rows())
    for name in "bc":
        log_files.write(tmp_path, "log.csv.gz", log_files.log()).rename(tmp_path / f"{name}.csv.gz")
    with pytest.warns(logs.ReadWarning, match=r"a\.csv\.zst: becomes more than 1,000 times"):
        found = logs.read(tmp_path).split()
    assert len(found["b.csv.gz"]) == len(found["c.csv.gz"]) == 1000


@pytest.mark.parametrize("packed", log_files.PACK)
def test_honest_logs_are_far_from_the_limit(
    packed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that counts and a rate and a loss that never move: what repeats most of all that people log."""
    monkeypatch.setattr("clrfast.logs._readers._limits.FREE_BYTES", 0)
    text = b"step,lr,loss\n" + b"".join(b"%d,0.001,nan\n" % i for i in range(100_000))
    path = tmp_path / f"log.csv{packed}"
    path.write_bytes(log_files.PACK[packed](text))
    assert len(logs.read(path, max_expansion=200)) == 100_000


def test_a_file_without_sound_rows_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clrfast.logs._readers._limits.MOST_BAD_ROWS", 1000)
    for name, start, bad in (
        ("log.csv", "lr,loss\n1,2\n", "x\n"),
        ("log.jsonl", '{"lr":1,"loss":2}\n', "[]\n"),
    ):
        path = tmp_path / name
        path.write_text(start + bad * 1000)
        with pytest.warns(logs.ReadWarning, match="1,000 rows were left out"):
            logs.read(path)
        path.write_text(start + bad * 1001)
        with pytest.raises(ValueError, match=rf"{name}: more than 1,000 rows cannot be read; the first"):
            logs.read(path)


@pytest.mark.parametrize("small", [0, 1 << 30])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_are_counted_and_passed_over(
    small: int, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clrfast.logs._readers._polars.SMALL", small)
    table = ["loss\tlr", "1\t2", "", "  ", "\t5", "", "", "x\t6", "3\t4"]
    objects = ['{"loss":1,"lr":2}', "", " ", "{}", "", "", "", '{"loss":"x","lr":3}', '{"loss":3,"lr":4}']
    for name, lines, rates in (("log.tsv", table, [2, 5, 4]), ("log.jsonl", objects, [2, 4])):
        path = tmp_path / name
        path.write_bytes(end.join(lines).encode())
        with pytest.warns(logs.ReadWarning, match="1 row was left out; line 8: 'loss' is 'x'"):
            found = logs.read(path)
        np.testing.assert_array_equal(found.lr, rates)
