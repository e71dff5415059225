"""Our schedulers as policies of skorch's LRScheduler, and the range test of a NeuralNet, as the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import clrfast
from clrfast import lr_scheduler, schedules

skorch = pytest.importorskip("skorch")

PAGE = (Path(__file__).parents[2] / "docs" / "schedules_elsewhere.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## skorch") : PAGE.index("## optax")]
BLOCKS = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
ROWS, SIZE, EPOCHS = 120, 10, 2
SOURCE = np.random.default_rng(0)
X = SOURCE.normal(size=(ROWS, 8)).astype("float32")
Y = (X[:, 0] + X[:, 1] > 0).astype("int64")
STEPS = EPOCHS * ROWS // SIZE
RATE = schedules.one_cycle(0.2, STEPS)
POLICIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "CyclicLR": (lr_scheduler.CyclicLR, {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5}),
    "OneCycleLR": (lr_scheduler.OneCycleLR, {"max_lr": 0.2, "total_steps": STEPS + 1}),
    "CosineAnnealingWarmRestarts": (lr_scheduler.CosineAnnealingWarmRestarts, {"T_0": 5, "T_mult": 2}),
    "ScheduleLR": (lr_scheduler.ScheduleLR, {"lr": RATE, "momentum": RATE.reciprocal(0.85, 0.95)}),
}
policies = pytest.mark.parametrize("name", POLICIES)


class Watch(skorch.callbacks.Callback):  # type: ignore[misc,name-defined]
    def initialize(self) -> Watch:
        self.seen_: list[tuple[float, float]] = []
        return self

    def on_batch_begin(self, net: Any, training: bool = False, **_: Any) -> None:
        if training:
            group = net.optimizer_.param_groups[0]
            self.seen_.append((group["lr"], group["momentum"]))


def make(callbacks: Any = (), epochs: int = EPOCHS) -> Any:
    torch.manual_seed(1)
    layers = torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(16, 2)
    return skorch.NeuralNetClassifier(
        torch.nn.Sequential(*layers),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        lr=0.1,
        batch_size=SIZE,
        max_epochs=epochs,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
        callbacks=list(callbacks),
    )


def plain(name: str, step_every: str) -> list[tuple[float, float]]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    policy, options = POLICIES[name]
    scheduler = policy(optimizer, **options)
    seen = []
    for step in range(STEPS):
        seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        if step_every == "batch" or (step + 1) % (STEPS // EPOCHS) == 0:
            scheduler.step()
    return seen


@policies
@pytest.mark.parametrize("step_every", ["batch", "epoch"])
def test_as_a_policy(name: str, step_every: str) -> None:
    policy, options = POLICIES[name]
    scheduler = skorch.callbacks.LRScheduler(policy=policy, step_every=step_every, **options)
    net = make([("watch", Watch()), ("scheduler", scheduler)]).fit(X, Y)
    expected = plain(name, step_every)
    assert dict(net.callbacks_)["watch"].seen_ == expected
    recorded = (
        net.history[:, "batches", :, "event_lr"] if step_every == "batch" else net.history[:, "event_lr"]
    )
    every = 1 if step_every == "batch" else STEPS // EPOCHS
    assert np.ravel(recorded).tolist() == [rate for rate, _ in expected][::every]


@policies
def test_simulate(name: str) -> None:
    policy, options = POLICIES[name]
    options = {key: value for key, value in options.items() if key != "momentum"}
    scheduler = skorch.callbacks.LRScheduler(policy=policy, **options)
    if name in ("CyclicLR", "OneCycleLR"):
        scheduler.cycle_momentum = False  # skorch simulates with an SGD without momentum
    assert scheduler.simulate(STEPS, 0.1).tolist() == [rate for rate, _ in plain(name, "batch")]


def test_the_page_on_schedulers() -> None:
    names = {"LRScheduler": skorch.callbacks.LRScheduler, "lr_scheduler": lr_scheduler, "rate": RATE}
    exec(BLOCKS[0], names)
    assert names["rates"].tolist() == RATE.values(0, 100).tolist()  # type: ignore[attr-defined]


def test_a_further_training_needs_last_epoch() -> None:
    """What the page says of skorch's own count, with our scheduler and with torch's."""
    for module in (lr_scheduler, torch.optim.lr_scheduler):
        policy = module.CosineAnnealingWarmRestarts
        scheduler = skorch.callbacks.LRScheduler(policy=policy, T_0=30, step_every="batch")
        net = make([("watch", Watch()), ("scheduler", scheduler)], epochs=1).fit(X, Y)
        net.partial_fit(X, Y)
        resumed = dict(net.callbacks_)["watch"].seen_[STEPS // EPOCHS][0]
        cosine = schedules.sgdr(0.1, 30)
        assert resumed == pytest.approx(cosine(1), rel=1e-12)  # and not cosine(12)
        net = make([("watch", Watch()), ("scheduler", scheduler)], epochs=1).fit(X, Y)
        dict(net.callbacks_)["scheduler"].last_epoch = STEPS // EPOCHS - 1
        net.partial_fit(X, Y)
        seen = [rate for rate, _ in dict(net.callbacks_)["watch"].seen_]
        assert seen == pytest.approx(cosine.values(0, STEPS).tolist(), rel=1e-9)


def test_the_page_on_the_range_test() -> None:
    """The lines of the page; the training after them is the one without the test, at another rate."""
    net = make()
    names: dict[str, Any] = {"clrfast": clrfast, "net": net, "x": X, "y": Y}
    exec(BLOCKS[1], names)
    log = names["log"]
    assert len(log.loss) > 50
    assert net.lr == net.optimizer_.param_groups[0]["lr"] == log.analyze().suggestion.max_lr
    other = make()
    other.initialize()
    other.set_params(lr=net.lr)
    other.partial_fit(X, Y)
    assert net.history[:, "train_loss"] == other.history[:, "train_loss"]
    for mine, theirs in zip(net.module_.parameters(), other.module_.parameters()):
        assert torch.equal(mine, theirs)
