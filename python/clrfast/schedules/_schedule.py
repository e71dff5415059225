"""The immutable Schedule: a value for each step, and how schedules are composed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from clrfast import _check, _core
from clrfast._require import require
from clrfast.schedules import _json, _parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Schedule(_core.Schedule):
    """A value for each step: an immutable pure function, callable as ``schedule(step)``.

    Make one with the functions of `clrfast.schedules`, and compose them with the methods below, each of
    which returns a new schedule. Any step is reached directly, so that a resumed run needs no replay.

    Calling it with an int or a float (a fraction of a step) returns a float; with an array of either it
    returns a float64 array of the same shape. Steps are from 0 to 2**63 - 1; others raise ValueError. Past
    its end a schedule holds its last value. Values lie within 4 ulp of the exact ones, as long as a
    curve's ends have one sign and no shift cancels them, and they are always finite.

    Schedules are equal where they are made alike, can be pickled, hashed, and called from many threads.
    They may be nested in each other 64 deep.
    """

    __slots__ = ()
    __module__ = "clrfast"  # what a pickle names is the public path

    @property
    def total_steps(self) -> float:
        """For how many steps there are values, 0 to ``total_steps - 1``: an int, or infinity.

        The value of the step after those is held from there on.
        """
        return self._total_steps

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
            at: When it does, > 0; None means after `total_steps`, which must then be finite.

        Raises:
            ValueError: `at` is out of range, or None where this schedule never ends.
        """
        return concatenate([self, following], at=None if at is None else [at])

    def repeat(self, times: SupportsIndex | None = None) -> Schedule:
        """This schedule again and again, each time for its `total_steps`.

        Args:
            times: How often, >= 1; None means forever.

        Raises:
            ValueError: This schedule never ends.
        """
        count = 0 if times is None else _check.whole("times", times, least=1)
        if math.isinf(self.total_steps):
            raise ValueError(
                f"a schedule that is repeated must have an end, got one that never ends: {self!r}"
            )
        if count == 1:
            return self
        if _parts.can_be_repeated_flat(self):
            cycles = self._cycles * count
            return Schedule(self._pieces, cycles=_check.whole("times", cycles, most=2**63 - 1), map=self._map)
        return Schedule([_core.Piece(self.total_steps, nested=self)], cycles=count)

    def cooldown_from(
        self,
        step: SupportsIndex,
        cooldown_steps: SupportsIndex,
        *,
        shape: str = "1-sqrt",
        min_lr: float = 0.0,
    ) -> Schedule:
        """This schedule up to `step`, and a fall from its value there: a cooldown from any running schedule.

        The decay of warmup-stable-decay (Hu et al., arXiv:2404.06395; Hägele et al., arXiv:2405.18392), begun
        when one wants to. The values of earlier steps do not change in the last bit.

        Args:
            step: Where the fall begins, >= 0.
            cooldown_steps: Steps of the fall, >= 1; `min_lr` is reached after them and held.
            shape: '1-sqrt', 'linear', 'cosine' or 'exponential'.
            min_lr: The last value, from 0 (above 0 in shape 'exponential') to this schedule's at `step`.

        Raises:
            ValueError: A value is out of its range.
        """
        begin = _check.whole("step", step)
        length = _check.whole("cooldown_steps", cooldown_steps, least=1)
        form = _check.choice("shape", shape, ["1-sqrt", "linear", "cosine", "exponential"])
        start = self(begin)
        end = _check.real("min_lr", min_lr, least=0.0, most=max(start, 0.0))
        _check_exponential(form, start=start, end=end)
        fall = _core.Piece(begin + length, _core.Curve(form, start, end))
        return Schedule([*_parts.first_steps(self, begin), fall])

    def rewarm(
        self, step: SupportsIndex, following: Schedule, warmup_steps: SupportsIndex, *, shape: str = "linear"
    ) -> Schedule:
        """This schedule for `step` steps, a way from its value there to the start of `following`, and that.

        How a model is trained on when its rate has fallen: Ibrahim et al., arXiv:2403.08763. The values of
        earlier steps do not change in the last bit.

        Args:
            step: Where the new warm-up begins, >= 0.
            following: The schedule after the warm-up, from its step 0.
            warmup_steps: Steps of the warm-up, >= 1.
            shape: 'linear', 'cosine' or 'exponential' (both values must then be above 0).

        Raises:
            ValueError: A value is out of its range.
            TypeError: `following` is not a Schedule.
        """
        begin = _check.whole("step", step)
        if not isinstance(following, Schedule):
            raise TypeError(f"following must be a Schedule, got {following!r}")
        length = _check.whole("warmup_steps", warmup_steps, least=1)
        form = _check.choice("shape", shape, ["linear", "cosine", "exponential"])
        start, end = self(begin), following(0)
        _check_exponential(form, start=start, end=end)
        rise = _core.Piece(begin + length, _core.Curve(form, start, end))
        return concatenate([Schedule([*_parts.first_steps(self, begin), rise]), following])

    def scaled(self, factor: float) -> Schedule:
        """Each value times `factor` (finite)."""
        return self._mapped(_check.real("factor", factor), 0.0)

    def shifted(self, amount: float) -> Schedule:
        """Each value plus `amount` (finite)."""
        return self._mapped(1.0, _check.real("amount", amount))

    def clamped(self, low: float = -math.inf, high: float = math.inf) -> Schedule:
        """Each value, but at least `low` and at most `high`.

        Raises:
            ValueError: `low` is above `high`, or one of them is NaN.
        """
        if not low <= high:
            raise ValueError(f"low must be <= high, got {low!r} and {high!r}")
        old = self._map
        return self._with_map(
            _core.Map(
                scale=old.scale,
                shift=old.shift,
                low=min(max(old.low, low), high),
                high=min(max(old.high, low), high),
            )
        )

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
        lowest, highest = _parts.bounds(self)
        low = lowest if base_lr is None else _check.real("base_lr", base_lr)
        high = highest if max_lr is None else _check.real("max_lr", max_lr)
        if not low < high:
            raise ValueError(f"base_lr must be below max_lr, got {low!r} and {high!r}")
        slope = (least - most) / (high - low)
        return self.clamped(low, high)._mapped(slope, most - slope * low).clamped(least, most)

    def to_json(self) -> str:
        """A JSON text from which `from_json` makes an equal schedule, in this version and later ones."""
        return _json.text_of(self)

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """The schedule that `to_json` described.

        Raises:
            ValueError: The text is no such description, or a newer clrfast wrote it.
            TypeError: It is not a string.
        """
        return _json.schedule_from(text, Schedule)

    def to_optax(self) -> Callable[[Any], Any]:
        """This schedule as a function that JAX traces, for optax and any other code in JAX.

        It works under `jit`, `vmap`, `grad` and `scan`, and evaluates any step at once. Values are those of
        this schedule up to some rounding errors of JAX's floats, float32 unless ``jax_enable_x64`` is set.
        Cycles whose length is no simple fraction may drift, by less than 1e-9 of a cycle in each.

        Returns:
            A function of the step, an integer or an array of integers of any shape. Steps below 0 count as
            0, those above 2**31 - 1 as that one. It returns an array of JAX of the same shape.

        Raises:
            ImportError: jax is missing.
            ValueError: Cycles are shorter than a thousandth of a step.

        >>> optimizer = optax.adamw(schedules.one_cycle(1e-3, 10_000).to_optax())  # doctest: +SKIP
        """
        require("jax", "to_optax()", extra="jax")
        from clrfast.schedules._jax import traced

        return traced(self)

    def plot(self, ax: Axes | None = None, *, steps: SupportsIndex | None = None) -> Axes:
        """Draw the value against the step (needs matplotlib).

        Args:
            ax: The axes to draw into; None makes new ones.
            steps: The last step to draw; None means that of `total_steps`, or four cycles.

        Returns:
            The axes, never shown: call ``matplotlib.pyplot.show()`` for that.
        """
        from clrfast._pictures import _schedule as _picture

        last = self._natural_length() if steps is None else _check.whole("steps", steps, least=1)
        shown = _picture.steps_to_show(last)
        return _picture.plot(shown, self(shown), ax)

    def _repr_html_(self) -> str:
        """What a notebook shows: its length, the ends and extremes of its values, and the picture."""
        from clrfast._pictures._notebook import schedule_html
        from clrfast._pictures._schedule import steps_to_show

        values = self(steps_to_show(self._natural_length()))
        length = "endless" if math.isinf(self.total_steps) else f"{self.total_steps:,}"
        facts = [("steps", length), ("first", f"{values[0]:.3g}"), ("last", f"{values[-1]:.3g}")]
        facts += [("lowest", f"{values.min():.3g}"), ("highest", f"{values.max():.3g}")]
        return schedule_html(facts, repr(self), self.plot)

    def __hash__(self) -> int:
        """Equal for equal schedules."""
        return hash(tuple(self.values(0, 16).tolist()))

    def __repr__(self) -> str:
        """The pieces, the first few of them."""
        return f"<Schedule {_parts.describe(self)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the description."""
        return Schedule.from_json, (self.to_json(),)

    def _mapped(self, factor: float, amount: float) -> Schedule:
        """The map of this schedule, and then ``value * factor + amount``."""
        old = self._map
        ends = [-math.inf, math.inf]
        if factor != 0:
            ends = sorted([old.low * factor + amount, old.high * factor + amount])
        return self._with_map(
            _core.Map(
                scale=old.scale * factor,
                shift=old.shift * factor + amount,
                low=ends[0],
                high=ends[1],
            )
        )

    def _with_map(self, mapping: _core.Map) -> Schedule:
        return Schedule(
            self._pieces,
            cycles=self._cycles,
            cycle_mult=self._cycle_mult,
            scaling=self._scaling,
            map=mapping,
        )

    def _natural_length(self) -> int:
        """The last step that a picture shows: of the end, of four cycles, or half as much as all pieces."""
        if math.isfinite(self.total_steps):
            return max(int(self.total_steps) - 1, 1)
        finite = max((piece.until for piece in self._pieces if math.isfinite(piece.until)), default=0.0)
        return max(math.ceil(finite * (1.5 if self._cycles == 1 else 4)), 1000)


