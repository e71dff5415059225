"""Several processes that train one model: what they tell each other, which is little and rare."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from clrfast._range_test._stop_rule import Watch


class Processes:
    """The processes of a group, each of which runs the same range test on its own batches.

    Args:
        group: The group; all of it takes part in each call of `gather` and `texts`.
        wrapped: The modules whose passes communicate: those of `DistributedDataParallel` and FSDP.
    """

    def __init__(self, group: Any, wrapped: list[nn.Module]) -> None:
        """Communicate nothing yet."""
        self.group, self.wrapped = group, wrapped
        self.rank, self.count = dist.get_rank(group), dist.get_world_size(group)
        on_gpu = "gloo" not in dist.get_backend(group) and torch.cuda.is_available()
        self._device = torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")

    def gather(self, values: list[float]) -> Tensor:
        """Return the values of all processes, shape (processes, values), float64, the same in each."""
        rows = torch.zeros(self.count, len(values), dtype=torch.float64)
        rows[self.rank] = torch.tensor(values, dtype=torch.float64)
        rows = rows.to(self._device)  # the others' rows are 0, so that their sum has each value as it is
        dist.all_reduce(rows, group=self.group)
        return rows.cpu()

    def texts(self, text: str | None) -> list[str | None]:
        """Return what each process says."""
        said: list[Any] = [None] * self.count
        dist.all_gather_object(said, text, group=self.group)
        return said

    def cannot_start(self) -> None:
        """Tell the others, who wait in `agree_to_start`."""
        self.gather([1.0] + [0.0] * 5)

    def agree_to_start(self, rates: Any, factor: float, batches: int) -> None:
        """Wait until all are ready.

        Raises:
            RuntimeError: Another process is not; it raises the reason.
            ValueError: They were not asked for the same test.
        """
        mine = [0.0, len(rates), rates[0], rates[-1], min(factor, 1e300), batches]
        rows = self.gather(mine)
        failed = [rank for rank, bad in enumerate(rows[:, 0].tolist()) if bad]
        if failed:
            raise RuntimeError(f"the range test could not start in process {failed[0]} of {self.count}")
        if not bool((rows == rows[0]).all()):
            names = ("steps", "start_lr", "end_lr", "stop_factor", "accumulate")
            (column, *_) = [i for i in range(1, 6) if not bool((rows[:, i] == rows[0, i]).all())]
            raise ValueError(
                f"{names[column - 1]} must be the same in all processes, got {rows[:, column].tolist()}"
            )


class SharedWatch(Watch):
    """Averages losses over processes at each check, and agrees on the end there.

    Attributes:
        ended: The number of steps for which this process had batches; infinity while it has.
        failed: The number of steps before the one that failed here; infinity while none has.
    """

    def __init__(self, steps: int, factor: float, processes: Processes) -> None:
        """Agree on nothing yet."""
        super().__init__(steps, factor)
        self.processes = processes
        self._own: list[float] = []  # since the last check
        self._first_end = self.first_failure = math.inf
        self.ended = self.failed = math.inf

    def finish(self) -> None:
        """Agree on what the last check left."""
        if len(self._rule.losses) < self.count:
            self._exchange()

    def result(self) -> tuple[list[float], bool]:
        """Return the mean losses up to the one that stops, and whether one does; communicates nothing."""
        losses, stop = self._rule.losses, self._rule.stop
        end = int(min(len(losses), self._first_end, self.first_failure))
        if stop is None or stop >= end:
            return losses[:end], False
        return losses[: stop + 1], True

    def _see(self, losses: list[float]) -> None:
        self._own += losses

    def _ask(self) -> bool:
        self._exchange()
        return self._rule.stop is not None or min(self._first_end, self.first_failure) < self.count

    def _exchange(self) -> None:
        self._fetch()
        own, self._own = self._own, []
        rows = self.processes.gather([*own, self.ended, self.failed])
        for mean in rows[:, :-2].mean(dim=0).tolist():
            self._rule.add(mean)
        self._first_end, self.first_failure = rows[:, -2].min().item(), rows[:, -1].min().item()


def find(models: Iterable[nn.Module], process_group: Any) -> Processes | None:
    """Return the processes that train the models together; None where there is one alone.

    Raises:
        TypeError, ValueError: `process_group` is no group, or there are no processes.
    """
    if not (dist.is_available() and dist.is_initialized()):
        if process_group is not None:
            raise ValueError("process_group must be None where torch.distributed is not initialised")
        return None
    if process_group is not None and not isinstance(process_group, dist.ProcessGroup):
        raise TypeError(f"process_group must be a ProcessGroup or None, got {process_group!r}")
    wrapped: list[nn.Module] = []
    for model in models:
        _collect(model, wrapped)
    if process_group is None and not wrapped:
        return None
    group = process_group
    if group is None:
        group = getattr(wrapped[0], "process_group", None) or _group_of(wrapped[0]) or dist.group.WORLD
    return Processes(group, wrapped) if dist.get_world_size(group) > 1 else None


def _collect(module: nn.Module, found: list[nn.Module]) -> None:
    """Find the outermost modules whose passes communicate."""
    is_sharded = hasattr(module, "_get_fsdp_state") or type(module).__name__ == "FullyShardedDataParallel"
    if is_sharded or isinstance(module, nn.parallel.DistributedDataParallel):
        found.append(module)
        return
    for child in module.children():
        _collect(child, found)


def _group_of(module: nn.Module) -> Any:
    """Return the group of the mesh that the parameters are spread over, if it has one dimension."""
    for parameter in module.parameters():
        mesh = getattr(parameter, "device_mesh", None)
        if mesh is not None and mesh.ndim == 1:
            return mesh.get_group()
    return None
