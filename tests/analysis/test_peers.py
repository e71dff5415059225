"""The rules against the peers' own code, where it is installed.

Of fastai, torch-lr-finder, Lightning and pytorch-ignite, only fastai is not among what the tests install.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clrfast import rules

pytestmark = pytest.mark.filterwarnings("ignore")  # the peers' own

LOGS = json.loads((Path(__file__).parents[1] / "data" / "keras_one_cycle.json").read_text())


def peer(module: str) -> Any:
    pytest.importorskip(module.partition(".")[0])
    try:
        return importlib.import_module(module)
    except ImportError as error:  # its own requirements
        pytest.skip(f"{module}: {error}")


def logs():
    for log in LOGS.values():
        yield np.array(log["lr"]), np.array(log["loss"])
    rng = np.random.default_rng(0)
    for rows in (40, 41, 100, 333):
        for noise in (0.0, 0.02, 0.3):
            lr = np.geomspace(1e-6, 10, rows)
            yield lr, 2 - 1 / (1 + 1e-3 / lr) + lr + noise * rng.standard_normal(rows)


@pytest.mark.parametrize("name", ["valley", "slide", "minimum", "steep"])
def test_fastai(name):
    torch = pytest.importorskip("torch")
    schedule = peer("fastai.callback.schedule")
    for lr, loss in logs():
        kept = slice(len(lr) // 10, -5)
        theirs, _ = getattr(schedule, name)(
            torch.tensor(lr[kept], dtype=torch.float32),
            torch.tensor(loss[kept], dtype=torch.float32),
            len(lr),
        )
        assert rules.RULES[f"fastai_{name}"].suggest(lr, loss) == pytest.approx(theirs, rel=1e-6)


def test_fastai_average():
    torch = pytest.importorskip("torch")
    learner = peer("fastai.learner")
    average = learner.AvgSmoothLoss(beta=0.98)
    average.reset()
    lr, loss = next(logs())
    _, ours = rules.recorded("fastai", lr, loss)
    for i, value in enumerate(ours):
        average.accumulate(SimpleNamespace(loss=torch.tensor(loss[i], dtype=torch.float32)))
        assert value == pytest.approx(float(average.value), rel=1e-5)


def torch_lr_finder_of(losses=()):
    """An LRFinder whose losses are these."""
    torch = pytest.importorskip("torch")
    peer("matplotlib").use("Agg")
    finder = peer("torch_lr_finder")
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5)
    values = iter(losses)

    def criterion(outputs, _):
        return outputs.sum() * 0 + next(values)

    return finder.LRFinder(model, optimizer, criterion)


def test_torch_lr_finder():
    finder = torch_lr_finder_of()
    plt = peer("matplotlib.pyplot")
    for lr, loss in logs():
        finder.history = {"lr": lr.tolist(), "loss": loss.tolist()}
        _, axes = plt.subplots()
        _, theirs = finder.plot(ax=axes, suggest_lr=True)
        plt.close("all")
        assert rules.torch_lr_finder(lr, loss) == theirs


def test_torch_lr_finder_record():
    torch = pytest.importorskip("torch")
    losses = [*np.linspace(3, 1, 60), *np.geomspace(1, 400, 60)]
    finder = torch_lr_finder_of(losses)
    data = torch.utils.data.TensorDataset(torch.zeros(4, 1), torch.zeros(4, 1))
    finder.range_test(torch.utils.data.DataLoader(data), end_lr=1, num_iter=120)
    lr, ours = rules.recorded("torch_lr_finder", np.geomspace(1e-5, 1, 120), losses)
    assert len(lr) < 120
    np.testing.assert_allclose(lr, finder.history["lr"], rtol=1e-6)
    np.testing.assert_allclose(ours, finder.history["loss"], rtol=1e-6)


@pytest.mark.parametrize(("skip_begin", "skip_end"), [(10, 1), (0, 3), (3, 30)])
def test_lightning(skip_begin, skip_end):
    finder = peer("pytorch_lightning.tuner.lr_finder")._LRFinder("exponential", 1e-8, 1, 100)
    for lr, loss in logs():
        for bad in ([], [20, 21], range(12, len(loss))):
            loss[bad] = np.nan
            finder.results = {"lr": lr.tolist(), "loss": loss.tolist()}
            theirs = finder.suggestion(skip_begin, skip_end)
            if theirs is None:
                with pytest.raises(ValueError, match="at least 2 finite rows"):
                    rules.lightning(lr, loss, skip_begin=skip_begin, skip_end=skip_end)
            else:
                assert rules.lightning(lr, loss, skip_begin=skip_begin, skip_end=skip_end) == theirs


def test_lightning_record():
    torch = pytest.importorskip("torch")
    callback = peer("pytorch_lightning.tuner.lr_finder")._LRCallback(120)
    losses = [*np.linspace(3, 1, 60), *np.geomspace(1, 400, 60)]
    trainer = SimpleNamespace(
        fit_loop=SimpleNamespace(batch_idx=0),
        accumulate_grad_batches=1,
        should_stop=False,
        strategy=SimpleNamespace(broadcast=lambda stop: stop),
    )
    for loss in losses:
        trainer.global_step = len(callback.losses) + 1  # counted before the batch ends
        callback.on_train_batch_end(trainer, None, {"loss": torch.tensor(loss).double()}, None, 0)
        if trainer.should_stop:
            break
    lr, ours = rules.recorded("lightning", np.geomspace(1e-5, 1, 120), losses)
    assert len(lr) == trainer.global_step < 120
    np.testing.assert_allclose(ours, callback.losses, rtol=1e-6)


def test_ignite():
    handlers = peer("ignite.handlers")
    finder = handlers.FastaiLRFinder()
    checked = 0
    for lr, loss in logs():
        finder._history = {"lr": lr.tolist(), "loss": loss.tolist()}
        try:
            theirs = finder.lr_suggestion()
        except RuntimeError:
            with pytest.raises(ValueError, match="lowest in row 2 or later"):
                rules.ignite(lr, loss)
            continue
        checked += 1
        assert rules.ignite(lr, loss) == theirs
    assert checked > 10
