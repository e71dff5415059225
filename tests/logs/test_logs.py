"""Logs in memory and from files: the right columns, every number unchanged, clear words for what is wrong."""

from __future__ import annotations

import inspect
import json
import math
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clrfast import Log, logs, schedules
from clrfast.analysis import analyze


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_holds_read_only_copies() -> None:
    lr, loss = np.array([1e-3, 1e-2], np.float32), [2, 1]
    log = Log(lr, loss, [0, 1], "Done.")
    lr[0] = 7
    assert log.lr.tolist() == [np.float32(1e-3), np.float32(1e-2)]
    assert (log.lr.dtype, log.loss.dtype) == (np.float64, np.float64)
    assert log.step is not None
    assert log.step.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        log.loss[0] = 3
    assert len(log) == 2
    assert repr(log) == "<Log of 2 rows, lr 0.001 to 0.01: Done.>"
    assert repr(Log([], [])) == "<Log of 0 rows: no status>"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1.0, 2.0], [1.0]), "loss must be as long as lr, 2, got 1 rows"),
        (([1.0], [1.0], [1, 2]), "step must be as long as lr, 1, got 2 rows"),
        (([[1.0]], [1.0]), r"lr must be one-dimensional, got shape \(1, 1\)"),
    ],
)
def test_columns_must_agree(columns: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Log(*columns)


def test_takes_lists_tuples_and_arrays_of_any_real_type() -> None:
    for lr in ([1, 2], (1.0, 2.0), range(1, 3), np.array([1, 2], np.uint8), np.array([1, 2], np.float16)):
        log = Log(lr, lr, np.array([3.0, 4.0]), runs=["a", "b"], offsets=(0, 1, 2), problems=["c"])
        assert (log.lr.tolist(), log.lr.dtype) == ([1.0, 2.0], np.float64)
        assert log.step is not None
        assert (log.step.tolist(), log.step.dtype) == ([3, 4], np.int64)
        assert (log.runs, log.problems) == (("a", "b"), ("c",))
    for step in ([2**62 + 1, 5], np.array([2**62 + 1, 5], np.uint64)):
        assert Log([1, 2], [1, 2], step).step.tolist() == [2**62 + 1, 5]  # type: ignore[union-attr]
    with pytest.raises(AttributeError):
        log.lr = [1]  # type: ignore[assignment, misc]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((["x"], [1]), "lr must be a row of numbers: could not convert string to float: 'x'"),
        (([1], [[1, 2], [3]]), "loss must be a row of numbers: "),
        ((3, [1]), r"lr must be one-dimensional, got shape \(\)"),
        (([1, 2], [1, 2], [1, 2.5]), "step must be whole numbers, got float64"),
        (([1, 2], [1, 2], [1, math.nan]), "step must be whole numbers, got float64"),
        (([1], [1], [2**63]), "step must be whole numbers, got uint64"),
        (([1], [1], ["1"]), "step must be whole numbers, got <U1"),
    ],
)
def test_what_is_no_column_is_refused(columns: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Log(*columns)


def test_analyze_takes_what_it_knows_alone() -> None:
    assert list(inspect.signature(Log.analyze).parameters) == ["self", "beta", "threads"]
    lr = np.geomspace(1e-5, 1, 100)
    with pytest.raises(TypeError, match="betta"):
        Log(lr, lr).analyze(betta=3)  # type: ignore[call-arg]
    assert Log.__module__ == logs.Chunk.__module__ == logs.ReadWarning.__module__ == "clrfast.logs"


def test_every_plot_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    lr = np.geomspace(1e-5, 1, 100)
    for plot in (Log([1], [1]).plot, analyze(lr, lr).plot, schedules.constant(0.1).plot):
        with pytest.raises(ImportError, match=r"plot\(\) needs matplotlib.*clrfast\[plot\]"):
            plot()


def test_analyzes_and_plots() -> None:
    lr = np.geomspace(1e-5, 1, 100)
    log = Log(lr, 2 - np.exp(-(np.log(lr / 0.03) ** 2)))
    found, direct = log.analyze(beta=0.5), analyze(log.lr, log.loss, beta=0.5)
    assert found.to_dict() == direct.to_dict()
    assert found.beta == 0.5
    ax = log.plot()
    assert ax.get_xscale() == "log"
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.transpose([log.lr, log.loss]))
    assert log.plot(ax) is ax
    ax.figure.clear()


