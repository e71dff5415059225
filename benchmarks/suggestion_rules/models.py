"""The problems' networks: small ones of every common kind, and how they are trained before."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from datasets import Split
from torch import Tensor, nn


def mlp(
    inputs: int,
    hidden: int,
    outputs: int,
    depth: int = 1,
    activation: type[nn.Module] = nn.ReLU,
    *,
    norm: bool = False,
    dropout: float = 0.0,
    bias: bool = True,
) -> nn.Sequential:
    """`depth` hidden layers, each with batch norm and dropout where asked for; flattens its input."""
    layers: list[nn.Module] = [nn.Flatten()]
    width = inputs
    for _ in range(depth):
        layers.append(nn.Linear(width, hidden, bias=bias))
        if norm:
            layers.append(nn.BatchNorm1d(hidden))
        layers.append(activation())
        if dropout:
            layers.append(nn.Dropout(dropout))
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, outputs, bias=bias))


def cnn(size: int = 14, *, norm: bool = False) -> nn.Sequential:
    """Two convolutions for square grey images of 10 classes."""
    layers: list[nn.Module] = []
    for before, after in ((1, 8), (8, 16)):
        layers.append(nn.Conv2d(before, after, 3, padding=1))
        if norm:
            layers.append(nn.BatchNorm2d(after))
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * (size // 4) ** 2, 10))


class VisionTransformer(nn.Module):
    """Reads a 14 x 14 image as 16 overlapping patches, and names one of 10 classes."""

    def __init__(self, width: int = 32, layers: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 5, stride=3)
        self.position = nn.Parameter(0.02 * torch.randn(16, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 64, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.last = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        states = self.patches(x).flatten(2).transpose(1, 2) + self.position
        for layer in self.layers:
            states = layer(states)
        return self.last(states.mean(dim=1))


class ResidualMLP(nn.Module):
    """Pre-norm residual blocks, as in a transformer without attention."""

    def __init__(self, inputs: int, hidden: int, outputs: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden)
            )
            for _ in range(blocks)
        )
        self.last = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.flatten(1))
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


class Siren(nn.Module):
    """Sine activations, for functions of one variable: arXiv:2006.09661."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.first = nn.Linear(1, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.sin(3 * self.second(torch.sin(10 * self.first(x)))))


class RowGRU(nn.Module):
    """Reads an image row by row, and names one of 10 classes."""

    def __init__(self, columns: int, hidden: int = 32) -> None:
        super().__init__()
        self.gru = nn.GRU(columns, hidden, batch_first=True)
        self.last = nn.Linear(hidden, 10)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x.squeeze(1))
        return self.last(states[:, -1])


def text_mlp(vocabulary: int, context: int) -> nn.Sequential:
    """Predicts the character after a context of fixed length."""
    return nn.Sequential(nn.Embedding(vocabulary, 12), mlp(12 * context, 96, vocabulary))


class TextGRU(nn.Module):
    """Predicts the next character at each position; classes in dimension 1, where losses want them."""

    def __init__(self, vocabulary: int, embedding: int = 16, hidden: int = 48) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.gru = nn.GRU(embedding, hidden, batch_first=True)
        self.last = nn.Linear(hidden, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(self.embedding(x))
        return self.last(states).transpose(1, 2)


class TextTransformer(nn.Module):
    """As `TextGRU`, with two layers of causal attention."""

    def __init__(self, vocabulary: int, context: int, width: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(0.02 * torch.randn(context, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 64, dropout=0.0, batch_first=True) for _ in range(2)
        )
        self.last = nn.Linear(width, vocabulary)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(context))

    def forward(self, x: Tensor) -> Tensor:
        states = self.embedding(x) + self.position
        for layer in self.layers:
            states = layer(states, src_mask=self.mask)
        return self.last(states).transpose(1, 2)


def pretrained(make: Callable[[], nn.Module], data: Split) -> nn.Module:
    """A network trained before, with a usual rate of Adam."""
    torch.manual_seed(123)
    network = make()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(400):
        rows = torch.randint(0, len(data.x), (64,))
        optimizer.zero_grad()
        F.cross_entropy(network(data.x[rows]), data.y[rows]).backward()
        optimizer.step()
    return network
