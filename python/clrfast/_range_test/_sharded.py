"""FSDP2's own state: what `fully_shard` keeps beside a module while a pass is under way."""

from __future__ import annotations

from typing import Any

from torch import nn


class Sharded:
    """The parts of a module that `fully_shard` was applied to; without such parts, nothing.

    Args:
        module: Any module.
    """

    def __init__(self, module: nn.Module) -> None:
        """Bring them to the state between two steps, and lay aside gradients that await their reduction."""
        self._parts: list[Any] = [part for part in module.modules() if hasattr(part, "_get_fsdp_state")]
        for part in self._parts:
            state = part._get_fsdp_state()
            if state._is_root is None:  # the first pass would do it, and may put other tensors in place
                state._lazy_init()
        self._waiting = [(shard, *_gradients(shard)) for shard in self._shards()]
        self.rest()

    def rest(self) -> None:
        """Make parameters whole pieces of this process again, whatever was interrupted."""
        for part in self._parts:
            if not hasattr(part, "reset_iter_state"):
                part.reshard()
            elif part._get_fsdp_state()._is_root:
                part.reset_iter_state()
        for shard in self._shards():
            _set_gradients(shard, None, None)

    def restore(self) -> None:
        """Come to rest, and put back the gradients that were laid aside."""
        self.rest()
        for shard, grad, accumulated in self._waiting:
            _set_gradients(shard, grad, accumulated)

    def _shards(self) -> list[Any]:
        groups = [group for part in self._parts for group in part._get_fsdp_state()._fsdp_param_groups]
        return [shard for group in groups for shard in group.fsdp_params]


def _gradients(shard: Any) -> tuple[Any, Any]:
    whole = getattr(shard, "_unsharded_param", None)
    return None if whole is None else whole.grad, shard.unsharded_accumulated_grad


def _set_gradients(shard: Any, grad: Any, accumulated: Any) -> None:
    whole = getattr(shard, "_unsharded_param", None)
    if whole is not None and whole.grad is not grad:
        whole.grad = grad
    shard.unsharded_accumulated_grad = accumulated
