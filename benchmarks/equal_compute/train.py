"""One problem from one seed: its trainings, which are kept in a file, and its range tests, which are not."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import math
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Callable, NamedTuple

import torch
from borrowed import pretrained
from problems import Problem
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

import clrfast
from clrfast.schedules import Schedule
from data import load

Make = Callable[..., Optimizer]  # of parameters and a weight decay


class Reached(NamedTuple):
    """The validation loss and error after a training; infinite where it failed."""

    loss: float
    error: float


class Outcome(NamedTuple):
    """What a way to choose the rate led to.

    Attributes:
        reached: The end of the training.
        lr: The peak that it trained at, None where there is no such thing.
        search: Steps that the search took.
        note: What the way said of it.
    """

    reached: Reached
    lr: float | None
    search: int
    note: str = ""


class Trainer:
    """Trains a problem's network again and again, and remembers what it reached.

    Attributes:
        total_steps: Steps of search and training together.
    """

    def __init__(self, name: str, problem: Problem, total_steps: int, out: Path, folder: Path | None) -> None:
        self.problem = problem
        self.total_steps = total_steps
        self.data = problem.scaled(load(problem.data, folder))
        self.initial: nn.Module | None = None
        if problem.pretrained_on is not None:
            self.initial = pretrained(problem.network, load(problem.pretrained_on, folder))
        self._records = _Records(out / f"{name}.jsonl", self._fingerprint())

    def network(self, seed: int) -> nn.Module:
        """The network before training."""
        torch.manual_seed(seed)
        return self.problem.network() if self.initial is None else copy.deepcopy(self.initial)

    def train(self, schedule: Schedule, steps: int, seed: int, optimizer: Make | None = None) -> Reached:
        """Train from the start; another optimizer than the problem's own has its weight decay.

        Returns:
            What was reached; infinite where a loss, or the end, is no number.
        """
        rates = schedule.values(0, steps)
        key = f"{seed} {_named(optimizer)} {hashlib.sha256(rates.tobytes()).hexdigest()[:16]}"
        if key not in self._records:
            self._records[key] = self._train(rates.tolist(), seed, optimizer)
        return self._records[key]

    def start(self, seed: int) -> Reached:
        """Before training, or what the best constant answer reaches, where that is less.

        A network whose inputs are huge begins far above it; to fall to it is no merit.
        """
        return min(self._validate(self.network(seed)), self._constant())

    def default_lr(self, optimizer: Make | None = None) -> float:
        """The rate that an optimizer has where none is given, the problem's own or another."""
        return float(self._optimizer(self.network(0), optimizer).defaults["lr"])

    def range_test(self, seed: int, optimizer: Make | None = None, **options: Any) -> tuple[clrfast.Log, int]:
        """A range test from the start of a training.

        Returns:
            The log, and the steps that it took, those after the decisive loss included.
        """
        network = self.network(seed)
        tuned = self._optimizer(network, optimizer)
        _mode(tuned, "train")
        taken = 0

        def count(*_: Any) -> None:
            nonlocal taken
            taken += 1

        # A hook of all optimizers: what one of them holds is put back after the test, a count too.
        hook = register_optimizer_step_post_hook(count)
        try:
            log = clrfast.range_test(network, tuned, self.problem.loss, _Batches(self, seed), **options)
        finally:
            hook.remove()
        return log, taken

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches without end, in a new order each epoch; an incomplete one is left out."""
        source = torch.Generator().manual_seed(1000 + seed)
        x, y, size = self.data.x, self.data.y, self.problem.batch_size
        while True:
            order = torch.randperm(len(x), generator=source)
            for rows in order[: len(order) // size * size].split(size):
                yield x[rows], y[rows]

    def _optimizer(self, network: nn.Module, other: Make | None) -> Optimizer:
        if other is None:
            return self.problem.optimizer(network.parameters())
        with contextlib.redirect_stdout(io.StringIO()):  # Prodigy prints
            return other(network.parameters(), weight_decay=self.problem.weight_decay)

    def _train(self, rates: list[float], seed: int, other: Make | None) -> Reached:
        network = self.network(seed)
        optimizer = self._optimizer(network, other)
        _mode(optimizer, "train")
        (group,) = optimizer.param_groups
        for rate, (x, y) in zip(rates, self.batches(seed)):
            group["lr"] = rate
            optimizer.zero_grad()
            loss = self.problem.loss(network(x), y)
            loss.backward()
            optimizer.step()
            if not math.isfinite(loss.item()):
                return Reached(math.inf, math.inf)
        _mode(optimizer, "eval")
        return self._validate(network)

    def reached(self, network: nn.Module, x: Tensor, y: Tensor) -> Reached:
        """What a network reaches on these rows; infinite where that is no number."""
        network.eval()
        with torch.no_grad():
            output = network(x)
            loss, error = self.problem.loss(output, y).item(), self.problem.error(output, y)
        network.train()
        return Reached(loss, error) if math.isfinite(loss) else Reached(math.inf, math.inf)

    def _validate(self, network: nn.Module) -> Reached:
        return self.reached(network, self.data.validation_x, self.data.validation_y)

    def _constant(self) -> Reached:
        """What an answer reaches that is the same for all rows: the classes' frequencies, or the mean."""
        y = self.data.validation_y
        if not self.problem.classes:
            variance = y.var(correction=0).item()
            return Reached(self.problem.loss_scale * variance, math.sqrt(variance))
        shares = torch.bincount(y.flatten()) / y.numel()
        entropy = torch.special.entr(shares).sum().item()
        return Reached(self.problem.loss_scale * entropy, 1 - shares.max().item())

    def _fingerprint(self) -> str:
        """A few steps, which depend on all that a problem consists of."""
        parts = hashlib.sha256(repr((self.total_steps, self.problem.weight_decay)).encode())
        for tensor in self.data:
            parts.update(tensor.numpy().tobytes())
        for rate in (1e-3, 1e-6):
            parts.update(repr(self._train([rate] * 5, 0, None)).encode())
        return parts.hexdigest()[:16]


class _Batches:
    """The batches of a training, as a loader."""

    def __init__(self, trainer: Trainer, seed: int) -> None:
        self._make = trainer.batches
        self._seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self._make(self._seed)


class _Records(dict[str, Reached]):
    """Trainings by their names, in a file that is begun anew where the problem has changed."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        super().__init__()
        lines = path.read_text().splitlines() if path.exists() else []
        self._path = path
        if lines[:1] != [fingerprint]:
            lines = []
            path.write_text(fingerprint)
        for line in lines[1:]:
            with contextlib.suppress(ValueError):  # a line that was cut where a run was killed
                key, loss, error = json.loads(line)
                super().__setitem__(key, Reached(loss, error))

    def __setitem__(self, key: str, reached: Reached) -> None:
        super().__setitem__(key, reached)
        with self._path.open("a") as file:
            file.write("\n" + json.dumps([key, *reached]))


def _named(optimizer: Make | None) -> str:
    """A name that tells optimizers and their releases apart."""
    if optimizer is None:
        return "own"
    kind = getattr(optimizer, "func", optimizer)
    options = sorted(getattr(optimizer, "keywords", {}).items())
    return f"{kind.__name__}{options} {version(kind.__module__.partition('.')[0])}"


def _mode(optimizer: Optimizer, mode: str) -> None:
    """Schedule-free optimizers train other weights than those to validate with."""
    change = getattr(optimizer, mode, None)
    if change is not None:
        change()
