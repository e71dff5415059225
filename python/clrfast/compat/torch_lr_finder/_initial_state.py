"""What a model, its optimizer and a scaler were when a finder was made, in memory or in a file."""

from __future__ import annotations

import copy
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from clrfast._range_test._snapshot import load_if_changed


class InitialState:
    """The states of some objects, for `LRFinder.reset`.

    Args:
        holders: Objects that can say and take their state, by name.
        folder: The folder for a file that goes when this does; None keeps the states in memory.
    """

    # Without a dictionary, so that a range test that looks around in the finder finds no states in here.
    __slots__ = ("__weakref__", "_file", "_holders", "_states")

    def __init__(self, holders: Mapping[str, Any], folder: Path | None) -> None:
        """Copy the states."""
        self._holders = dict(holders)
        states = {name: holder.state_dict() for name, holder in holders.items()}
        self._states = copy.deepcopy(states) if folder is None else {}
        self._file: Path | None = None
        if folder is not None:
            with tempfile.NamedTemporaryFile(
                prefix="lr_finder_", suffix=".pt", dir=folder, delete=False
            ) as file:
                self._file = Path(file.name)
                weakref.finalize(self, self._file.unlink, missing_ok=True)
                torch.save(states, file)

    def put_back(self) -> None:
        """Give the objects their states again, where they differ."""
        states = self._states if self._file is None else torch.load(self._file, weights_only=False)
        for name, holder in self._holders.items():
            load_if_changed(holder, states[name])
