"""The peers' rules give the peers' answers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clrfast import rules

LOGS = json.loads((Path(__file__).parents[1] / "data" / "keras_one_cycle.json").read_text())


@pytest.mark.parametrize("name", rules.RULES)
@pytest.mark.parametrize("log", LOGS)
def test_known_answers_on_real_logs(log, name):
    columns = np.array(LOGS[log]["lr"]), np.array(LOGS[log]["loss"])
    assert rules.RULES[name].suggest(*columns) == pytest.approx(LOGS[log]["rules"][name], rel=1e-6)


def valley_as_fastai_writes_it(lrs, losses):
    """The O(n^2) original, on rows that are not trimmed any more."""
    n = len(losses)
    best, max_start, max_end = [1] * n, 0, 0
    for i in range(1, n):
        for j in range(i):
            if losses[i] < losses[j] and best[i] < best[j] + 1:
                best[i] = best[j] + 1
            if best[max_end] < best[i]:
                max_end = i
                max_start = max_end - best[max_end]
    third = (max_end - max_start) / 3
    return lrs[max_start + int(third) + int(third / 2)]


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, 5.5, math.inf]), min_size=1, max_size=40))
@settings(max_examples=300, deadline=None)
def test_valley_equals_the_quadratic_original(losses):
    lrs = np.geomspace(1e-5, 1, len(losses) + 5)
    got = rules.fastai_valley(lrs, [*losses, *[9.0] * 5], num_it=1)
    assert got == valley_as_fastai_writes_it(lrs[: len(losses)], losses)


def test_valley_is_not_quadratic():
    # The original would take hours for these rows.
    rows = 1_000_000
    lrs = np.geomspace(1e-6, 1, rows)
    losses = np.random.default_rng(0).standard_normal(rows) - np.linspace(0, 3, rows)
    assert 1e-6 <= rules.fastai_valley(lrs, losses) <= 1


def slide_as_fastai_writes_it(lrs, losses, lr_diff=15, thresh=0.005):
    slope = np.gradient(np.asarray(losses, np.float32))
    right, left = -1, -1 - lr_diff
    found = lrs[left]
    while left >= -len(losses) and abs(slope[right] - slope[left]) > thresh:
        found, right, left = lrs[left], right - 1, left - 1
    return found


@given(st.lists(st.floats(-1, 1, width=32), min_size=16, max_size=60))
@settings(max_examples=200, deadline=None)
def test_slide_equals_the_loop(losses):
    lrs = np.geomspace(1e-5, 1, len(losses) + 5)
    got = rules.fastai_slide(lrs, [*losses, *[0.0] * 5], num_it=1)
    assert got == slide_as_fastai_writes_it(lrs[: len(losses)], losses)


# Answers that the libraries' own tests ask for.
@pytest.mark.parametrize(
    ("losses", "row"),
    [([10, 8, 4, 1, 4, 16], 2), ([1, 0, 1, 2, 3, 4], 0), ([0, 1, 2, 3, 4, 3], 5)],
)
def test_torch_lr_finder_own_cases(losses, row):
    lrs = np.arange(1, 7) / 10
    assert rules.torch_lr_finder(lrs, losses, skip_start=0, skip_end=0) == lrs[row]


def test_ignite_own_case():
    loss = np.linspace(-5, 5, 100) ** 2 + 0.05
    assert rules.ignite(np.linspace(0.01, 10, 100), loss) == pytest.approx(0.110909089)


def averages(recorder, losses):
    """Each library's average, a step at a time."""
    out, average = [], 0.0
    for t, loss in enumerate(losses, 1):
        if recorder in ("fastai", "dataiku"):
            average = loss + 0.98 * (average - loss)
            out.append(average / (1 - 0.98**t))
        elif recorder == "lightning":
            average = 0.98 * average + 0.02 * loss
            out.append(average / (1 - 0.98 ** (t + 1)))
        else:
            average = loss if t == 1 else 0.05 * loss + 0.95 * average
            out.append(average)
    return np.array(out)


RECORDERS = ["fastai", "torch_lr_finder", "lightning", "ignite", "dataiku"]


@pytest.mark.parametrize("recorder", RECORDERS)
def test_recorded_smooths_and_stops_like_the_library(recorder):
    lrs = np.geomspace(1e-5, 10, 300)
    losses = 2 + np.cos(np.log(lrs)) + lrs**2
    got_lrs, got = rules.recorded(recorder, lrs, losses)
    wanted = averages(recorder, losses)
    np.testing.assert_allclose(got, wanted[: len(got)], rtol=1e-9)
    np.testing.assert_array_equal(got_lrs, lrs[: len(got)])
    ratio = {"torch_lr_finder": 5, "ignite": 5, "dataiku": math.inf}.get(recorder, 4)
    assert np.all(got[:-1] <= ratio * np.minimum.accumulate(got[:-1]))
    assert len(got) == 300 or got[-1] > ratio * got[:-1].min()
    assert (len(got) == 300) == (recorder == "dataiku")


@pytest.mark.parametrize("recorder", RECORDERS)
def test_recorded_never_recovers_from_nan(recorder):
    losses = np.ones(50)
    losses[30] = np.nan
    _, smoothed = rules.recorded(recorder, np.geomspace(1e-3, 1, 50), losses)
    assert np.isfinite(smoothed[:30]).all()
    assert np.isnan(smoothed[30:]).all()


def test_compare_asks_every_rule():
    lr, loss = LOGS["small"]["lr"], LOGS["small"]["loss"]
    found = rules.compare(lr, loss)
    assert list(found) == list(rules.RULES)
    curve = rules.recorded("fastai", lr, loss)
    assert found["fastai_minimum"] == rules.fastai_minimum(*curve, num_it=len(lr))
    assert rules.compare(lr, loss, smoothed=True)["ignite"] == rules.ignite(lr, loss)
    # Rules that have no answer say None rather than fail.
    assert rules.compare(lr[:3], loss[:3])["lightning"] is None


@pytest.mark.parametrize("smoothed", [False, True])
def test_compare_takes_infinite_and_nan_losses_as_data(smoothed):
    lr, loss = LOGS["small"]["lr"], np.array(LOGS["small"]["loss"])
    loss[-30:-20], loss[-20:] = np.inf, np.nan
    found = rules.compare(lr, loss, smoothed=smoothed)  # and no warning either: they are errors here
    assert list(found) == list(rules.RULES)
    assert found["fastai_valley"] is not None


@pytest.mark.parametrize("name", rules.RULES)
def test_too_few_rows(name):
    with pytest.raises(ValueError, match=f"{name} |for {name}"):
        rules.RULES[name].suggest([0.1], [1.0])


def test_bad_input():
    with pytest.raises(ValueError, match="recorder must be one of"):
        rules.recorded("keras", [0.1], [1.0])
    with pytest.raises(ValueError, match=r"lr must be positive and finite, got 0\.0 \(row 3\)"):
        rules.torch_lr_finder([0.1, 0.2, 0.3, 0.0, *[0.5] * 40], np.ones(44))
