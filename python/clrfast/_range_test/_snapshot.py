"""Everything that a training step may change is put back, bit for bit, as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from clrfast._range_test import _containers, _generators, _modes
from clrfast._range_test._kinds import ATOMS, LOADER_ITERATOR, has_state, kind, slots
from clrfast._range_test._sharded import Sharded
from clrfast._range_test._tensors import CopyBeforeWrite, SavedGradient, SavedTensor

_ATTEMPTS = 3
# Tensors from this size on that take no gradient, as a frozen base has, are copied when someone writes them,
# if all of them together are more than the second size: to notice costs some microseconds an operation.
_LARGE = 2**20
_WORTH_IT = 2**25
# A tensor or an array of a data set up to this size, or a list so long, is state; a larger one is data.
_STATE = 2**16
_STATE_ITEMS = 10_000

Path = tuple[Any, ...]  # (path of the owner, name), as text only where it is needed


class Snapshot:
    """What modules, optimizers, loaders and random generators were, and the way back there.

    Tensors keep their identity and memory and get back values, `requires_grad` and `.grad`; containers get
    back their contents; modules and other objects their attributes, which are followed.

    Args:
        holders: The objects by the names that warnings call them: modules, optimizers, scalers, schedulers.

    Attributes:
        kept_out: What cannot be put back, a sentence each.
    """

    def __init__(self, holders: dict[str, object]) -> None:
        """Copy; nothing is changed before `lay_aside`."""
        self._undo: list[Callable[[], object]] = []
        self._restore_modes = _modes.save()
        self._last: list[Callable[[], object]] = _generators.save_shared()
        self._own_generators: list[Any] = []
        self._seen: dict[int, object] = {}
        self._kinds: dict[type, str] = dict.fromkeys(ATOMS, "none")
        self._tensors: list[tuple[SavedTensor, Path]] = []
        self._gradients: list[SavedGradient] = []
        self._stateful: list[tuple[Any, Any, Path]] = []
        self._iterators: list[dict[str, Any]] = []
        self.kept_out: list[str] = []
        modules = [holder for holder in holders.values() if isinstance(holder, nn.Module)]
        self._shared = any(isinstance(m, nn.parallel.DistributedDataParallel) for m in modules)
        self._undo += [Sharded(module).restore for module in modules]
        watched: list[SavedTensor] = []
        for name, holder in holders.items():
            self._walk(holder, (None, name), watched if isinstance(holder, nn.Module) else None)
        self.watch = self._choose(watched)

    def include(self, loader: object) -> list[str]:
        """Keep the state of an iterable of batches too, and take away the iterator that it keeps.

        Of it, its samplers and its data set, only what is small is state.

        Returns:
            What of it cannot be put back, a sentence each.
        """
        known, iterators = len(self.kept_out), len(self._iterators)
        if not isinstance(loader, (list, tuple)):
            self._walk(loader, (None, "loader"), None, is_data=True)
        for owner in self._iterators[
            iterators:
        ]:  # with persistent workers it hands out this one, over and over
            owner["_iterator"] = None
        return self.kept_out[known:]

    def reseed(self, seed: int) -> None:
        """Give all generators new states, which follow from `seed`."""
        _generators.reseed_shared(seed)
        for i, generator in enumerate(self._own_generators):
            _generators.reseed(generator, (seed, i))

    def has_changed(self, tensors: Iterable[Tensor]) -> bool:
        """Return whether one of these was written, or is none that is known here."""
        wanted = {id(tensor) for tensor in tensors}
        found = [one for one, _ in self._tensors if id(one.tensor) in wanted]
        return len(found) < len(wanted) or any(one.has_changed() for one in found)

    def copies(self, tensors: Iterable[Tensor]) -> list[Tensor | None]:
        """Return what these were; None for one that was not copied."""
        known = {id(one.tensor): one.values for one, _ in self._tensors}
        return [known.get(id(tensor)) for tensor in tensors]

    def was_written(self, tensors: Iterable[Tensor]) -> bool:
        """Return whether one of these was written by an operation that torch has seen."""
        wanted = {id(tensor) for tensor in tensors}
        return any(one.was_written() for one, _ in self._tensors if id(one.tensor) in wanted)

    def _choose(self, watched: list[SavedTensor]) -> CopyBeforeWrite | None:
        frozen = {
            one.memory.untyped_storage()._cdata: one.memory.untyped_storage().nbytes() for one in watched
        }
        if sum(frozen.values()) > _WORTH_IT:
            return CopyBeforeWrite(watched)
        for one in watched:
            one.copy()
        return None

    def _walk(
        self, start: object, path: Path, watched: list[SavedTensor] | None, is_data: bool = False
    ) -> None:
        """Keep the state of an object and of all that it holds.

        `watched` collects large tensors without a gradient, to be copied when they are written; None copies
        them at once. `is_data` says that what is large is data.
        """
        waiting: list[tuple[Any, Path]] = [(start, path)]
        while waiting:
            value, path = waiting.pop()
            cls = type(value)
            if cls not in self._kinds:
                self._kinds[cls] = kind(cls)
            found = self._kinds[cls]
            if found == "none" or id(value) in self._seen:
                continue
            if is_data and found in ("container", "items") and len(value) > _STATE_ITEMS:
                continue
            self._seen[id(value)] = value
            if found == "tensor":
                self._save_tensor(value, path, watched, is_data, waiting)
            elif found == "container":
                self._undo.append(_containers.save(value))
                if isinstance(value, dict):
                    waiting += [(key, (path, key)) for key in value if self._has_state(key)]
                    waiting += [(item, (path, key)) for key, item in value.items() if self._has_state(item)]
                else:
                    waiting += [(item, (path, "[]")) for item in value if self._has_state(item)]
            elif found == "items":
                items = value.values() if isinstance(value, Mapping) else value
                waiting += [(item, (path, "[]")) for item in items if self._has_state(item)]
            elif found == "array":
                self._save_array(value, is_data)
            elif found == "generator":
                undo = _generators.save(value)
                if undo is not None:
                    self._last.append(undo)
                    self._own_generators.append(value)
            elif found == "object":
                self._save_object(value, path, is_data, waiting)
            elif found == "file":
                self._save_position(value, path)
            else:
                self.kept_out.append(
                    f"{_text(path)}, {_article(cls.__name__)}, goes on where the test left it"
                )

    def _has_state(self, value: object) -> bool:
        return self._kinds.get(type(value)) != "none"

    def _save_object(self, value: Any, path: Path, is_data: bool, waiting: list[tuple[Any, Path]]) -> None:
        own = getattr(value, "__dict__", None)
        if isinstance(own, dict):
            waiting.append((own, path))
            if isinstance(value, DataLoader) and isinstance(own.get("_iterator"), LOADER_ITERATOR):
                self._iterators.append(own)
        names = slots(type(value))
        if names:
            self._undo.append(_containers.save_slots(value, names))
            waiting += [(getattr(value, name, None), (path, name)) for name in names]
        if isinstance(value, nn.Module):  # those of a script are not among its attributes
            waiting += [(p, (path, name)) for name, p in value.named_parameters(recurse=False)]
            waiting += [(b, (path, name)) for name, b in value.named_buffers(recurse=False)]
        elif hasattr(value, "param_groups"):  # a wrapper gives its optimizer's own two as properties
            waiting += [(getattr(value, name, None), (path, name)) for name in ("state", "param_groups")]
        elif has_state(type(value)) and (is_data or own is None):
            # Its attributes may not be all of its state: the rest is in its own words.
            with suppress(AttributeError):  # a loader may have it only where another one is inside
                self._stateful.append((value, copy.deepcopy(value.state_dict()), path))

    def _save_tensor(
        self,
        tensor: Tensor,
        path: Path,
        watched: list[SavedTensor] | None,
        is_data: bool,
        waiting: list[tuple[Any, Path]],
    ) -> None:
        if is_data and tensor.numel() * tensor.element_size() > _STATE:
            return
        if tensor.__dict__:
            waiting.append((tensor.__dict__, path))
        if hasattr(tensor, "__tensor_flatten__"):
            names, _ = tensor.__tensor_flatten__()
            inner = {name: getattr(tensor, name) for name in names}
            self._undo.append(partial(_put_inside, tensor, inner, tensor.requires_grad))
            waiting += [(part, (path, name)) for name, part in inner.items()]
        else:
            saved = SavedTensor(tensor)
            self._tensors.append((saved, path))
            self._undo.append(saved.restore)
            large = tensor.layout == torch.strided and tensor.numel() * tensor.element_size() >= _LARGE
            if watched is not None and large and not tensor.requires_grad and not tensor.is_inference():
                watched.append(saved)
            else:
                saved.copy()
        if tensor.is_leaf and (tensor.is_floating_point() or tensor.is_complex()):
            self._gradients.append(SavedGradient(tensor, self._shared))

    def _save_array(self, array: np.ndarray[Any, Any], is_data: bool) -> None:
        if array.flags.writeable and not (is_data and array.nbytes > _STATE):
            self._undo.append(partial(_restore_array, array, array.copy()))

    def _save_position(self, file: Any, path: Path) -> None:
        try:
            if not file.writable() and file.seekable():
                self._last.append(partial(file.seek, file.tell()))
                return
        except (OSError, ValueError):
            pass
        self._keep_out(path, "a file")

    def _keep_out(self, path: Path, what: str) -> None:
        self.kept_out.append(f"{_text(path)}, {what}, goes on where the test left it")

    def lay_aside(self) -> None:
        """Take away the gradients, into which the test would write."""
        for gradient in self._gradients:
            gradient.lay_aside()

    def restore(self) -> list[str]:
        """Put everything back; what fails is tried again, and stops nothing else.

        Returns:
            What was changed and could not be put back, a sentence each.

        Raises:
            RuntimeError: Something could not be put back after several attempts.
        """
        self._restore_modes()
        with torch.no_grad():
            waiting: list[Callable[[], object]] = [
                *self._undo,
                *(gradient.restore for gradient in self._gradients),
                *(partial(load_if_changed, value, state) for value, state, _ in self._stateful),
                *self._last,
            ]
            _all_done(waiting)
        self._restore_modes()  # an interrupted `no_grad`, too
        return [
            f"{_text(path)}, a large tensor without a gradient, was written unseen"
            for saved, path in self._tensors
            if saved.lost()
        ]


def _all_done(waiting: list[Callable[[], object]]) -> None:
    """Call each; those that raise once more, in case that memory was short or a thread was interrupted."""
    raised: BaseException | None = None
    for _ in range(_ATTEMPTS):
        try:
            failed = []
            for undo in waiting:
                try:
                    undo()
                except Exception as error:
                    failed.append(undo)
                    raised = error
        except BaseException as error:  # thrown into this thread from outside; all can be done again
            raised = error
            continue
        waiting = failed
        if not waiting:
            break
    if waiting:
        raise RuntimeError(f"range_test() could not put everything back: {raised}") from raised
    # What memory was short of, it has had by now; anything else came from someone who waits for it.
    if raised is not None and not isinstance(raised, (MemoryError, RuntimeError)):
        raise raised


def _put_inside(tensor: Any, inner: dict[str, Any], requires_grad: bool) -> None:
    for name, part in inner.items():
        if getattr(tensor, name) is not part:
            setattr(tensor, name, part)
    if tensor.is_leaf and tensor.requires_grad != requires_grad:
        tensor.requires_grad_(requires_grad)


def _restore_array(array: np.ndarray[Any, Any], then: np.ndarray[Any, Any]) -> None:
    if array.tobytes() != then.tobytes():
        array[...] = then


def load_if_changed(holder: Any, state: Any) -> None:
    if not _equal(holder.state_dict(), state):
        holder.load_state_dict(copy.deepcopy(state))


def _equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(value, b[key]) for key, value in a.items())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, (Tensor, np.ndarray)):
        return a.shape == b.shape and bool((a == b).all())
    return bool(a == b)


def _text(path: Path) -> str:
    names: list[str] = []
    owner: Any = path
    while owner is not None:
        owner, name = owner
        if name not in ("_modules", "_parameters", "_buffers"):
            names.append(name if isinstance(name, str) else f"[{name!r}]" if isinstance(name, int) else "[]")
    return ".".join(reversed(names)).replace(".[", "[")


def _article(name: str) -> str:
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def numbered(values: Iterable[object], name: str) -> dict[str, object]:
    """Return values under a name and their place, for warnings."""
    return {f"{name}[{i}]": value for i, value in enumerate(values)}
