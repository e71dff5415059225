"""Each smoother against the slow, obvious way to compute it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clrfast import smoothing

losses_with_gaps = st.lists(
    st.one_of(st.floats(-1e3, 1e3), st.sampled_from([math.nan, math.inf, -math.inf, 2e100])),
    max_size=60,
)


def usable(loss):
    return abs(loss) <= 1e100  # NaN is not


@given(losses_with_gaps, st.floats(0, 0.999))
@settings(deadline=None)
def test_ema(losses, beta):
    average, weight, expected = 0.0, 0.0, []
    for loss in losses:
        if usable(loss):
            average, weight = beta * average + (1 - beta) * loss, beta * weight + (1 - beta)
        expected.append(average / weight if weight else math.nan)
    np.testing.assert_allclose(smoothing.ema(losses, beta=beta), expected, rtol=1e-9, atol=1e-9)


def test_ema_of_many_rows_equals_the_recurrence():
    losses = np.random.default_rng(0).standard_normal(50_000) + 3
    losses[[0, 20_000, 20_001, 40_000]] = np.nan
    smoothed = smoothing.ema(losses, beta=0.99)
    average, weight = 0.0, 0.0
    for i, loss in enumerate(losses.tolist()):
        if usable(loss):
            average, weight = 0.99 * average + 0.01 * loss, 0.99 * weight + 0.01
        if i % 997 == 0 and i:
            assert smoothed[i] == pytest.approx(average / weight, rel=1e-12)


def test_local_linear_is_exact_on_a_line_and_knows_its_errors():
    lr = np.geomspace(1e-6, 1, 700)
    x = np.log(lr)
    fit = smoothing.local_linear(lr, 4 - 0.3 * x)
    np.testing.assert_allclose(fit.slope, -0.3, rtol=1e-6)
    np.testing.assert_allclose(fit.loss, 4 - 0.3 * np.log(fit.lr), rtol=1e-7)
    np.testing.assert_allclose(fit.slope_se, 0, atol=1e-6)
    noise = np.random.default_rng(0).standard_normal((60, 700))
    slopes = np.array([smoothing.local_linear(lr, row).slope for row in noise])
    errors = np.array([smoothing.local_linear(lr, row).slope_se for row in noise])
    # The spread of the slopes over repeats is what the standard errors say.
    ratio = slopes.std(axis=0).mean() / errors.mean()
    assert 0.85 < ratio < 1.15


def test_local_linear_equals_a_regression_over_rows():
    # One row a cell, so that cells and rows are the same.
    lr = 10 ** (np.arange(-200, 0) / 64)
    x, loss = np.log(lr), np.random.default_rng(1).standard_normal(200)
    fit = smoothing.local_linear(lr, loss, window=0.7)
    np.testing.assert_allclose(fit.lr, lr, rtol=1e-6)
    for i in range(0, 200, 13):
        weight = np.sqrt(np.maximum(0, 1 - ((x - x[i]) / 0.7) ** 2))
        level, slope = np.polynomial.polynomial.polyfit(x - x[i], loss, 1, w=weight)
        assert fit.loss[i] == pytest.approx(level, rel=1e-6, abs=1e-6)
        assert fit.slope[i] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_nothing_to_smooth():
    assert len(smoothing.ema([])) == 0
    assert len(smoothing.local_linear([], []).lr) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smoothing.ema([1.0], beta=1.0), "beta must be finite and >= 0 and < 1, got 1.0"),
        (lambda: smoothing.local_linear([0.1], [1.0], window=math.nan), "window must be"),
        (lambda: smoothing.local_linear([0.0], [1.0]), r"got 0\.0 \(row 0\)"),
        (lambda: smoothing.local_linear([0.1], [1.0, 2.0]), "equal length, got 1 and 2 rows"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
