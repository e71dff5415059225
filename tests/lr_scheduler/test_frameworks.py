"""The schedulers in real runs of the programs that people train with; skipped where one is not installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from clrfast import lr_scheduler, schedules

pytestmark = pytest.mark.filterwarnings("ignore")
STEPS = 24
RATE = schedules.triangular(0.01, 0.1, 5, 3)
MAKERS: dict[str, Any] = {
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 5, 3),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, STEPS),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2, 0.001),
    "ScheduleLR": lambda o: lr_scheduler.ScheduleLR(o, lr=RATE, momentum=RATE.reciprocal()),
}
names = pytest.mark.parametrize("name", MAKERS)


def model() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(4, 1)


def adam(net: torch.nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(net.parameters(), lr=0.05)


def loader(batches: int) -> Any:
    torch.manual_seed(1)
    return DataLoader(TensorDataset(torch.randn(2 * batches, 4), torch.randn(2 * batches, 1)), batch_size=2)


def now(optimizer: torch.optim.Optimizer) -> tuple[float, float]:
    group = optimizer.param_groups[0]
    return group["lr"], group["betas"][0]


def expected(name: str) -> list[tuple[float, float]]:
    """Rate and beta1 in each step of a plain loop."""
    optimizer = adam(model())
    scheduler = MAKERS[name](optimizer)
    seen = []
    for _ in range(STEPS):
        seen.append(now(optimizer))
        optimizer.step()
        scheduler.step()
    return seen


@names
def test_lightning(name: str, tmp_path: Path) -> None:
    lightning = pytest.importorskip("pytorch_lightning")

    class Module(lightning.LightningModule):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = model()
            self.seen: list[tuple[float, float]] = []

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            self.seen.append(now(self.optimizers().optimizer))
            return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> dict[str, Any]:
            optimizer = adam(self)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": MAKERS[name](optimizer), "interval": "step"},
            }

    options: dict[str, Any] = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "default_root_dir": tmp_path,
    }
    first, second = Module(), Module()
    trainer = lightning.Trainer(max_epochs=1, **options)
    trainer.fit(first, loader(STEPS // 2))
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    lightning.Trainer(max_epochs=2, **options).fit(
        second, loader(STEPS // 2), ckpt_path=tmp_path / "half.ckpt", weights_only=True
    )
    assert first.seen + second.seen == expected(name)


@names
def test_transformers(name: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = model()
            self.seen: list[tuple[float, float]] = []

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"loss": torch.nn.functional.mse_loss(self.net(x), y)}

    class Watch(transformers.TrainerCallback):  # type: ignore[misc,name-defined]
        def on_step_begin(self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any) -> None:
            seen.append(now(getattr(optimizer, "optimizer", optimizer)))

    def trainer(steps: int) -> Any:
        net = Net()
        optimizer = adam(net)
        arguments = transformers.TrainingArguments(
            output_dir=str(tmp_path),
            max_steps=steps,
            per_device_train_batch_size=2,
            use_cpu=True,
            report_to=[],
            save_steps=STEPS // 2,
            logging_steps=3,
            disable_tqdm=True,
        )
        data = [{"x": x, "y": y} for x, y in loader(STEPS).dataset]
        optimizers = (optimizer, MAKERS[name](optimizer))
        return transformers.Trainer(
            net, arguments, train_dataset=data, optimizers=optimizers, callbacks=[Watch()]
        )

    seen: list[tuple[float, float]] = []
    trainer(STEPS // 2).train()
    trainer(STEPS).train(resume_from_checkpoint=True)
    assert seen == expected(name)


@names
def test_accelerate(name: str, tmp_path: Path) -> None:
    accelerate = pytest.importorskip("accelerate")

    def run(steps: int, resume: bool) -> list[tuple[float, float]]:
        accelerator = accelerate.Accelerator(cpu=True)
        net = model()
        optimizer = adam(net)
        net, wrapped, data, scheduler = accelerator.prepare(
            net, optimizer, loader(steps), MAKERS[name](optimizer)
        )
        if resume:
            accelerator.load_state(str(tmp_path))
        seen = []
        for x, y in data:
            seen.append(now(optimizer))
            accelerator.backward(torch.nn.functional.mse_loss(net(x), y))
            wrapped.step()
            scheduler.step()
            wrapped.zero_grad()
        accelerator.save_state(str(tmp_path))
        return seen

    assert run(STEPS // 2, resume=False) + run(STEPS // 2, resume=True) == expected(name)


@names
def test_ignite(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignite never calls step(): it counts on its own, and sets what get_lr() gives."""
    engine = pytest.importorskip("ignite.engine")
    handlers = pytest.importorskip("ignite.handlers.param_scheduler")

    def run() -> list[tuple[float, float]]:
        net = model()
        optimizer = adam(net)
        seen = []

        def step(_: Any, batch: Any) -> None:
            seen.append(now(optimizer))
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(net(batch[0]), batch[1]).backward()
            optimizer.step()

        trainer = engine.Engine(step)
        trainer.add_event_handler(
            engine.Events.ITERATION_STARTED, handlers.LRScheduler(MAKERS[name](optimizer))
        )
        trainer.run(loader(STEPS))
        return seen

    seen = run()
    if name == "CosineAnnealingWarmRestarts":  # Ignite counts its T_cur, one step ahead
        monkeypatch.setattr(lr_scheduler, name, getattr(torch.optim.lr_scheduler, name))
        assert seen == [pytest.approx(pair) for pair in run()]
    else:
        assert seen == expected(name)
    simulated = handlers.LRScheduler.simulate_values(STEPS, MAKERS[name](adam(model())))
    assert [rate for _, rate in simulated] == pytest.approx([rate for rate, _ in seen])


