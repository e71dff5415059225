"""The problems: data, network, loss and optimizer, of many kinds, each trained in a second or less."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial

import torch
import torch.nn.functional as F
from datasets import CONTEXT, SEQUENCE, VOCABULARY
from models import (
    ResidualMLP,
    RowGRU,
    Siren,
    TextGRU,
    TextTransformer,
    VisionTransformer,
    cnn,
    mlp,
    text_mlp,
)
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Muon, Optimizer, RMSprop

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is trained, and how.

    Attributes:
        data: Which data, a name that :func:`datasets.load` knows.
        network: Makes the network.
        loss: Of the network's output and the target.
        optimizer: Makes the optimizer; its rate is set at each step.
        batch_size: Rows of each step.
        steps: Steps of a short training; a long one has five times as many.
        clip: The largest norm of the gradient.
        pretrained_on: The data that training starts from, where it is a fine-tuning.
        fresh_head: Whether its last layer begins anew.
    """

    data: str
    network: Callable[[], nn.Module]
    loss: Loss
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    batch_size: int
    steps: int = 400
    clip: float | None = None
    pretrained_on: str | None = None
    fresh_head: bool = False

    @property
    def kind(self) -> str:
        """What it is, for tables."""
        if self.pretrained_on is None:
            return "fresh network"
        if self.fresh_head:
            return "fine-tuning, fresh head"
        return "good start" if self.pretrained_on == self.data else "fine-tuning, same head"


def single(loss: Loss) -> Loss:
    """The loss of a network with one output."""
    return lambda output, target: loss(output.squeeze(-1), target)


