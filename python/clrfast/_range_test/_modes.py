"""What PyTorch keeps for each thread: an interrupted `with` may leave it switched the wrong way."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack, _pop_mode


def save() -> Callable[[], None]:
    """Remember the modes of gradients, autocast and dispatch; return what puts them back."""
    grad = torch.is_grad_enabled()
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    autocast = [(d, torch.is_autocast_enabled(d), torch.get_autocast_dtype(d)) for d in devices]
    cached, depth = torch.is_autocast_cache_enabled(), _autocast_depth()
    dispatch = len(_get_current_dispatch_mode_stack())

    def restore() -> None:
        torch.set_grad_enabled(grad)
        for device, enabled, dtype in autocast:
            torch.set_autocast_enabled(device, enabled)
            torch.set_autocast_dtype(device, dtype)
        torch.set_autocast_cache_enabled(cached)
        while _autocast_depth() > depth:
            torch.autocast_decrement_nesting()
        torch.clear_autocast_cache()  # which holds weights as they were during the test
        while len(_get_current_dispatch_mode_stack()) > dispatch:
            _pop_mode()

    return restore


def _autocast_depth() -> int:
    torch.autocast_increment_nesting()
    return torch.autocast_decrement_nesting()
