from typing import Any, TypedDict, overload

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

_Curve = tuple[float, str, float, float, float]  # until, shape, start, end, param
_Piece = _Curve | tuple[float, "Table"]
_Spec = tuple[
    tuple[_Piece, ...],
    int,  # cycles; 0 means forever
    float,  # cycle_mult
    tuple[str, float, float, tuple[float, ...]],  # per, gamma, floor, factors
    tuple[float, float, float, float],  # scale, offset, low, high
]

class Table:
    def __new__(cls, *spec: Any) -> Self: ...
    @overload
    def __call__(self, step: float, /) -> float: ...
    @overload
    def __call__(self, step: npt.ArrayLike, /) -> npt.NDArray[np.float64]: ...
    @property
    def _spec(self) -> _Spec: ...
    @property
    def _total(self) -> float: ...

def fill(table: Table, start: int, out: npt.NDArray[np.float64] | npt.NDArray[np.float32], /) -> None: ...
@overload
def schedule(
    step: float,
    *,
    base_lr: float,
    max_lr: float,
    step_size: float,
    step_size_down: float | None = None,
    mode: str = "triangular",
    gamma: float = 1.0,
) -> float: ...
@overload
def schedule(
    step: npt.ArrayLike,
    *,
    base_lr: float,
    max_lr: float,
    step_size: float,
    step_size_down: float | None = None,
    mode: str = "triangular",
    gamma: float = 1.0,
) -> npt.NDArray[np.float64]: ...
def build_config() -> dict[str, str]: ...

class _FittedCurve(TypedDict):
    x: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float64]
    loss_se: npt.NDArray[np.float64]
    slope: npt.NDArray[np.float64]
    slope_se: npt.NDArray[np.float64]

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
    curve: _FittedCurve
    lowest: npt.NDArray[np.float64]
    highest: npt.NDArray[np.float64]
    window: float
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
        lr: npt.NDArray[np.floating[Any]],
        loss: npt.NDArray[np.floating[Any]],
        first_step: int,
        threads: int,
    ) -> int | None: ...
    def add_row(self, lr: float, loss: float, step: int) -> bool: ...
    def merge(self, other: State, shift: int) -> None: ...
    def extent(self) -> _Extent: ...
    def fit(self, window: float) -> _FittedCurve: ...
    def analyze(self) -> _Analysis: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> State: ...

def analyze_runs(
    lr: npt.NDArray[np.floating[Any]],
    loss: npt.NDArray[np.floating[Any]],
    offsets: list[int],
    threads: int,
) -> int | npt.NDArray[np.void]: ...
def analyze_states(states: list[State]) -> npt.NDArray[np.void]: ...

class _EventReport(TypedDict):
    records: int
    damaged_records: int
    skipped_bytes: int
    cut_short_bytes: int
    too_long_records: int
    first_position: int

class EventReader:
    def __init__(self, tags: list[bytes]) -> None: ...
    def feed(
        self, data: bytes
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64], npt.NDArray[np.float64]]: ...
    def finish(self) -> None: ...
    def tags(self) -> list[bytes]: ...
    def report(self) -> _EventReport: ...

def ema(loss: npt.NDArray[np.floating[Any]], beta: float) -> npt.NDArray[np.float64]: ...
def ema_by_half_life(
    lr: npt.NDArray[np.floating[Any]], loss: npt.NDArray[np.floating[Any]], half_life: float
) -> int | npt.NDArray[np.float64]: ...
def running_median(loss: npt.NDArray[np.floating[Any]], width: int) -> npt.NDArray[np.float64]: ...
def longest_descent(loss: npt.NDArray[np.floating[Any]]) -> tuple[int, int]: ...

class Stepper:
    _known_last_lr: list[Any] | None
    def step(self, epoch: float | None = None) -> None: ...
    # optimizer, columns, sources, targets, lists, keys, finish, values, keep, restarts, limit
    def _prepare(self, *plan: Any) -> None: ...
    def _forget(self) -> None: ...
    def _write(self, step: float, /) -> bool: ...
    def _values(self, step: float | None, /) -> npt.NDArray[np.float64] | None: ...  # (groups, columns)
