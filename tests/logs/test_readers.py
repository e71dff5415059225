"""Files of every format give the numbers that were written, whole or in chunks, alone or many together."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import log_files
from clrfast import Log, logs
from clrfast.analysis import State, analyze

DATA = Path(__file__).parents[1] / "data"
LARGE = 20_000  # rows: above the size that the parsing libraries are asked for, many chunks


def assert_same(found: Log, expected: Log) -> None:
    np.testing.assert_array_equal(found.lr, expected.lr)
    np.testing.assert_array_equal(found.loss, expected.loss)
    assert (found.step is None) == (expected.step is None)
    if found.step is not None:
        np.testing.assert_array_equal(found.step, expected.step)


def small_blocks(monkeypatch: pytest.MonkeyPatch, size: int = 1 << 16) -> None:
    monkeypatch.setattr("clrfast.logs._readers._limits.BLOCK", size)
    monkeypatch.setattr("clrfast.logs._readers._polars.SMALL", 1 << 10)


@pytest.mark.parametrize("rows", [0, 1, 1000])
@pytest.mark.parametrize("name", log_files.WRITERS)
def test_every_format_gives_the_same_log(name: str, rows: int, tmp_path: Path) -> None:
    if rows == 0 and name.endswith((".jsonl", ".ndjson", "log.json", "trainer_state.json")):
        pytest.skip("without rows these have no names of columns")
    expected = log_files.log(rows)
    path = log_files.write(tmp_path, name, expected)
    found = logs.read(path)
    assert_same(found, expected if rows else Log(expected.lr, expected.loss, found.step))
    assert found.problems == ()
    assert found.status == f"Read {rows:,} rows of 'lr' and 'loss' from {path}."


def test_runs_by_name_in_json(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    runs = {
        "a": {"lr": [0.1, 0.2], "loss": [3, 2.5], "note": []},
        "b/c": {"loss": [4, "x"], "lr": [0.3, 0.4]},
    }
    runs["b/c"]["note"] = []
    path.write_text(json.dumps(runs))
    with pytest.warns(logs.ReadWarning, match="1 row was left out; row 4: 'loss' is 'x', not a number"):
        log = logs.read(path)
    assert {name: (run.lr.tolist(), run.loss.tolist()) for name, run in log.split().items()} == {
        "a": ([0.1, 0.2], [3.0, 2.5]),
        "b/c": ([0.3], [4.0]),
    }
    runs["a"]["loss"].append(9)
    path.write_text(json.dumps(dict.fromkeys("xy", runs["a"])))
    with pytest.warns(logs.ReadWarning, match=r"columns of '[xy]' differ in length \('lr' 2, 'loss' 3\)"):
        assert [len(run) for run in logs.read(path).split().values()] == [2, 2]


def test_columns_of_different_names_are_no_runs(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"train": {"lr": [0.1], "loss": [3]}, "test": {"error": [2]}}))
    log = logs.read(path)
    assert (log.lr.tolist(), log.loss.tolist(), log.runs) == ([0.1], [3.0], ())


@pytest.mark.parametrize("packed", log_files.PACK)
@pytest.mark.parametrize("name", log_files.WRITERS)
def test_compressed_files_are_read_alike(name: str, packed: str, tmp_path: Path) -> None:
    expected = log_files.log()
    assert_same(logs.read(log_files.write(tmp_path, name + packed, expected)), expected)


@pytest.mark.parametrize("name", [*log_files.WRITERS, "log.csv.gz"])
def test_chunks_are_the_log_in_pieces(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    monkeypatch.setattr("clrfast.logs._readers._limits.ROWS", 3000)
    monkeypatch.setattr("clrfast.logs._readers._limits.ROWS", 200)
    expected = log_files.log(LARGE)
    path = log_files.write(tmp_path, name, expected)
    chunks = list(logs.iter_chunks(path))
    assert len(chunks) > 5 or name.endswith(".json")
    assert {chunk.run for chunk in chunks} == {str(path)}
    assert_same(Log(*(np.concatenate(parts) for parts in list(zip(*chunks))[:3])), expected)


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.npz", "log.parquet"])
def test_a_state_fed_in_chunks_agrees_with_the_log_in_memory(name: str, tmp_path: Path) -> None:
    lr = np.geomspace(1e-6, 10, LARGE)
    loss = 2 - np.exp(-(np.log(lr / 0.03) ** 2)) + np.random.default_rng(0).normal(0, 0.05, LARGE)
    path = log_files.write(tmp_path, name, Log(lr, loss, np.arange(LARGE, dtype=np.int64)))
    state = State()
    for chunk in logs.iter_chunks(path):
        state.add(chunk.lr, chunk.loss)
    direct, streamed = analyze(lr, loss).suggestion, state.analyze().suggestion
    assert streamed.max_lr == pytest.approx(direct.max_lr, rel=1e-9)
    assert streamed.base_lr == pytest.approx(direct.base_lr, rel=1e-9)


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_reading_may_stop_anywhere(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks ahead of the one in use are parsed in threads, which end with the reading."""
    small_blocks(monkeypatch, 1 << 12)
    expected = log_files.log(LARGE)
    path = log_files.write(tmp_path, name, expected)
    before = threading.active_count()
    chunks = logs.iter_chunks(path)
    first = next(chunks)
    assert threading.active_count() > before
    np.testing.assert_array_equal(first.lr, expected.lr[: len(first.lr)])
    chunks.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_a_bad_rate_is_found_by_its_row_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch, 1 << 10)
    lr = np.geomspace(1e-6, 10, 1000)
    lr[700] = -1
    path = tmp_path / "log.csv"
    Log(lr, lr).to_csv(path)
    state = State()

    def feed() -> None:
        for chunk in logs.iter_chunks(path):
            state.add(chunk.lr, chunk.loss)

    with pytest.raises(ValueError, match=r"got -1\.0 \(row 700\)$"):
        feed()
    assert 0 < state.n < 700
    with pytest.raises(ValueError, match=r"got -1\.0 \(row 700\)$"):
        logs.read(path).analyze()