@given(
    rows=st.lists(st.tuples(st.floats(1e-300, 1e300), st.floats(width=64)), max_size=20),
    with_steps=st.booleans(),
)
def test_csv_round_trip_is_exact(
    rows: list[tuple[float, float]], with_steps: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("logs") / "log.csv"
    lr, loss = zip(*rows) if rows else ((), ())
    log = Log(lr, loss, list(range(5, 5 + len(rows))) if with_steps else None)
    log.to_csv(path)
    again = logs.read(path)
    np.testing.assert_array_equal(again.lr, log.lr)
    np.testing.assert_array_equal(again.loss, log.loss)
    assert (again.step is None) == (not with_steps)
    if with_steps:
        np.testing.assert_array_equal(again.step, log.step)


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "names",
    [
        ("lr", "loss"),
        ("LR", " Loss "),
        ("Learning Rate", "Training Loss"),
        ("LEARNING_RATE", "TRAIN_LOSS"),
        ("lr-SGD", "train_loss_step"),
        ("train/learning_rate", "train/loss"),
        ("lrs", "losses"),
    ],
)
def test_finds_the_usual_columns(names: tuple[str, str], delimiter: str, end: str, tmp_path: Path) -> None:
    rows = [("epoch", names[1], "val_loss", "step", names[0]), (0, 2.5, 9, 10, 1e-3), (0, "nan", 9, 20, 1e-2)]
    text = end.join(delimiter.join(map(str, row)) for row in rows)
    log = logs.read(write(tmp_path / "log.txt", "\ufeff" + text + end + end))
    assert log.lr.tolist() == [1e-3, 1e-2]
    np.testing.assert_array_equal(log.loss, [2.5, math.nan])
    assert log.step is not None
    assert log.step.tolist() == [10, 20]
    assert (
        log.status
        == f"Read 2 rows of {names[0].strip()!r} and {names[1].strip()!r} from {tmp_path / 'log.txt'}."
    )


def test_prefers_the_plainest_name_and_takes_any_that_is_given(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "train_loss,loss,lr_adam,lr,x\n1,2,3,4,5\n")
    log = logs.read(path)
    assert (log.lr.tolist(), log.loss.tolist()) == ([4.0], [2.0])
    log = logs.read(path, lr="x", loss="train_loss")
    assert (log.lr.tolist(), log.loss.tolist()) == ([5.0], [1.0])


def test_losses_may_be_missing_or_infinite_and_rows_without_a_rate_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", 'lr,loss\n1e-3,\n1e-2,"-INF"\n,7\n1e-1,inf\n0.2, 3 \n')
    log = logs.read(path)
    assert log.lr.tolist() == [1e-3, 1e-2, 1e-1, 0.2]
    np.testing.assert_array_equal(log.loss, [math.nan, -math.inf, math.inf, 3.0])


@pytest.mark.parametrize(
    "content",
    [
        {"lr": [0.1, 0.2], "loss": [1, None], "note": "x"},
        [{"lr": 0.1, "loss": 1.0}, {"eval": {"loss": 5.0}}, {"lr": 0.2, "loss": None}],
        {
            "epoch": 3,
            "log_history": [{"learning_rate": 0.1, "loss": 1.0}, {"loss": 5.0}, {"learning_rate": 0.2}],
        },
    ],
)
def test_reads_json(content: Any, tmp_path: Path) -> None:
    log = logs.read(write(tmp_path / "log.json", json.dumps(content)))
    assert log.lr.tolist() == [0.1, 0.2]
    np.testing.assert_array_equal(log.loss, [1.0, math.nan])


