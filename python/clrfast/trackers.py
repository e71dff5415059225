"""A range test in a tracker while it runs: what these return is given to `progress`.

Each row is written as ``range_test/lr`` and ``range_test/loss``, with ``range_test/smoothed`` at the last row
known, in the order of the steps and about every 10 of them. `clrfast analyze` and `clrfast.logs.read` find
these columns in what the trackers write and export.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clrfast._range_test import Progress
from clrfast._require import require

__all__ = ["mlflow", "tensorboard", "wandb"]


def __dir__() -> list[str]:
    return __all__


def tensorboard(writer: Any) -> Callable[[Progress], None]:
    """Write into TensorBoard: ``clrfast.range_test(..., progress=trackers.tensorboard(writer))``.

    Args:
        writer: A `torch.utils.tensorboard.SummaryWriter`, or anything with its `add_scalar`; it stays open.

    Raises:
        TypeError: It has no such method.
    """
    if not callable(getattr(writer, "add_scalar", None)):
        raise TypeError(f"writer must have the method add_scalar, got {type(writer).__name__}")

    def write(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return _following(write)


def wandb(run: Any = None) -> Callable[[Progress], None]:
    """Write into Weights & Biases, with an axis of its own, so that the steps of a training stay as they are.

    Args:
        run: What `wandb.init` returned; None takes the run that is active.

    Raises:
        ImportError: wandb is missing.
        RuntimeError: No run is active.
    """
    if run is None:
        require("wandb", "trackers.wandb()", extra="trackers")
        import wandb as library

        run = library.run
        if run is None:
            raise RuntimeError("run must be given where no run of wandb is active: call wandb.init() before")
    run.define_metric("range_test/step", hidden=True)
    run.define_metric("range_test/*", step_metric="range_test/step")
    return _following(lambda step, values: run.log({"range_test/step": step, **values}))


def mlflow(run_id: str | None = None) -> Callable[[Progress], None]:
    """Write into MLflow.

    Args:
        run_id: The run's id; None takes the run that is active, or begins one, as MLflow does.

    Raises:
        ImportError: mlflow is missing.
    """
    require("mlflow", "trackers.mlflow()", extra="trackers")
    import mlflow as library

    return _following(lambda step, values: library.log_metrics(values, step=step, run_id=run_id))


def _following(write: Callable[[int, dict[str, float]], object]) -> Callable[[Progress], None]:
    """Return a function that writes the rows that it has not written yet; those of a repeated test follow."""
    written = 0  # of this test
    earlier = 0  # of those before it

    def tell(progress: Progress) -> None:
        nonlocal written, earlier
        log = progress.log
        if len(log) < written:
            written, earlier = 0, earlier + written
        for row in range(written, len(log)):
            values = {"range_test/lr": float(log.lr[row]), "range_test/loss": float(log.loss[row])}
            if row == len(log) - 1:
                values["range_test/smoothed"] = progress.smoothed
            write(earlier + row, values)
        written = len(log)

    return tell
