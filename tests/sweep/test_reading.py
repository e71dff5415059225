"""Searches as people keep them, mixed and damaged: what cannot be read is said, and the rest goes on."""

from __future__ import annotations

import json
import math
import sqlite3
import zipfile

import numpy as np
import pytest

import clrfast
import sweep_runs
from clrfast._sweep._histories import Histories, Rows

pytestmark = pytest.mark.filterwarnings("ignore::clrfast.logs.ReadWarning")


def write_csv(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(*columns.values())
    text = [",".join(columns), *(",".join("" if cell is None else str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(text) + "\n")


def histories(folder, runs, name="lr={lr:.6g},batch_size={batch_size}"):
    """A folder a run, called after its settings."""
    for run in runs:
        steps = range(len(run.losses))
        where = folder / name.format(lr=run.lr, batch_size=run.batch_size)
        write_csv(where / "log.csv", {"step": steps, "val_loss": run.losses})


def test_settings_in_the_names_of_folders(tmp_path):
    runs = sweep_runs.made(12, diverges_from=2)
    histories(tmp_path, runs)
    found = clrfast.sweep(tmp_path)
    assert sorted(run.lr for run in found.runs) == pytest.approx(sorted(run.lr for run in runs), rel=1e-5)
    assert {run.settings["batch_size"] for run in found.runs} == {run.batch_size for run in runs}


def test_a_zip_archive(tmp_path):
    runs = sweep_runs.made(12, diverges_from=2)
    histories(tmp_path / "runs", runs)
    with zipfile.ZipFile(tmp_path / "runs.zip", "w") as archive:
        for path in (tmp_path / "runs").rglob("*.csv"):
            archive.write(path, path.relative_to(tmp_path / "runs"))
    assert len(clrfast.sweep(tmp_path / "runs.zip").runs) == 12


def test_the_highest_recorded_rate_is_the_peak(tmp_path):
    for number, peak in enumerate(np.geomspace(1e-4, 1e-1, 8)):
        lr = [peak / 10, peak, peak / 2]
        columns = {"step": range(3), "lr": lr, "val_loss": [3.0, 2.0, 1.0 + abs(math.log(peak / 1e-2))]}
        write_csv(tmp_path / f"{number}.csv", columns)
    found = clrfast.sweep(tmp_path)
    assert [run.lr for run in found.runs] == pytest.approx(np.geomspace(1e-4, 1e-1, 8))


@pytest.mark.parametrize(("take", "wanted"), [("last", 5.0), ("best", 1.0), (2, 4.5), (100, 3.0)])
def test_which_value_counts(tmp_path, take, wanted):
    for number in range(6):
        losses = {"lr": [10.0**-number] * 5, "val_loss": [2.0, 1.0, 3.0, 4.0, 5.0]}
        write_csv(tmp_path / f"{number}.csv", {"step": range(5), **losses})
    assert {run.value for run in clrfast.sweep(tmp_path, take=take).runs} == {wanted}


def test_steps_that_turn_back_are_put_in_order(tmp_path):
    """A run that was resumed from a checkpoint, its files written one after another."""
    for number in range(6):
        columns = {"step": [3, 4, 0, 1, 2], "lr": [10.0**-number] * 5, "val_loss": [4.0, 5.0, 1.0, 2.0, 3.0]}
        write_csv(tmp_path / f"{number}.csv", columns)
    assert {run.value for run in clrfast.sweep(tmp_path).runs} == {5.0}


def test_what_runs_lack_is_said_by_run(tmp_path):
    runs = sweep_runs.made(12, diverges_from=2)
    histories(tmp_path, runs)
    write_csv(tmp_path / "no_metric,lr=0.1" / "log.csv", {"step": [0], "train_loss": [1.0]})
    write_csv(tmp_path / "no_rate" / "log.csv", {"step": [0, 4], "val_loss": [1.0, 1.0]})
    write_csv(tmp_path / "a_logarithm,lr=-3" / "log.csv", {"step": [0, 4], "val_loss": [1.0, 1.0]})
    write_csv(tmp_path / "short,lr=0.01" / "log.csv", {"step": [0, 1], "val_loss": [1.0, 1.0]})
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "log.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.warns(clrfast.logs.ReadWarning):
        found = clrfast.sweep(tmp_path)
    assert len(found.runs) == 12
    told = "\n".join(found.problems)
    assert "1 run has no value of the metric" in told
    for words in (
        "no_metric",
        "no_rate",
        "perhaps its logarithm",
        "a_logarithm",
        "unfinished",
        "short",
        "damaged",
    ):
        assert words in told
    for problem in found.problems:
        assert problem in str(found)


def test_mixed_names_are_said(tmp_path):
    runs = sweep_runs.made(12, diverges_from=2)
    for number, run in enumerate(runs):
        rate = "lr" if number % 3 else "learning_rate"
        metric = "val_loss" if number % 4 else "eval_loss"
        name = f"{number},{rate}={run.lr:.6g}"
        write_csv(tmp_path / name / "log.csv", {"step": range(5), metric: run.losses})
    found = clrfast.sweep(tmp_path)
    assert len(found.runs) == 12
    assert any(
        "the rate has several names: 'lr' in 8 runs, 'learning_rate' in 4 runs" in p for p in found.problems
    )
    assert any("'val_loss' in 9 runs, 'eval_loss' in 3 runs" in p for p in found.problems)


def test_mixed_units_are_said(tmp_path):
    pandas = pytest.importorskip("pandas")
    accuracy = np.linspace(0.5, 0.9, 20)
    accuracy[::3] *= 100
    data = pandas.DataFrame({"lr": np.geomspace(1e-4, 1, 20), "val_acc": accuracy})
    found = clrfast.sweep(data)
    assert any("like percent in 7" in problem for problem in found.problems)


def test_a_metric_that_falls_silent_has_diverged(tmp_path):
    """Many libraries write nothing for NaN."""
    for number, lr in enumerate(np.geomspace(1e-4, 1e-1, 8)):
        losses = [3.0, 2.0, 1.5, 1.2, 1.0, 0.9]
        if number == 7:
            losses[3:] = [None] * 3
        write_csv(tmp_path / f"lr={lr:.4g}" / "log.csv", {"step": range(6), "val_loss": losses})
    found = clrfast.sweep(tmp_path)
    assert found.diverged == ("lr=0.1/log.csv",)
    assert any("from some step on" in problem for problem in found.problems)


def test_a_metric_that_is_rarely_measured_has_not(tmp_path):
    for lr in np.geomspace(1e-4, 1e-1, 8):
        losses = [None, None, 3.0, None, None, 2.0, None]
        write_csv(tmp_path / f"lr={lr:.4g}" / "log.csv", {"step": range(7), "val_loss": losses})
    assert clrfast.sweep(tmp_path).diverged == ()


def test_deleted_runs_of_mlflow_are_left_out(tmp_path):
    for number in range(8):
        run = tmp_path / "0" / f"{number:032x}"
        for name, text in (("params/lr", f"{10.0**-number}"), ("metrics/val_loss", f"1 {number}.5 0\n")):
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (run / name).write_text(text)
        stage = "deleted" if number == 3 else "active"
        (run / "meta.yaml").write_text(f"lifecycle_stage: {stage}\n")
    (tmp_path / "0" / f"{5:032x}" / "metrics" / "val_loss").write_text("1 0.5 0\nbroken\n2 0.25 1\n")
    found = clrfast.sweep(tmp_path)
    assert [run.value for run in found.runs] == [0.5, 1.5, 2.5, 4.5, 0.25, 6.5, 7.5]
    assert any("1 row was left out; line 2" in problem for problem in found.problems)


def test_what_is_no_storage_of_optuna_is_said(tmp_path):
    path = tmp_path / "any.db"
    path.write_bytes(b"no database")
    with pytest.raises(ValueError, match="not an SQLite database, or damaged"):
        clrfast.sweep(path)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trials (id INTEGER)")
    connection.close()
    with pytest.raises(ValueError, match="not a storage of Optuna"):
        clrfast.sweep(path)


def test_optunas_states_directions_and_studies(tmp_path):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    storage = f"sqlite:///{tmp_path / 'two.db'}"

    def objective(trial):
        lr = trial.suggest_float("lr", 1e-5, 1, log=True)
        trial.report(0.1, 0)
        if trial.number == 3:
            raise optuna.TrialPruned
        return math.nan if trial.number == 5 else 0.9 - 0.01 * abs(math.log(lr / 1e-3))

    for name in ("one", "other"):
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
        study.optimize(objective, n_trials=12)
    before = (tmp_path / "two.db").read_bytes()
    found = clrfast.sweep(tmp_path / "two.db")
    assert found.mode == "max"
    assert len(found.runs) == 24
    assert {run.settings["study"] for run in found.runs} == {"one", "other"}
    told = "\n".join(found.problems)
    assert "2 runs were pruned" in told
    assert (tmp_path / "two.db").read_bytes() == before


def test_yaml_of_strangers(tmp_path):
    pytest.importorskip("yaml")
    histories(tmp_path, sweep_runs.made(12, diverges_from=2))
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    code = "!!python/object/apply:os.system ['touch " + str(tmp_path / "touched") + "']"
    for name, text in (("bomb", bomb), ("code", f"lr: {code}\n"), ("large", "x: 1\n" * 300_000)):
        write_csv(tmp_path / f"{name},lr=0.1" / "log.csv", {"step": range(5), "val_loss": [1.0] * 5})
        (tmp_path / f"{name},lr=0.1" / "config.yaml").write_text(text)
    found = clrfast.sweep(tmp_path)
    told = "\n".join(found.problems)
    assert "aliases are not read" in told
    assert "larger than a configuration" in told
    assert not (tmp_path / "touched").exists()


def test_nothing_to_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        clrfast.sweep(tmp_path)
    (tmp_path / "log.csv").write_text("step,accuracy_of_mine\n0,1\n")
    with pytest.raises(ValueError, match=r"metric must be given: no usual name .*'accuracy_of_mine'"):
        clrfast.sweep(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        clrfast.sweep(tmp_path / "nowhere")


def test_horizons_are_learned_from_the_records(tmp_path):
    for number, lr in enumerate(np.geomspace(1e-4, 1e-1, 24)):
        rows = 10 if number % 2 else 40
        end = 1 + abs(math.log(lr / 1e-2))
        write_csv(
            tmp_path / f"lr={lr:.5g}.csv", {"step": range(rows), "val_loss": [5.0] * (rows - 1) + [end]}
        )
    assert "recorded_steps" in clrfast.sweep(tmp_path).settings


@pytest.mark.parametrize("last", [1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_histories_are_the_same_in_parts(seed, last):
    random = np.random.default_rng(seed)
    rows = 300
    run = random.integers(0, 5, rows)
    value = np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows))
    missing = random.random(rows) < 0.3
    step = random.integers(0, 50, rows).astype(float)
    lr, settings = random.random(rows), np.tile(run[None] * 2.0, (1, 1))

    def state(start, stop):
        found = Histories(last, "min", 1)
        part = slice(start, stop)
        labels = list(dict.fromkeys(run[part].tolist()))
        places = np.array([labels.index(label) for label in run[part].tolist()], np.intp)
        columns = (lr[part], value[part], missing[part], step[part], settings[:, part])
        found.add(Rows(places, labels, *columns))
        return found

    whole = state(0, rows)
    cuts = [0, *sorted(random.integers(1, rows, 4).tolist()), rows]
    parts = [state(start, stop) for start, stop in zip(cuts, cuts[1:]) if stop > start]
    for part in parts[1:]:
        parts[0].append(part)
    assert parts[0].labels == whole.labels
    for name in ("rows", "first_row", "peak", "best", "count", "first_at", "last_at", "gap", "last_step"):
        np.testing.assert_array_equal(getattr(parts[0], name)[:5], getattr(whole, name)[:5], err_msg=name)
    np.testing.assert_array_equal(parts[0].tail_value[:5], whole.tail_value[:5])
    np.testing.assert_array_equal(parts[0].settings[:, :5], whole.settings[:, :5])
    for number in range(5):
        mine = np.flatnonzero((run == list(whole.labels)[number]) & ~missing)
        order = mine[np.argsort(step[mine], kind="stable")][-last:]
        np.testing.assert_array_equal(whole.tail_value[number, -len(order) :], value[order])
    json.dumps([whole.value(number, "best") for number in range(5)])
