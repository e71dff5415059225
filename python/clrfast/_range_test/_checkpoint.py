"""The state before a range test on disk, for the case that the process is killed during it."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clrfast._require import require
from clrfast._write import write_through

if TYPE_CHECKING:
    import torch

_FORMAT = "clrfast.range_test"
_VERSION = 1
_WHOLE = ("model", "optimizer", "also", "buffers")


class Checkpoint:
    """The state of a model and its optimizer in a file that is there only as long as a test runs.

    Args:
        path: The file. In one of several processes its name is followed by the process's rank.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Refuse a file that is there: it may be the only copy of what a killed test left behind."""
        self.path = of_this_process(path)
        if self.path.exists():
            raise FileExistsError(
                f"checkpoint must be a new file, got {str(self.path)!r}, which holds the state "
                "before a test that did not end: see 'clrfast recover', or delete it"
            )
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"checkpoint must be in a folder that is there, got {str(self.path)!r}")
        self._written = False

    def write(self, model: Any, optimizer: Any, also: Iterable[Any]) -> None:
        """Write the file, whole or not at all.

        Raises:
            TypeError: A state holds what no file should hold: anything but tensors, numbers, text and
                containers of them.
        """
        import torch

        state = _state(model, optimizer, also)
        self._written = True
        write_through(self.path, lambda file: torch.save(state, file))

    def remove(self) -> None:
        """Remove the file, if it was written: all has been put back."""
        if self._written:
            self.path.unlink(missing_ok=True)


def recover(
    path: str | os.PathLike[str],
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    also: Iterable[Any] = (),
) -> None:
    """Give a model and its optimizer back the state that `range_test` wrote before it was killed.

    Args:
        path: The file that was given to `range_test` as `checkpoint`. It stays. Where several processes
            train one model, each reads its own.
        model: The model, of the same form as then; whether it is wrapped (`DistributedDataParallel`,
            `torch.compile`) does not matter.
        optimizer: Its optimizer; None leaves it out.
        also: The same further objects, in the same order, as `range_test` was given; they may be left out.

    Raises:
        ImportError: torch is missing.
        OSError: The file cannot be read.
        ValueError: It is damaged, no such file, of a later version of clrfast, or does not fit the model, the
            optimizer or the further objects. Nothing was changed.
    """
    saved = load(of_this_process(path))
    inner = _unwrapped(model)
    tensors = {**dict(inner.state_dict()), **dict(inner.named_buffers())}
    _check_fit(tensors, {**saved["model"], **saved["buffers"]})
    extra = list(also)
    if extra and len(extra) != len(saved["also"]):
        raise ValueError(f"also must hold {len(saved['also'])} objects, as the file does, got {len(extra)}")
    if optimizer is not None:
        _check_groups(optimizer, saved["optimizer"])

    import torch

    with torch.no_grad():
        for name, value in {**saved["model"], **saved["buffers"]}.items():
            if isinstance(value, torch.Tensor) and isinstance(tensors.get(name), torch.Tensor):
                _local(tensors[name]).copy_(value)
    extra_state = {name: value for name, value in saved["model"].items() if name.endswith("_extra_state")}
    if extra_state:
        inner.load_state_dict(extra_state, strict=False)
    if optimizer is not None:
        optimizer.load_state_dict(_as_on(optimizer, saved["optimizer"]))
    for holder, state in zip(extra, saved["also"]):
        if state is not None:
            holder.load_state_dict(state)