def test_reads_real_logs_of_many_runs() -> None:
    path = Path(__file__).parents[1] / "data" / "keras_one_cycle.json"
    runs = logs.read(path).split()
    expected = json.loads(path.read_text())
    assert list(runs) == list(expected)
    for name, run in runs.items():
        assert run.lr.tolist() == expected[name]["lr"]
        assert run.loss.tolist() == expected[name]["loss"]


def test_a_long_list_of_columns_is_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", ",".join(f"lr_{i},loss_{i}" for i in range(30)) + "\n")
    with pytest.raises(ValueError, match=r"'lr_0', .* and 40 more$"):
        logs.read(path)


@pytest.mark.parametrize("text", ["", "\n", "lr\n", "a,b\n1,2\n", "0.1,2.5\n0.2,2.4\n"])
def test_missing_columns_name_the_file_and_what_it_has(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "odd.csv", text)
    with pytest.raises(
        ValueError, match=r"odd\.csv: no column has one of the usual names for (lr|loss); give"
    ):
        logs.read(path)


@pytest.mark.parametrize(
    ("name", "text", "options", "message"),
    [
        ("a.csv", "a,b\n1,2\n", {}, r"give lr= one of its columns: 'a', 'b'$"),
        (
            "a.csv",
            "lr,loss\n1,2\n",
            {"loss": "Loss"},
            r"no column has the name 'Loss'; give loss= one of .*: 'lr', 'loss'$",
        ),
        ("a.csv", "lr,loss\n0.1,x\n", {}, r"a\.csv: 1 row was left out; line 2: 'loss' is 'x', not a number"),
        ("a.csv", "lr;loss\n0,1;2,5\n", {}, r"a\.csv: .* line 2: 'lr' is '0,1', not a number"),
        ("a.csv", "lr,loss\n3\n4\n", {}, r"a\.csv: 2 rows were left out; the first, line 2: 1 cells, not 2"),
        ("a.csv", 'lr,loss\n1,"2\n', {"loss": "lr"}, r"a\.csv"),
        ("a.json", "{", {}, r"a\.json: not JSON: "),
        ("a.json", "3", {}, r"a\.json: neither an object of columns nor a list of rows"),
        ("a.json", "[3]", {}, r"a\.json: neither"),
        ("a.json", '{"lr": 3}', {}, r"columns: none at all$"),
        ("a.json", '{"lr": [1], "loss": [1, 2]}', {"loss": "x"}, r"no column has the name 'x'"),
        ("a.json", '{"lr": [[1]], "loss": [1]}', {}, r"a\.json: .* row 1: 'lr' is '\[1\]', not a number"),
        (
            "a.pkl",
            "",
            {},
            r"a\.pkl: the file's name must end in one of \.csv, .* got '\.pkl'",
        ),
    ],
)
def test_bad_files_are_named_with_their_fault(
    name: str, text: str, options: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        logs.read(write(tmp_path / name, text), **options)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"lr,loss\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"log\.csv: .*1 cells, not 2"):
        logs.read(path)
    path.write_bytes(b"\xfflr,loss\n1,2\n")
    with pytest.raises(ValueError, match=r"log\.csv: not text in UTF-8"):
        logs.read(path)
    with pytest.raises(FileNotFoundError):
        logs.read(tmp_path / "none.csv")


@given(content=st.binary(max_size=200) | st.text(alphabet='lr,os;\t\n"01.e-', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    for suffix in (".csv", ".json"):
        path = tmp_path_factory.mktemp("logs") / f"log{suffix}"
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", logs.ReadWarning)
                log = logs.read(path)
        except ValueError as error:
            if str(path) not in str(error):
                raise
        else:
            assert len(log.lr) == len(log.loss)
