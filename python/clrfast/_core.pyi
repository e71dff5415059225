from collections.abc import Iterable, Sequence
from typing import Any, TypedDict, overload

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

# How a value goes from start to end. shape is 'constant', 'linear', 'cosine', 'welch', 'power', '1-sqrt',
# 'rex', 'exponential', 'inverse_sqrt' or 'power_law'; param is what that shape needs besides.
class Curve:
    def __init__(self, shape: str, start: float, end: float, param: float = 0.0) -> None: ...
    @property
    def shape(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def param(self) -> float: ...

# A curve, or the first steps of a nested schedule, up to the step `until`, and what that lost to rounding.
class Piece:
    @overload
    def __init__(self, until: float, curve: Curve, *, rest: float = 0.0) -> None: ...
    @overload
    def __init__(self, until: float, *, nested: Schedule) -> None: ...
    @property
    def until(self) -> float: ...
    @property
    def rest(self) -> float: ...
    @property
    def curve(self) -> Curve | None: ...
    @property
    def nested(self) -> Schedule | None: ...

# The distance of a value from floor is multiplied by gamma ** index, or by factors[index].
# per: what the index counts, 'cycle' or 'step', or 'none'.
class Scaling:
    def __init__(
        self, per: str = "none", *, gamma: float = 1.0, floor: float = 0.0, factors: Sequence[float] = ()
    ) -> None: ...
    @property
    def per(self) -> str: ...
    @property
    def gamma(self) -> float: ...
    @property
    def floor(self) -> float: ...
    @property
    def factors(self) -> tuple[float, ...]: ...

# clamp(value * scale + shift, low, high)
class Map:
    def __init__(
        self, *, scale: float = 1.0, shift: float = 0.0, low: float = ..., high: float = ...
    ) -> None: ...
    @property
    def scale(self) -> float: ...
    @property
    def shift(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def changes_nothing(self) -> bool: ...

# cycles: how often the pieces are run, or 0 for ever. cycle_mult: how many times as long each next cycle is.
class Schedule:
    def __new__(
        cls,
        pieces: Iterable[Piece],
        *,
        cycles: int = 1,
        cycle_mult: float = 1.0,
        scaling: Scaling = ...,
        map: Map = ...,
    ) -> Self: ...
    @overload
    def __call__(self, step: float, /) -> float: ...
    @overload
    def __call__(self, step: npt.ArrayLike, /) -> npt.NDArray[np.float64]: ...
    @property
    def _pieces(self) -> tuple[Piece, ...]: ...
    @property
    def _cycles(self) -> int: ...
    @property
    def _cycle_mult(self) -> float: ...
    @property
    def _scaling(self) -> Scaling: ...
    @property
    def _map(self) -> Map: ...
    @property
    def _total_steps(self) -> int | float: ...

def fill(
    schedule: Schedule, start: int, out: npt.NDArray[np.float64] | npt.NDArray[np.float32], /
) -> None: ...
@overload
def schedule(
    step: float,
    *,
    base_lr: float,
    max_lr: float,
    step_size_up: float,
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
    step_size_up: float,
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
