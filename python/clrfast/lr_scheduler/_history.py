"""What a scheduler has done, does and will do: since its values are a closed form, nothing is recorded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import numpy.typing as npt
from torch.optim import Optimizer

from clrfast import _check
from clrfast._pictures._axes import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 1000  # steps of a history, whatever the length of the run
_LABELS = {"lr": "Learning rate", "momentum": "Momentum", "weight_decay": "Weight decay"}


class WithHistory:
    """The part of a scheduler that tells what it does over time."""

    last_epoch: int
    optimizer: Optimizer

    def _describe(self) -> str:
        """What drives the hyperparameters, in a few words."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """The step, the current rates, and what drives them."""
        name = type(self).__name__
        if "optimizer" not in self.__dict__:
            return f"<{name}, not yet made>"
        try:
            step: object = self.last_epoch
        except RuntimeError:  # the count is on a device from which nothing can be read
            step = "?"
        return f"<{name} at step {step}, {_rates(self.optimizer.param_groups)}: {self._describe()}>"

    def _history_at(self, steps: npt.NDArray[np.int64]) -> Iterable[tuple[str, npt.NDArray[np.float64]]]:
        """The values of each driven hyperparameter, of shape (steps, groups), by its name."""
        raise NotImplementedError

    def _natural_length(self) -> int:
        """How many steps a picture should show."""
        return 1000

    @property
    def history(self) -> dict[str, npt.NDArray[Any]]:
        """The run so far, from its step 0, also if it was resumed: at most 1,000 steps, evenly spread.

        The steps are an int64 array of shape (n,) under ``step``, and the values float64 arrays of shape
        (n, groups) under ``lr``, ``momentum``, ``beta1``, ...; NaN where a group is left alone. They are what
        the schedule gives, computed when asked for: keeping them costs neither time nor memory.
        """
        return self._table(math.floor(self.last_epoch), _MOST)

    def plot(self, ax: Axes | None = None, *, name: str = "lr", steps: SupportsIndex | None = None) -> Axes:
        """Draw a hyperparameter against the step, and where the run is now (needs matplotlib).

        Args:
            ax: The axes to draw into; None makes new ones.
            name: Which one, by its name in `history`.
            steps: How many steps to draw; None means to the end, or a few cycles.

        Returns:
            The axes, never shown: call ``matplotlib.pyplot.show()`` for that.

        Raises:
            ValueError: Nothing of that name is driven.
        """
        now = math.floor(self.last_epoch)
        last = self._natural_length() if steps is None else _check.whole("steps", steps, least=1)
        table = self._table(max(last, now), 2 * _MOST)
        values = table[_check.choice("name", name, [key for key in table if key != "step"])]
        if ax is None:
            ax = new_axes()
        curves, groups = np.unique(values, axis=1, return_inverse=True)
        for index, curve in enumerate(curves.T):  # a line for each different group
            members = np.flatnonzero(groups.reshape(-1) == index)
            label = f"group {members[0]}" + (f" and {len(members) - 1} more" if len(members) > 1 else "")
            ax.plot(table["step"], curve, label=label)
        ax.axvline(now, color="0.5", linestyle=":", label=f"step {now}")
        ax.set_xlabel("Step")
        ax.set_ylabel(_LABELS.get(name, name))
        ax.margins(x=0)
        ax.legend()
        return ax

    def _table(self, last: int, most: int) -> dict[str, npt.NDArray[Any]]:
        spread = np.linspace(0, max(last, 0), min(max(last, 0) + 1, most))
        steps = np.unique(spread.round().astype(np.int64))
        return {"step": steps, **dict(self._history_at(steps))}


def _rates(groups: list[dict[str, Any]]) -> str:
    """The rates of the groups in a few words: one where all have the same, else the first ones."""
    shown = [_shown(group.get("lr")) for group in groups]
    if len(set(shown)) == 1:
        return f"lr {shown[0]} in {len(groups)} group" + ("s" if len(groups) > 1 else "")
    return f"lr {', '.join(shown[:4])}{', ...' if len(shown) > 4 else ''} in {len(groups)} groups"


def _shown(value: Any) -> str:
    try:
        return f"{float(value):.6g}"
    except (TypeError, RuntimeError):  # it is no number, or a tensor whose value cannot be read
        return "?"
