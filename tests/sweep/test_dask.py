"""One answer on Dask as on one machine, bit for bit, however the rows are spread."""

from __future__ import annotations

import pytest

import clrfast
import sweep_runs

pytest.importorskip("pyarrow")
pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
import clrfast.dask as on_dask  # noqa: E402 - where dask is


@pytest.fixture(scope="module", autouse=True)
def client():
    options = {"n_workers": 2, "processes": True, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


def same(found, wanted):
    """All numbers, the curve's too."""
    assert found.to_dict(curve=True) == wanted.to_dict(curve=True)
    assert wanted.best_lr is not None


@pytest.mark.parametrize("rows", [1, 1 << 22])
@pytest.mark.parametrize("take", ["last", "best", 3])
def test_files_of_many_runs(tmp_path, monkeypatch, rows, take):
    sweep_runs.one_parquet(tmp_path, sweep_runs.made(40), parts=11)
    monkeypatch.setattr(on_dask, "_ROWS_A_TASK", rows)
    same(on_dask.sweep(tmp_path, take=take), clrfast.sweep(tmp_path, take=take))


@pytest.mark.filterwarnings("ignore::clrfast.logs.ReadWarning")
def test_a_file_a_run(tmp_path):
    pytest.importorskip("yaml")
    sweep_runs.history_parquet(tmp_path, sweep_runs.made(30))
    (tmp_path / "run-7" / "history.parquet").write_bytes(b"no Parquet")
    found, wanted = on_dask.sweep(tmp_path), clrfast.sweep(tmp_path)
    assert len(found.problems) == 1
    same(found, wanted)


def test_dataframes(tmp_path):
    frames = pytest.importorskip("dask.dataframe")
    sweep_runs.one_parquet(tmp_path, sweep_runs.made(40, diverges_from=2))
    frame = frames.read_parquet(tmp_path / "*.parquet")
    same(on_dask.sweep(frame), clrfast.sweep(tmp_path))
    last = frame[frame.step == 4].drop(columns=["run", "step"])  # a row a run
    assert on_dask.sweep(last).best_lr == clrfast.sweep(last.compute()).best_lr


def test_errors_come_back(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        on_dask.sweep(tmp_path / "nowhere")
    sweep_runs.one_parquet(tmp_path, sweep_runs.made(8))
    with pytest.raises(ValueError, match="metric must be a name that runs have"):
        on_dask.sweep(tmp_path, metric="lost")
