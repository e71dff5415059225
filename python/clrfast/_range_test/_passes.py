"""The passes of a step through modules that communicate, and how those that are missing are made up for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


class Passes:
    """The passes of a step through modules that communicate, so that missing ones can be made up for.

    Args:
        modules: Those modules; each gets hooks, which go when its attributes are put back.
        expected: How many passes a step has, until one has been seen.
    """

    def __init__(self, modules: list[nn.Module], expected: int) -> None:
        """Start to watch."""
        self.broken = False
        self._expected = expected
        self._now: list[_Pass] = []
        self._usual: list[_Pass] = []
        for module in modules:
            module.register_forward_pre_hook(self._enters, prepend=True, with_kwargs=True)
            module.register_forward_hook(self._leaves)

    def begin(self) -> None:
        """A step begins."""
        if not self.broken:
            self._usual = self._now or self._usual
        self._now = []

    def complete(self) -> None:
        """Make the passes that the step has not made, as far as its last whole one says which.

        Raises:
            RuntimeError: A pass was broken off in its midst, or there was none yet.
        """
        usual = self._usual
        begun, self._now = self._now, []
        for i, one in enumerate(begun):
            pattern = usual[i] if i < len(usual) else None
            one.complete(pattern)
        count = len(usual) if usual else self._expected
        for i in range(len(begun), count):
            pattern = usual[i] if usual else begun[-1] if begun else None
            if pattern is None:
                raise RuntimeError("there was no pass that could be repeated")
            pattern.repeat()
        self._usual = usual or begun  # where the first step has failed, its passes are all that is known

    def _enters(self, module: nn.Module, arguments: Any, keywords: Any) -> None:
        self._now.append(_Pass(module, arguments, keywords))

    def _leaves(self, module: nn.Module, arguments: Any, output: Any) -> None:
        self._now[-1].left_with(output)


class _Pass:
    """One pass: what went in, and how far it came."""

    def __init__(self, module: nn.Module, arguments: Any, keywords: Any) -> None:
        self.module, self.arguments, self.keywords = module, arguments, keywords
        self.grad = torch.is_grad_enabled()
        self.outputs: list[Tensor] | None = None
        self.backward = "not begun"

    def left_with(self, output: Any) -> None:
        self.outputs = [t for t in _tensors(output) if t.requires_grad]
        for tensor in self.outputs:
            tensor.register_hook(self._enters_backward)  # type: ignore[no-untyped-call]

    def _enters_backward(self, gradient: Tensor) -> None:
        if self.backward == "not begun":
            self.backward = "begun"
            engine: Any = torch.autograd.Variable._execution_engine
            engine.queue_callback(self._leaves_backward)

    def _leaves_backward(self) -> None:
        self.backward, self.outputs = "done", []

    def complete(self, usual: _Pass | None) -> None:
        """Go through what is missing of this pass, as a usual one went."""
        if self.outputs is None:
            if not isinstance(self.module, nn.parallel.DistributedDataParallel):
                raise RuntimeError("a pass forward was broken off")
            # It has sent its buffers already, which comes before anything that can fail.
            syncs, self.module.require_forward_param_sync = self.module.require_forward_param_sync, False
            try:
                (usual or self).repeat()
            finally:
                self.module.require_forward_param_sync = syncs
        elif self.backward == "begun":
            raise RuntimeError("a pass backward was broken off")
        elif self.backward == "not begun" and (usual is None or usual.backward == "done"):
            _backward(self.outputs)

    def repeat(self) -> None:
        """Make this pass once more, with gradients of 0."""
        with torch.set_grad_enabled(self.grad):
            outputs = [t for t in _tensors(self.module(*self.arguments, **self.keywords)) if t.requires_grad]
            if self.backward != "not begun" or self.outputs is None:
                _backward(outputs)


def _backward(outputs: list[Tensor]) -> None:
    if outputs:
        torch.autograd.backward(outputs, [torch.zeros_like(output) for output in outputs])


def _tensors(output: Any) -> list[Tensor]:
    leaves = tree_leaves(output)
    parts = [leaf if isinstance(leaf, Tensor) else getattr(leaf, "__dict__", {}) for leaf in leaves]
    return [t for part in parts for t in tree_leaves(part) if isinstance(t, Tensor)]
