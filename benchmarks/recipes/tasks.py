"""The problems: eight, of three optimizers, most of which overfit, so that more than the rate matters."""

from __future__ import annotations

import dataclasses
from functools import partial

import torch
from lent import (
    Problem,
    Split,
    adam,
    adamw,
    cnn,
    diamonds_mlp,
    digits_cnn,
    letter_mlp,
    mlp,
    momentum,
    transformer,
)
from torch import nn
from torch.optim import SGD


@dataclasses.dataclass(frozen=True)
class Task(Problem):
    """What is trained, for how long, and on how few rows; what is held out is halved.

    Attributes:
        steps: Steps of a training.
        rows: Rows to train on; None takes all.
        rates: Rates of the grid, as powers of ten: the lowest and the highest.
        decays: Weight decays of the grid.
    """

    steps: int = 800
    rows: int | None = None
    rates: tuple[float, float] = (-3.0, 0.0)
    decays: tuple[float, ...] = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)

    def scaled(self, split: Split) -> Split:
        """Its rows, and the half of what is held out that judges."""
        every = super().scaled(split)
        half = len(every.validation_x) // 2
        return Split(
            every.x[: self.rows], every.y[: self.rows], every.validation_x[:half], every.validation_y[:half]
        )

    def seen(self, split: Split) -> tuple[torch.Tensor, torch.Tensor]:
        """The other half of what is held out, which a search may look at."""
        every = super().scaled(split)
        half = len(every.validation_x) // 2
        return every.validation_x[half:], every.validation_y[half:]

    def shortened(self) -> Task:
        """To show that all runs: few steps, a coarse grid."""
        return dataclasses.replace(self, steps=200, rates=(-1.5, -1.0), decays=self.decays[:2])


sgd_task = partial(Task, optimizer=momentum)
adam_task = partial(Task, optimizer=adam, rates=(-4.0, -1.0))
adamw_task = partial(
    Task, optimizer=adamw, weight_decay=0.01, rates=(-4.0, -1.0), decays=(0.0, 0.01, 0.1, 1.0, 10.0)
)


def norm_mlp() -> nn.Module:
    return mlp(13, 64, 9, 2, norm=True)


# Chosen for what they differ in, before anything was trained on them. `tune` was made on none of them.
TASKS = {
    "digits_cnn_sgd": sgd_task("digits", digits_cnn, batch_size=32, steps=600),
    "letter_mlp_sgd": sgd_task("letter", letter_mlp, batch_size=64, steps=1000),
    "fashion_noisy_mlp_sgd": sgd_task("fashion-noisy", lambda: mlp(196, 96, 10, 2), batch_size=32, rows=2000),
    "marketing_norm_nesterov": Task(
        "marketing", norm_mlp, partial(SGD, momentum=0.9, nesterov=True, fused=True), batch_size=32, rows=1000
    ),
    "diamonds_mlp_adam": adam_task("diamonds", diamonds_mlp, batch_size=32, rows=1000, classes=False),
    "fashion_small_mlp_adamw": adamw_task("fashion", lambda: mlp(196, 128, 10, 2), batch_size=32, rows=800),
    "code_transformer_adamw": adamw_task("code", transformer, batch_size=4, steps=600, rows=500),
    "mnist_finetune_adamw": adamw_task(
        "mnist-shifted", cnn, batch_size=16, steps=600, rows=500, pretrained_on="fashion"
    ),
}

SHORT = ("digits_cnn_sgd",)  # its data come with scikit-learn
