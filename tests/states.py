"""Logs to analyse in parts, and what must not depend on how they were cut."""

from __future__ import annotations

import math

import numpy as np
import pytest


def log(rows=5000, seed=0, bad=()):
    rng = np.random.default_rng(seed)
    x = np.linspace(math.log(1e-6), math.log(10), rows)
    loss = 2 - 1.5 / (1 + np.exp(-2 * (x + 7))) + np.exp(1.5 * x) + 0.05 * rng.standard_normal(rows)
    for row in bad:
        loss[row] = np.nan
    return np.exp(x), loss


def assert_same(one, other, rtol=1e-9):
    """Everything that was computed agrees."""
    assert (one.n, one.n_nonfinite, one.lr_range) == (other.n, other.n_nonfinite, other.lr_range)
    scale = np.ptp(one.grid_loss)
    for name in ("grid_lr", "grid_loss", "grid_loss_se", "grid_slope", "grid_slope_se"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=rtol, atol=rtol * scale, err_msg=name
        )
    np.testing.assert_array_equal(one.grid_lowest, other.grid_lowest)
    np.testing.assert_array_equal(one.grid_highest, other.grid_highest)
    a, b = one.suggestion, other.suggestion
    for name in ("base_lr", "max_lr", "base_lr_interval", "max_lr_interval"):
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=rtol), name
    assert (a.confidence, a.reasons) == (b.confidence, b.reasons)