def load(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds: "model", "optimizer", "buffers" and "also", on the CPU.

    Raises:
        OSError, ValueError, ImportError: As `recover`.
    """
    require("torch", "recover()", extra="torch")
    import torch

    what = f"must be a file that range_test(checkpoint=...) wrote, got {str(path)!r}"
    with path.open("rb") as file:
        try:
            saved = torch.load(file, map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except Exception as error:  # of many kinds, where the content is not what it should be
            raise ValueError(f"path {what}, which is another or damaged") from error
    if not isinstance(saved, dict) or saved.get("format") != _FORMAT:
        raise ValueError(f"path {what}, which is another")
    version = saved.get("version")
    if version != _VERSION:
        raise ValueError(
            f"path must be of version {_VERSION} of clrfast's checkpoints, got version {version!r}: "
            "a later clrfast wrote it"
        )
    if any(key not in saved for key in _WHOLE):
        raise ValueError(f"path {what}, which is incomplete")
    return saved


def of_this_process(path: str | os.PathLike[str]) -> Path:
    """Return the path, followed by the rank in one of several processes."""
    import torch.distributed as dist

    whole = Path(path)
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        return whole.with_name(f"{whole.name}.rank{dist.get_rank()}")
    return whole


def _state(model: Any, optimizer: Any, also: Iterable[Any]) -> dict[str, Any]:
    inner = _unwrapped(model)
    persistent = inner.state_dict()
    buffers = {name: buffer for name, buffer in inner.named_buffers() if name not in persistent}
    states = [holder.state_dict() if hasattr(holder, "state_dict") else None for holder in also]
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "model": _plain(dict(persistent), "model"),
        "buffers": _plain(buffers, "model"),
        "optimizer": _plain(optimizer.state_dict(), "optimizer"),
        "also": [_plain(state, f"also[{i}]") for i, state in enumerate(states)],
    }


def _plain(value: Any, path: str) -> Any:
    """Return a state as what `torch.load` reads without running code."""
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        return _local(value.detach())
    if value is None or type(value) in (bool, int, float, complex, str, bytes, torch.dtype, torch.device):
        return value
    if isinstance(value, np.generic):
        return value.item()
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return base(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(value.copy())
    if isinstance(value, Mapping):
        items = {_plain(key, path): _plain(item, f"{path}[{key!r}]") for key, item in value.items()}
        return OrderedDict(items) if isinstance(value, OrderedDict) else items
    if isinstance(value, (list, tuple)):
        parts = [_plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, (set, frozenset)):
        return {_plain(item, path) for item in value}
    raise TypeError(
        "checkpoint must be None where a state holds more than tensors, numbers, text and containers, "
        f"got a {type(value).__name__} at {path}"
    )


def _unwrapped(model: Any) -> Any:
    import torch
    from torch import nn

    while True:
        if isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), torch.nn.Module):  # of torch.compile
            model = model._orig_mod
        else:
            return model


def _local(tensor: Any) -> Any:
    """Return this process's piece of a tensor that is spread over several."""
    return getattr(tensor, "_local_tensor", tensor)


def _as_on(optimizer: Any, state: Any) -> Any:
    """Return a state of an optimizer whose tensors are spread again as its parameters are."""
    import torch

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    keys = [key for group in state["param_groups"] for key in group["params"]]
    for key, parameter in zip(keys, parameters):
        if _local(parameter) is parameter or key not in state["state"]:
            continue
        from torch.distributed.tensor import DTensor

        own = state["state"][key]
        for name, value in own.items():
            if isinstance(value, torch.Tensor) and value.shape == _local(parameter).shape and value.dim():
                own[name] = DTensor.from_local(
                    value.to(_local(parameter).device),
                    *(parameter.device_mesh, parameter.placements),
                    run_check=False,
                    shape=parameter.shape,
                    stride=parameter.stride(),
                )
    return state


def _check_fit(now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    import torch

    for name, value in then.items():
        if not isinstance(value, torch.Tensor):
            continue
        if not isinstance(now.get(name), torch.Tensor):
            raise ValueError(f"model must be the one that the file is of, got one without {name!r}")
        shape = tuple(_local(now[name]).shape)
        if shape != tuple(value.shape):
            raise ValueError(
                f"model must be the one that the file is of, got shape {shape} for {name!r}, "
                f"where the file has {tuple(value.shape)}"
            )
    missing = [name for name, value in now.items() if isinstance(value, torch.Tensor) and name not in then]
    if missing:
        raise ValueError(f"model must be the one that the file is of, got one with {missing[0]!r} more")


def _check_groups(optimizer: Any, state: Any) -> None:
    now = [len(group["params"]) for group in optimizer.param_groups]
    then = [len(group["params"]) for group in state["param_groups"]]
    if now != then:
        raise ValueError(
            f"optimizer must have groups of as many parameters as in the file, {then}, got {now}"
        )
