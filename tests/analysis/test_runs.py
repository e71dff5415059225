"""Many runs in one call: each gets the answer it would get alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clrfast.analysis import analyze, analyze_repeats, analyze_runs


def runs(count=5, rows=300, noise=0.05):
    lr = np.geomspace(1e-6, 10, rows)
    x = np.log(lr)
    rng = np.random.default_rng(0)
    losses = []
    for k in range(count):
        fall = math.log(1e-3) + 0.2 * k
        curve = 2 - 1.5 / (1 + np.exp(-2 * (x - fall))) + np.exp(1.5 * (x - 0.2 * k))
        losses.append(curve + noise * rng.standard_normal(rows))
    return np.tile(lr, count), np.concatenate(losses)


def assert_records_equal_analyses(table, lr, loss, groups):
    assert len(table) == len(groups)
    for record, rows in zip(table, groups):
        a = analyze(lr[rows], loss[rows])
        s, p = a.suggestion, a.phases
        for name in ("base_lr", "max_lr"):
            low, high = getattr(s, f"{name}_interval")
            assert record[name] == getattr(s, name)
            assert (record[f"{name}_low"], record[f"{name}_high"]) == (low, high)
        for name in ("plateau_end_lr", "steepest_lr", "min_lr", "turn_lr", "divergence_lr"):
            wanted = getattr(p, name)
            assert np.isnan(record[name]) if wanted is None else record[name] == wanted
        assert (record["n"], record["n_nonfinite"]) == (a.n, a.n_nonfinite)
        assert (record["confidence"], record["still_falling"]) == (s.confidence, s.still_falling)


@pytest.mark.parametrize("threads", [1, 4])
def test_offsets_of_ragged_runs(threads):
    lr, loss = runs(count=40)
    loss[5 * 300 - 3 : 5 * 300] = np.nan
    offsets = np.concatenate([[0], np.sort(np.arange(300, 39 * 300, 300) + 17), [40 * 300]])
    groups = [slice(a, b) for a, b in zip(offsets, offsets[1:])]
    table = analyze_runs(lr, loss, offsets=offsets, threads=threads)
    np.testing.assert_array_equal(table["run"], np.arange(len(groups)))
    assert_records_equal_analyses(table, lr, loss, groups)


def test_run_column_in_any_order():
    lr, loss = runs(count=3)
    names = np.repeat(["b", "a", "c"], 300)
    groups = [slice(0, 300), slice(300, 600), slice(600, 900)]
    table = analyze_runs(lr, loss, run=names)
    assert list(table["run"]) == ["b", "a", "c"]
    assert_records_equal_analyses(table, lr, loss, groups)
    # Interleaved, as runs that were logged side by side.
    mixed = np.arange(900).reshape(3, 300).T.ravel()
    np.testing.assert_array_equal(table, analyze_runs(lr[mixed], loss[mixed], run=names[mixed]))
    numbers = analyze_runs(lr[mixed], loss[mixed], run=np.repeat([7, 3, 5], 300)[mixed])
    assert list(numbers["run"]) == [7, 3, 5]


def test_runs_that_are_too_short_have_no_suggestion():
    lr, loss = runs(count=2)
    table = analyze_runs(lr, loss, offsets=[0, 0, 2, 300, 600])
    assert np.isnan(table["max_lr"][:2]).all()
    assert np.isfinite(table["max_lr"][2:]).all()
    assert list(table["n"]) == [0, 2, 298, 300]
    assert table["confidence"][0] == "low"
    assert len(analyze_runs([], [], offsets=[0])) == 0
    assert len(analyze_runs([], [], run=[])) == 0


def test_repeats_give_one_suggestion_with_an_interval():
    lr, loss = runs(count=6, noise=0.3)
    names = np.repeat(np.arange(6), 300)
    together = analyze_repeats(lr, loss, run=names)
    single = analyze_runs(lr, loss, run=names)
    s = together.suggestion
    low, high = s.max_lr_interval
    assert low <= s.max_lr <= high
    assert low < np.exp(np.log(single["max_lr"]).mean()) < high
    logs = np.log(single["max_lr"])
    half = 2.571 * logs.std(ddof=1) / math.sqrt(6)  # Student's t for five degrees of freedom
    assert math.log(low) <= logs.mean() - 0.9 * half
    assert math.log(high) >= logs.mean() + 0.9 * half
    low, high = s.base_lr_interval
    logs = np.log(single["base_lr"])
    half = 2.571 * logs.std(ddof=1) / math.sqrt(6)
    assert math.log(high / low) == pytest.approx(2 * half, rel=0.5)
    assert together.n == 1800
    np.testing.assert_array_equal(together.loss, loss)


def test_repeats_that_disagree_are_trusted_less():
    lr = np.geomspace(1e-6, 10, 300)
    x = np.log10(lr)
    noise = 0.02 * np.random.default_rng(0).standard_normal((4, 300))
    logs = [
        2 - 1.5 / (1 + np.exp(-(x - at) / 0.2)) + 3 / (1 + np.exp(-(x - at - 2) / 0.1)) + noise[k]
        for k, at in enumerate((-4.5, -4, -3, -2.5))
    ]
    alike = analyze_repeats(np.tile(lr, 4), np.tile(logs[0], 4), offsets=[0, 300, 600, 900, 1200])
    apart = analyze_repeats(np.tile(lr, 4), np.concatenate(logs), offsets=[0, 300, 600, 900, 1200])
    assert not any("disagree" in reason for reason in alike.suggestion.reasons)
    assert any("the repeats disagree: they suggest from" in reason for reason in apart.suggestion.reasons)
    assert apart.suggestion.confidence != "high"
    nothing = np.concatenate([logs[0], *(2 + noise[1:])])
    few = analyze_repeats(np.tile(lr, 4), nothing, offsets=[0, 300, 600, 900, 1200]).suggestion
    assert not few or any("only 1 of 4 repeats suggest a rate" in reason for reason in few.reasons)


@pytest.mark.parametrize(
    ("start", "drop", "rows", "message"),
    [
        (8.0, 3.0, 300, "their losses begin at 2 to 8"),
        (2000.0, 1500.0, 300, "their losses begin at 2 to 2"),
        (2.0, 1.5, 3000, "they take from 42.9 to 429 steps a decade"),
    ],
)
def test_runs_that_repeat_nothing_are_told_apart(start, drop, rows, message):
    lr, loss = runs(count=1)
    other = np.geomspace(1e-6, 10, rows)
    fall = 1 / (1 + np.exp(-(np.log10(other) + 3) / 0.2))
    rise = 3 / (1 + np.exp(-(np.log10(other) - 0.5) / 0.1))
    noise = 0.02 * np.random.default_rng(0).standard_normal(rows)
    found = analyze_repeats(
        np.concatenate([lr, other]),
        np.concatenate([loss, start + drop * (rise - fall + noise)]),
        offsets=[0, 300, 300 + rows],
    ).suggestion
    assert found.confidence == "low"
    assert any(f"these runs do not repeat one test: {message}" in reason for reason in found.reasons)


def test_two_repeats_keep_the_interval_of_the_merged_curve():
    lr, loss = runs(count=2)
    together = analyze_repeats(lr, loss, offsets=[0, 300, 600])
    assert together.n == 600
    assert together.suggestion.max_lr_interval[0] < together.suggestion.max_lr


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({}, TypeError, "run or offsets must be given, and not both, got neither"),
        ({"run": [1] * 10, "offsets": [0, 10]}, TypeError, "and not both, got both"),
        ({"run": [1] * 9}, ValueError, r"run must have one entry a row, shape \(10,\), got \(9,\)"),
        ({"offsets": [0, 5]}, ValueError, r"ascend from 0 to the number of rows, 10, got \[0, 5\]"),
        ({"offsets": [0, 7, 5, 10]}, ValueError, "ascend from 0"),
        ({"offsets": [1, 10]}, ValueError, "ascend from 0"),
        ({"offsets": []}, TypeError, "offsets must be a column of integers"),
        ({"offsets": [0, 2.5, 10]}, TypeError, "offsets must be a column of integers"),
        ({"offsets": [0, 10], "threads": 0}, ValueError, "threads must be at least 1, got 0"),
    ],
)
def test_bad_input_is_named(more, error, message):
    lr = np.geomspace(1e-3, 1, 10)
    with pytest.raises(error, match=message):
        analyze_runs(lr, lr, **more)


def test_a_bad_rate_is_named_by_its_row():
    lr, loss = runs(count=3)
    lr[700] = -1
    with pytest.raises(ValueError, match=r"got -1\.0 \(row 700\)"):
        analyze_runs(lr, loss, offsets=[0, 300, 900])
    mixed = np.arange(900).reshape(3, 300).T.ravel()
    row = int(np.flatnonzero(mixed == 700)[0])
    with pytest.raises(ValueError, match=rf"got -1\.0 \(row {row}\)"):
        analyze_runs(lr[mixed], loss[mixed], run=np.repeat([1, 2, 3], 300)[mixed])
