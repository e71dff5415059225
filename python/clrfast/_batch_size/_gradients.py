"""Gradients of parts of batches: their norms, and the sums of blocks of steps."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from clrfast._batch_size._gradient_noise import Parts

_BLOCKS = 16  # at most: when they are full, neighbours become one, and so 8 to 16 remain


class Gradients:
    """Collects what the noise scale needs; of gradients it keeps the sums of blocks, in the host's memory.

    Args:
        parameters: Those whose gradients count.
        is_fixed: Whether the model stays as it is, so that gradients of different steps can be compared.
    """

    def __init__(self, parameters: list[Tensor], is_fixed: bool) -> None:
        """Collect nothing yet."""
        self._parameters, self._is_fixed = parameters, is_fixed
        self._rows: list[tuple[float, float, int, float]] = []
        self._sum: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._inverse = 0.0
        self._open: list[Tensor] = []
        self._blocks: list[list[Tensor]] = []
        self._size = 1  # steps of a block

    @property
    def steps(self) -> int:
        """Steps that were kept."""
        return len(self._rows)

    def add(self, samples: int) -> None:
        """Take the gradients that the parameters have, those of a part of this step."""
        found = [
            torch.zeros_like(parameter) if gradient is None else gradient
            for parameter, gradient in ((p, p.grad) for p in self._parameters)
        ]
        found = [(one.to_dense() if one.layout != torch.strided else one).detach() for one in found]
        found = [one if one.dtype == torch.float64 else one.float() for one in found]
        self._norms.append(get_total_norm(found).square())
        self._inverse += 1 / samples
        if self._sum:
            torch._foreach_add_(self._sum, found)
        else:
            self._sum = found
            for parameter in self._parameters:  # these tensors are ours now
                parameter.grad = None

    def put_mean(self) -> None:
        """Give the parameters the mean of this step's gradients, as the whole batch would."""
        for parameter, total in zip(self._parameters, self._sum):
            parameter.grad = (total / len(self._norms)).to(parameter.dtype)

    def end_step(self) -> bool:
        """End the step; return whether its gradients are finite, and leave them out where not."""
        norms, total = float(sum(self._norms)), float(get_total_norm(self._sum).square())
        count, inverse, gradients = len(self._norms), self._inverse, self._sum
        self._norms, self._sum, self._inverse = [], [], 0.0
        if not (math.isfinite(norms) and math.isfinite(total)):
            return False
        if self._is_fixed:
            self._keep(gradients)
        self._rows.append((norms, total, count, inverse))
        return True

    def _keep(self, gradients: list[Tensor]) -> None:
        """Add the gradients of a step to the open block; close it when it is full."""
        if self._open:
            torch._foreach_add_(self._open, gradients)
        else:
            self._open = gradients
        if (self.steps + 1) % self._size:
            return
        if len(self._blocks) == _BLOCKS:  # the open one goes on, as long as these are now
            for one, other in zip(self._blocks[::2], self._blocks[1::2]):
                torch._foreach_add_(one, other)
            self._blocks = self._blocks[::2]
            self._size *= 2
            return
        self._close()

    def _close(self) -> None:
        self._blocks.append([one.cpu() for one in self._open])
        self._open = []

    def parts(self) -> Parts:
        """Return what was collected."""
        if self._open:
            self._close()
        norms, totals, counts, inverse = zip(*self._rows)
        size = self._size if self._is_fixed else math.ceil(self.steps / _BLOCKS)
        return Parts(
            norms=np.array(norms),
            norm_of_sum=np.array(totals),
            counts=np.array(counts, dtype=np.int64),
            inverse=np.array(inverse),
            blocks=np.arange(self.steps) // size,
            products=self._products() if self._is_fixed else None,
        )

    def _products(self) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Return the products of all blocks with each other, tensor by tensor to keep memory small."""
        products = torch.zeros(len(self._blocks), len(self._blocks), dtype=torch.float64)
        for of_blocks in zip(*self._blocks):
            rows = torch.stack(of_blocks).flatten(1).double()
            products += rows @ rows.T
        return products.numpy()
