"""The range test in Lightning's Trainer, in real runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import clrfast
from clrfast import lr_scheduler, schedules
from training_data import Net, copies, loader, weights

pl = pytest.importorskip("pytorch_lightning")
from pytorch_lightning.loggers import CSVLogger  # noqa: E402
from pytorch_lightning.profilers import SimpleProfiler  # noqa: E402

from clrfast.frameworks.lightning import LightningRangeTest  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own
torch_lr = torch.optim.lr_scheduler


def warmed_up(optimizer: Any) -> Any:
    return torch_lr.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 4))


def sequence(optimizer: Any) -> Any:
    parts = [torch_lr.LinearLR(optimizer, 0.5, total_iters=3), torch_lr.StepLR(optimizer, 2, 0.5)]
    return torch_lr.SequentialLR(optimizer, parts, milestones=[3])


class Classifier(pl.LightningModule):
    """A module that logs, counts, and is made ready by its hooks."""

    def __init__(self, rate: float = 0.002, scheduler: Any = warmed_up, manual: bool = False) -> None:
        super().__init__()
        self.net, self.inner = Net(), Inner()
        self.rate, self.scheduler = rate, scheduler
        self.automatic_optimization = not manual
        self.rows: list[tuple[int, float, int]] = []
        self.hooks: list[str] = []

    def on_train_start(self) -> None:
        self.hooks.append("train")

    def on_train_epoch_start(self) -> None:
        self.hooks.append("epoch")

    def on_train_batch_start(self, batch: Any, index: int) -> None:
        self.hooks.append("batch")

    def on_train_batch_end(self, output: Any, batch: Any, index: int) -> None:
        self.hooks.append("batch end")

    def training_step(self, batch: Any, index: int) -> Tensor:
        assert self.hooks[:3] == ["train", "epoch", "batch"]
        loss = F.cross_entropy(self.inner(self.net(batch[0])), batch[1])
        self.log("loss", loss, on_epoch=True, prog_bar=True)
        self.logger.log_metrics({"direct": loss.item()})
        optimizer = self.optimizers()
        self.rows.append((index, optimizer.param_groups[0]["lr"], self.trainer.global_step))
        if not self.automatic_optimization:
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.lr_schedulers().step()
        return loss

    def configure_optimizers(self) -> Any:
        groups = [
            {"params": self.net.parameters(), "lr": self.rate},
            {"params": self.inner.parameters(), "lr": self.rate / 4},
        ]
        optimizer = torch.optim.AdamW(groups)
        if self.scheduler is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.scheduler(optimizer), "interval": "step"},
        }


class Inner(pl.LightningModule):
    """A module within the module, which leads to the Trainer as well."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        assert self.trainer.training
        return x * self.scale


