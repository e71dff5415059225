"""What each tracker leaves behind is read as it was run: rates, settings, and what each run ended at."""

from __future__ import annotations

import math

import pytest

import clrfast
import sweep_runs

pytest.importorskip("pyarrow")
pytest.importorskip("yaml")
RUNS = sweep_runs.made(12)
TRACKERS = {
    "table": (sweep_runs.table, "csv"),
    "history_parquet": (sweep_runs.history_parquet, "pyarrow"),
    "one_parquet": (sweep_runs.one_parquet, "pyarrow"),
    "wandb_folder": (sweep_runs.wandb_folder, "yaml"),
    "mlflow_store": (sweep_runs.mlflow_store, "mlflow"),
    "tensorboard_folder": (sweep_runs.tensorboard_folder, "tensorboard"),
    "hparams_plugin": (sweep_runs.hparams_plugin, "torch.utils.tensorboard"),
    "trainer_states": (sweep_runs.trainer_states, "transformers"),
    "optuna_storage": (sweep_runs.optuna_storage, "optuna"),
    "neptune_export": (sweep_runs.neptune_export, "pyarrow"),
}


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.filterwarnings("ignore")  # of the trackers themselves
def test_trackers(tmp_path, tracker):
    write, module = TRACKERS[tracker]
    pytest.importorskip(module)
    write(tmp_path, RUNS)
    found = clrfast.sweep(tmp_path)
    assert len(found.runs) == len(RUNS)
    by_rate = {run.lr: run for run in found.runs}
    for run in RUNS:
        read = by_rate[run.lr]
        exact = tracker not in ("tensorboard_folder", "hparams_plugin")  # which keep float32
        assert read.value == pytest.approx(run.end, rel=1e-12 if exact else 1e-6, nan_ok=True)
        plain = {name.rsplit("/", 1)[-1]: value for name, value in read.settings.items()}
        assert float(plain.get("batch_size", plain.get("train_batch_size"))) == run.batch_size
        assert plain["optimizer"] == run.optimizer
    assert len(found.diverged) == sum(math.isnan(run.end) for run in RUNS)
    assert found.mode == "min"