def gaussian(output: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood, but for a constant, of a mean and the logarithm of a standard deviation."""
    mean, log_deviation = output.unbind(dim=1)
    return (log_deviation + 0.5 * (target - mean) ** 2 * torch.exp(-2 * log_deviation)).mean()


entropy = F.cross_entropy
binary = F.binary_cross_entropy_with_logits
mse = single(F.mse_loss)

sgd = partial(SGD, lr=1.0)
momentum = partial(SGD, lr=1.0, momentum=0.9)
nesterov = partial(SGD, lr=1.0, momentum=0.9, nesterov=True)
decayed = partial(SGD, lr=1.0, momentum=0.9, weight_decay=5e-4)
adam = partial(Adam, lr=1.0)
adamw = partial(AdamW, lr=1.0, weight_decay=0.01)
rmsprop = partial(RMSprop, lr=1.0)
adagrad = partial(Adagrad, lr=1.0)
muon = partial(Muon, lr=1.0, weight_decay=0.0)  # takes matrices only


def text_gru() -> nn.Module:
    return TextGRU(VOCABULARY)


def text_transformer() -> nn.Module:
    return TextTransformer(VOCABULARY, SEQUENCE)


def digits_cnn() -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), *cnn(8))


def digits_autoencoder() -> nn.Module:
    return nn.Sequential(mlp(64, 48, 12), nn.ReLU(), mlp(12, 48, 64))


# On these the constants of clrfast's rule were chosen.
TUNING = {
    "digits_logistic_sgd": Problem("digits", lambda: nn.Linear(64, 10), entropy, sgd, 32),
    "digits_mlp_momentum": Problem("digits", lambda: mlp(64, 64, 10), entropy, momentum, 64),
    "digits_norm_dropout_nesterov": Problem(
        "digits", lambda: mlp(64, 64, 10, 2, norm=True, dropout=0.2), entropy, nesterov, 64
    ),
    "digits_cnn_adam": Problem("digits", digits_cnn, entropy, adam, 64),
    "digits_autoencoder_rmsprop": Problem("digits-itself", digits_autoencoder, F.mse_loss, rmsprop, 64),
    "digits_deep_tanh_momentum": Problem(
        "digits", lambda: mlp(64, 48, 10, 6, nn.Tanh), entropy, momentum, 16
    ),
    "digits_noisy_adam": Problem("digits-noisy", lambda: mlp(64, 64, 10), entropy, adam, 8),
    "digits_residual_adamw": Problem("digits", lambda: ResidualMLP(64, 48, 10, 3), entropy, adamw, 128, 300),
    "cancer_mlp_adamw": Problem("cancer", lambda: mlp(30, 32, 1), single(binary), adamw, 16, 300),
    "cancer_logistic_sgd": Problem("cancer", lambda: nn.Linear(30, 1), single(binary), sgd, 8, 300),
    "diabetes_mse_adam": Problem("diabetes", lambda: mlp(10, 32, 1, 2), mse, adam, 32),
    "diabetes_mse_momentum": Problem("diabetes-standard", lambda: mlp(10, 32, 1), mse, momentum, 32),
    "diabetes_huber_sgd": Problem("diabetes", lambda: nn.Linear(10, 1), single(F.huber_loss), sgd, 16),
    "diabetes_gaussian_adam": Problem("diabetes-thousandths", lambda: mlp(10, 32, 2), gaussian, adam, 32),
    "wine_mlp_rmsprop": Problem("wine", lambda: mlp(13, 24, 3), entropy, rmsprop, 16, 300),
    "text_mlp_momentum": Problem(
        "character", lambda: text_mlp(VOCABULARY, CONTEXT), entropy, momentum, 64, 500
    ),
    "text_gru_adam": Problem("sequence", text_gru, entropy, adam, 16, 300),
    "text_gru_clipped_momentum": Problem("sequence", text_gru, entropy, momentum, 16, 300, clip=1.0),
    "text_transformer_adam": Problem("sequence", text_transformer, entropy, adam, 16, 300),
    "mnist_cnn_momentum": Problem("mnist", cnn, entropy, momentum, 64),
    "mnist_mlp_adagrad": Problem("mnist", lambda: mlp(196, 64, 10), entropy, adagrad, 32),
    "fashion_cnn_norm_adamw": Problem("fashion", lambda: cnn(norm=True), entropy, adamw, 64),
    "fashion_cnn_norm_decayed": Problem("fashion", lambda: cnn(norm=True), entropy, decayed, 64),
    "fashion_mlp_sgd": Problem("fashion", lambda: mlp(196, 96, 10), entropy, sgd, 256),
    "fashion_deep_adam": Problem("fashion", lambda: mlp(196, 64, 10, 5), entropy, adam, 128),
    "mnist_rotated_finetune_adam": Problem(
        "mnist-rotated", cnn, entropy, adam, 32, 300, pretrained_on="mnist"
    ),
    "mnist_shifted_finetune_momentum": Problem(
        "mnist-shifted", cnn, entropy, momentum, 32, 300, pretrained_on="mnist"
    ),
    "fashion_shifted_finetune_adamw": Problem(
        "fashion-shifted", lambda: cnn(norm=True), entropy, adamw, 16, 300, pretrained_on="fashion"
    ),
    "mnist_fresh_head_adamw": Problem(
        "mnist", cnn, entropy, adamw, 8, 300, pretrained_on="fashion", fresh_head=True
    ),
    "code_transformer_fresh_head_adamw": Problem(
        "code", text_transformer, entropy, adamw, 8, 300, pretrained_on="sequence", fresh_head=True
    ),
    "mnist_good_start_adam": Problem("mnist", cnn, entropy, adam, 16, 300, pretrained_on="mnist"),
    "mnist_vit_adamw": Problem("mnist", VisionTransformer, entropy, adamw, 32, 300),
    "digits_mlp_muon": Problem("digits", lambda: mlp(64, 64, 10, 2, bias=False), entropy, muon, 64),
    "mnist_cnn_norm_sgd": Problem("mnist", lambda: cnn(norm=True), entropy, sgd, 64),
    "digits_mlp_large_batch_adam": Problem("digits", lambda: mlp(64, 64, 10), entropy, adam, 1000),
    "digits_bytes_momentum": Problem("digits-bytes", lambda: mlp(64, 64, 10), entropy, momentum, 32),
}

# These were first looked at when the constants were fixed.
HELD_OUT = {
    "digits_hinge_sgd": Problem("digits", lambda: nn.Linear(64, 10), F.multi_margin_loss, sgd, 32),
    "wave_siren_adam": Problem("wave", Siren, mse, adam, 64),
    "wave_tanh_momentum": Problem("wave", lambda: mlp(1, 64, 1, 2, nn.Tanh), mse, momentum, 32),
    "fashion_gru_rmsprop": Problem("fashion", lambda: RowGRU(14), entropy, rmsprop, 32, 300),
    "text_mlp_adamw": Problem("character", lambda: text_mlp(VOCABULARY, CONTEXT), entropy, adamw, 32, 500),
    "mnist_cnn_dropout_nesterov": Problem(
        "mnist", lambda: nn.Sequential(nn.Dropout(0.1), *cnn()), entropy, nesterov, 128, 300
    ),
    "mnist_autoencoder_adam": Problem("mnist-itself", lambda: mlp(196, 32, 196), binary, adam, 32),
    "fashion_residual_momentum": Problem(
        "fashion", lambda: ResidualMLP(196, 48, 10, 2), entropy, momentum, 64, 300
    ),
    "mnist_mlp_sgd": Problem("mnist", lambda: mlp(196, 48, 10, 2), entropy, sgd, 8, 500),
    "fashion_rotated_finetune_momentum": Problem(
        "fashion-rotated", cnn, entropy, momentum, 64, 300, pretrained_on="fashion"
    ),
    "fashion_fresh_head_momentum": Problem(
        "fashion", lambda: cnn(norm=True), entropy, momentum, 16, 300, pretrained_on="mnist", fresh_head=True
    ),
    "code_gru_fresh_head_adam": Problem(
        "code", text_gru, entropy, adam, 8, 300, pretrained_on="sequence", fresh_head=True
    ),
    "code_transformer_finetune_adamw": Problem(
        "code", text_transformer, entropy, adamw, 8, 300, pretrained_on="sequence"
    ),
    "fashion_good_start_momentum": Problem(
        "fashion", cnn, entropy, momentum, 16, 300, pretrained_on="fashion"
    ),
    "fashion_vit_adam": Problem("fashion", VisionTransformer, entropy, adam, 32, 300),
    "fashion_mlp_muon": Problem("fashion", lambda: mlp(196, 64, 10, bias=False), entropy, muon, 64),
    "wine_mlp_adagrad": Problem("wine", lambda: mlp(13, 24, 3), entropy, adagrad, 16, 300),
    "digits_norm_sgd": Problem("digits", lambda: mlp(64, 64, 10, 2, norm=True), entropy, sgd, 32),
    "mnist_mlp_large_batch_adam": Problem("mnist", lambda: mlp(196, 64, 10), entropy, adam, 2000),
    "digits_small_batch_rmsprop": Problem("digits", lambda: mlp(64, 64, 10), entropy, rmsprop, 8),
    "wave_thousands_adam": Problem("wave-thousands", lambda: mlp(1, 64, 1, 2, nn.Tanh), mse, adam, 64),
    "mnist_bytes_momentum": Problem("mnist-bytes", lambda: mlp(196, 64, 10), entropy, momentum, 64),
}
