"""What a range test shows and writes while it runs."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

import clrfast
from clrfast import trackers
from experiments import make, run


def hundred(**options: Any) -> clrfast.Log:
    """A test that falls, turns and stops."""
    return run(*make(steps=0), **{"steps": 100, "start_lr": 1e-5, "end_lr": 1e3, **options})


def test_functions_are_told_at_the_checks_and_at_the_end() -> None:
    told: list[clrfast.Progress] = []
    log = run(*make(), steps=25, progress=told.append)
    assert [(now.step, now.steps) for now in told] == [(10, 25), (20, 25), (25, 25)]
    for now in told:
        assert now.log.loss.tolist() == log.loss.tolist()[: now.step]
        assert now.lr == log.lr[now.step - 1]
        assert now.loss == log.loss[now.step - 1]
        assert now.smoothed == now.log.analyze().grid_loss[-1]
    assert [now.log.status[:7] for now in told] == ["Goes on", "Goes on", "Ran all"]


def test_phases_follow_the_curve() -> None:
    told: list[clrfast.Progress] = []
    log = hundred(progress=told.append, steps=300)
    order = ["flat", "falling", "rising", "diverged"]
    seen = [now.phase for now in told]
    assert seen == sorted(seen, key=order.index)
    assert {"flat", "falling", "diverged"} <= set(seen)
    last = told[-1].log.analyze().phases
    assert last.divergence_lr is not None
    assert told[-1].lr >= last.divergence_lr
    assert len(told[-1].log) == len(log)


def test_a_loss_that_is_not_finite_can_be_told() -> None:
    told: list[clrfast.Progress] = []
    model, optimizer = make()

    def step(batch: Any) -> float:
        model(batch[0]).sum().backward()
        optimizer.step()
        return math.nan

    run(model, optimizer, loss_fn=None, train_step=step, progress=told.append)
    (now,) = told
    assert math.isnan(now.smoothed)
    assert now.phase == "diverged"
    assert "lr 1.00e-07, loss nan" in str(now)


def test_lines_where_there_is_no_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # whose import alone makes no notebook
    hundred(progress=True)
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0].startswith("range test: step 10 of 100, lr ")
    assert lines[0].endswith(", flat")
    assert lines[-1].endswith(", diverged")
    hundred(progress="plain")
    assert capfd.readouterr() == ("", err)
    hundred(progress=False)
    assert capfd.readouterr() == ("", "")


def test_a_bar_where_there_is_one(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    log = run(*make(), progress=True, repeats=2)
    out, err = capfd.readouterr()
    assert out == ""
    assert "range test 1 of 2: 100%" in err
    assert "range test 2 of 2: 100%" in err
    assert "20/20" in err
    assert f"lr {log.lr[-1]:.2e}, loss " in err


def test_several_are_told_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    told: list[clrfast.Progress] = []
    run(*make(), progress=["plain", told.append, told.append])
    assert len(told) == 4
    assert len(capfd.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("repeats", [1, 2])
def test_tensorboard_holds_the_log(tmp_path: Path, repeats: int) -> None:
    with SummaryWriter(tmp_path) as writer:
        log = hundred(progress=trackers.tensorboard(writer), repeats=repeats)
    read = clrfast.logs.read(tmp_path)
    assert read.loss.tolist() == pytest.approx(log.loss.tolist())
    assert read.lr.tolist() == pytest.approx(log.lr.tolist())
    assert read.step is not None
    assert read.step.tolist() == list(range(len(log)))


def test_a_writer_must_be_one() -> None:
    with pytest.raises(TypeError, match="writer must have the method add_scalar, got int"):
        trackers.tensorboard(3)


def test_wandb_holds_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with pytest.raises(RuntimeError, match="run must be given where no run of wandb is active"):
        trackers.wandb()
    rows: list[dict[str, Any]] = []
    with wandb.init(mode="offline", dir=tmp_path, project="clrfast") as active:
        original = active.log
        monkeypatch.setattr(active, "log", lambda row: (rows.append(row), original(row)))
        log = hundred(progress=trackers.wandb())
        summary = dict(active.summary)
    assert [row["range_test/step"] for row in rows] == list(range(len(log)))
    assert [row["range_test/loss"] for row in rows] == log.loss.tolist()
    assert summary["range_test/lr"] == log.lr[-1]
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_mlflow_holds_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # later releases ask whether one knows its age
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    with mlflow.start_run() as active:
        log = hundred(progress=trackers.mlflow())
    history = mlflow.MlflowClient().get_metric_history(active.info.run_id, "range_test/loss")
    assert [(metric.step, metric.value) for metric in history] == list(enumerate(log.loss.tolist()))


@pytest.mark.parametrize("tracker", ["wandb", "mlflow"])
def test_a_missing_tracker_names_the_extra(tracker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, tracker, None)
    with pytest.raises(ImportError, match=rf"needs {tracker}.*'clrfast\[trackers\]'"):
        getattr(trackers, tracker)()


def test_what_fails_in_a_function_ends_the_test_with_everything_in_place() -> None:
    model, optimizer = make()
    before = [parameter.clone() for parameter in model.parameters()]

    def fail(now: clrfast.Progress) -> None:
        raise ConnectionError("the tracker is gone")

    with pytest.raises(ConnectionError) as caught:
        run(model, optimizer, progress=fail)
    assert len(caught.value.clrfast_log) == 10
    assert all(torch.equal(now, then) for now, then in zip(model.parameters(), before))
