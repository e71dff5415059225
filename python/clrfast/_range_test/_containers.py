"""Containers get back their contents in place; at no moment is one empty that was not."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from operator import is_
from typing import Any

KINDS = (dict, list, deque, set, bytearray)
_MISSING = object()


def save(container: Any) -> Callable[[], None]:
    """Remember what a container (one of `KINDS`) holds; return what puts it back, if anything differs."""
    if isinstance(container, dict):
        items = dict(container)
        return lambda: _restore_dict(container, items)
    if isinstance(container, set):
        members = frozenset(container)
        return lambda: _restore_set(container, members)
    contents: Any = bytes(container) if isinstance(container, bytearray) else tuple(container)
    restore: Any = _restore_deque if isinstance(container, deque) else _restore_list
    return lambda: restore(container, contents)


def save_slots(holder: object, names: list[str]) -> Callable[[], None]:
    """Remember the attributes that an object keeps without a dictionary."""
    values = {name: getattr(holder, name, _MISSING) for name in names}

    def restore() -> None:
        for name, value in values.items():
            if getattr(holder, name, _MISSING) is value:
                continue
            if value is _MISSING:
                object.__delattr__(holder, name)
            else:
                object.__setattr__(holder, name, value)

    return restore


def _restore_dict(now: dict[Any, Any], then: dict[Any, Any]) -> None:
    # The methods of the base: a subclass may do more on assignment than assign.
    base: Any = OrderedDict if isinstance(now, OrderedDict) else dict
    if len(now) == len(then) and all(map(is_, now, then)) and all(map(is_, now.values(), then.values())):
        return
    for key, value in then.items():
        if now.get(key, _MISSING) is not value:
            base.__setitem__(now, key, value)
    for key in [key for key in now if key not in then]:
        base.__delitem__(now, key)
    if list(now) != list(then):  # something was taken out and put in again
        for key, value in then.items():
            if base is OrderedDict:
                OrderedDict.move_to_end(now, key)  # type: ignore[arg-type]
            else:
                base.__delitem__(now, key)
                base.__setitem__(now, key, value)


def _restore_list(now: Any, then: Any) -> None:
    if len(now) != len(then) or not all(map(is_, now, then)):
        now[:] = then


def _restore_deque(now: deque[Any], then: tuple[Any, ...]) -> None:
    if len(now) == len(then) and all(map(is_, now, then)):
        return
    now.extend(then)  # before the old ones go; where that is too many, the oldest have gone
    while len(now) > len(then):
        now.popleft()


def _restore_set(now: set[Any], then: frozenset[Any]) -> None:
    if now != then:
        now.update(then)
        now.intersection_update(then)
