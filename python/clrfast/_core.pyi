from typing import Any, overload

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