def concatenate(schedules: Iterable[Schedule], *, at: Sequence[SupportsIndex] | None = None) -> Schedule:
    """One schedule after the other, each from its own step 0.

    Args:
        schedules: At least one.
        at: How many steps each but the last is given, > 0; None means its `total_steps`.

    Raises:
        ValueError: There is none, `at` has another length, or a schedule that never ends is given no limit.
        TypeError: One of them is not a Schedule.
    """
    parts = list(schedules)
    if not parts:
        raise ValueError("schedules must hold at least one Schedule, got none")
    for part in parts:
        if not isinstance(part, Schedule):
            raise TypeError(f"schedules must hold Schedule objects, got {part!r}")
    if at is None:
        lengths: list[float] = [_finite_length(part) for part in parts[:-1]]
    elif len(at) == len(parts) - 1:
        lengths = [_check.whole(f"at[{index}]", value, least=1) for index, value in enumerate(at)]
    else:
        raise ValueError(f"at must have {len(parts) - 1} values, got {len(at)}")
    pieces: list[_core.Piece] = []
    begin = 0.0
    for part, length in zip(parts, [*lengths, parts[-1].total_steps]):
        pieces += (_parts.moved(piece, begin) for piece in _parts.first_steps(part, length))
        begin += length
    return Schedule(pieces)


def _finite_length(schedule: Schedule) -> int:
    if math.isinf(schedule.total_steps):
        raise ValueError(f"at must be given for a schedule that never ends, got None after {schedule!r}")
    return int(schedule.total_steps)


def _check_exponential(form: str, **rates: float) -> None:
    """Equal ratios need two rates above 0."""
    for name, rate in rates.items():
        if form == "exponential" and not rate > 0.0:
            raise ValueError(f"the {name} of the shape 'exponential' must be > 0, got {rate!r}")
