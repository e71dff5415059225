from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

class _Curve(TypedDict):
    x: NDArray[np.float64]
    loss: NDArray[np.float64]
    loss_se: NDArray[np.float64]
    slope: NDArray[np.float64]
    slope_se: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    window: float

class _Phases(TypedDict):
    plateau_end_lr: float | None
    steepest_lr: float | None
    min_lr: float | None
    turn_lr: float | None
    divergence_lr: float | None

class _Suggestion(TypedDict):
    base_lr: float | None
    max_lr: float | None
    base_lr_interval: tuple[float, float] | None
    max_lr_interval: tuple[float, float] | None
    confidence: str
    lower_bound: bool
    reasons: tuple[str, ...]

class _Analysis(TypedDict):
    curve: _Curve
    phases: _Phases
    suggestion: _Suggestion

class _Extent(TypedDict):
    rows: int
    nonfinite: int
    lowest_lr: float
    highest_lr: float

# Columns are one-dimensional, float64 or float32, of any stride.
class State:
    def __init__(self) -> None: ...
    def add(
        self,
        lr: NDArray[np.floating[Any]],
        loss: NDArray[np.floating[Any]],
        first_step: int,
        threads: int,
    ) -> int | None: ...
    def add_row(self, lr: float, loss: float, step: int) -> bool: ...
    def merge(self, other: State) -> None: ...
    def extent(self) -> _Extent: ...
    def analyze(self) -> _Analysis: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> State: ...

def ema(loss: NDArray[np.floating[Any]], beta: float) -> NDArray[np.float64]: ...
def longest_descent(loss: NDArray[np.floating[Any]]) -> tuple[int, int]: ...
