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

    Each step adds one copy on the device. Every 10 steps (5 % of them if that is more) the rule is evaluated
    there; its answer is read at once from a CPU, and the next time, when it has long arrived, from a GPU.

    Args:
        steps: How many losses there can be.
        factor: As said above; infinity leaves only losses that are not finite.
    """

    def __init__(self, steps: int, factor: float) -> None:
        """Reserve nothing yet: the first loss says where and in which precision."""
        self._steps, self.factor = steps, factor
        self._width = min(max(3, steps // 40), 9)
        self._first = max(2 * self._width, steps // 20)
        self._every = max(10, steps // 20)
        self._losses = torch.empty(0)
        self._answer = torch.empty(0)
        self._arrival: torch.cuda.Event | None = None
        self.count = 0

    def add(self, loss: Tensor | float) -> bool:
        """Record the next loss, a scalar; return whether it is known by now that one of them stops."""
        if self.count == 0:
            first = loss if isinstance(loss, Tensor) else torch.empty((), dtype=torch.float64)
            dtype = torch.promote_types(first.dtype, torch.float32)
            self._losses = torch.empty(self._steps, dtype=dtype, device=first.device)
            self._answer = torch.empty((), dtype=torch.int64, pin_memory=first.is_cuda)
        if isinstance(loss, Tensor):
            self._losses[self.count].copy_(loss.detach().reshape(()), non_blocking=True)
        else:
            self._losses[self.count] = loss
        self.count += 1
        return self.checks() and self._ask()

    def checks(self) -> bool:
        """Return whether the rule is evaluated at this number of losses."""
        return self.count % self._every == 0

    def _ask(self) -> bool:
        if self._losses.device.type != "cuda":
            return self._stop() < self.count
        if self._arrival is not None:
            if not self._arrival.query():  # type: ignore[no-untyped-call]
                return False
            if int(self._answer) < self._steps:
                return True
        self._answer.copy_(self._rule(self.count), non_blocking=True)
        self._arrival = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._arrival.record(torch.cuda.current_stream(self._losses.device))
        return False

    def _rule(self, count: int) -> Tensor:
        return first_stop(self._evaluated()[:count], self._steps, self.factor, self._width, self._first)

    def _evaluated(self) -> Tensor:
        return self._losses

    def _stop(self) -> int:
        return int(self._rule(self.count))

    def result(self) -> tuple[list[float], bool]:
        """Return the losses up to the one that stops, and whether one does."""
        if self.count == 0:
            return [], False
        stop = self._stop()
        return self._losses[: min(stop + 1, self.count)].tolist(), stop < self.count


def first_stop(losses: Tensor, none: int, factor: float, width: int, first: int) -> Tensor:
    """Return the index of the first loss that stops, or `none`: int64, a scalar on the losses' device.

    Whether a loss stops depends on it and those before it alone; see :class:`Watch`. Medians are over `width`
    losses, and no rise counts before the loss at `first`.
    """
    stops = ~torch.isfinite(losses)
    if len(losses) > first:
        windows = losses.unfold(0, width, 1)  # window i ends at loss i + width - 1
        lowest = torch.cummin(windows.sort(dim=1).values[:, width // 2], dim=0).values
        start = losses[:first].sort().values
        level = start[first // 2]
        least = torch.maximum(start[-1] - start[0], 0.01 * level.abs())
        fall = torch.maximum(level - lowest, least)
        rise = windows.amin(dim=1) - lowest > factor * fall
        stops[first:] |= rise[first - width + 1 :]
    index = torch.arange(len(losses), device=losses.device)
    return torch.where(stops, index, none).min()
