"""Trainings at any rate, momentum and weight decay, which are kept in a file."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import NamedTuple

from lent import Reached, Trainer, load
from tasks import Task
from torch import Generator, Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from clrfast import schedules
from clrfast.lr_scheduler import ScheduleLR
from clrfast.schedules import Schedule


class Setting(NamedTuple):
    """What a training is set to.

    Attributes:
        rate: The rate at each step.
        momentum: That of SGD, or beta1, at each step, or one number for all; None is the optimizer's own.
        weight_decay: None is the optimizer's own.
    """

    rate: Schedule
    momentum: float | Schedule | None = None
    weight_decay: float | None = None


class Ends(NamedTuple):
    """What was reached on the half that a search may look at, and on the half that judges."""

    seen: Reached
    judged: Reached


class Trainings(Trainer):
    """Trains a task's network at any setting, and remembers what it reached.

    Attributes:
        task: What is trained.
        seen: Inputs and targets that a search may look at.
    """

    def __init__(self, name: str, task: Task, out: Path, folder: Path | None) -> None:
        super().__init__(name, task, task.steps, out, folder)
        self.task = task
        self.seen = task.seen(load(task.data, folder))

    def new(self, seed: int) -> tuple[nn.Module, Optimizer]:
        """The network and its optimizer, as they are before training."""
        network = self.network(seed)
        return network, self.task.optimizer(network.parameters())

    def loader(self, seed: int) -> DataLoader[tuple[Tensor, ...]]:
        """The rows to train on as users have them, in a new order each epoch."""
        rows = TensorDataset(self.data.x, self.data.y)
        order = RandomSampler(rows, generator=Generator().manual_seed(seed))
        sampler = BatchSampler(order, self.problem.batch_size, drop_last=True)
        return DataLoader(rows, sampler=sampler, batch_size=None)

    def reach(self, setting: Setting, steps: int, seed: int) -> Ends:
        """Train from the start; what is reached is infinite where a loss is no number."""
        network, optimizer = self.new(seed)
        (group,) = optimizer.param_groups
        if setting.weight_decay is not None:
            group["weight_decay"] = setting.weight_decay
        own = group["betas"][0] if "betas" in group else group["momentum"]
        momentum = own if setting.momentum is None else setting.momentum
        if not isinstance(momentum, Schedule):
            momentum = schedules.constant(momentum)
        numbers = [setting.rate.values(0, steps), momentum.values(0, steps)]
        digest = hashlib.sha256(repr(group["weight_decay"]).encode())
        for values in numbers:
            digest.update(values.tobytes())
        keys = [f"{seed} {digest.hexdigest()[:20]} {half}" for half in Ends._fields]
        if keys[-1] not in self._records:
            scheduler = ScheduleLR(optimizer, lr=setting.rate, momentum=momentum)
            ends = self.ends(network) if self.run(network, optimizer, scheduler, steps, seed) else FAILED
            for key, end in zip(keys, ends):
                self._records[key] = end
        return Ends(*(self._records[key] for key in keys))

    def run(
        self, network: nn.Module, optimizer: Optimizer, scheduler: ScheduleLR, steps: int, seed: int
    ) -> bool:
        """Train; return whether all losses were finite."""
        for _, (x, y) in zip(range(steps), self.batches(seed)):
            optimizer.zero_grad()
            loss = self.problem.loss(network(x), y)
            loss.backward()
            optimizer.step()
            scheduler.step()
            if not math.isfinite(loss.item()):
                return False
        return True

    def ends(self, network: nn.Module) -> Ends:
        """What a network reaches on both halves."""
        return Ends(self.reached(network, *self.seen), self._validate(network))


FAILED = Ends(Reached(math.inf, math.inf), Reached(math.inf, math.inf))
