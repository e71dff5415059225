"""A search whose truth is known, and what each tracker leaves of it, written by the tracker itself."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

BEST = 3e-3  # at a batch size of 64
EXPONENT = 0.5


class Made(NamedTuple):
    """A run: what was set, and its losses, the last of which counts."""

    name: str
    lr: float
    batch_size: int
    optimizer: str
    losses: list[float]

    @property
    def end(self) -> float:
        return self.losses[-1]


def made(count: int = 24, seed: int = 0, noise: float = 0.02, diverges_from: float = 0.5) -> list[Made]:
    """Runs whose best rate goes with the square root of the batch size; SGD's is 20 times that of Adam."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        lr = float(10 ** random.uniform(-5, 0))
        batch, optimizer = int(2 ** random.integers(4, 9)), str(random.choice(["adam", "sgd"]))
        best = math.log(BEST) + EXPONENT * math.log(batch / 64) + math.log(20) * (optimizer == "sgd")
        end = math.exp(0.3 + 0.05 * (math.log(lr) - best) ** 2 + noise * random.standard_normal())
        losses = [end + 1 - step / 4 for step in range(5)]
        losses[-1] = math.nan if lr > diverges_from else end
        found.append(Made(f"run-{number}", lr, batch, optimizer, losses))
    return found


def settings(run: Made) -> dict[str, Any]:
    return {"learning_rate": run.lr, "batch_size": run.batch_size, "optimizer": run.optimizer}


def table(folder: Path, runs: list[Made]) -> None:
    """One row a run, as W&B's table of runs is exported."""
    with (folder / "wandb_export.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "Name",
                "State",
                "Created",
                "Runtime",
                "learning_rate",
                "batch_size",
                "optimizer",
                "train/loss",
                "val_loss",
            ]
        )
        for run in runs:
            when = ["finished", "2026-01-01T00:00:00.000Z", 12]
            writer.writerow([run.name, *when, *settings(run).values(), run.end / 2, run.end])


def history_parquet(folder: Path, runs: list[Made]) -> None:
    """W&B's history of each run, with the ``config.yaml`` that W&B keeps beside it."""
    import pyarrow as pa
    from pyarrow import parquet

    for run in runs:
        (folder / run.name).mkdir()
        config = "".join(f"{name}:\n    value: {value}\n" for name, value in settings(run).items())
        (folder / run.name / "config.yaml").write_text(f"_wandb:\n    value:\n        cli: 1\n{config}")
        steps = list(range(len(run.losses)))
        columns = {
            "_step": steps,
            "_runtime": [0.1 * s for s in steps],
            "val_loss": run.losses,
            "epoch": steps,
        }
        parquet.write_table(pa.table(columns), folder / run.name / "history.parquet")


def one_parquet(folder: Path, runs: list[Made], parts: int = 3) -> None:
    """All histories in a few files, the rows of all runs by step."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = [
        {"run": run.name, "step": step, "val_loss": run.losses[step], **settings(run)}
        for step in range(len(runs[0].losses))
        for run in runs
    ]
    whole = pa.Table.from_pylist(rows)
    size = -(-len(rows) // parts)
    for part in range(parts):
        parquet.write_table(
            whole.slice(part * size, size), folder / f"part.{part}.parquet", row_group_size=17
        )


def wandb_folder(folder: Path, runs: list[Made]) -> None:
    """The folder that W&B leaves of runs that its server knows: the settings, and how each run ended."""
    for run in runs:
        files = folder / "wandb" / f"run-20260101_000000-{run.name}" / "files"
        files.mkdir(parents=True)
        config = "".join(f"{name}:\n    value: {value}\n" for name, value in settings(run).items())
        (files / "config.yaml").write_text(config)
        summary = {"_step": 4, "_runtime": 3.5, "val_loss": run.end if math.isfinite(run.end) else "NaN"}
        (files / "wandb-summary.json").write_text(json.dumps(summary))
        (files / "wandb-metadata.json").write_text(json.dumps({"os": "Linux"}))
        (files / "requirements.txt").write_text("numpy==2.0\n")


def mlflow_store(folder: Path, runs: list[Made]) -> None:
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow

    mlflow.set_tracking_uri(folder.as_uri())
    experiment = mlflow.create_experiment("sweep")
    for run in runs:
        with mlflow.start_run(experiment_id=experiment, run_name=run.name):
            mlflow.log_params(settings(run))
            for step, loss in enumerate(run.losses):
                mlflow.log_metric("val_loss", loss, step=step)


def tensorboard_folder(folder: Path, runs: list[Made]) -> None:
    """Lightning's layout: event files with the settings in ``hparams.yaml``."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for run in runs:
        writer = EventFileWriter(str(folder / run.name))
        for step, loss in enumerate(run.losses):
            value = Summary.Value(tag="val_loss", simple_value=loss)
            writer.add_event(Event(step=step, wall_time=step, summary=Summary(value=[value])))
        writer.close()
        lines = "".join(f"{name}: {value}\n" for name, value in settings(run).items())
        (folder / run.name / "hparams.yaml").write_text(lines)