class Heard(pl.Callback):
    """What a callback is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith(("on_", "setup", "teardown")):
            self.events.append(name)
        return super().__getattribute__(name)


def fit(folder: Path, module: Any, *callbacks: Any, ckpt_path: Any = None, **options: Any) -> Any:
    pl.seed_everything(0)
    given = {"max_epochs": 2, "limit_train_batches": 5, "log_every_n_steps": 1, **options}
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=CSVLogger(folder, name=None, version="log"),
        default_root_dir=folder,
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        **given,
    )
    trainer.fit(module, loader(), ckpt_path=ckpt_path)
    return trainer


@pytest.fixture
def module() -> Classifier:
    torch.manual_seed(1)
    return Classifier()


def another(**options: Any) -> Classifier:
    torch.manual_seed(1)
    return Classifier(**options)


@pytest.mark.parametrize(
    ("of_module", "of_trainer"),
    [
        ({}, {}),
        ({"manual": True}, {}),
        ({"scheduler": sequence}, {"accumulate_grad_batches": 2, "gradient_clip_val": 0.1}),
        ({"scheduler": None}, {"precision": "bf16-mixed", "max_epochs": -1, "max_steps": 8}),
    ],
    ids=["plain", "manual", "accumulated", "mixed"],
)
def test_training_is_as_without_the_test(tmp_path: Path, of_module: Any, of_trainer: Any) -> None:
    found = []
    for tested in (False, True):
        module, heard, profiler = another(**of_module), Heard(), SimpleProfiler()
        test = LightningRangeTest(steps=20)
        folder = tmp_path / str(tested)
        callbacks = [heard, test] if tested else [heard]
        with copies() as sizes:
            trainer = fit(folder, module, *callbacks, profiler=profiler, **of_trainer)
        assert max(sizes, default=0) <= 1024  # of the data set, nothing
        calls = {
            name: len(times) for name, times in profiler.recorded_durations.items() if "RangeTest" not in name
        }
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        progress = str(trainer.fit_loop.state_dict())
        csv = (folder / "log" / "metrics.csv").read_text()
        seen = module.rows, module.hooks, heard.events, calls, metrics, progress, csv, trainer.global_step
        found.append((weights(module), trainer.optimizers[0].state_dict()["param_groups"], *seen))
    assert test.log is not None
    assert 10 < len(test.log) <= 20
    for one, other in zip(*found):
        assert one == other


def test_its_losses_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    class Remember(pl.Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            states.append(torch.get_rng_state())

    states: list[Tensor] = []
    test = LightningRangeTest(steps=30, end_lr=0.5)
    fit(tmp_path, another(), Remember(), test, limit_train_batches=1.0, max_epochs=-1, max_steps=1)
    plain = another()
    plain.trainer = None
    optimizer = torch.optim.AdamW(
        [
            {"params": plain.net.parameters(), "lr": 0.002},
            {"params": plain.inner.parameters(), "lr": 0.002 / 4},
        ]
    )
    torch.set_rng_state(states[0])
    log = clrfast.range_test(
        plain.net,
        optimizer,
        lambda y, target: F.cross_entropy(y * plain.inner.scale, target),
        loader(),
        steps=30,
        end_lr=0.5,
        also=[plain.inner],
    )
    assert test.log is not None
    np.testing.assert_array_equal(test.log.lr, log.lr)
    np.testing.assert_array_equal(test.log.loss, log.loss)


def test_a_scaler_is_used_and_put_back(tmp_path: Path) -> None:
    """Lightning itself makes one on devices only."""
    found = []
    for tested in (False, True):
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=3)
        precision = pl.plugins.MixedPrecision("16-mixed", "cpu", scaler)
        module, test = another(), LightningRangeTest(steps=20)
        trainer = fit(tmp_path / str(tested), module, *[test] * tested, plugins=[precision])
        found.append((weights(module), trainer.precision_plugin.scaler.state_dict()))
    assert test.log is not None
    assert found[0] == found[1]
    assert found[0][1]["scale"] == 4.0 * 2**3


def test_a_run_that_is_only_tried_is_not_tested(tmp_path: Path, module: Classifier) -> None:
    test = LightningRangeTest(steps=20)
    fit(tmp_path, module, test, fast_dev_run=True)
    assert test.log is None


@pytest.mark.parametrize("scheduler", [warmed_up, sequence, None])
def test_apply_trains_as_if_the_rate_had_been_there(tmp_path: Path, scheduler: Any) -> None:
    module, test = another(scheduler=scheduler), LightningRangeTest(apply=True, steps=100)
    fit(tmp_path / "a", module, test)
    rate = test.suggestion.max_lr
    other = another(scheduler=scheduler, rate=rate)
    fit(tmp_path / "b", other)
    assert [row[1] for row in module.rows] == pytest.approx([row[1] for row in other.rows], rel=1e-12)
    assert max(row[1] for row in module.rows) == rate


def test_without_a_suggestion_the_rate_stays(tmp_path: Path, module: Classifier) -> None:
    test = LightningRangeTest(apply=True, steps=20, end_lr=1e-6)
    with pytest.warns(UserWarning, match="the learning rate stays as it is, because the log suggests none: "):
        fit(tmp_path / "a", module, test)
    other = another()
    fit(tmp_path / "b", other)
    assert module.rows == other.rows


def test_a_run_that_goes_on_is_not_tested(tmp_path: Path, module: Classifier) -> None:
    trainer = fit(tmp_path, module)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    test = LightningRangeTest(steps=20)
    fit(tmp_path, another(), test, ckpt_path=tmp_path / "half.ckpt", max_epochs=3)
    assert test.log is None
    with pytest.raises(RuntimeError, match="must have run before it suggests anything"):
        test.suggestion  # noqa: B018


@pytest.mark.parametrize("broken_at", [0, 7])
def test_an_error_leaves_everything_as_it_was(tmp_path: Path, module: Classifier, broken_at: int) -> None:
    class Broken(Classifier):
        def training_step(self, batch: Any, index: int) -> Tensor:
            if index == broken_at:
                raise KeyError("broken")
            return super().training_step(batch, index)

    torch.manual_seed(1)
    broken, before = Broken(), weights(module)
    trainers = []

    class Keep(pl.Callback):
        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            trainers.append((trainer, str(trainer.fit_loop.state_dict()), trainer.callbacks, exception))

    with pytest.raises(KeyError, match="broken"):
        fit(tmp_path, broken, LightningRangeTest(steps=20), Keep())
    (trainer, progress, callbacks, error), *_ = trainers
    assert weights(broken) == before
    assert broken.rows == []
    assert trainer.global_step == 0
    assert len(callbacks) >= 2
    assert "'ready': 1" in progress
    assert isinstance(error.clrfast_log, clrfast.Log)
    assert len(error.clrfast_log) == broken_at


def test_a_checkpoint_holds_the_weights_before(tmp_path: Path, module: Classifier) -> None:
    def recover(*_: Any) -> None:
        if not found:
            other = Classifier()
            clrfast.recover(tmp_path / "before.pt", other)
            found.append(weights(other))

    before, found = weights(module), []
    fit(tmp_path, module, LightningRangeTest(steps=10, checkpoint=tmp_path / "before.pt", progress=recover))
    assert found == [before]
    assert not (tmp_path / "before.pt").exists()


def test_what_cannot_be_tested_is_refused(tmp_path: Path) -> None:
    class Two(Classifier):
        def configure_optimizers(self) -> Any:
            return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.net, self.inner)]

    class Iterating(Classifier):
        def training_step(self, dataloader_iter: Any) -> Tensor:  # type: ignore[override]
            return super().training_step(next(dataloader_iter)[0], 0)

    class Silent(Classifier):
        def training_step(self, batch: Any, index: int) -> None:  # type: ignore[override]
            super().training_step(batch, index)

    fixed = another(scheduler=lambda o: lr_scheduler.ScheduleLR(o, lr=schedules.one_cycle(0.1, 10)))
    cases = [
        (Two(manual=True), {}, "a module with one optimizer, got 2"),
        (Iterating(), {}, "training_step must take a batch"),
        (Silent(manual=True), {}, "training_step must return its loss"),
        (fixed, {"apply": True}, "got a ScheduleLR, whose schedule says them"),
    ]
    for module, options, message in cases:
        before = weights(module)
        with pytest.raises(ValueError, match=message):
            fit(tmp_path, module, LightningRangeTest(steps=20, **options))
        assert weights(module) == before


def test_options_are_those_of_a_range_test() -> None:
    with pytest.raises(TypeError, match=r"options must be among .*'?end_lr.* got 'num_training'"):
        LightningRangeTest(num_training=100)
    with pytest.raises(TypeError, match="got 'accumulate'"):
        LightningRangeTest(accumulate=2)
    with pytest.raises(TypeError, match=r"apply must be True or False, got 0\.1"):
        LightningRangeTest(apply=0.1)  # type: ignore[arg-type]


def test_the_length_of_the_training_chooses_that_of_the_test(tmp_path: Path) -> None:
    test = LightningRangeTest()
    with pytest.warns(UserWarning, match="up to 50 steps, more than a quarter of the 6 of the training"):
        fit(tmp_path, another(), test, accumulate_grad_batches=2)  # the last batch of an epoch is a step
    assert test.log is not None
    assert test.log.lr[:3].tolist() == [1e-8, 1e-7, 1e-6]  # the gradients are there to be looked at
    assert "of 50 steps" in test.log.status or "all 50 steps" in test.log.status

    endless, asked = LightningRangeTest(), LightningRangeTest(total_steps=700)
    stops = StopsAtOnce()
    fit(tmp_path, another(), endless, asked, stops, max_epochs=-1)
    for one, steps in ((endless, 200), (asked, 70)):
        assert one.log is not None
        assert f" {steps} steps" in one.log.status


class StopsAtOnce(pl.Callback):
    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        trainer.should_stop = True
