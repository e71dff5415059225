"""What a function reaches that takes part in training: an average of the weights, a second optimizer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

from torch.utils.data import DataLoader, Dataset

from clrfast._range_test import _generators
from clrfast._range_test._kinds import ATOMS, trains

_MOST = 1000  # of a container's items, and of objects that are no numbers or text, are looked at
_DATA = (DataLoader, Dataset)  # whose state is kept where they are used, and is mostly data
_FUNCTIONS = (FunctionType, MethodType)


def reachable(function: object) -> list[object]:
    """Return modules, optimizers, whatever else can save its state, and random generators.

    Looked at are a function's closure, its defaults and the globals that it names, the object of a bound
    method, and of functions of the same module that are found there the same. Lists and numbers are not
    followed: there the function may record what the user wants to keep.
    """
    return _search([function])


def in_frame(frame: FrameType) -> list[object]:
    """Return the same of what the function that runs in a frame names, of its own and of its globals."""
    names = _names(frame.f_code)
    code = frame.f_code
    local, shared = frame.f_locals, frame.f_globals
    names |= {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
    return _search([local.get(name, shared.get(name)) for name in names])


def _search(begins: list[object]) -> list[object]:
    found: list[object] = []
    seen: dict[int, object] = {}
    waiting = deque((value, 0) for value in begins)  # what is near comes first
    while waiting and len(seen) < _MOST:
        value, depth = waiting.popleft()
        if id(value) in seen or isinstance(value, _DATA):
            continue
        if isinstance(value, ATOMS) and not isinstance(value, _FUNCTIONS):
            continue
        seen[id(value)] = value
        if trains(value) or isinstance(value, _generators.KINDS):
            found.append(value)
        elif depth < 6:
            waiting += [(part, depth + 1) for part in _parts(value, depth)]
    return found


def _parts(value: Any, depth: int) -> Iterable[object]:
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, FunctionType):
        return _of_function(value)
    if isinstance(value, dict):
        return list(value.values())[:_MOST]
    if isinstance(value, (list, tuple, set)):
        return list(value)[:_MOST]
    if depth > 3 or type(value).__module__ == "clrfast":  # such as an earlier test, and what that one kept
        return []
    return list(vars(value).values())[:_MOST] if hasattr(value, "__dict__") else []


def _of_function(function: FunctionType) -> Iterator[object]:
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # nothing has been assigned yet
            continue
    names = _names(function.__code__)
    for name in names:
        value = function.__globals__.get(name)
        if not isinstance(value, FunctionType) or value.__module__ == function.__module__:
            yield value
    yield getattr(function, "__wrapped__", None)


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names
