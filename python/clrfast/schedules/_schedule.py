"""The immutable Schedule: a value for each step, and how schedules are composed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from clrfast import _check, _core

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNSCALED = ("none", 1.0, 0.0, ())
_UNMAPPED = (1.0, 0.0, -math.inf, math.inf)
_ONCE = (1, 1.0, _UNSCALED, _UNMAPPED)


class Schedule(_core.Table):
    """A value for each step: an immutable pure function, callable as ``schedule(step)``.

    Make one with the functions of `clrfast.schedules`, and compose them with the methods below, each of
    which returns a new schedule. Any step is reached directly, so that a resumed run needs no replay.

    Calling it with an int or a float (a fraction of a step) returns a float; with an array of either it
    returns a float64 array of the same shape. Steps are from 0 to 2**63 - 1; others raise ValueError. Past
    its end a schedule holds its last value. Values lie within 4 ulp of the exact ones, as long as a
    curve's ends have one sign and no offset cancels them.

    Schedules are equal where their tables are, can be pickled, hashed, and called from many threads.
    """

    __slots__ = ()

    @property
    def total_steps(self) -> float:
        """Steps until the last value is reached and held; infinity where there is none."""
        return self._total

    def values(
        self, start: SupportsIndex, stop: SupportsIndex, *, dtype: npt.DTypeLike = np.float64
    ) -> npt.NDArray[Any]:
        """The values of the steps from `start` up to but without `stop`.

        Args:
            start: The first step, from 0 to 2**63 - 1.
            stop: One past the last step, at least `start`.
            dtype: float64, or float32 (computed in float64, rounded once).

        Returns:
            An array of shape ``(stop - start,)``.

        Raises:
            ValueError: `start` or `stop` is out of range, or the dtype is another one.
        """
        first = _check.whole("start", start, most=2**63 - 1)
        last = _check.whole("stop", stop, least=first, most=2**63 - 1)
        kind = np.dtype(dtype)
        _check.choice("dtype", kind, [np.dtype(np.float64), np.dtype(np.float32)])
        return self.values_into(np.empty(last - first, kind), start=first)

    def values_into(self, out: npt.NDArray[Any], *, start: SupportsIndex = 0) -> npt.NDArray[Any]:
        """Write the values of the steps from `start` on into `out`, and return it.

        Args:
            out: A float64 or float32 array of one dimension, writable, of any stride.
            start: The first step; ``start + len(out)`` must be below 2**63.

        Raises:
            TypeError: `out` is not an array of those.
            ValueError: `out` is read-only or has another dimension, or `start` is out of range.
        """
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out must be a NumPy array, got {type(out).__name__}")
        if out.dtype not in (np.dtype(np.float64), np.dtype(np.float32)):
            raise TypeError(f"out must be of dtype float64 or float32, got {out.dtype}")
        if out.ndim != 1:
            raise ValueError(f"out must have one dimension, got shape {out.shape}")
        if not out.flags.writeable:
            raise ValueError("out must be writable, got a read-only array")
        first = _check.whole("start", start, most=2**63 - 1 - len(out))
        if out.flags.c_contiguous and out.flags.aligned:
            _core.fill(self, first, out)
        else:
            packed = np.empty(out.shape, out.dtype)
            _core.fill(self, first, packed)
            out[...] = packed
        return out

    def then(self, following: Schedule, *, at: SupportsIndex | None = None) -> Schedule:
        """This schedule for `at` steps, and then `following` from its step 0.

        Args:
            following: The schedule that takes over.
            at: When it does, > 0; None means at the end of this one, which must then have one.

        Raises:
            ValueError: `at` is out of range, or None where this schedule never ends.
        """
        return concatenate([self, following], at=None if at is None else [at])

    def repeat(self, times: SupportsIndex | None = None) -> Schedule:
        """This schedule again and again, from its first to its last step.

        Args:
            times: How often, >= 1; None means forever.

        Raises:
            ValueError: This schedule never ends, or ends in the middle of a step.
        """
        cycles = 0 if times is None else _check.whole("times", times, least=1)
        return Schedule(((_whole_length(self), self),), cycles, *_ONCE[1:])

    def scaled(self, factor: float) -> Schedule:
        """Each value times `factor` (finite)."""
        return self._mapped(_check.real("factor", factor), 0.0)

    def offset(self, amount: float) -> Schedule:
        """Each value plus `amount` (finite)."""
        return self._mapped(1.0, _check.real("amount", amount))

    def clamped(self, low: float = -math.inf, high: float = math.inf) -> Schedule:
        """Each value, but at least `low` and at most `high`.

        Raises:
            ValueError: `low` is above `high`, or one of them is NaN.
        """
        if not low <= high:
            raise ValueError(f"low must be <= high, got {low!r} and {high!r}")
        pieces, cycles, mult, scaling, (scale, shift, lowest, highest) = self._spec
        bounds = (min(max(lowest, low), high), min(max(highest, low), high))
        return Schedule(pieces, cycles, mult, scaling, (scale, shift, *map(float, bounds)))

    def reciprocal(
        self,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        *,
        base_lr: float | None = None,
        max_lr: float | None = None,
    ) -> Schedule:
        """The momentum that falls while this rate rises.

        `max_momentum` goes with `base_lr` and lower rates, `base_momentum` with `max_lr` and higher ones, and
        between them it is linear in the rate: Smith, arXiv:1803.09820, section 4.3.

        Args:
            base_momentum: The lowest momentum, from 0 to `max_momentum`.
            max_momentum: The highest momentum, at most 1.
            base_lr: The rate of the highest momentum; None means the lowest rate of this schedule.
            max_lr: The rate of the lowest momentum; None means the highest rate of this schedule.

        Raises:
            ValueError: A value is out of its range, or `base_lr` is not below `max_lr`.
        """
        most = _check.real("max_momentum", max_momentum, least=0.0, most=1.0)
        least = _check.real("base_momentum", base_momentum, least=0.0, most=most)
        lowest, highest = _bounds(self)
        low = lowest if base_lr is None else _check.real("base_lr", base_lr)
        high = highest if max_lr is None else _check.real("max_lr", max_lr)
        if not low < high:
            raise ValueError(f"base_lr must be below max_lr, got {low!r} and {high!r}")
        slope = (least - most) / (high - low)
        return self.clamped(low, high)._mapped(slope, most - slope * low).clamped(least, most)

    def to_json(self) -> str:
        """A JSON text from which `from_json` makes an equal schedule."""
        return json.dumps(_to_plain(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """The schedule that `to_json` described.

        Raises:
            ValueError: The text is not such a description.
        """
        try:
            return _from_plain(json.loads(text))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"text is not the JSON of a schedule: {error!r}") from error

    def plot(self, ax: Axes | None = None, *, steps: SupportsIndex | None = None) -> Axes:
        """Draw the value against the step (needs matplotlib).

        Args:
            ax: The axes to draw into; None makes new ones.
            steps: How many steps to draw; None means until the end, or four cycles.

        Returns:
            The axes, never shown: call ``matplotlib.pyplot.show()`` for that.
        """
        from clrfast._pictures import _schedule as _plot_schedule

        return _plot_schedule.plot(self, ax, None if steps is None else _check.whole("steps", steps, least=1))

    def __eq__(self, other: object) -> bool:
        """Whether both have the same table."""
        return isinstance(other, Schedule) and _key(self) == _key(other)

    def __hash__(self) -> int:
        """Equal for equal schedules."""
        return hash(_key(self))

    def __repr__(self) -> str:
        """The pieces of the table, the first few of them."""
        return f"<Schedule {_describe(self)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the table's description."""
        return Schedule.from_json, (self.to_json(),)

    def _mapped(self, factor: float, amount: float) -> Schedule:
        pieces, cycles, mult, scaling, (scale, shift, low, high) = self._spec
        if factor == 0:
            ends = [-math.inf, math.inf]
        else:
            ends = sorted([low * factor + amount, high * factor + amount])
        mapped = (scale * factor, shift * factor + amount, *ends)
        return Schedule(pieces, cycles, mult, scaling, mapped)


