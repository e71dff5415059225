"""One answer on Dask as on one machine, however the rows are spread over files, row groups and partitions."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import numpy as np
import pytest

from clrfast.analysis import analyze, analyze_runs
from states import assert_same, log

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
import clrfast.dask as on_dask  # noqa: E402 - where dask is


@pytest.fixture(scope="module", autouse=True)
def client():
    """Two processes, and a page of theirs on whatever port is free."""
    options = {"n_workers": 2, "processes": True, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


def columns(runs=3, rows=4000):
    """Runs logged side by side in no strict turn, with glitches, and what follows divergence."""
    rng = np.random.default_rng(0)
    names = np.repeat(["wide", "deep", "a"], rows)
    lrs, losses = zip(*(log(rows, seed, bad=(17, rows - 5)) for seed in range(runs)))
    lr, loss = np.concatenate(lrs), np.concatenate(losses)
    loss[[rows - 4, 2 * rows - 3]] = np.inf, -np.inf
    order = np.argsort(np.tile(np.arange(rows), runs) + rng.uniform(0, 500, runs * rows), kind="stable")
    return {"run": names[order], "lr": lr[order], "train_loss": loss[order], "epoch": np.zeros(len(lr))}


NUMBERS = (0, 1, 2, 9, 10, 11)


def write(folder, data, numbers=NUMBERS):
    """Write parts of unequal length, of several row groups, whose names do not sort as their numbers do."""
    folder.mkdir(exist_ok=True)
    table = pa.table(data)
    edges = np.linspace(0, 1, len(numbers) + 1) ** 1.3 * table.num_rows
    for number, start, stop in zip(numbers, edges.astype(int), edges.astype(int)[1:]):
        part = table.slice(start, stop - start)
        parquet.write_table(
            part, folder / f"part.{number}.parquet", row_group_size=700, write_page_checksum=True
        )
    (folder / "_SUCCESS").write_text("")
    (folder / "notes.csv").write_text("not,parquet\n1,2\n")
    return folder


@pytest.fixture(scope="module")
def data():
    return columns()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, data):
    return write(tmp_path_factory.mktemp("log") / "shards", data)


def one_log(tmp_path):
    lr, loss = log(20_000, bad=(3, *range(19_900, 20_000)))
    return lr, loss, write(tmp_path / "one", {"loss": loss, "lr": lr})


@pytest.mark.parametrize("rows_a_task", [1, 1500, 1 << 22])
def test_shards_of_one_log(tmp_path, monkeypatch, rows_a_task):
    monkeypatch.setattr(on_dask, "_ROWS_A_TASK", rows_a_task)
    lr, loss, folder = one_log(tmp_path)
    found = on_dask.analyze(folder)
    assert_same(analyze(lr, loss), found)
    with dask.config.set(scheduler="synchronous"):  # in the same order, to the last bit
        assert str(on_dask.analyze(folder).to_dict(curve=True)) == str(found.to_dict(curve=True))


def test_it_runs_on_the_workers(client, folder):
    on_dask.analyze(folder)
    assert any(client.run(lambda: "clrfast.dask" in sys.modules).values())


def test_folder_pattern_and_list_are_one(tmp_path):
    lr, loss, folder = one_log(tmp_path)
    wanted = analyze(lr, loss)
    files = [folder / f"part.{number}.parquet" for number in NUMBERS]
    for source in (folder, str(folder), str(folder / "*.parquet"), files, tuple(map(str, files))):
        assert_same(wanted, on_dask.analyze(source))
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as archive:
        for file in files:
            archive.write(file, f"log/{file.name}")
    assert_same(wanted, on_dask.analyze(tmp_path / "log.zip"))
    rest = on_dask.analyze(files[3:])
    assert_same(analyze(lr[-rest.n :], loss[-rest.n :]), rest)


def test_files_are_in_the_order_of_their_numbers(tmp_path):
    lr, loss = log(60)
    for day in (10, 9, 0):
        write(tmp_path / f"day{day}", {"lr": lr, "loss": loss, "run": day * 100 + np.arange(60)})
    first, second, third = (list(range(day * 100, day * 100 + 60)) for day in (0, 9, 10))
    assert on_dask.analyze_runs(tmp_path)["run"].tolist() == first + second + third
    assert on_dask.analyze_runs([tmp_path / "day9", tmp_path / "day0"])["run"].tolist() == second + first


def test_runs_equal_those_of_one_machine(data, folder, monkeypatch):
    wanted = analyze_runs(data["lr"], data["train_loss"], run=data["run"])
    for rows in (1, 1 << 22):
        monkeypatch.setattr(on_dask, "_ROWS_A_TASK", rows)
        assert_tables_agree(on_dask.analyze_runs(folder), wanted)
    assert set(wanted["run"]) == {"wide", "deep", "a"}
    assert np.isfinite(wanted["max_lr"]).all()


def assert_tables_agree(found, wanted):
    assert found.dtype == wanted.dtype
    for name in wanted.dtype.names:
        if wanted.dtype[name].kind == "f":
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-9, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


def test_runs_may_be_numbers(tmp_path, data):
    _, numbers = np.unique(data["run"], return_inverse=True)
    labels = (numbers * 7 - 3).astype(np.int32)
    folder = write(tmp_path, {**data, "run": labels})
    wanted = analyze_runs(data["lr"], data["train_loss"], run=labels)
    assert_tables_agree(on_dask.analyze_runs(folder), wanted)


def test_runs_may_be_categories(tmp_path, data):
    """Whose order is not that of appearance, and of which one has no rows."""
    names, numbers = np.unique(data["run"], return_inverse=True)
    labels = pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int8()), pa.array([*names, "none"]))
    folder = write(tmp_path, {**data, "run": labels})
    wanted = analyze_runs(data["lr"], data["train_loss"], run=data["run"])
    assert_tables_agree(on_dask.analyze_runs(folder), wanted)


def test_dataframes(data, folder):
    frames = pytest.importorskip("dask.dataframe")
    frame = frames.read_parquet(folder / "*.parquet")
    wanted = analyze_runs(data["lr"], data["train_loss"], run=data["run"])
    assert_tables_agree(on_dask.analyze_runs(frame), wanted)
    slow = frame[frame.run == "deep"]  # partitions of lengths that no one knows yet
    rows = data["run"] == "deep"
    assert_same(analyze(data["lr"][rows], data["train_loss"][rows]), on_dask.analyze(slow))


def test_rows_without_a_rate_are_left_out(tmp_path):
    lr, loss, _ = one_log(tmp_path)
    sparse_lr, sparse_loss = np.insert(lr, [5, 9000], np.nan), np.insert(loss, [5, 9000], 1.0)
    folder = write(tmp_path / "sparse", {"lr": pa.array(sparse_lr, from_pandas=True), "loss": sparse_loss})
    assert_same(analyze(lr, loss), on_dask.analyze(folder))


def test_a_log_of_no_rows(tmp_path):
    folder = write(tmp_path / "empty", {"lr": np.empty(0), "loss": np.empty(0), "run": np.empty(0)}, (0, 1))
    assert len(on_dask.analyze_runs(folder)) == 0
    with pytest.raises(ValueError, match="must hold at least 3 rates"):
        on_dask.analyze(folder)


def test_what_is_missing_is_named(tmp_path, folder):
    frames = pytest.importorskip("dask.dataframe")
    with pytest.raises(FileNotFoundError, match="nowhere: No such file"):
        on_dask.analyze(tmp_path / "nowhere")
    (tmp_path / "log.csv").write_text("lr,loss\n")
    for source in (tmp_path, [tmp_path / "log.csv"], []):
        with pytest.raises(FileNotFoundError, match="no Parquet file there"):
            on_dask.analyze(source)
    listed = "give loss= one of its columns: 'run', 'lr', 'train_loss', 'epoch'"
    with pytest.raises(ValueError, match=rf"part\.0\.parquet: no column has the name 'lost'; {listed}"):
        on_dask.analyze(folder, loss="lost")
    with pytest.raises(ValueError, match=f"source: no column has the name 'lost'; {listed}"):
        on_dask.analyze(frames.read_parquet(folder / "*.parquet"), loss="lost")
    with pytest.raises(ValueError, match="no column has one of the usual names for run"):
        on_dask.analyze_runs(one_log(tmp_path)[2])
    with pytest.raises(TypeError, match=r"source must be a folder, .*, got int"):
        on_dask.analyze(3)


@pytest.mark.parametrize("rows_a_task", [1, 1 << 22])
def test_errors_of_workers_come_back(tmp_path, monkeypatch, rows_a_task):
    monkeypatch.setattr(on_dask, "_ROWS_A_TASK", rows_a_task)
    frames = pytest.importorskip("dask.dataframe")
    data = columns()
    data["lr"][5000] = -2.5
    folder = write(tmp_path / "bad", data)
    first = sum(parquet.read_metadata(folder / f"part.{k}.parquet").num_rows for k in (0, 1, 2))
    where = rf"got -2\.5 \(.*part\.9\.parquet, row {5000 - first}\)"
    for analyze_them in (on_dask.analyze, on_dask.analyze_runs):
        with pytest.raises(ValueError, match=where):
            analyze_them(folder)
    frame = frames.from_pandas(pa.table(data).to_pandas(), npartitions=4)
    with pytest.raises(ValueError, match=r"got -2\.5 \(partition 1, row 2000\)"):
        on_dask.analyze(frame)
    nameless = write(tmp_path / "nameless", {**columns(), "run": [None, *data["run"][1:]]})
    with pytest.raises(ValueError, match=r"part\.0\.parquet: row 0 has no run in the column 'run'"):
        on_dask.analyze_runs(nameless)
    words = write(tmp_path / "words", {"lr": ["x", "y", "z", "w"], "loss": [1.0, 2.0, 3.0, 4.0]}, (0,))
    with pytest.raises(ValueError, match=r"part\.0\.parquet: 'lr' holds string, not numbers"):
        on_dask.analyze(words)


def test_damage_is_an_error(tmp_path):
    _, _, folder = one_log(tmp_path)
    whole = (folder / "part.9.parquet").read_bytes()
    (folder / "part.9.parquet").write_bytes(whole[:-9])
    with pytest.raises(ValueError, match=r"part\.9\.parquet: not a Parquet file, or cut short"):
        on_dask.analyze(folder)
    damaged = bytearray(whole)
    damaged[200:300] = bytes(100)
    (folder / "part.9.parquet").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"part\.9\.parquet: row group 0 of \d+ cannot be read"):
        on_dask.analyze(folder)


def test_without_dask_the_extra_is_named():
    code = "import sys; sys.modules['dask'] = None; import clrfast.dask"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "clrfast.dask needs dask, which is not installed: pip install 'clrfast[dask]'" in done.stderr
