"""Values are finite: a schedule that could give others is refused when it is made."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clrfast import Schedule, _core, schedule, schedules

FAR = [0, 1, 2, 3, 5, 7, 10, 50, 99, 100, 1000, 10**6, 10**9, 2**53, 2**53 + 1, 2**62, 2**63 - 1]


def assert_finite(made: Schedule) -> None:
    assert np.isfinite(made(FAR)).all(), made
    assert np.isfinite(made([step + 0.25 for step in FAR[:12]])).all(), made
    assert np.isfinite(made.values(0, 300)).all(), made


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.step(0.1, 3, 2.0), "gamma must be finite and > 0 and <= 1, got 2.0"),
        (lambda: schedules.multistep(0.1, [3, 5], 2.0), "gamma must be finite and > 0 and <= 1"),
        (lambda: schedules.exponential(0.1, 1.5), "gamma must be finite and > 0 and <= 1"),
        (lambda: schedules.exp_range(0.1, 1.0, 10, gamma=1.01), "gamma must be finite and > 0 and <= 1"),
        (lambda: schedules.cyclic(0.1, 1.0, 10, gamma=1.01), "gamma must be finite and > 0 and <= 1"),
        (lambda: schedules.sgdr(0.1, 10, gamma=1.01), "gamma must be finite and > 0 and <= 1"),
        (lambda: schedules.sgdr(0.1, 10, math.inf), "T_mult must be finite"),
        (lambda: schedules.constant(1e308).scaled(10).scaled(1e308), "scale must be finite, got inf"),
        (lambda: schedules.constant(1.0).shifted(1e308).shifted(1e308), "shift must be finite, got inf"),
        (
            lambda: schedule(3, base_lr=0.1, max_lr=1.0, step_size_up=7, mode="exp_range", gamma=1.01),
            "gamma must be > 0 and at most 1, got 1.01",
        ),
    ],
)
def test_refused_when_made(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_ramp_over_more_than_a_double_spans() -> None:
    made = schedules.ramp(1e-200, 1e200, 101)
    assert_finite(made)
    assert made(50) == pytest.approx(1.0, rel=1e-13)
    assert np.allclose(made.values(1, 101) / made.values(0, 100), 1e4, rtol=1e-12, atol=0)
    assert_finite(schedules.ramp(1e-300, 1e300, 100))
    with pytest.raises(ValueError, match=r"within 2\*\*2000 of each other"):
        schedules.ramp(5e-324, 1.7e308, 100)


def test_restarts_that_grow_out_of_sight() -> None:
    for first in (1, 10, 2**53):
        made = schedules.sgdr(0.1, first, 1e300)
        assert_finite(made)
        assert made(0) == made(2**63 - 1) == 0.1


def test_the_map_saturates() -> None:
    assert_finite(schedules.constant(1e300).scaled(1e300))
    assert_finite(schedules.power(1e-3, 8, 8).scaled(1e300).scaled(0.0).scaled(-1.0))


@pytest.mark.parametrize("gamma", [1.001, 2.0, 1e10, 1e300])
def test_torchs_cyclic_lr_with_a_growing_amplitude_saturates(gamma: float) -> None:
    torch = pytest.importorskip("torch")
    from clrfast import lr_scheduler

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    scheduler = lr_scheduler.CyclicLR(
        optimizer, 0.1, 1.0, 3, mode="exp_range", gamma=gamma, cycle_momentum=False
    )
    for step in range(1, 6):
        optimizer.step()
        scheduler.step()
        if step * math.log(gamma) < 600:  # torch's overflows later
            height = {1: 1 / 3, 2: 2 / 3, 3: 1.0, 4: 2 / 3, 5: 1 / 3}[step]
            assert scheduler.get_last_lr() == [pytest.approx(0.1 + 0.9 * height * gamma**step, rel=1e-13)]
    for last in (10**3, 10**6, 10**12):
        scheduler.last_epoch = last - 1
        scheduler.step()
        assert math.isfinite(scheduler.get_last_lr()[0])
        assert scheduler.get_last_lr()[0] >= 0.1


rates = st.one_of(st.floats(0.0, 1e3), st.floats(0.0, 1.7e308))
numbers = st.one_of(st.floats(-1e3, 1e3), st.floats(allow_nan=False, allow_infinity=False))
shapes = ["constant", "linear", "cosine", "welch", "power", "1-sqrt", "rex", "exponential", "inverse_sqrt"]


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from(shapes), rates, rates, rates), min_size=1, max_size=3
    ),
    st.sampled_from(["none", "cycle", "step"]),
    st.one_of(st.floats(1e-3, 1e3), st.floats(5e-324, 1.7e308)),
    st.one_of(st.just(1.0), st.floats(1.5, 1e308)),
    numbers,
    numbers,
    numbers,
)
def test_whatever_is_put_together(
    rows: list[Any], per: str, gamma: float, mult: float, floor: float, scale: float, shift: float
) -> None:
    until, pieces = 0, []
    for length, shape, start, end, param in rows:
        until += length
        pieces.append(_core.Piece(until, _core.Curve(shape, start, end, param)))
    try:
        made = Schedule(
            pieces,
            cycles=0,
            cycle_mult=mult,
            scaling=_core.Scaling(per, gamma=gamma, floor=floor),
            map=_core.Map(scale=scale, shift=shift),
        )
    except ValueError:
        return
    assert_finite(made)
    assert_finite(made.scaled(0.5).then(made, at=7))