def concatenate(schedules: Iterable[Schedule], *, at: Sequence[SupportsIndex] | None = None) -> Schedule:
    """One schedule after the other, each from its own step 0.

    Args:
        schedules: At least one.
        at: How many steps each but the last is given, > 0; None means until its end.

    Raises:
        ValueError: There is none, `at` has another length, or a schedule that never ends is given no limit.
        TypeError: One of them is not a Schedule.
    """
    parts = list(schedules)
    if not parts:
        raise ValueError("schedules must not be empty")
    for part in parts:
        if not isinstance(part, Schedule):
            raise TypeError(f"schedules must hold Schedule objects, got {part!r}")
    if at is not None and len(at) != len(parts) - 1:
        raise ValueError(f"at must have {len(parts) - 1} values, got {len(at)}")
    pieces: list[Any] = []
    begin = 0.0
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if last:
            length = part.total_steps
        elif at is None:
            length = _whole_length(part)
        else:
            length = float(_check.whole(f"at[{index}]", at[index], least=1))
        if length == part.total_steps and part._spec[1:] == _ONCE and _integral(part):
            # No need to nest what is itself only a row of pieces.
            pieces.extend((begin + piece[0], *piece[1:]) for piece in part._spec[0])
        else:
            pieces.append((begin + length, part))
        begin += length
    return Schedule(tuple(pieces), *_ONCE)


