"""The problems: eight of usual scales, and eight whose inputs, targets or losses are badly scaled."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial

import torch.nn.functional as F
from borrowed import SEQUENCE, VOCABULARY, Split, TextTransformer, mlp
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is trained, and how.

    Attributes:
        data: Which data, a name that :func:`data.load` knows.
        network: Makes the network.
        optimizer: Makes the optimizer, with its default rate.
        batch_size: Rows of each step.
        lowest: The lowest of the peaks that others are judged by, as a power of ten.
        classes: Whether the targets are classes; otherwise they are numbers.
        x_scale: What inputs are multiplied by.
        y_scale: What targets are multiplied by.
        loss_scale: What the loss is multiplied by.
        pretrained_on: The data that training starts from, where it is a fine-tuning.
        weight_decay: That of the optimizer, for those that take its place.
    """

    data: str
    network: Callable[[], nn.Module]
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    batch_size: int
    lowest: float = -4.5
    classes: bool = True
    x_scale: float = 1.0
    y_scale: float = 1.0
    loss_scale: float = 1.0
    pretrained_on: str | None = None
    weight_decay: float = 0.0

    def scaled(self, split: Split) -> Split:
        """The data as this problem has them; classes and characters stay as they are."""
        if self.x_scale != 1:
            x, validation_x = (inputs * self.x_scale for inputs in (split.x, split.validation_x))
            split = split._replace(x=x, validation_x=validation_x)
        if self.y_scale != 1:
            y, validation_y = (targets * self.y_scale for targets in (split.y, split.validation_y))
            split = split._replace(y=y, validation_y=validation_y)
        return split

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch."""
        if self.classes:
            return self.loss_scale * F.cross_entropy(output, target)
        return self.loss_scale * F.mse_loss(output.squeeze(-1), target)

    def error(self, output: Tensor, target: Tensor) -> float:
        """The share of classes that are told wrong, or the root of the mean squared error of numbers."""
        if self.classes:
            return (output.argmax(dim=1) != target).float().mean().item()
        return F.mse_loss(output.squeeze(-1), target).sqrt().item()


momentum = partial(SGD, momentum=0.9, fused=True)
adam = partial(Adam, fused=True)
adamw = partial(AdamW, weight_decay=0.01, fused=True)


def digits_mlp() -> nn.Module:
    return mlp(64, 64, 10)


def cnn(size: int = 14) -> nn.Sequential:
    """Two strided convolutions for square grey images of 10 classes: cheaper than pooling."""
    side = (size + 3) // 4
    layers = [nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(16 * side**2, 10))


def digits_cnn() -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), *cnn(8))


def letter_mlp() -> nn.Module:
    return mlp(16, 96, 26, 2)


def diamonds_mlp() -> nn.Module:
    return mlp(9, 64, 1, 2)


def transformer() -> nn.Module:
    """One layer of two, for time's sake."""
    network = TextTransformer(VOCABULARY, SEQUENCE)
    network.layers = network.layers[:1]
    return network


REAL = {
    "digits_mlp": Problem("digits", digits_mlp, momentum, 32),
    "digits_cnn": Problem("digits", digits_cnn, adam, 32),
    "fashion_cnn_momentum": Problem("fashion", cnn, momentum, 16),
    "fashion_cnn_adamw": Problem("fashion", cnn, adamw, 16, weight_decay=0.01),
    "text_transformer": Problem("sequence", transformer, adamw, 4, weight_decay=0.01),
    "letter_mlp": Problem("letter", letter_mlp, adam, 64),
    "diamonds_mlp": Problem("diamonds", diamonds_mlp, adam, 64, classes=False),
    "mnist_finetune": Problem("mnist-rotated", cnn, momentum, 32, pretrained_on="mnist"),
}

# Chosen for what is wrong with them, before any answer was seen; then `lowest`, by what the peaks reach.
OFF_SCALE = {
    "digits_inputs_1000": Problem("digits", digits_mlp, momentum, 32, lowest=-6.5, x_scale=1e3),
    "letter_inputs_1000": Problem("letter", letter_mlp, adam, 64, x_scale=1e3),
    "fashion_inputs_0.01": Problem("fashion", cnn, adamw, 16, x_scale=0.01, weight_decay=0.01),
    "diamonds_targets_1000_adam": Problem(
        "diamonds", diamonds_mlp, adam, 64, lowest=-3, classes=False, y_scale=1e3
    ),
    "diamonds_targets_1000_momentum": Problem(
        "diamonds", diamonds_mlp, momentum, 64, lowest=-9, classes=False, y_scale=1e3
    ),
    "wave_targets_0.001": Problem(
        "wave", lambda: mlp(1, 64, 1, 2), RMSprop, 64, lowest=-6, classes=False, y_scale=1e-3
    ),
    "digits_loss_1000": Problem("digits", digits_mlp, momentum, 32, lowest=-7, loss_scale=1e3),
    "letter_loss_0.01": Problem("letter", letter_mlp, momentum, 64, lowest=-2.5, loss_scale=0.01),
}

SHORT = ("digits_mlp", "digits_loss_1000")  # one of each, with data that scikit-learn has
