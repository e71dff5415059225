from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

FEWEST_CELLS: int

class _Curve(TypedDict):
    x: NDArray[np.float64]
    loss: NDArray[np.float64]
    loss_se: NDArray[np.float64]
    slope: NDArray[np.float64]
    slope_se: NDArray[np.float64]
    window: float

class _Phases(TypedDict):
    plateau_end_lr: float | None
    steepest_lr: float | None
    min_lr: float | None
    turn_lr: float | None
    divergence_lr: float | None

class _Suggestion(TypedDict):
    base_lr: float
    max_lr: float
    base_lr_interval: tuple[float, float]
    max_lr_interval: tuple[float, float]
    confidence: str
    reasons: tuple[str, ...]

class _Analysis(TypedDict):
    curve: _Curve
    phases: _Phases
    suggestion: _Suggestion

class State:
    def __init__(self) -> None: ...
    def add(
        self, lr: NDArray[np.float64], loss: NDArray[np.float64], first_step: int
    ) -> int | None: ...
    def merge(self, other: State) -> None: ...
    def analyze(self) -> _Analysis: ...
    @property
    def cells_with_loss(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def nonfinite(self) -> int: ...
    @property
    def lowest_lr(self) -> float: ...
    @property
    def highest_lr(self) -> float: ...

def ema(loss: NDArray[np.float64], beta: float) -> NDArray[np.float64]: ...
