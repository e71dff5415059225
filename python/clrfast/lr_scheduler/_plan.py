"""The plan of a step: which values go where. The compiled core reads it by these names and carries it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.optim import Optimizer

from clrfast.lr_scheduler import _tensors
from clrfast.lr_scheduler._groups import Place, separate


class Mix(NamedTuple):
    """The value of one hyperparameter of one group: ``base + weight * curve``, and a second such term."""

    base: float
    curve: int = 0  # which of the plan's curves
    weight: float = 0.0
    second_curve: int = 0
    second_weight: float = 0.0


class Hyperparameter(NamedTuple):
    """One hyperparameter of all groups; a group without a mix is left alone."""

    place: Place
    mixes: Sequence[Mix | None]


class Target(NamedTuple):
    """What a step writes to one hyperparameter of one group."""

    mix: Mix
    held: str  # what the group holds: NUMBER, HOST_TENSOR or STAGED_TENSOR of _tensors
    tensor: Tensor | None


@dataclass(frozen=True)
class Plan:
    """All that a step needs to know, and all that shows whether it still holds."""

    optimizer: Optimizer
    places: Sequence[Place]
    curves: Sequence[Callable[[Any], float]]
    targets: Sequence[Target | None]  # all places of the first group, of the second, ...
    watched_lists: Sequence[list[Any]]  # what is changed in them makes the plan stale
    group_keys: Sequence[str]  # and so does what is changed under these keys of the groups
    values: npt.NDArray[np.float64]  # of shape (groups, places), filled in each step
    after: Callable[[], None] | None  # called when they are
    counts_restarts: bool  # whether a step counts T_cur and T_i on, instead of _step_count
    last_step: int  # beyond it no step is taken


def make_plan(
    optimizer: Optimizer,
    curves: Sequence[Callable[[Any], float]],
    driven: Sequence[Hyperparameter],
    *,
    watched_lists: Sequence[list[Any]],
    group_keys: Sequence[str],
    counts_restarts: bool,
    last_step: int,
) -> Plan:
    """The plan for what the groups hold now; tensors that groups share are copied where they must differ."""
    groups = optimizer.param_groups
    shared: dict[int, object] = {}
    targets: list[Target | None] = []
    for index, group in enumerate(groups):
        for place, mixes in driven:
            mix = mixes[index]
            held = separate(place, group, mix, shared)
            tensor = held if isinstance(held, Tensor) else None
            targets.append(None if mix is None else Target(mix, _tensors.what_is(held), tensor))
    values = np.zeros((len(groups), len(driven)))
    staged = [
        (index, target.tensor)
        for index, target in enumerate(targets)
        if target is not None and target.tensor is not None and target.held == _tensors.STAGED_TENSOR
    ]
    return Plan(
        optimizer=optimizer,
        places=[place for place, _ in driven],
        curves=curves,
        targets=targets,
        watched_lists=watched_lists,
        group_keys=group_keys,
        values=values,
        after=_tensors.writer(staged, values),
        counts_restarts=counts_restarts,
        last_step=last_step,
    )
