"""What stands twice in a file: streams, members, keys, columns. Nothing is lost or chosen without a word."""

from __future__ import annotations

import gzip
import io
import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import log_files
from clrfast import Log, logs

FIRST = b"lr,loss\n" + b"".join(b"0.%d,%d\n" % (i + 1, i) for i in range(100))
SECOND = b"".join(b"0.%d,%d\n" % (i + 1, i) for i in range(100, 200))


def read(path: Path) -> Log:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", logs.ReadWarning)
        return logs.read(path)


@pytest.mark.parametrize("packed", log_files.PACK)
def test_streams_one_after_another(packed: str, tmp_path: Path) -> None:
    path = tmp_path / f"log.csv{packed}"
    first, second = map(log_files.PACK[packed], (FIRST, SECOND))
    path.write_bytes(first + second)
    assert logs.read(path).loss.tolist() == list(range(200))
    if packed != ".zst":  # padding, as on tapes
        path.write_bytes(first + bytes(1000) + second + bytes(100_000))
        assert logs.read(path).loss.tolist() == list(range(200))


@pytest.mark.parametrize("packed", log_files.PACK)
@pytest.mark.parametrize("where", ["zip", "folder"])
def test_damage_after_the_first_stream_is_told(packed: str, where: str, tmp_path: Path) -> None:
    """Wherever it is, at the second stream's very beginning too; what precedes it is given."""
    first, second = map(log_files.PACK[packed], (FIRST, SECOND))
    name = f"log.csv{packed}"
    for damaged in (
        first + b"\xff" + second[1:],
        first + second[:1],
        first + second[:3],
        first + second[:-3],
        first + b"garbage",
        first + bytes(7) + b"garbage",
    ):
        path = tmp_path / ("log.zip" if where == "zip" else name)
        path.write_bytes(log_files.zipped({name: damaged}) if where == "zip" else damaged)
        found = read(path)
        assert 100 <= len(found) <= 200
        assert found.loss.tolist() == list(range(len(found)))
        assert len(found.problems) == 1
        assert "the compressed data end early or are damaged: " in found.problems[0]