def hparams_plugin(folder: Path, runs: list[Made]) -> None:
    """What ``SummaryWriter.add_hparams`` of torch writes beside the scalars of a run."""
    from torch.utils.tensorboard import SummaryWriter

    for run in runs:
        with SummaryWriter(str(folder / run.name)) as writer:
            for step, loss in enumerate(run.losses):
                writer.add_scalar("val_loss", loss, step)
            writer.add_hparams(settings(run), {"hparam/val_loss": run.end}, run_name=".")


def trainer_states(folder: Path, runs: list[Made]) -> None:
    """Written by the class of Transformers that the Trainer keeps its state in, checkpoints among them."""
    from transformers import TrainerState

    for run in runs:
        for last in (2, len(run.losses)):
            history = []
            for step in range(last):
                history.append({"step": step, "learning_rate": run.lr * (1 - step / 5), "loss": 1.0})
                history.append({"step": step, "eval_loss": run.losses[step], "eval_runtime": 1.0})
            state = TrainerState(
                log_history=history,
                global_step=last,
                train_batch_size=run.batch_size,
                trial_params={"optimizer": run.optimizer},
            )
            home = folder / run.name / f"checkpoint-{last * 100}"
            home.mkdir(parents=True)
            state.save_to_json(str(home / "trainer_state.json"))
            (home / "training_args.bin").write_bytes(b"not to be opened")
            (home / "config.json").write_text(json.dumps({"hidden_size": 7}))


def optuna_storage(folder: Path, runs: list[Made]) -> None:
    """A trial a run; a loss that is NaN makes one that has failed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    study = optuna.create_study(storage=f"sqlite:///{folder / 'study.db'}", study_name="sweep")
    rest = iter(runs)

    def objective(trial: Any) -> float:
        run = next(rest)
        distributions = optuna.distributions
        for name, value, distribution in (
            ("learning_rate", run.lr, distributions.FloatDistribution(1e-6, 10, log=True)),
            ("batch_size", run.batch_size, distributions.IntDistribution(1, 1024)),
            ("optimizer", run.optimizer, distributions.CategoricalDistribution(["adam", "sgd", None])),
        ):
            (
                trial._trial_id,
                trial.storage.set_trial_param(
                    trial._trial_id, name, distribution.to_internal_repr(value), distribution
                ),
            )
        for step, loss in enumerate(run.losses):
            trial.report(loss, step)
        return run.end

    study.optimize(objective, n_trials=len(runs))


def neptune_export(folder: Path, runs: list[Made]) -> None:
    """The layout of Neptune's exporter, which is on no package index: its schema, written by pyarrow."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema(
        [
            ("project_id", pa.string()),
            ("run_id", pa.string()),
            ("attribute_path", pa.string()),
            ("attribute_type", pa.string()),
            ("step", pa.decimal128(18, 6)),
            ("timestamp", pa.timestamp("ms", tz="UTC")),
            ("int_value", pa.int64()),
            ("float_value", pa.float64()),
            ("string_value", pa.string()),
            ("bool_value", pa.bool_()),
            ("string_set_value", pa.list_(pa.string())),
            ("file_value", pa.struct([("path", pa.string())])),
        ]
    )
    kinds: Mapping[type, str] = {float: "float", int: "int", str: "string"}
    for run in runs:
        common = {"project_id": "team/project", "run_id": run.name}
        rows: list[dict[str, Any]] = [
            {**common, "attribute_path": "sys/name", "attribute_type": "string", "string_value": "any"}
        ]
        for name, value in settings(run).items():
            kind = kinds[type(value)]
            row = {"attribute_path": f"config/{name}", "attribute_type": kind, f"{kind}_value": value}
            rows.append({**common, **row})
        for step, loss in enumerate(run.losses):
            series = {"attribute_path": "metrics/val_loss", "attribute_type": "float_series"}
            rows.append({**common, **series, "step": step, "float_value": loss})
        (folder / run.name).mkdir()
        parquet.write_table(
            pa.Table.from_pylist(rows, schema), folder / run.name / "part_0.parquet", row_group_size=3
        )