@given(
    losses=st.lists(st.none() | st.floats(width=64), min_size=20, max_size=60),
    form=st.sampled_from(["log.csv", "log.jsonl"]),
)
def test_libraries_and_the_line_by_line_way_agree_to_the_last_bit(
    losses: list[float | None], form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("logs") / form
    if form == "log.csv":
        lines = ["lr,note,loss", *(f"0.1,x{i},{'' if v is None else repr(v)}" for i, v in enumerate(losses))]
    else:
        lines = [json.dumps({"lr": 0.1, "loss": value}) for value in losses]
    path.write_text("\n".join(lines))
    expected = [math.nan if loss is None else loss for loss in losses]
    for small in (0, 1 << 30):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("clrfast.logs._readers._polars.SMALL", small)
            np.testing.assert_array_equal(logs.read(path).loss, expected)


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_files_are_read_alike_without_polars(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = log_files.log(LARGE)
    path = log_files.write(tmp_path, name, expected)
    monkeypatch.setitem(sys.modules, "polars", None)
    assert_same(logs.read(path), expected)


@pytest.mark.parametrize("name", ["log.parquet", "log.feather", "log.csv.zst"])
def test_a_missing_library_is_named_with_its_extra(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log_files.write(tmp_path, name, log_files.log(10))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"needs pyarrow.*clrfast\[logs\]"):
        logs.read(path)


def test_reading_a_small_csv_imports_no_library(tmp_path: Path) -> None:
    path = log_files.write(tmp_path, "log.csv", log_files.log(100))
    code = f"import sys, clrfast; clrfast.logs.read({str(path)!r}); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not any(f"'{name}'" in loaded for name in ("polars", "pyarrow", "pandas", "torch"))


@pytest.mark.parametrize("quote", ["", '"'])
def test_weights_and_biases_exports(quote: str, tmp_path: Path) -> None:
    """A panel export puts the run before the name and adds extremes; a history has slashes and holes."""
    names = ["Step", "sunny-1 - lr", "sunny-1 - lr__MIN", "sunny-1 - train/loss", "sunny-1 - train/loss__MAX"]
    lines = [names, *([i * 10, i / 8, i / 8, 3 - i / 8, 3.0] for i in range(4000))]
    path = tmp_path / "wandb_export.csv"
    path.write_text("".join(",".join(f"{quote}{cell}{quote}" for cell in line) + "\n" for line in lines))
    found = logs.read(path)
    assert found.lr.tolist() == [i / 8 for i in range(4000)]
    assert found.loss.tolist() == [3 - i / 8 for i in range(4000)]
    assert found.step is not None
    assert found.step.tolist() == list(range(0, 40000, 10))

    history = tmp_path / "history.csv"
    history.write_text(
        ",_step,_runtime,trainer/global_step,lr-AdamW,train/loss,val/loss\n"
        "0,0,1.0,0,0.001,,\n1,1,1.2,0,,2.5,\n2,2,1.5,50,0.002,,\n3,3,2.0,50,,nan,\n4,4,2.1,50,,,2.9\n"
    )
    found = logs.read(history)
    assert found.lr.tolist() == [0.001, 0.002]
    np.testing.assert_array_equal(found.loss, [2.5, math.nan])
    assert found.step is not None
    assert found.step.tolist() == [0, 50]


LIGHTNING = """epoch,lr-SGD,lr-SGD-momentum,step,train_loss_epoch,train_loss_step,val_loss
,0.001,0.9,0,,,
,0.001,0.9,9,,,
0,,,9,,2.5,
,0.002,0.9,19,,,
0,,,19,,nan,
0,,,20,,,2.25
0,,,20,2.4,,
,0.004,0.9,29,,,
1,,,29,,1.5,
1,,,39,,1.25,
"""


@pytest.mark.parametrize("block", [64, 1 << 22])
@pytest.mark.parametrize("small", [0, 1 << 18])
def test_rows_with_holes_are_joined_by_their_step(
    block: int, small: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning's CSVLogger has rows for rates and rows for losses; a step with one alone is left out."""
    monkeypatch.setattr("clrfast.logs._readers._limits.BLOCK", block)
    monkeypatch.setattr("clrfast.logs._readers._polars.SMALL", small)
    path = tmp_path / "metrics.csv"
    path.write_text(LIGHTNING)
    found = logs.read(path)
    assert found.lr.tolist() == [0.001, 0.002, 0.004]
    np.testing.assert_array_equal(found.loss, [2.5, math.nan, 1.5])
    assert found.step is not None
    assert found.step.tolist() == [9, 19, 29]


@given(
    steps=st.lists(st.integers(0, 30), max_size=60),
    seed=st.integers(0, 1000),
    pieces=st.lists(st.integers(1, 20), min_size=1, max_size=20),
)
def test_joining_finds_every_pair_of_a_step(steps: list[int], seed: int, pieces: list[int]) -> None:
    """Against a dictionary: the n-th rate of a step belongs to its n-th loss, wherever both stand."""
    from clrfast.logs._readers._decoder import Numbers
    from clrfast.logs._readers._join import Joiner, LogRows

    random = np.random.default_rng(seed)
    kinds = random.integers(0, 2, len(steps))
    values = np.arange(1.0, len(steps) + 1)
    rate, loss = np.where(kinds == 0, values, np.nan), np.where(kinds == 1, values, np.nan)
    rows = LogRows(Numbers(rate, kinds != 0), Numbers(loss, kinds != 1), np.array(steps, float))
    whole = Joiner(joins=True)(rows)
    rates: dict[int, list[float]] = {}
    losses: dict[int, list[float]] = {}
    for step, kind, value in zip(steps, kinds, values):
        (losses if kind else rates).setdefault(step, []).append(value)
    expected = {pair for step in rates for pair in zip(rates[step], losses.get(step, []))}
    assert set(zip(whole.lr.values.tolist(), whole.loss.values.tolist())) == expected
    assert len(whole.lr.values) == len(expected)

    # A pair within a chunk, or in neighbouring ones, is found; no row is given twice.
    joiner = Joiner(joins=True)
    found: list[tuple[float, float]] = []
    begin = 0
    for piece in [*pieces, len(steps)]:
        part = joiner(rows.take(np.arange(begin, min(begin + piece, len(steps)))))
        found += list(zip(part.lr.values.tolist(), part.loss.values.tolist()))
        begin = min(begin + piece, len(steps))
    assert len({pair[0] for pair in found}) == len({pair[1] for pair in found}) == len(found)
    for rate_value, loss_value in found:
        assert steps[int(rate_value) - 1] == steps[int(loss_value) - 1]


def test_a_column_of_runs_gives_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch, 1 << 12)
    lines = [
        f"{name},{i},{i / 64 + 1},{i * 2}"
        for i in range(500)
        for name in ("b", "a b")
        if i < 400 or name == "b"
    ]
    path = tmp_path / "runs.csv"
    path.write_text("run,step,lr,loss\n" + "\n".join(lines))
    log = logs.read(path)
    assert log.runs == ("b", "a b")
    assert log.offsets is not None
    assert log.offsets.tolist() == [0, 500, 900]
    parts = log.split()
    assert parts["a b"].lr.tolist() == [i / 64 + 1 for i in range(400)]
    assert parts["a b"].step is not None
    assert parts["a b"].step.tolist() == list(range(400))
    assert parts["b"].loss.tolist() == [i * 2 for i in range(500)]
    with pytest.raises(ValueError, match=r"holds 2 runs: use analyze_runs\(\)"):
        log.analyze()
    named = logs.read(path, run="step")
    assert len(named.runs) == 500
    assert named.step is None
    with pytest.raises(ValueError, match=r"runs\.csv: 'lr' cannot tell the runs apart"):
        logs.read(path, run="lr")


def test_runs_are_analysed_each_or_as_repeats(tmp_path: Path) -> None:
    lr = np.geomspace(1e-6, 10, 500)
    random = np.random.default_rng(0)
    for name in "abc":
        loss = 2 - np.exp(-(np.log(lr / 0.03) ** 2)) + random.normal(0, 0.05, 500)
        Log(lr, loss).to_csv(tmp_path / f"{name}.csv")
    log = logs.read(tmp_path)
    table = log.analyze_runs()
    assert table["run"].tolist() == list(log.runs) == ["a.csv", "b.csv", "c.csv"]
    for name, part in log.split().items():
        row = table[table["run"] == name][0]
        assert row["max_lr"] == pytest.approx(part.analyze().suggestion.max_lr, rel=1e-9)
    repeats = log.analyze_repeats()
    assert repeats.n == 1500
    assert table["max_lr"].min() * 0.8 < repeats.suggestion.max_lr < table["max_lr"].max() * 1.25
    single = logs.read(tmp_path / "a.csv")
    assert single.split()[""] is single
    assert single.analyze_runs()["n"].tolist() == [500]


def test_folders_patterns_and_lists_give_a_run_a_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    one = log_files.write(tmp_path, "log.csv", log_files.log(10, 1))
    two = log_files.write(tmp_path / "deep", "log.parquet", log_files.log(20, 2))
    (tmp_path / "notes.md").write_text("lr,loss\n")
    (tmp_path / ".hidden.csv").write_text("lr,loss\n1,2\n")
    both = logs.read(tmp_path)
    assert both.runs == ("deep/log.parquet", "log.csv")
    assert both.offsets is not None
    assert both.offsets.tolist() == [0, 20, 30]
    assert both.status == f"Read 30 rows of 2 runs from {tmp_path}."
    assert logs.read(str(tmp_path / "**" / "*.*")).runs == (str(two), str(one))
    listed = logs.read([one, str(two), one])
    assert listed.runs == (str(one), str(two))
    np.testing.assert_array_equal(listed.lr[:10], log_files.log(10, 1).lr)
    for nowhere in (tmp_path / "none.csv", tmp_path / "*.tsv"):
        with pytest.raises(FileNotFoundError, match=r"No such file|no file there"):
            logs.read(nowhere)
    with pytest.raises(ValueError, match="no path is given"):
        logs.read([])


def test_files_in_a_folder_that_are_no_logs_are_told_and_passed_over(tmp_path: Path) -> None:
    log_files.write(tmp_path, "log.csv", log_files.log(10))
    (tmp_path / "config.json").write_text('{"lr": 0.1, "layers": [1, 2]}')
    with pytest.warns(logs.ReadWarning, match=r"config\.json: no column has one of the usual names for lr"):
        log = logs.read(tmp_path)
    assert len(log) == 10
    assert len(log.problems) == 1
    with pytest.raises(ValueError, match=r"config\.json"):
        logs.read([tmp_path / "config.json", tmp_path / "log.csv"])
    (tmp_path / "log.csv").unlink()
    with pytest.raises(ValueError, match=r"config\.json"):
        logs.read(tmp_path)


def test_numpy_arrays_of_other_shapes(tmp_path: Path) -> None:
    """Two columns in one array, in either order of memory; a column a file, as keras-one-cycle has them."""
    expected = log_files.log(100)
    both = np.stack([expected.lr, expected.loss], axis=1)
    for order in ("C", "F"):
        np.save(tmp_path / "both.npy", np.asarray(both, order=order))  # type: ignore[call-overload]
        found = logs.read(tmp_path / "both.npy", lr="0", loss="1")
        assert_same(found, Log(expected.lr, expected.loss))
    (tmp_path / "both.npy").unlink()
    np.save(tmp_path / "lrs.npy", expected.lr)
    np.save(tmp_path / "losses.npy", expected.loss.astype(np.float32))
    found = logs.read(tmp_path)
    assert found.lr.tolist() == expected.lr.tolist()
    np.testing.assert_array_equal(found.loss, expected.loss.astype(np.float32))
    with pytest.raises(ValueError, match=r"losses\.npy: no column has .* for lr; .*: 'losses'$"):
        logs.read(tmp_path / "losses.npy")


def test_numpy_arrays_that_are_no_columns_of_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", lr=np.ones((2, 2)), loss=np.ones(2))
    np.savez(tmp_path / "b.npz", lr=np.ones(2), loss=np.array(["x", "y"]))
    np.save(tmp_path / "c.npy", np.array([{}, []], dtype=object))
    np.savez(tmp_path / "d.npz", lr=np.ones(2), loss=np.array([{}, 1], dtype=object))
    for name, message in {
        "a.npz": r"'lr' must have one dimension, got \(2, 2\)",
        "b.npz": "'loss' holds <U1, not real numbers",
        "c.npy": "holds Python objects",
        "d.npz": "'loss' cannot be read: it holds Python objects",
    }.items():
        with pytest.raises(ValueError, match=rf"{name}: .*{message}"):
            logs.read(tmp_path / name)


def test_json_that_is_nested_or_says_numbers_in_strings(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(
        '{"opt": {"lr": 0.1}, "train": {"loss": "NaN"}}\n\n{"opt": {"lr": 0.2}, "train": {"loss": 2}}\n'
    )
    found = logs.read(path)
    assert found.lr.tolist() == [0.1, 0.2]
    np.testing.assert_array_equal(found.loss, [math.nan, 2.0])


@pytest.mark.parametrize(
    ("names", "lr", "loss"),
    [
        ("Learning Rate,Train Loss,val_loss", "Learning Rate", "Train Loss"),
        (
            "lr-Adam,lr-Adam-momentum,lr-Adam-weight_decay,train_loss_step,train_loss_epoch",
            "lr-Adam",
            "train_loss_step",
        ),
        (
            "charts/learning_rate,losses/value_loss,base_lr,max_lr",
            "charts/learning_rate",
            "losses/value_loss",
        ),
        ("epoch,LEARNING_RATE,TRAIN_LOSS,DEV_LOSS,TEST_LOSS", "LEARNING_RATE", "TRAIN_LOSS"),
        ("Loss/train,Loss/test,lr/group0", "lr/group0", "Loss/train"),
        ("optimizer_lr,batch_loss,loss_valid", "optimizer_lr", "batch_loss"),
    ],
)
def test_columns_are_found_by_the_names_of_the_tools(names: str, lr: str, loss: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(names + "\n" + ",".join(str(i + 1) for i in range(names.count(",") + 1)) + "\n")
    found = logs.read(path)
    listed = names.split(",")
    assert (found.lr[0], found.loss[0]) == (listed.index(lr) + 1, listed.index(loss) + 1)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            "lr-a,lr-b,loss",
            "'lr-a' and 'lr-b' could both be the lr; give lr= one of its columns: 'lr-a', 'lr-b'",
        ),
        ("lr,a_loss,b_loss", "'a_loss' and 'b_loss' could both be the loss; give loss="),
        ("lr,lr,loss", "'lr' and 'lr' could both be the lr"),
        ("lr,val_loss,loss_epoch,epoch_loss", "no column has one of the usual names for loss; give loss="),
    ],
)
def test_ambiguous_columns_are_not_guessed(names: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(names + "\n1,2,3\n")
    with pytest.raises(ValueError, match=rf"log\.csv: {message}"):
        logs.read(path)


def test_steps_that_are_not_whole_are_no_steps(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for step in ("1.5", "x", "", "1e300", "nan"):
        path.write_text(f"step,lr,loss\n1,2,3\n{step},2,3\n")
        found = logs.read(path)
        assert len(found) == 2
        assert found.step is None
    assert logs.read(path, step="lr").step is not None


def test_undoes_the_smoothing_of_a_known_average(tmp_path: Path) -> None:
    expected = np.random.default_rng(0).normal(2, 1, 300)
    lr = np.geomspace(1e-6, 1, 300)
    average, recorded = 0.0, []
    for t, loss in enumerate(expected, 1):
        average = 0.98 * average + 0.02 * loss
        recorded.append(average / (1 - 0.98**t))
    log = Log(np.tile(lr, 2), np.tile(recorded, 2), runs=("a", "b"), offsets=np.array([0, 300, 600]))
    np.testing.assert_allclose(log.unsmoothed(0.98).loss, np.tile(expected, 2), rtol=1e-10, atol=1e-10)
    assert log.unsmoothed(0.98).runs == log.runs
    with pytest.raises(ValueError, match=r"beta must be finite and >= 0 and < 1, got 1"):
        log.unsmoothed(1)


@pytest.mark.parametrize(
    ("runs", "offsets", "message"),
    [
        ((), [0, 3], "0 names and 2 offsets"),
        (("a",), None, "1 names and 2 offsets"),
        (("a", "b"), [0, 2, 1, 3], "ascend from 0 to the number of rows, 3, got"),
        (("a", "b"), [0, 2, 4], "ascend from 0 to the number of rows, 3, got"),
        (("a",), [1, 3], "ascend from 0 to the number of rows, 3, got"),
        (("a",), [[0, 3]], r"offsets must be one-dimensional, got shape \(1, 2\)"),
    ],
)
def test_runs_must_fit_the_rows(runs: tuple[str, ...], offsets: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Log([1, 2, 3], [1, 2, 3], runs=runs, offsets=offsets)


def test_a_progress_bar_counts_the_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in log_files.WRITERS:
        path = log_files.write(tmp_path, name, log_files.log())
        logs.read(path, progress=True)
        assert "100%" in capsys.readouterr().err
    logs.read(path)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "name", ["log.csv", "log.csv.gz", "log.parquet", "log.npy", "log.npy.gz", "log.npz", "run.zip"]
)
def test_memory_does_not_grow_with_the_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    monkeypatch.setattr("clrfast.logs._readers._limits.ROWS", 1000)
    monkeypatch.setattr("clrfast.logs._readers._limits.ROWS", 1000)

    def peak(rows: int) -> int:
        log = log_files.log(rows)
        if name == "run.zip":
            path = tmp_path / name
            csv = log_files.write(tmp_path, "log.csv", log).read_bytes()
            path.write_bytes(log_files.zipped({"log.csv": csv}))
        else:
            path = log_files.write(tmp_path, name, log)
        for _ in logs.iter_chunks(path):  # imports and caches
            break
        tracemalloc.start()
        for _ in logs.iter_chunks(path):
            pass
        traced = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return traced

    assert peak(100_000) < 1.5 * peak(10_000) + 100_000


def test_real_logs() -> None:
    flair = logs.read(DATA / "flair_loss.tsv")
    assert len(flair) == 25
    assert flair.loss[[0, -1]].tolist() == [0.11316042036783776, 0.08583332653173925]
    lightning = logs.read(DATA / "lightning_lr_finder.json")
    assert (len(lightning), lightning.lr[0], lightning.lr[-1]) == (100, 1e-8, pytest.approx(1))
    trainer = logs.read(DATA / "trainer_state.json")
    history = json.loads((DATA / "trainer_state.json").read_text())["log_history"]
    kept = [row for row in history if "learning_rate" in row]
    assert trainer.loss.tolist() == [row["loss"] for row in kept]
    assert trainer.step is not None
    assert trainer.step.tolist() == [row["step"] for row in kept]