@given(data=st.data())
def test_any_damage_of_streams_gives_a_beginning_or_is_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And never less than all without a word."""
    packed = data.draw(st.sampled_from(sorted(log_files.PACK)))
    first = log_files.PACK[packed](FIRST)
    content = bytearray(first + log_files.PACK[packed](SECOND))
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        content = content[:place]
    path = tmp_path_factory.mktemp("logs") / f"log.csv{packed}"
    path.write_bytes(content)
    try:
        found = read(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise
        return
    if packed == ".zst":  # pyarrow writes it without a checksum
        assert found.problems or len(found) in (100, 200)
        return
    assert found.problems or len(found) == (100 if len(content) == len(first) else 200)
    assert found.loss.tolist() == list(range(len(found)))


@pytest.mark.parametrize("cut", [False, True])
def test_a_member_that_was_written_twice_gives_its_last_version(cut: bool, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")  # zipfile warns of the second
        for version in (1, 2, 3):
            archive.writestr("a.csv", f"lr,loss\n0.1,{version}\n")
            archive.writestr("./b.csv" if version > 1 else "b.csv", f"lr,loss\n0.1,{version}\n")
    data = stream.getvalue()
    path = tmp_path / "log.zip"
    path.write_bytes(data[: data.index(b"PK\1\2")] if cut else data)
    found = read(path).split()
    assert {name: run.loss.tolist() for name, run in found.items()} == {"a.csv": [3], "b.csv": [3]}
    for folder in (tmp_path, tmp_path / "*.zip"):
        assert read(folder).loss.tolist() == [3, 3]


@pytest.mark.parametrize("cut", [False, True])
def test_an_array_that_was_written_twice_gives_its_last_version(cut: bool, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")
        for version in (1.0, 2.0):
            for name in ("lr", "loss"):
                array = io.BytesIO()
                np.save(array, np.full(3, version))
                archive.writestr(f"{name}.npy", array.getvalue())
    data = stream.getvalue()
    path = tmp_path / "log.npz"
    path.write_bytes(data[: data.index(b"PK\1\2")] if cut else data)
    assert read(path).loss.tolist() == [2, 2, 2]
    if not cut:
        assert np.load(path)["loss"].tolist() == [2, 2, 2]


def test_a_member_is_the_one_that_the_directory_names(tmp_path: Path) -> None:
    data = log_files.zipped({"a.csv": b"lr,loss\n1,2\n", "b.csv": b"lr,loss\n3,4\n"})
    place = data.rindex(b"b.csv")
    path = tmp_path / "log.zip"
    path.write_bytes(data[:place] + b"c" + data[place + 1 :])
    found = read(path)
    assert found.lr.tolist() == [1]
    assert "c.csv: its place in the archive is that of 'b.csv'" in found.problems[0]


KEYS = ['"lr"', '"l\\u0072"', '"\\u006cr"']


@given(
    rows=st.lists(
        st.lists(st.tuples(st.sampled_from(KEYS), st.integers(1, 9) | st.none()), max_size=3),
        min_size=1,
        max_size=30,
    ),
    nested=st.booleans(),
)
def test_of_equal_keys_the_last_counts_in_small_files_and_large(
    rows: list[list[tuple[str, int | None]]], nested: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("logs") / "log.jsonl"
    start = '{"x": {"lr": 77}, ' if nested else "{"
    lines = [
        start + "".join(f"{key}: {json.dumps(value)}, " for key, value in row) + '"loss": 1}' for row in rows
    ]
    path.write_text("\n".join(['{"lr": 5, "loss": 1}', *lines]))
    values = [json.loads(line).get("lr") for line in lines]
    expected = [5, *(value for value in values if value is not None)]
    for small in (0, 1 << 30):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("clrfast.logs._readers._polars.SMALL", small)
            assert logs.read(path, lr="lr").lr.tolist() == expected
    path = path.with_suffix(".json")
    path.write_text(f'[{{"lr": 5, "loss": 1}}, {", ".join(lines)}]')
    assert logs.read(path, lr="lr").lr.tolist() == expected


def test_names_that_can_be_written_with_escapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clrfast.logs._readers._polars.SMALL", 0)
    path = tmp_path / "log.jsonl"
    for name, again in (("a/lr", "a\\/lr"), ("é lr", "\\u00e9 lr"), ('"lr', "\\u0022lr")):
        row = f'{{{json.dumps(name, ensure_ascii=False)}: 1, "{again}": 2, "loss": 3}}\n'
        path.write_text(row * 2, encoding="utf-8")
        assert logs.read(path, lr=name).lr.tolist() == [2, 2]


def test_columns_of_one_name_are_not_chosen_between(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    choices: list[tuple[str, dict[str, str]]] = [
        ("lr,lr,loss", {"lr": "lr"}),
        ("lr,loss, loss ", {"loss": "loss"}),
        ("lr,step,loss,step", {}),
        ("lr,run,loss,run", {}),
    ]
    for names, choice in choices:
        path.write_text(names + "\n" + ",".join("1234"[: names.count(",") + 1]) + "\n")
        with pytest.raises(ValueError, match=r"log\.csv: 2 columns have the name '\w+'; rename all but one"):
            logs.read(path, **choice)  # type: ignore[arg-type]
    path = tmp_path / "log.arrow"
    table = pa.Table.from_arrays([pa.array([0.1]), pa.array([0.2]), pa.array([1.0])], ["lr", "lr", "loss"])
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(ValueError, match="2 columns have the name 'lr'"):
        logs.read(path, lr="lr")


def test_files_that_give_one_column_are_not_chosen_between(tmp_path: Path) -> None:
    for name in ("lr.npy", "loss.npy"):
        np.save(tmp_path / name, np.ones(2))
    (tmp_path / "lr.npy.gz").write_bytes(gzip.compress((tmp_path / "lr.npy").read_bytes()))
    with pytest.raises(ValueError, match=r"lr\.npy\.gz: 'lr' is the name of a column in .*lr\.npy too"):
        logs.read(tmp_path)
