"""Zip archives are read as folders, where they are; what cannot be read in them is told and left out."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

import log_files
from clrfast import Log, logs

NAMES = [*log_files.WRITERS, "log.csv.gz", "log.npz.xz"]


def contents(folder: Path, log: Log) -> dict[str, bytes]:
    return {name: log_files.write(folder, name, log).read_bytes() for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_alone_in_an_archive(name: str, tmp_path: Path) -> None:
    expected = log_files.log()
    path = tmp_path / "run.zip"
    path.write_bytes(log_files.zipped({name: log_files.write(tmp_path, name, expected).read_bytes()}))
    found = logs.read(path)
    np.testing.assert_array_equal(found.lr, expected.lr)
    np.testing.assert_array_equal(found.loss, expected.loss)
    assert found.runs == found.problems == ()
    assert found.status == f"Read 1,000 rows of 'lr' and 'loss' from {path}."


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_compress(method: int, tmp_path: Path) -> None:
    files = contents(tmp_path, log_files.log(50))
    path = tmp_path / "run.zip"
    path.write_bytes(log_files.zipped(files, compress_type=method))
    assert logs.read(path).runs == tuple(files)


def test_an_archive_is_a_folder(tmp_path: Path) -> None:
    inside = {"deep/a.csv": b"lr,loss\n1,2\n", "b.jsonl": b'{"lr": 3, "loss": 4}\n', "notes.md": b"lr,loss\n"}
    hidden = {"__MACOSX/._b.jsonl": b"\0", "deep/": b""}
    path = tmp_path / "runs.zip"
    path.write_bytes(log_files.zipped({**inside, **hidden}))
    (tmp_path / "c.csv").write_text("lr,loss\n5,6\n")
    assert logs.read(path).runs == ("deep/a.csv", "b.jsonl")
    assert logs.read(tmp_path).runs == ("c.csv", "runs.zip/deep/a.csv", "runs.zip/b.jsonl")
    assert logs.read(str(tmp_path / "*.zip")).runs == (f"{path}/deep/a.csv", f"{path}/b.jsonl")
    assert logs.read([path, path, tmp_path / "c.csv"]).lr.tolist() == [1, 3, 5]
    path.write_bytes(log_files.zipped({"notes.md": b""}))
    with pytest.raises(ValueError, match=r"runs\.zip: no file in it has a name of a known format: \.csv"):
        logs.read(path)


def test_columns_and_event_files_in_an_archive_are_one_run(tmp_path: Path) -> None:
    files = {}
    for name, column in {"run/lrs.npy": [0.5, 1.5], "run/losses.npy": [3.0, 4.0]}.items():
        stream = io.BytesIO()
        np.save(stream, np.array(column))
        files[name] = stream.getvalue()
    path = tmp_path / "run.zip"
    path.write_bytes(log_files.zipped(files))
    found = logs.read(path)
    assert (found.lr.tolist(), found.loss.tolist()) == ([0.5, 1.5], [3.0, 4.0])
    name = "events.out.tfevents"
    sample = (Path(__file__).parents[1] / "data" / f"{name}.torch").read_bytes()
    path.write_bytes(log_files.zipped({f"run/{name}.1": sample, f"run/{name}.2": sample}))
    found = logs.read(path)
    assert found.runs == ()
    assert found.step is not None
    assert found.step.tolist() == [*range(12), *range(12)]


def test_what_cannot_be_read_in_an_archive_is_left_out(tmp_path: Path) -> None:
    row = b"lr,loss\n1,2\n"
    data = bytearray(
        log_files.zipped({"a.csv": row, "b.csv": row, "c.csv": row, "d.zip": b"", "e.csv": b"x\n"})
    )
    archive = zipfile.ZipFile(io.BytesIO(data))
    directory = data.index(b"PK\1\2")
    for name, offset, value in {
        ("a.csv", 8, 1),
        ("b.csv", 10, 99),
    }:  # encrypted, in an unknown way compressed
        data[data.index(name.encode(), directory) - 46 + offset] = value
    path = tmp_path / "runs.zip"
    path.write_bytes(data)
    with pytest.warns(logs.ReadWarning):
        found = logs.read(path)
    assert found.lr.tolist() == [1.0]
    a, b, d, e = found.problems
    assert a == f"{path}/a.csv: encrypted, which is not read"
    assert b.startswith(f"{path}/b.csv: compressed in a way that is not read: ")
    assert d == f"{path}/d.zip: an archive in an archive, or compressed, is not read; unpack it first"
    assert e.startswith(f"{path}/e.csv: no column has one of the usual names for lr; ")

    data[archive.getinfo("c.csv").header_offset] = 0
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"runs\.zip/a\.csv: encrypted"):
        logs.read(path)
    path.write_bytes(b"lr,loss\n1,2\n")
    with pytest.raises(ValueError, match=r"runs\.zip: not a zip archive, or too damaged"):
        logs.read(path)
    (tmp_path / "f.csv").write_bytes(row)
    with pytest.warns(logs.ReadWarning, match=r"runs\.zip: not a zip archive, or too damaged"):
        assert logs.read(tmp_path).lr.tolist() == [1.0]


class Pipe(io.RawIOBase):
    """Where nothing can be mended afterwards, so that sizes stand behind the data."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += bytes(data)
        return len(data)


@pytest.mark.parametrize("piped", [False, True])
def test_an_archive_that_ends_early(piped: bool, tmp_path: Path) -> None:
    """Without its directory, members are found by the header before each."""
    expected = log_files.log()
    files = contents(tmp_path, expected)
    folder = tmp_path / "zipped"
    folder.mkdir()
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    data = pipe.data if piped else log_files.zipped({"empty/": b"", **files})
    last = data.rindex(b"log.csv.gz", 0, data.index(b"PK\1\2"))
    path = folder / "runs.zip"
    path.write_bytes(data[: last + 10_000])
    with pytest.warns(logs.ReadWarning):
        found = logs.read(path)
    runs = found.split()
    assert tuple(runs) == tuple(files)[:-1]
    for name, run in runs.items():
        rows = len(run)
        assert rows == len(expected) or (name == "log.csv.gz" and rows > 100)
        np.testing.assert_array_equal(run.loss, expected.loss[:rows])
    first, second = found.problems
    assert first.startswith(f"{path}: the archive's directory, at its end, cannot be read (")
    assert second.startswith(f"{path}/log.csv.gz: the compressed data end early or are damaged: ")


def test_damaged_members_give_what_precedes_the_damage(tmp_path: Path) -> None:
    expected = log_files.log(20_000)
    data = bytearray(
        log_files.zipped({"log.csv": log_files.write(tmp_path, "log.csv", expected).read_bytes()})
    )
    path = tmp_path / "run.zip"
    data[len(data) // 2] ^= 255
    data[len(data) // 2 + 1] ^= 255
    path.write_bytes(data)
    with pytest.warns(logs.ReadWarning):
        found = logs.read(path)
    assert found.problems[0].startswith(f"{path}/log.csv: the compressed data end early or are damaged: ")
    assert 5_000 < len(found) < 20_000
    np.testing.assert_array_equal(found.lr[:5_000], expected.lr[:5_000])


def test_a_progress_bar_counts_the_members(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.zip"
    path.write_bytes(log_files.zipped(contents(tmp_path, log_files.log())))
    logs.read(path, progress=True)
    assert "100%" in capsys.readouterr().err
