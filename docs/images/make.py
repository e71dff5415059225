"""Draw the documentation's pictures from real range tests, on a light ground and on a dark one.

``python docs/images/make.py [FOLDER]`` (with ``pip install ".[demo]"``; half a minute) writes them into this
folder, or another one: a network with two hidden layers learns scikit-learn's digits by SGD.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import clrfast
from clrfast import pictures, schedules

# Of GitHub's pages, on which README is read most.
GROUNDS = {"": ("default", "#ffffff"), "_dark": ("dark_background", "#0d1117")}
TRAINING = 3000  # steps
MOMENTA = (0.8, 0.85, 0.9, 0.95, 0.99)


def range_test(momentum: float) -> clrfast.Log:
    """Return the range test of the same network, on the same batches, with a momentum."""
    torch.manual_seed(0)
    images, digits = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(images / 16, dtype=torch.float32), torch.tensor(digits))
    loader = DataLoader(data, batch_size=64, shuffle=True, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(
        *(nn.Linear(64, 128), nn.ReLU()), *(nn.Linear(128, 128), nn.ReLU()), nn.Linear(128, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=momentum)
    return clrfast.range_test(model, optimizer, F.cross_entropy, loader, start_lr=1e-5, total_steps=TRAINING)


def draw_test(found: clrfast.Analysis, ax: Axes) -> None:
    """Draw one range test."""
    found.plot(ax)
    ax.set_title("LR range test: digits, SGD with momentum 0.9", loc="left")


def draw_schedules(found: clrfast.Suggestion, ax: Axes) -> None:
    """Draw what its suggestion becomes."""
    base_lr, max_lr = found.base_lr, found.max_lr
    rates = {
        "one cycle": found.one_cycle(TRAINING),
        "triangular": found.triangular(step_size_up=TRAINING / 6),
        "warm-up, stable, decay": schedules.warmup_stable_decay(
            max_lr, warmup_steps=300, stable_steps=1700, decay_steps=1000
        ),
    }
    pictures.compare(rates, ax)
    for bound, name in ((base_lr, "base_lr"), (max_lr, "max_lr")):
        ax.axhline(bound, color="#888888", lw=1, ls=":")
        edge: Any = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points", "va": "center"}
        ax.annotate(name, (1, bound), (4, 0), color="#888888", fontsize="small", **edge)
    ax.set_title("From the suggestion to a schedule", loc="left")


def draw_momenta(tests: dict[float, clrfast.Analysis], ax: Axes) -> None:
    """Draw range tests of one model, coloured by the momentum."""
    pictures.compare(tests.values(), ax, values=tests, label="Momentum")
    ax.set_title("Range tests of one network: a higher momentum wants a lower rate", loc="left")


def save(folder: Path, name: str, draw: Callable[[Axes], None]) -> None:
    """Save a picture on each ground."""
    for suffix, (style, ground) in GROUNDS.items():
        with plt.style.context([style, {"figure.facecolor": ground, "axes.facecolor": ground}]):
            figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
            draw(ax)
            figure.savefig(folder / f"{name}{suffix}.png", dpi=160)
            plt.close(figure)


def main(folder: Path) -> None:
    """Test, and draw."""
    torch.set_num_threads(1)
    tests = {momentum: range_test(momentum).analyze() for momentum in MOMENTA}
    found = tests[0.9]
    save(folder, "range_test", lambda ax: draw_test(found, ax))
    save(folder, "schedules", lambda ax: draw_schedules(found.suggestion, ax))
    save(folder, "momenta", lambda ax: draw_momenta(tests, ax))


if __name__ == "__main__":
    plt.switch_backend("Agg")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
