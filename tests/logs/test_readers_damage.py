"""Damaged and truncated files: what is sound is read, what is not is told, and nothing false is given."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import json
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import log_files
from clrfast import Log, logs
from clrfast.logs._readers._files import OnDisk


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


BZ2_ENDS = "Compressed file ended before the end-of-stream marker was reached"
FILE_ENDS = "the file ends before their end"

# The share of its rows that a format gives of two thirds of a file.
TRUNCATED = {
    "log.csv": 0.6,
    "log.jsonl": 0.6,
    "log.json": 0.6,
    "trainer_state.json": 0.6,
    "log.npy": 0.6,
    "log.npy.gz": 0.6,
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


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("log.parquet", "its end says which columns it has and where they are"),
        ("log.csv.bz2", "the compressed data end before any can be read"),
    ],
)
def test_truncated_files_that_need_their_end_are_refused(name: str, why: str, tmp_path: Path) -> None:
    path = log_files.write(tmp_path, name, log_files.log(100))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ValueError, match=rf"{name}: .*{why}"):
        logs.read(path)


def test_a_truncated_bz2_gives_its_whole_blocks(tmp_path: Path) -> None:
    whole = log_files.log(3000)
    text = log_files.write(tmp_path, "log.csv", whole).read_bytes()
    path = tmp_path / "log.csv.bz2"
    data = bz2.compress(text, compresslevel=1)  # blocks of 100,000 bytes
    path.write_bytes(data[:-20])
    found = read(path)
    assert_begins(found, whole, int(len(whole) * (1 - 120_000 / len(text))))
    assert found.problems == (f"{path}: the compressed data end early or are damaged: {BZ2_ENDS}",)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("share", [0.75, 0.99])
def test_a_npz_that_ends_early_is_read_without_its_directory(
    save: Callable[..., None], share: float, tmp_path: Path
) -> None:
    """The columns stand one after another, so that only the last lacks rows."""
    whole = log_files.log(6000)
    path = tmp_path / "log.npz"
    save(path, lr=whole.lr, loss=whole.loss)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    found = read(path)
    assert_begins(found, whole, int(len(whole) * (share * 2 - 1.05)))
    assert len(found.problems) == 2
    assert found.problems[0].startswith(f"{path}: the archive's directory, at its end, cannot be read (")
    missing = len(whole) - len(found)
    assert found.problems[1] == f"{path}: {missing:,} of 6,000 rows are missing at the end: {FILE_ENDS}"
    path.write_bytes(data[: len(data) // 4])
    with pytest.raises(
        ValueError, match=r"for loss; .* 'lr'; .*log\.npz: the archive's directory, at its end"
    ):
        logs.read(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_npz_whose_writer_was_stopped(method: int, tmp_path: Path) -> None:
    """The size of the member that was being written is not known, nor its checksum."""
    whole = log_files.log(20_000)
    parts = {"lr.npy": io.BytesIO(), "loss.npy": io.BytesIO()}
    np.save(parts["lr.npy"], whole.lr)
    np.save(parts["loss.npy"], whole.loss)
    path = tmp_path / "log.npz"
    with path.open("wb") as file, zipfile.ZipFile(file, "w", method) as archive:
        for name, part in parts.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(part.getvalue()[:-800])
                file.flush()
                stopped = path.read_bytes()
    path.write_bytes(stopped)
    assert_begins(read(path), whole, 18_000)


def test_sizes_that_a_file_cannot_hold_cost_no_memory(tmp_path: Path) -> None:
    def npy(shape: tuple[int, ...], **header: object) -> bytes:
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f8", "fortran_order": False, "shape": shape, **header}
        )
        return stream.getvalue() + np.arange(1.0, 21).tobytes()

    damaged = {
        "log.npy": (npy((10**12, 2)), 10),
        "log.npy.gz": (gzip.compress(npy((10**15, 2))), 10),
        "columns.npy": (npy((10**12, 2), fortran_order=True), "999,999,999,980 of"),
        "wide.npy": (npy((0, 10**12)), r"an array of shape \(0, 1000000000000\) and float64 is no table"),
        "row.npy": (npy((3, 10**12)), "is no table of columns"),
        "negative.npy": (npy((-3, 2)), "is no table of columns"),
        "zeros.csv.gz": (gzip.compress(bytes(50_000_000)), "not lines of text"),
    }
    for name, (content, expected) in damaged.items():
        path = tmp_path / name
        path.write_bytes(content)
        choice = {"lr": "0", "loss": "1"} if ".npy" in name else {}
        tracemalloc.start()
        if isinstance(expected, int):
            with pytest.warns(logs.ReadWarning, match="rows are missing at the end"):
                assert len(logs.read(path, **choice)) == expected
        else:
            with pytest.raises(ValueError, match=rf"{name}: .*{expected}"):
                logs.read(path, **choice)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 30_000_000


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
    monkeypatch.setattr("clrfast.logs._readers._limits.BLOCK", 1 << 12)
    monkeypatch.setattr("clrfast.logs._readers._polars.SMALL", 0 if large else 1 << 30)
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


@pytest.mark.parametrize("name", ["runs.arrow", "runs.feather"])
def test_arrow_that_points_outside_itself_is_not_followed(name: str, tmp_path: Path) -> None:
    """The offsets of texts, which pyarrow trusts: where they lead astray, reading a text would be a crash."""
    path = tmp_path / name
    log_files.runs(path, log_files.log(60))
    data = path.read_bytes()
    offsets = struct.pack("<4i", 0, 5, 10, 15)
    second = data.index(offsets, data.index(offsets) + 1)
    path.write_bytes(data[: second + 4] + b"\xff\xff\xff\x7f" + data[second + 8 :])
    found = read(path)
    assert {name: len(part) for name, part in found.split().items()} == {"run a": 10, "run b": 10}
    assert len(found.problems) == 1
    assert found.problems[0].startswith(f"{path}: only the first 20 rows can be read: ")


@pytest.mark.parametrize("name", ["log.arrow", "log.feather", "log.parquet"])
def test_names_of_columns_that_are_no_text(name: str, tmp_path: Path) -> None:
    path = log_files.write(tmp_path, name, log_files.log(10))
    path.write_bytes(path.read_bytes().replace(b"loss", b"lo\xff\xfe"))
    with pytest.raises(ValueError, match=rf"{name}: .*codec can't decode"):
        logs.read(path)


def test_chunks_tell_too(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("lr,loss\n1,2\n3\n")
    with pytest.warns(logs.ReadWarning, match=r"log\.csv: 1 row was left out; line 3: 1 cells, not 2"):
        assert [chunk.lr.tolist() for chunk in logs.iter_chunks(path)] == [[1.0]]


def test_a_file_without_lines_is_refused_before_it_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clrfast.logs._readers._limits.BLOCK", 1000)
    monkeypatch.setattr("clrfast.logs._readers._limits.LONGEST_LINE", 1000)
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
PACKED = ("log.csv.gz", "log.csv.xz", "log.csv.bz2", "log.csv.zst", "log.npz.gz", "log.npy.xz")


@pytest.fixture(scope="module", autouse=True)
def _samples(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("samples")
    log = log_files.log(40)
    for name in (*log_files.WRITERS, *PACKED):
        SAMPLES[name] = log_files.write(folder, name, log).read_bytes()
    for name in ("runs.arrow", "runs.feather", "runs.parquet"):
        log_files.runs(folder / name, log)
        SAMPLES[name] = (folder / name).read_bytes()
    SAMPLES["runs.zip"] = log_files.zipped({name: SAMPLES[name] for name in ("log.csv", "log.npz")})


def assert_read_or_refused(path: Path) -> None:
    """No other exception than ValueError, with the file's name in it; and columns of one length."""
    try:
        log = read(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise
    else:
        assert len(log.lr) == len(log.loss)
        assert not np.isnan(log.lr).any()


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
    assert_read_or_refused(path)


@pytest.mark.parametrize(
    "name", ["log.arrow", "log.feather", "log.npz", "log.npy", "log.csv.gz", "log.csv.zst"]
)
def test_every_beginning_of_a_file_gives_a_beginning_of_the_rows(name: str, tmp_path: Path) -> None:
    whole = log_files.log(30)
    path = log_files.write(tmp_path, name, whole)
    data = path.read_bytes()
    rows = 0
    for end in range(len(data)):
        path.write_bytes(data[:end])
        try:
            found = read(path)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017
            assert rows == 0
            continue
        assert rows <= len(found)
        rows = len(found)
        assert found.problems or rows == len(whole)
        np.testing.assert_array_equal(found.lr, whole.lr[:rows])
        np.testing.assert_array_equal(found.loss, whole.loss[:rows])


@given(data=st.data())
def test_any_bytes_are_read_or_refused(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Under every name; and behind the first bytes of each format, where more of its reader is reached."""
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    start = SAMPLES[name][: data.draw(st.integers(0, 300))] if data.draw(st.booleans()) else b""
    path = tmp_path_factory.mktemp("logs") / name
    path.write_bytes(start + data.draw(st.binary(max_size=300)))
    assert_read_or_refused(path)


@pytest.mark.parametrize(
    "name", [*log_files.WRITERS, *PACKED, "runs.arrow", "runs.feather", "runs.parquet", "runs.zip"]
)
def test_each_read_may_fail(name: str, tmp_path: Path) -> None:
    """A disk that fails is an error, or told as damage: never a shorter log without a word."""
    path = tmp_path / name
    path.write_bytes(SAMPLES[name])
    whole = len(read(path))
    for at in range(1, 200):
        calls = 0

        def fails(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == at:  # noqa: B023
                    raise OSError(errno.EIO, "Input/output error")
                return function(*arguments)

            return call

        with pytest.MonkeyPatch.context() as patch:
            for method in ("read", "readinto", "readall", "seek"):
                patch.setattr(OnDisk, method, fails(getattr(OnDisk, method)))
            try:
                log = read(path)
            except (OSError, ValueError) as error:
                assert "Input/output error" in str(error)  # noqa: PT017
                continue
        assert log.problems or len(log) == whole
        if calls < at:
            break
    assert at > 1
    assert calls < at
