"""What is kept of a run of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Union

SettingValue = Union[float, int, bool, str, None]


class SweptRun(NamedTuple):
    """A run of a search.

    Attributes:
        name: what it is called.
        lr: its peak rate, positive and finite.
        value: its metric at the end, as it was recorded; NaN or infinite where it diverged.
        settings: its other settings by name.
        steps: the last step that was recorded of it, or None.
    """

    name: str
    lr: float
    value: float
    settings: Mapping[str, SettingValue]
    steps: float | None = None


SweptRun.__module__ = "clrfast"
