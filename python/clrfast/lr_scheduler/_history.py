"""What a scheduler has done and will do: since its values are a closed form, nothing is recorded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from clrfast import _check

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clrfast.lr_scheduler._driven import Driven

_MOST = 1000  # steps, whatever the length of the run
_LABELS = {"lr": "Learning rate", "momentum": "Momentum", "weight_decay": "Weight decay"}


def history(scheduler: Driven) -> dict[str, npt.NDArray[Any]]:
    """The steps from 0 to now, at most `_MOST` of them, and what each hyperparameter was there."""
    return values_at(scheduler, _spread(math.floor(scheduler.last_epoch)))


def plot(scheduler: Driven, ax: Axes | None, name: str, steps: SupportsIndex | None) -> Axes:
    """Draw the values of one hyperparameter, a line for each different group, and where the run is now."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.figure(layout="constrained").add_subplot()
    now = math.floor(scheduler.last_epoch)
    last = scheduler._natural_length() if steps is None else _check.whole("steps", steps, least=1)
    drawn = values_at(scheduler, _spread(max(last, now), 2 * _MOST))
    values = drawn[_check.choice("name", name, [key for key in drawn if key != "step"])]
    curves, groups = np.unique(values, axis=1, return_inverse=True)
    for index, curve in enumerate(curves.T):
        members = np.flatnonzero(groups.reshape(-1) == index)
        label = f"group {members[0]}" + (f" and {len(members) - 1} more" if len(members) > 1 else "")
        ax.plot(drawn["step"], curve, label=label)
    ax.axvline(now, color="0.5", linestyle=":", label=f"step {now}")
    ax.set_xlabel("Step")
    ax.set_ylabel(_LABELS.get(name, name))
    ax.margins(x=0)
    ax.legend()
    return ax


def values_at(scheduler: Driven, steps: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """The values of each driven hyperparameter, of shape (steps, groups); NaN where a group is not driven."""
    _, columns = scheduler._columns()
    table = np.stack([scheduler._values_now(scheduler._at_step(int(step))) for step in steps])
    result: dict[str, npt.NDArray[Any]] = {"step": steps}
    for index, column in enumerate(columns):
        driven = np.array([mix is not None for mix in column.mixes])
        if driven.any():
            name = f"beta{column.slot + 1}" if column.slot >= 0 else column.key
            result[name] = np.where(driven, table[:, :, index], np.nan)
    return result


def _spread(last: int, most: int = _MOST) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, max(last, 0), min(last + 1, most)).round().astype(np.int64))