@pytest.mark.parametrize(
    "arguments",
    [
        {"base_lr": 0.01, "max_lr": 0.1, "step_size": 5},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size": 4.0, "mode": "triangular2"},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size": 4.0, "mode": "exp_range", "gamma": 0.95},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size": 4.0, "scale_fn": lambda cycle: 1 / cycle},
        {
            "base_lr": 0.01,
            "max_lr": 0.1,
            "step_size": 4.0,
            "scale_fn": lambda i: 0.9**i,
            "scale_mode": "iterations",
        },
    ],
)
def test_keras(arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    from clrfast.keras import CyclicLR

    class Watch(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            seen.append(float(self.model.optimizer.learning_rate))

    seen: list[float] = []
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    net.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    x, y = (tensor.numpy() for tensor in loader(12).dataset.tensors)
    cycles = CyclicLR(**arguments)
    for _ in range(2):  # a second training goes on where the first one ended
        net.fit(x, y, batch_size=2, epochs=1, verbose=0, callbacks=[cycles, Watch()])
    size = arguments["step_size"]
    torch_arguments = {key: value for key, value in arguments.items() if key != "step_size"}
    optimizer = torch.optim.SGD([torch.ones(1)], lr=0.1)
    theirs = torch.optim.lr_scheduler.CyclicLR(
        optimizer, **torch_arguments, step_size_up=size, cycle_momentum=False
    )
    rates = []
    for _ in range(24):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert seen == pytest.approx(rates, rel=1e-6)
    assert cycles.history["lr"] == pytest.approx(rates, rel=1e-12)
    assert cycles.history["iterations"] == list(range(1, 25))
    assert len(cycles.history["loss"]) == 24
    cycles.reset(max_lr=0.5)
    assert (cycles.clr(), cycles.max_lr, cycles.iterations) == (0.01, 0.5, 0)


def test_keras_bad_input() -> None:
    keras = pytest.importorskip("keras")
    from clrfast.keras import CyclicLR

    with pytest.raises(ValueError, match="max_lr must be"):
        CyclicLR(base_lr=0.1, max_lr=0.01)
    with pytest.raises(ValueError, match="step_size must be finite and > 0"):
        CyclicLR(step_size=0)
    with pytest.raises(ValueError, match="mode must be one of"):
        CyclicLR(mode="cats")
    with pytest.raises(TypeError, match="scale_fn must be a function"):
        CyclicLR(scale_fn=3)
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    net.compile(optimizer=keras.optimizers.SGD(decay), loss="mse")
    x, y = (tensor.numpy() for tensor in loader(2).dataset.tensors)
    with pytest.raises(TypeError, match="learning_rate must be a number to be cycled"):
        net.fit(x, y, verbose=0, callbacks=[CyclicLR()])
