"""When a range test has seen enough: a rule on the losses, which come from a device when they come."""

from __future__ import annotations

import math
from collections import deque

import torch
from torch import Tensor


class StopRule:
    """Says of each loss whether it stops a test, from it and those before it alone.

    A loss that is not finite stops. So does a rise: the lowest of the last few losses lies above the lowest
    running median by more than `factor` times the fall from the first losses to that median. The fall counts
    as no less than the range of the first losses and 1 % of their level, so that neither noise nor a single
    spike stops a test, and levels may be negative.

    Args:
        steps: How many losses there can be: medians are over some, and as many must have been seen.
        factor: As said above; infinity leaves only losses that are not finite.

    Attributes:
        losses: Those seen.
        stop: The index of the first that stops; None while none does.
    """

    def __init__(self, steps: int, factor: float) -> None:
        """See nothing yet."""
        self.losses: list[float] = []
        self.stop: int | None = None
        self._factor = factor
        self._width = min(max(3, steps // 40), 9)
        self._first = max(2 * self._width, steps // 20)
        self._lowest = math.inf
        self._level = self._least = 0.0

    def add(self, loss: float) -> None:
        """Look at the next loss."""
        count = len(self.losses)
        self.losses.append(loss)
        if self.stop is not None:
            return
        if not math.isfinite(loss):
            self.stop = count
            return
        if count == self._first:
            start = sorted(self.losses[:count])
            self._level = start[count // 2]
            self._least = max(start[-1] - start[0], 0.01 * abs(self._level))
        if count >= self._width - 1:
            window = sorted(self.losses[count + 1 - self._width :])
            self._lowest = min(self._lowest, window[self._width // 2])
            if count >= self._first:
                fall = max(self._level - self._lowest, self._least)
                if window[0] - self._lowest > self._factor * fall:
                    self.stop = count


class Watch:
    """Records one loss for each step and says at which of them to stop, without waiting for a device.

    A loss in the CPU's memory is read at once, which costs less than to copy it. Elsewhere each step makes
    one copy there, for the next step may write into the same memory. The losses are looked at every 10 steps
    (5 % of them if that is more); those of a GPU are sent then, and looked at the next time, when they have
    long arrived.

    Args:
        steps: How many losses there can be.
        factor: See :class:`StopRule`.
    """

    def __init__(self, steps: int, factor: float) -> None:
        """Reserve nothing."""
        self.factor, self.count = factor, 0
        self._rule = StopRule(steps, factor)
        self._every = max(10, steps // 20)
        self._new: list[Tensor | float] = []
        self._coming: deque[tuple[Tensor, torch.cuda.Event]] = deque()

    def add(self, loss: Tensor | float) -> bool:
        """Record the next loss, a scalar; return whether it is known by now that one of them stops."""
        if isinstance(loss, Tensor):
            loss = loss.item() if loss.is_cpu else loss.detach().clone()
        self._new.append(loss)
        self.count += 1
        return self.count % self._every == 0 and self._ask()

    def checks(self) -> bool:
        """Return whether the losses are looked at after this number of them."""
        return self.count % self._every == 0

    def result(self) -> tuple[list[float], bool]:
        """Return the losses up to the one that stops, and whether one does."""
        self._fetch()
        stop = self._rule.stop
        return self._rule.losses[: None if stop is None else stop + 1], stop is not None

    def _ask(self) -> bool:
        """Look at what is here, and let what is not come; return whether a loss is known to stop."""
        while self._coming and self._coming[0][1].query():  # type: ignore[no-untyped-call]
            self._arrive()
        self._send()
        return self._rule.stop is not None

    def _see(self, losses: list[float]) -> None:
        for loss in losses:
            self._rule.add(loss)

    def _send(self) -> None:
        new, self._new = self._new, []
        device = next((loss.device for loss in new if isinstance(loss, Tensor)), None)
        if device is None:
            while self._coming:  # what was elsewhere comes first
                self._arrive()
            self._see([float(loss) for loss in new])
            return
        row = torch.stack([torch.as_tensor(loss, device=device).reshape(()) for loss in new])
        if not row.is_cuda:
            self._see(row.tolist())
            return
        copy = torch.empty(row.shape, dtype=row.dtype, pin_memory=True)
        copy.copy_(row, non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(device))
        self._coming.append((copy, event))

    def _arrive(self) -> None:
        copy, event = self._coming.popleft()
        event.synchronize()
        self._see(copy.tolist())

    def _fetch(self) -> None:
        """Wait for all that is not here."""
        self._send()
        while self._coming:
            self._arrive()
