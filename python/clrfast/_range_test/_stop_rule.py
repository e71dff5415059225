"""When a range test has seen enough: a rule on the losses, decided where they are."""

from __future__ import annotations

import torch
from torch import Tensor


class Watch:
    """Records one loss for each step and says at which of them to stop, rarely asking the device.

    A loss that is not finite stops. So does a rise: the lowest of the last few losses lies above the lowest
    running median by more than `factor` times the fall from the first losses to that median. The fall counts
    as no less than the range of the first losses and 1 % of their level, so that neither noise nor a single
    spike stops a test, and levels may be negative.

    A loss in the CPU's memory is read at once, which costs less than to copy it. Elsewhere each step makes
    one copy there, for the next step may write into the same memory. Every 10 steps (5 % of them if that is
    more) the rule is evaluated where the losses are; its answer is read at once from a CPU, and the next
    time, when it has long arrived, from a GPU.

    Args:
        steps: How many losses there can be.
        factor: As said above; infinity leaves only losses that are not finite.
    """

    def __init__(self, steps: int, factor: float) -> None:
        """Reserve nothing yet: the first loss says where and in which precision."""
        self._steps, self.factor = steps, factor
        self._every = max(10, steps // 20)
        self._new: list[Tensor | float] = []
        self._losses = torch.empty(0, dtype=torch.float64)
        self._rule = StopRule(steps, factor)
        self._answer = torch.empty(0)
        self._arrival: torch.cuda.Event | None = None
        self.count = 0

    def add(self, loss: Tensor | float) -> bool:
        """Record the next loss, a scalar; return whether it is known by now that one of them stops."""
        if isinstance(loss, Tensor):
            loss = loss.item() if loss.is_cpu else loss.detach().clone()
        self._new.append(loss)
        self.count += 1
        return self.count % self._every == 0 and self._ask()

    def checks(self) -> bool:
        """Return whether the rule is evaluated at this number of losses."""
        return self.count % self._every == 0

    def _gather(self) -> Tensor:
        """Return all losses, where they are."""
        if self._new:
            self._losses = (
                torch.cat([self._losses, _row(self._new)]) if len(self._losses) else _row(self._new)
            )
            self._new = []
        return self._losses

    def _ask(self) -> bool:
        losses = self._gather()
        if not losses.is_cuda:
            return int(self._rule(losses)) < self.count
        if self._arrival is None:
            self._answer = torch.empty((), dtype=torch.int64, pin_memory=True)
        else:
            if not self._arrival.query():  # type: ignore[no-untyped-call]
                return False
            if int(self._answer) < self._steps:
                return True
        self._answer.copy_(self._rule(losses), non_blocking=True)
        self._arrival = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._arrival.record(torch.cuda.current_stream(losses.device))
        return False

    def result(self) -> tuple[list[float], bool]:
        """Return the losses up to the one that stops, and whether one does."""
        if self.count == 0:
            return [], False
        losses = self._gather()
        stop = int(self._rule(losses))
        return losses[: stop + 1].tolist(), stop < self.count


def _row(losses: list[Tensor | float]) -> Tensor:
    tensors = [loss.reshape(()) for loss in losses if isinstance(loss, Tensor)]
    if not tensors:
        return torch.tensor(losses, dtype=torch.float64)
    device = tensors[0].device
    row = [t.reshape(()) if isinstance(t, Tensor) else torch.tensor(t, device=device) for t in losses]
    dtype = torch.promote_types(tensors[0].dtype, torch.float32)
    return torch.stack([loss.to(device, dtype) for loss in row])


class StopRule:
    """The rule of :class:`Watch` on losses that grow: each loss is looked at once.

    Whether a loss stops depends on it and those before it alone. Medians are over `width` losses, and no rise
    counts before the loss at `first`.
    """

    def __init__(self, steps: int, factor: float) -> None:
        """Look at nothing yet."""
        self._none, self._factor = steps, factor
        self._width = min(max(3, steps // 40), 9)
        self._first = max(2 * self._width, steps // 20)
        self._seen = 0
        self._windows = 0
        self._lowest: Tensor | None = None
        self._stop: Tensor | None = None

    def __call__(self, losses: Tensor) -> Tensor:
        """Return the index of the first loss that stops, or `steps`: int64, a scalar on the losses' device.

        Args:
            losses: All so far, shape (count,): those of the last call, and new ones.
        """
        count, begin = len(losses), self._seen
        if self._stop is None:
            self._stop = torch.full((), self._none, dtype=torch.int64, device=losses.device)
        if count == begin:
            return self._stop
        stops = ~torch.isfinite(losses[begin:])
        if count > self._first:
            stops |= self._rises(losses, begin)
        index = torch.arange(begin, count, device=losses.device)
        self._stop = torch.minimum(self._stop, torch.where(stops, index, self._none).min())
        self._seen = count
        return self._stop

    def _rises(self, losses: Tensor, begin: int) -> Tensor:
        """Return for each loss from `begin` on whether it ends a rise: bool, shape (count - begin,)."""
        windows = losses[self._windows :].unfold(0, self._width, 1)  # window i ends at loss i + width - 1
        medians = windows.sort(dim=1).values[:, self._width // 2]
        if self._lowest is not None:
            medians = medians.minimum(self._lowest)
        lowest = torch.cummin(medians, dim=0).values
        start = losses[: self._first].sort().values
        level = start[self._first // 2]
        least = torch.maximum(start[-1] - start[0], 0.01 * level.abs())
        fall = torch.maximum(level - lowest, least)
        rise = windows.amin(dim=1) - lowest > self._factor * fall
        ends = self._windows + self._width - 1  # the first window's
        self._windows, self._lowest = self._windows + len(windows), lowest[-1]
        counts = torch.zeros(len(losses) - begin, dtype=torch.bool, device=losses.device)
        since = max(begin, self._first)
        counts[since - begin :] = rise[since - ends :]
        return counts
