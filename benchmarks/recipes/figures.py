"""The paper's three figures redrawn on real data, and the pictures of recipes.

Run: python benchmarks/recipes/figures.py [--out DIR] [--recipes NAME ...] [--short] [--data-dir DIR]
Smith, arXiv:1803.09820: range tests for several weight decays, momenta and batch sizes, with the loss on the
training batches and that on what is held out; how far these lie apart is the overfitting. All are of an MLP
on 2,000 images of Fashion-MNIST, of whose labels 3 of 10 are wrong, trained by SGD. `--recipes` draws what
`clrfast.tune` finds on problems of `run.py` as well. Takes some minutes. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from choosers import CYCLED, recipe_of
from matplotlib import pyplot as plt
from tasks import SHORT, TASKS
from trainings import Trainings

import clrfast
from clrfast import Log, pictures

IMAGES = Path(__file__).parent / "images"
TASK = "fashion_noisy_mlp_sgd"
DECAYS, MOMENTA, BATCH_SIZES = (1e-4, 1e-3, 1e-2, 1e-1), (0.8, 0.9, 0.95, 0.99), (8, 32, 128, 512)
EVERY = 5  # steps between two looks at what is held out
TITLES = {"loss": "Loss on the training batches", "validation": "Loss on what is held out"}


def ramp(
    trainings: Trainings, decay: float = 0.0, momentum: float | tuple[float, float] = 0.9
) -> dict[str, Log]:
    """Both losses of a range test; a momentum of two numbers falls from the higher to the lower one."""
    network, optimizer = trainings.new(0)
    (group,) = optimizer.param_groups
    group["weight_decay"] = decay
    low, high = momentum if isinstance(momentum, tuple) else (momentum, momentum)
    steps = trainings.total_steps
    with clrfast.RangeTest(network, optimizer, start_lr=1e-4, end_lr=3.0, steps=steps) as test:
        for step, (x, y) in enumerate(test(trainings.loader(0))):
            group["momentum"] = high + (low - high) * step / steps
            others = {} if step % EVERY else {"validation": trainings.ends(network).judged.loss}
            optimizer.zero_grad()
            loss = trainings.problem.loss(network(x), y)
            loss.backward()
            optimizer.step()
            test.record(loss, **others)
    return test.logs


def draw(
    tests: Mapping[str, Mapping[str, Log]], values: tuple[float, ...] | None, label: str, path: Path
) -> None:
    """Both losses of some tests, side by side on one scale."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    for ax, (part, title) in zip(axes, TITLES.items()):
        pictures.compare({name: test[part] for name, test in tests.items()}, ax, values=values, label=label)
        ax.set_title(title, loc="left", fontsize="medium")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=IMAGES, metavar="DIR", help="where the pictures go")
    parser.add_argument("--recipes", nargs="*", choices=TASKS, default=[], metavar="NAME", help="of these")
    parser.add_argument("--short", action="store_true", help="few steps, and digits, which are always there")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where Fashion-MNIST's files are")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    task = dataclasses.replace(TASKS[SHORT[0]], steps=60) if options.short else TASKS[TASK]
    with tempfile.TemporaryDirectory() as nowhere:  # no training of these is kept
        out, folder = Path(nowhere), options.data_dir
        trainings = Trainings("ramps", task, out, folder)
        decays = {f"{decay:g}": ramp(trainings, decay=decay) for decay in DECAYS}
        draw(decays, DECAYS, "weight decay", options.out / "weight_decay.png")
        momenta = {f"{momentum:g}": ramp(trainings, momentum=momentum) for momentum in MOMENTA}
        momenta[f"{CYCLED[1]:g} to {CYCLED[0]:g}"] = ramp(trainings, momentum=CYCLED)
        draw(momenta, None, "momentum", options.out / "momentum.png")
        sizes = {}
        for size in BATCH_SIZES:
            sized = dataclasses.replace(task, batch_size=size)
            sizes[str(size)] = ramp(Trainings("ramps", sized, out, folder))
        draw(sizes, tuple(map(float, BATCH_SIZES)), "batch size", options.out / "batch_size.png")
        for name in options.recipes:
            task = TASKS[name].shortened() if options.short else TASKS[name]
            trainings = Trainings(name, task, out, folder)
            recipe = recipe_of(trainings, 0, validates=True, momentum=True, weight_decay=True)
            recipe.plot().savefig(options.out / f"{name}.png", dpi=80)


if __name__ == "__main__":
    main()