def _integral(schedule: Schedule) -> bool:
    return all(math.isinf(piece[0]) or piece[0].is_integer() for piece in schedule._spec[0])


def _whole_length(schedule: Schedule) -> float:
    length = schedule.total_steps
    if math.isinf(length):
        raise ValueError(f"a schedule that never ends needs a limit (at=...): {schedule!r}")
    if not length.is_integer():
        raise ValueError(f"a schedule must end on a whole step to be followed, got {length}")
    return length


def _bounds(schedule: _core.Table) -> tuple[float, float]:
    """The lowest and the highest end of a curve in the first cycle."""
    pieces, _, _, _, (scale, shift, low, high) = schedule._spec
    ends: list[float] = []
    for piece in pieces:
        ends += _bounds(piece[1]) if len(piece) == 2 else piece[2:4]
    mapped = [min(max(end * scale + shift, low), high) for end in ends]
    return min(mapped), max(mapped)


def _key(table: _core.Table) -> tuple[Any, ...]:
    pieces, *rest = table._spec
    return (tuple(p if len(p) == 5 else (p[0], _key(p[1])) for p in pieces), *rest)


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _to_plain(table: _core.Table) -> dict[str, Any]:
    pieces, cycles, mult, (per, gamma, floor, factors), mapping = table._spec
    plain: list[dict[str, Any]] = []
    for piece in pieces:
        if len(piece) == 2:
            plain.append({"until": _number(piece[0]), "schedule": _to_plain(piece[1])})
        else:
            until, shape, start, end, param = piece
            plain.append(
                {
                    "until": _number(until),
                    "shape": shape,
                    "start": start,
                    "end": end,
                    "param": param,
                }
            )
    return {
        "pieces": plain,
        "cycles": cycles,
        "cycle_mult": mult,
        "scaling": {"per": per, "gamma": gamma, "floor": floor, "factors": list(factors)},
        "map": [_number(value) for value in mapping],
    }


def _from_plain(plain: dict[str, Any]) -> Schedule:
    pieces: list[Any] = []
    for piece in plain["pieces"]:
        until = float(piece["until"])
        if "schedule" in piece:
            pieces.append((until, _from_plain(piece["schedule"])))
        else:
            pieces.append((until, piece["shape"], piece["start"], piece["end"], piece["param"]))
    scaling = plain["scaling"]
    return Schedule(
        tuple(pieces),
        plain["cycles"],
        plain["cycle_mult"],
        (scaling["per"], scaling["gamma"], scaling["floor"], tuple(scaling["factors"])),
        tuple(float(value) for value in plain["map"]),
    )


def _describe(table: _core.Table) -> str:
    pieces, cycles, mult, (per, gamma, _, factors), mapping = table._spec
    shown = [
        f"({_describe(p[1])}) until {p[0]:g}"
        if len(p) == 2
        else f"{p[1]} {p[2]:g} until {p[0]:g}"
        if p[1] == "constant"
        else f"{p[1]} {p[2]:g}->{p[3]:g} until {p[0]:g}"
        for p in pieces[:4]
    ]
    if len(pieces) > 4:
        shown.append(f"... {len(pieces)} pieces")
    text = ", ".join(shown)
    if cycles != 1:
        text += ", repeated" if cycles == 0 else f", {cycles} times"
    if mult != 1.0:
        text += f", each {mult:g} times as long"
    if per != "none":
        text += f", scaled each {per} by " + ("a table" if factors else f"{gamma:g}")
    scale, shift, low, high = mapping
    if (scale, shift) != (1.0, 0.0):
        text += f", * {scale:g} + {shift:g}"
    if (low, high) != (-math.inf, math.inf):
        text += f", within [{low:g}, {high:g}]"
    return text
