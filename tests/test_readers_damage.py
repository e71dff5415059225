"""Damaged and truncated files: what is sound is read, what is not is told, and nothing false is given."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import log_files
from clrfast import Log, logs


def read(path: Path) -> Log:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        log = logs.read(path)
    assert [str(warning.message) for warning in told] == list(log.problems)
    return log


def assert_begins(found: Log, whole: Log, at_least: int) -> None:
    """The rows found are the first ones of the whole log, and no fewer than that."""
    assert at_least <= len(found) < len(whole)
    np.testing.assert_array_equal(found.lr, whole.lr[: len(found)])
    np.testing.assert_array_equal(found.loss, whole.loss[: len(found)])


# The share of its rows that a format gives of two thirds of a file.
TRUNCATED = {
    "log.csv": 0.6,
    "log.jsonl": 0.6,
    "log.json": 0.6,
    "trainer_state.json": 0.6,
    "log.npy": 0.6,
    "log.feather": 0.3,
    "log.arrow": 0.3,
    "log.csv.gz": 0.5,
    "log.csv.zst": 0.3,
    "log.csv.xz": 0.3,
    "log.jsonl.gz": 0.5,
}


@pytest.mark.parametrize(("name", "share"), TRUNCATED.items())
def test_truncated_files_give_what_is_left(name: str, share: float, tmp_path: Path) -> None:
    whole = log_files.log(6000)
    path = log_files.write(tmp_path, name, whole)
    data = path.read_bytes()
    data = data[: len(data) * 2 // 3 + 1]
    if name == "log.csv":  # where a number is cut, nothing shows it
        data = data[: data.rindex(b",")]
    path.write_bytes(data)
    found = read(path)
    assert_begins(found, whole, int(share * len(whole)))
    assert 1 <= len(found.problems) <= 2
    assert all(problem.startswith(f"{path}: ") for problem in found.problems)


@pytest.mark.parametrize("name", ["log.npz", "log.parquet", "log.csv.bz2"])
def test_truncated_files_that_need_their_end_are_refused(name: str, tmp_path: Path) -> None:
    path = log_files.write(tmp_path, name, log_files.log(100))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ValueError, match=rf"{name}: "):
        logs.read(path)


def test_columns_in_json_that_end_early(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text('{"lr": [0.1, 0.2, 0.3], "loss": [5, 6.5')
    log = read(path)
    assert (log.lr.tolist(), log.loss.tolist()) == ([0.1], [5.0])  # whether 6.5 is whole cannot be known
    assert log.problems == (
        f"{path}: only what precedes character 39 can be read (Expecting ',' delimiter)",
        f"{path}: the columns differ in length ('lr' 3, 'loss' 1); what exceeds the shortest is left out",
    )


@pytest.mark.parametrize("large", [False, True])
def test_bad_lines_are_counted_and_the_first_is_named(
    large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a large file, the library that parses the other blocks must not hide them."""
    monkeypatch.setattr("clrfast._readers._input.BLOCK", 1 << 12)
    monkeypatch.setattr("clrfast._readers._polars.SMALL", 0 if large else 1 << 30)
    bad = {500: "0.1", 501: "0.1,2,3,4", 502: "0.1,x,a", 503: '0.1,2,"a', 504: "", 505: "0.1,2,\xff"}
    lines = [bad.get(i, f"{i},{i / 8},a") for i in range(2, 1002)]
    path = tmp_path / "log.csv"
    path.write_bytes(("lr,loss,note\n" + "\n".join(lines)).encode("latin-1"))
    log = read(path)
    kept = [i for i in range(2, 1002) if i not in bad]
    expected = sorted([*((float(i), i / 8) for i in kept), (0.1, 2.0)])
    assert sorted(zip(log.lr.tolist(), log.loss.tolist())) == expected
    assert log.problems == (f"{path}: 4 rows were left out; the first, line 500: 1 cells, not 3",)


def test_bad_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(
        b'{"lr": 1, "loss": 2}\n\n{"lr": 1, "lo\n[3]\n\xff\n{"lr": "x", "loss": 3}\n{"lr": 2, "loss": [3]}\n'
    )
    log = read(path)
    assert log.lr.tolist() == [1.0]
    assert len(log.problems) == 1
    assert "5 rows were left out; the first, line 3: not JSON: " in log.problems[0]


def test_a_damaged_row_group_costs_its_own_rows(tmp_path: Path) -> None:
    whole = log_files.log(900)
    from pyarrow import parquet

    path = tmp_path / "log.parquet"
    parquet.write_table(
        log_files.table(whole), path, row_group_size=300, write_page_checksum=True, use_dictionary=False
    )
    chunk = parquet.ParquetFile(path).metadata.row_group(1).column(2)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset + chunk.total_compressed_size - 50] ^= 1
    path.write_bytes(data)
    log = read(path)
    assert log.lr.tolist() == [*whole.lr[:300], *whole.lr[600:]]
    assert len(log.problems) == 1
    assert "row group 1 of 3 cannot be read: " in log.problems[0]


def test_chunks_tell_too(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("lr,loss\n1,2\n3\n")
    with pytest.warns(logs.ReadWarning, match=r"log\.csv: 1 row was left out; line 3: 1 cells, not 2"):
        assert [chunk.lr.tolist() for chunk in logs.iter_chunks(path)] == [[1.0]]


def test_a_file_without_lines_is_refused_before_it_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clrfast._readers._input.BLOCK", 1000)
    monkeypatch.setattr("clrfast._readers._input._LONGEST_LINE", 1000)
    for name in ("log.csv", "log.jsonl"):
        (tmp_path / name).write_bytes(bytes(10_000))
        with pytest.raises(ValueError, match=rf"{name}: not lines of text"):
            logs.read(tmp_path / name)


@given(cut=st.integers(0, 2000))
def test_any_beginning_of_json_gives_a_beginning_of_the_rows(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [{"step": i, "loss": i / 8, "learning_rate": 10.5 + i, "text": '"[{,'} for i in range(20)]
    text = json.dumps({"epoch": 1, "log_history": rows, "last": [1]})
    path = tmp_path_factory.mktemp("logs") / "trainer_state.json"
    path.write_text(text[: min(cut, len(text) - 1)])
    try:
        log = read(path)
    except ValueError as error:
        if cut > 120:  # beyond the first row
            raise
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert log.loss.tolist() == [i / 8 for i in range(len(log))]
        assert log.lr.tolist() == [10.5 + i for i in range(len(log))]


SAMPLES: dict[str, bytes] = {}


@pytest.fixture(scope="module", autouse=True)
def _samples(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("samples")
    for name in (*log_files.WRITERS, "log.csv.gz", "log.csv.xz", "log.csv.bz2", "log.csv.zst"):
        SAMPLES[name] = log_files.write(folder, name, log_files.log(40)).read_bytes()


@given(data=st.data())
def test_any_damage_is_read_or_refused(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No other exception than ValueError, with the file's name in it; and columns of one length."""
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    content = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]
    path = tmp_path_factory.mktemp("logs") / name
    path.write_bytes(content)
    try:
        log = read(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise
    else:
        assert len(log.lr) == len(log.loss)
        assert not np.isnan(log.lr).any()
