"""What each schedule is, written down once more in 50-digit arithmetic straight from its definition."""

from __future__ import annotations

import math
from collections.abc import Callable

from mpmath import cos, fabs, floor, mp, mpf, pi, sin, sqrt

mp.dps = 50
Reference = Callable[[float], mpf]


def ulps(value: float, exact: mpf) -> float:
    """The distance of `value` from `exact` in units of the last place of `exact`."""
    unit = math.ulp(float(exact))
    return float(fabs(mpf(value) - exact) / mpf(unit))


def tutorial(base: float, top: float, size: float, scale: Callable[[int, int], mpf]) -> Reference:
    """The formula of the 2017 tutorial, with the amplitude times scale(cycle from 0, step)."""

    def value(i: int) -> mpf:
        cycle = floor(1 + mpf(i) / (2 * mpf(size)))
        x = fabs(mpf(i) / mpf(size) - 2 * cycle + 1)
        return mpf(base) + (mpf(top) - mpf(base)) * max(mpf(0), 1 - x) * scale(int(cycle) - 1, i)

    return value


def window(base: float, top: float, up: float, down: float, height: Callable[[mpf], mpf]) -> Reference:
    """A cycle of `up` and `down` steps; height(x) for x from 0 (bottom) to 1 (top)."""

    def value(i: int) -> mpf:
        period = mpf(up) + mpf(down)
        at = mpf(i) - period * floor(mpf(i) / period)
        x = at / mpf(up) if at < up else (period - at) / mpf(down)
        return mpf(base) + (mpf(top) - mpf(base)) * height(x)

    return value


def hann(x: mpf) -> mpf:
    return sin(pi * x / 2) ** 2


def welch(x: mpf) -> mpf:
    return x * (2 - x)


def fall(start: float, end: float, steps: float, left: Callable[[mpf], mpf]) -> Reference:
    """From start to end in `steps` steps, then held; left(x) is the share of the fall still ahead."""

    def value(i: int) -> mpf:
        x = min(mpf(i) / mpf(steps), mpf(1))
        return mpf(end) * (1 - left(x)) + mpf(start) * left(x)

    return value


def cosine_left(x: mpf) -> mpf:
    return cos(pi * x / 2) ** 2 if x < 1 else mpf(0)


def restarts(top: float, low: float, first: int, mult: float, gamma: float) -> Reference:
    """SGDR with whole cycles: their lengths are computed in double, which is part of the definition."""

    def value(i: int) -> mpf:
        start, cycle, length = 0, 0, first
        if mult == 1:
            cycle, start = i // first, i // first * first
        else:
            while i >= start + length:
                start, cycle = start + length, cycle + 1
                length = first * int(mult) ** cycle if mult == int(mult) else int(first * mult**cycle + 0.5)
        left = cosine_left(mpf(i - start) / length)
        return mpf(low) + (mpf(top) - mpf(low)) * mpf(gamma) ** cycle * left

    return value


def one_cycle(
    peak: float, steps: int, share: float, form: str, div: float, final: float, three: bool
) -> Reference:
    """Torch's OneCycleLR, with its phases' ends, held at its end."""
    first = mpf(peak / div)
    last = mpf(peak / div / final)
    # The joins are rounded once, as everybody's are: they are not what is tested here.
    top = mpf(share * steps - 1.0)
    ends = [(mpf(0), first), (top, mpf(peak))]
    if three:
        ends.append((mpf(2.0 * share * steps - 2.0), first))
    ends.append((mpf(steps - 1), last))

    def value(i: int) -> mpf:
        for (here, start), (there, stop) in zip(ends, ends[1:]):
            if i < there:
                x = (mpf(i) - here) / (there - here)
                left = cosine_left(x) if form == "cosine" else 1 - x
                return stop + (start - stop) * left
        return last

    return value


def inverse_sqrt(base: float, timescale: float) -> Reference:
    return lambda i: mpf(base) * sqrt(mpf(timescale) / (mpf(timescale) + i))


def rows(*parts: tuple[int, Reference]) -> Reference:
    """References one after the other, each for its number of steps, the last one forever."""

    def value(i: int) -> mpf:
        for length, reference in parts[:-1]:
            if i < length:
                return reference(i)
            i -= length
        return parts[-1][1](i)

    return value
