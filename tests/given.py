"""What the pages take as given: the reader's own model, data and optimizer, as small as they go."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import clrfast
from clrfast import schedules
from training_data import dataset

ROOT = Path(__file__).parents[1]
Names = dict[str, Any]


def common() -> Names:
    """Every page's: a network, its optimizer, its loss and a loader of forty batches."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    return {
        **{"clrfast": clrfast, "schedules": schedules, "torch": torch, "F": F},
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
        "loss_fn": nn.CrossEntropyLoss(),
        "loader": DataLoader(dataset(640), batch_size=16, shuffle=True),
        "total_steps": 600,
    }


def loops() -> Names:
    """Those of the loops on range_test.md."""
    rows = [(x, y) for x, y in DataLoader(dataset(60), batch_size=6)]
    names = common()
    generator = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 8))
    critic = nn.Sequential(nn.Linear(8, 6), nn.LeakyReLU(), nn.Linear(6, 1))
    return {
        **names,
        **{"generator": generator, "critic": critic, "pairs": rows, "loader": [x for x, _ in rows]},
        "policy": names["model"],
        "generator_optimizer": torch.optim.Adam(generator.parameters(), lr=1e-3),
        "critic_optimizer": torch.optim.Adam(critic.parameters(), lr=2e-3),
        "states": torch.ones(6, 8),
        "rewards": lambda actions: (actions == torch.arange(6) % 3).float(),
        "train_step_with": train_step_with,
    }


def train_step_with(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[Tensor, Tensor], Tensor]:
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def lightning() -> Names:
    import pytorch_lightning as pl

    class Module(pl.LightningModule):  # type: ignore[misc] # Lightning is not followed
        def __init__(self) -> None:
            super().__init__()
            self.model = common()["model"]

        def training_step(self, batch: Any, index: int) -> Tensor:
            return F.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=0.001)

    return {"module": Module()}


def transformers() -> Names:
    import transformers as library

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = common()["model"]

        def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
            logits = self.net(x)
            return {"loss": F.cross_entropy(logits, labels), "logits": logits}

    arguments = library.TrainingArguments(
        output_dir="runs",
        **{"max_steps": 50, "per_device_train_batch_size": 16, "use_cpu": True, "report_to": []},
        **{"save_strategy": "no", "disable_tqdm": True, "remove_unused_columns": False},
    )
    model = Classifier()
    return {
        **{"model": model, "arguments": arguments, "optimizer": torch.optim.AdamW(model.parameters())},
        "dataset": [{"x": x, "labels": y} for x, y in dataset(320)],
    }


def fastai() -> Names:
    import random

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastai.data.core import DataLoaders
        from fastai.data.load import DataLoader as FastaiLoader
        from fastai.learner import Learner

    random.seed(0)
    rows = FastaiLoader(dataset(640), bs=16, shuffle=True)
    learn = Learner(DataLoaders(rows, rows), common()["model"], nn.CrossEntropyLoss())
    learn.remove_cbs([each for each in learn.cbs if "Progress" in type(each).__name__])
    return {"learn": learn}


def keras() -> Names:
    import keras as library

    library.utils.set_random_seed(0)
    x, y = dataset(640).tensors
    layers = [library.layers.Dense(16, activation="relu"), library.layers.Dense(3, activation="softmax")]
    return {"model": library.Sequential(layers), "x": x.numpy(), "y": y.numpy(), "steps_per_epoch": 10}


def sweep() -> Names:
    """A folder of Parquet files."""
    import pyarrow as pa
    from pyarrow import parquet

    Path("sweep").mkdir()
    log = clrfast.logs.read("docs/curves")
    runs = np.repeat(log.runs, np.diff(log.offsets))
    parquet.write_table(pa.table({"run": runs, "lr": log.lr, "loss": log.loss}), "sweep/part.0.parquet")
    return {}


def groups() -> Names:
    """Muon's and AdamW's."""
    from clrfast import lr_scheduler

    parts = list(common()["model"].parameters())
    return {"matrices": parts[::2], "rest": parts[1::2], "lr_scheduler": lr_scheduler}


# What a page, or one section of it, needs besides: the libraries, without which it is skipped, and the names.
def recipe() -> Names:
    """A training of which some batches are held out."""
    x = torch.randn(640, 4)
    rows = list(zip(x.split(32), x.sum(1, keepdim=True).split(32)))
    model = nn.Linear(4, 1)
    return {
        **{"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)},
        **{"loss_fn": F.mse_loss, "epochs": 3, "loader": rows[:16], "val_batches": rows[16:]},
    }


def batches() -> Names:
    """A data set whose noise makes larger batches pay, and loaders of it."""
    x = torch.randn(4000, 8)
    noisy = TensorDataset(x, (x[:, :3] + torch.randn(4000, 3)).argmax(1))
    return {"make_loader": lambda size: DataLoader(noisy, batch_size=size, shuffle=True, drop_last=True)}


def searched() -> Names:
    """The folder of a search: a run a row, the best rate near 3e-3."""
    random = np.random.default_rng(0)
    lr, size = 10 ** random.uniform(-5, 0, 60), 2 ** random.integers(5, 9, 60)
    loss = 0.3 + 0.05 * np.log10(lr / 3e-3 / (size / 128) ** 0.5) ** 2 + 0.002 * random.standard_normal(60)
    Path("runs").mkdir()
    rows = [f"{one},{b},{value}" for one, b, value in zip(lr, size, loss)]
    Path("runs/runs.csv").write_text("\n".join(["lr,batch_size,val_loss", *rows]))
    return {}


MORE: dict[str, tuple[list[str], Callable[[], Names]]] = {
    "range_test.md": ([], loops),
    "lr_scheduler.md#Several optimizers": ([], groups),
    "guide/frameworks.md#Lightning": (["pytorch_lightning"], lightning),
    "guide/frameworks.md#Hugging Face Transformers": (["transformers", "accelerate"], transformers),
    "guide/frameworks.md#Accelerate": (["accelerate"], dict),
    "guide/frameworks.md#Ignite": (["ignite.engine"], dict),
    "guide/frameworks.md#fastai": (["fastai.learner"], fastai),
    "guide/frameworks.md#Keras": (["keras"], keras),
    "guide/drop_in.md#Lightning": (["pytorch_lightning"], dict),
    "guide/drop_in.md#Hugging Face Transformers": (["transformers", "accelerate"], transformers),
    "guide/drop_in.md#Keras": (["keras"], keras),
    "guide/drop_in.md#JAX and optax": (["optax"], dict),
    "tune.md": ([], recipe),
    "batch_size.md": ([], batches),
    "sweeps.md": (["matplotlib"], searched),
    "guide/many_runs.md#On Dask": (["dask", "pyarrow"], sweep),
    "guide/migrating.md#Keras' clr_callback": (["keras"], keras),
}


@contextmanager
def fresh_accelerate() -> Iterator[None]:
    """Accelerate keeps the precision of its first Accelerator for the process."""
    yield
    try:
        from accelerate.state import AcceleratorState, GradientState
    except ImportError:
        return
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
