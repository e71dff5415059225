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


@given(losses_with_gaps, st.floats(0.05, 5), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_ema_by_half_life(losses, half_life, seed):
    lrs = np.exp(np.random.default_rng(seed).uniform(-9, 1, len(losses)))
    path = np.abs(np.diff(np.log(lrs), prepend=np.log(lrs[:1])))  # there and back counts twice
    expected = []
    for t in range(len(losses)):
        age = np.cumsum(path[t:0:-1])[::-1] if t else np.empty(0)
        weights = 0.5 ** (np.append(age, 0) / half_life)
        kept = [(w, loss) for w, loss in zip(weights, losses) if usable(loss)]
        total = sum(w for w, _ in kept)
        expected.append(sum(w * loss for w, loss in kept) / total if total else math.nan)
    got = smoothing.ema_by_half_life(lrs, losses, half_life=half_life)
    np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-7)


def test_ema_by_half_life_does_not_depend_on_the_number_of_rows():
    def smoothed(rows):
        lr = np.geomspace(1e-5, 1, rows)
        return smoothing.ema_by_half_life(lr, np.sin(np.log(lr)))[-1]

    assert smoothed(2000) == pytest.approx(smoothed(200_000), abs=5e-3)


@given(losses_with_gaps, st.sampled_from([1, 3, 5, 9, 201]))
@settings(deadline=None)
def test_running_median(losses, width):
    half = width // 2
    expected = []
    for i in range(len(losses)):
        kept = [loss for loss in losses[max(0, i - half) : i + half + 1] if usable(loss)]
        expected.append(np.median(kept) if kept else math.nan)
    np.testing.assert_allclose(smoothing.running_median(losses, width=width), expected)


def test_running_median_of_a_strided_column_takes_out_spikes():
    table = np.ones((100, 2), np.float32)
    table[::10, 1] = 50
    np.testing.assert_array_equal(smoothing.running_median(table[:, 1]), 1)


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
    assert len(smoothing.ema_by_half_life([], [])) == 0
    assert len(smoothing.running_median([])) == 0
    assert len(smoothing.local_linear([], []).lr) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smoothing.ema([1.0], beta=1.0), r"beta must be in \[0, 1\), not 1.0"),
        (lambda: smoothing.ema_by_half_life([0.1], [1.0], half_life=0.0), "half_life must be"),
        (lambda: smoothing.ema_by_half_life([0.1, -1], [1.0, 1]), r"not -1\.0 \(row 1\)"),
        (lambda: smoothing.running_median([1.0], width=4), "width must be odd .* not 4"),
        (lambda: smoothing.running_median([1.0], width=-1), "width must be odd .* not -1"),
        (lambda: smoothing.local_linear([0.1], [1.0], window=math.nan), "window must be"),
        (lambda: smoothing.local_linear([0.0], [1.0]), r"not 0\.0 \(row 0\)"),
        (lambda: smoothing.local_linear([0.1], [1.0, 2.0]), "equal length, not 1 and 2"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
