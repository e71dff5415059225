"""Where hyperparameters are in the parameter groups of an optimizer, and how they are read and written."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

Group = dict[str, Any]


class Place(NamedTuple):
    """Where a group holds a hyperparameter: under a key, or as an element of the tuple there, as in betas."""

    key: str
    element: int = -1  # -1 for the value itself

    @property
    def name(self) -> str:
        """What users call it."""
        return f"beta{self.element + 1}" if self.element >= 0 else self.key

    def get(self, group: Group) -> Any:
        """What a group holds there now."""
        held = group[self.key]
        return held if self.element < 0 else held[self.element]

    def replace(self, group: Group, value: Any) -> None:
        """Put another object there."""
        if self.element >= 0:
            held = group[self.key]
            value = (*held[: self.element], value, *held[self.element + 1 :])
        group[self.key] = value

    def put(self, group: Group, value: Any) -> None:
        """Write a value there: a tensor is filled, anything else replaced."""
        now = self.get(group)
        if isinstance(now, Tensor):
            now.fill_(float(value))
        else:
            self.replace(group, value)


LR = Place("lr")


def place_of(name: str, group: Group) -> Place:
    """Where a group has the hyperparameter that users call `name`."""
    if name == "momentum" and "betas" in group:
        return Place("betas", 0)
    if name in ("beta1", "beta2") and name not in group:
        return Place("betas", int(name == "beta2"))
    return Place(name)


def separate(place: Place, group: Group, meant: object, shared: dict[int, object]) -> Any:
    """What a group holds; a tensor that is meant to hold something else for another group is copied first.

    Args:
        place: Where it is.
        group: The group.
        meant: What it is to hold, as far as it is to be told apart; None where it is left alone.
        shared: What each tensor that was met is meant to hold, by its id.
    """
    if meant is None and place.key not in group:
        return None
    if place.element >= 0 and type(group[place.key]) is not tuple:
        group[place.key] = tuple(group[place.key])
    held = place.get(group)
    if isinstance(held, Tensor) and shared.setdefault(id(held), meant) != meant:
        held = copy_of(held)
        place.replace(group, held)
    return held


def like(old: Any, value: float) -> Any:
    """The value as what is there now: a new tensor for a tensor, else a float."""
    return torch.full_like(old, value, requires_grad=False) if isinstance(old, Tensor) else value


def copy_of(value: Any) -> Any:
    """The value, not shared where it is a tensor."""
    return value.detach().clone() if isinstance(value, Tensor) else value
