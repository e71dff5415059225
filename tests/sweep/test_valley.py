"""What a sweep says of a search whose truth is known."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest

import clrfast
import sweep_runs
from clrfast._sweep._judge import Judgement, judged

pd = pytest.importorskip("pandas")


def frame(runs):
    rows = [{**sweep_runs.settings(run), "val_loss": run.end} for run in runs]
    return pd.DataFrame(rows)


def found(runs, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", clrfast.logs.ReadWarning)
        return clrfast.sweep(frame(runs), **options)


def best_at(batch_size, optimizer):
    return sweep_runs.BEST * (batch_size / 64) ** sweep_runs.EXPONENT * (20 if optimizer == "sgd" else 1)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_rate_and_its_laws_are_found(seed):
    sweep = found(sweep_runs.made(120, seed))
    moves = {move.setting: move for move in sweep.moves}
    batch, optimizer = moves["batch_size"], moves["optimizer"]
    wanted = best_at(batch.reference, optimizer.reference)
    low, high = sweep.best_lr_interval
    assert low <= sweep.best_lr <= high
    assert math.log(sweep.best_lr / wanted) == pytest.approx(0, abs=0.35)
    assert batch.exponent == pytest.approx(0.5, abs=0.1)
    assert abs(batch.exponent - 0.5) < 4 * batch.exponent_se
    assert (optimizer.exponent > 0) == (optimizer.level == "sgd")
    assert math.exp(abs(optimizer.exponent)) == pytest.approx(20, rel=0.4)
    rate, (low, high) = sweep.lr_at(batch_size=1024, optimizer="adam")
    assert low < rate < high
    assert math.log(rate / best_at(1024, "adam")) == pytest.approx(0, abs=0.5)
    assert sweep.confidence == "high"
    cheap, fair = sweep.basins[0.01], sweep.basins[0.05]
    assert fair[0] <= cheap[0] < sweep.best_lr < cheap[1] <= fair[1]
    off = max(abs(math.log(end / wanted)) for end in cheap)
    assert math.expm1(0.05 * off**2) < 0.03  # the true curve, at both ends


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of a search over the rate alone: of 50 intervals of 95 %, chance leaves 44 or more 99 times of 100."""
    held = 0
    for seed in range(50):
        random = np.random.default_rng(seed)
        lr = 10 ** random.uniform(-4, -1, 40)
        loss = np.exp(0.05 * (np.log(lr) - math.log(3e-3)) ** 2 + 0.05 * random.standard_normal(40))
        low, high = clrfast.sweep(pd.DataFrame({"lr": lr, "val_loss": loss})).best_lr_interval
        held += low <= 3e-3 <= high
    assert held >= 44


def test_a_sweep_is_the_same_whatever_calls_were_made_before():
    runs = sweep_runs.made(40)
    first = found(runs).to_dict(curve=True)
    np.random.default_rng(1).normal(size=10)
    assert found(runs).to_dict(curve=True) == first
    json.dumps(first, allow_nan=False)


def test_how_bad_a_bad_run_is_does_not_matter():
    runs = sweep_runs.made(60)
    worst = max((run for run in runs if math.isfinite(run.end)), key=lambda run: run.end)
    one = [run._replace(losses=[1e30]) if run == worst else run for run in runs]
    other = [run._replace(losses=[1e60]) if run == worst else run for run in runs]
    assert found(one).best_lr == found(other).best_lr


def test_runs_that_diverged_are_data():
    runs = sweep_runs.made(80, diverges_from=1e-3)  # below the best rate of most
    sweep = found(runs)
    assert len(sweep.diverged) == sum(math.isnan(run.end) for run in runs) > 10
    assert sweep.best_lr < 1.2e-3
    assert any("diverged" in reason for reason in sweep.reasons)
    assert sweep.to_dict()["runs"][0]["value"] is None or math.isfinite(sweep.runs[0].value)


def test_infinite_and_huge_losses_have_diverged_too():
    runs = sweep_runs.made(30, diverges_from=2)
    ends = [math.inf, -math.inf, 1e200]
    runs[:3] = [run._replace(losses=[end]) for run, end in zip(runs, ends)]
    assert len(found(runs).diverged) == 3


@pytest.mark.parametrize(("low", "high", "word"), [(-7, -4, "highest"), (-0.5, 1, "lowest")])
def test_a_best_rate_at_the_edge_is_said(low, high, word):
    random = np.random.default_rng(0)
    lr = 10 ** random.uniform(low, high, 40)
    loss = np.exp(0.02 * (np.log(lr) - math.log(3e-3)) ** 2 + 0.01 * random.standard_normal(40))
    sweep = clrfast.sweep(pd.DataFrame({"lr": lr, "val_loss": loss}))
    assert sweep.confidence == "low"
    assert any(word in reason for reason in sweep.reasons)


@pytest.mark.parametrize(
    ("rates", "losses", "reason"),
    [
        ([0.1, 0.01, 0.001] * 4, [1.0, 0.5, 0.9] * 4, "3 different rates are too few"),
        ([0.1, 0.01, 0.001, 0.0001], [1.0, 0.5, 0.9, 1.2], "4 runs that did not diverge are too few"),
        (list(np.geomspace(1e-4, 1, 20)), [1.0] * 20, "all runs end at the same value"),
        (list(np.geomspace(1e-4, 1, 20)), [math.nan] * 20, "0 runs that did not diverge are too few"),
    ],
)
def test_too_little_gives_no_number_and_says_why(rates, losses, reason):
    sweep = clrfast.sweep(pd.DataFrame({"lr": rates, "val_loss": losses}))
    assert sweep.best_lr is None
    assert sweep.best_lr_interval is None
    assert reason in sweep.reasons[0]
    assert "no number" in str(sweep)
    assert "no best rate" in repr(sweep)
    with pytest.raises(ValueError, match="the runs must show a best rate, got none"):
        sweep.lr_at()
    json.dumps(sweep.to_dict(curve=True), allow_nan=False)


def test_noise_alone_is_no_high_confidence():
    random = np.random.default_rng(0)
    lr = 10 ** random.uniform(-5, 0, 60)
    noise = pd.DataFrame({"lr": lr, "val_loss": np.exp(0.2 * random.standard_normal(60))})
    assert clrfast.sweep(noise).confidence != "high"


def test_accuracies_are_judged_the_other_way_round():
    data = frame(sweep_runs.made(80, diverges_from=2))
    data["val_acc"] = 1 / (1 + data.pop("val_loss"))
    sweep = clrfast.sweep(data)
    assert (sweep.metric, sweep.mode) == ("val_acc", "max")
    moves = {move.setting: move for move in sweep.moves}
    assert moves["batch_size"].exponent == pytest.approx(0.5, abs=0.15)
    assert "higher is better" in str(sweep)


def test_losses_that_may_be_negative():
    data = frame(sweep_runs.made(80, diverges_from=2))
    data["val_loss"] -= 2.0
    sweep = clrfast.sweep(data)
    assert sweep.best_lr is not None
    assert "median run" in sweep.cost_of


def test_a_setting_that_goes_with_the_rate_is_left_out():
    data = frame(sweep_runs.made(60, diverges_from=2))
    data["min_lr_of_schedule"] = data["learning_rate"] / 10
    data["notes_of_mine"] = [f"word {number}" for number in range(60)]
    with pytest.warns(clrfast.logs.ReadWarning):
        sweep = clrfast.sweep(data, lr="learning_rate")
    assert any("goes with the rate" in problem for problem in sweep.problems)
    assert any("60 different values" in problem for problem in sweep.problems)
    assert "min_lr_of_schedule" not in sweep.settings


def test_by_chooses_what_may_move_the_rate():
    runs = sweep_runs.made(60, diverges_from=2)
    assert found(runs, by=[]).moves == ()
    assert {move.setting for move in found(runs, by=["optimizer"]).moves} == {"optimizer"}
    assert found(runs, by=["batch_size"], settings=[]).settings == ("batch_size",)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mode": "low"}, ValueError, "mode must be one of 'min', 'max', got 'low'"),
        ({"take": "first"}, ValueError, "take must be one of 'last', 'best', got 'first'"),
        ({"take": 0}, ValueError, "take must be an integer from 1"),
        ({"metric": "lost"}, ValueError, "metric must be a name that runs have .*, got 'lost'"),
        ({"by": "batch_size"}, TypeError, "by must be a list of names, got 'batch_size'"),
        ({"by": ["width"]}, ValueError, "by must hold settings of the runs .*, got 'width'"),
        ({"settings": ["width"]}, ValueError, "settings must hold settings of the runs .*, got 'width'"),
        ({"lr": "rate"}, ValueError, "no run has a peak rate and a metric"),
        ({"max_expansion": 0.5}, ValueError, "max_expansion must be finite and >= 1, got 0.5"),
    ],
)
def test_arguments_are_checked(options, error, message):
    with pytest.raises(error, match=message):
        found(sweep_runs.made(12), **options)


def test_what_is_no_source_is_said():
    with pytest.raises(TypeError, match="source must be paths or a data frame, got int"):
        clrfast.sweep(3)


def test_lr_at_checks_its_settings():
    sweep = found(sweep_runs.made(40))
    with pytest.raises(ValueError, match=r"settings must be of those that move the rate .*, got width"):
        sweep.lr_at(width=3)
    with pytest.raises(ValueError, match="batch_size must be > 0, got -1"):
        sweep.lr_at(batch_size=-1)


def test_missing_settings_take_the_usual_one():
    runs = [
        clrfast.SweptRun(str(k), lr, math.exp(0.05 * math.log(lr / 1e-3) ** 2), {"width": w} if w else {})
        for k, (lr, w) in enumerate(zip(np.geomspace(1e-5, 1e-1, 30), [64, 128, None] * 10))
    ]
    sweep = judged(runs, Judgement("val_loss", "min"), [])
    assert any("10 of 30 runs have no 'width'" in problem for problem in sweep.problems)
    assert sweep.best_lr == pytest.approx(1e-3, rel=0.1)


def test_picture():
    pytest.importorskip("matplotlib").use("Agg")
    ax = found(sweep_runs.made(60)).plot()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "diverged" in labels
    assert any(label.startswith("best_lr") for label in labels)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    few = found(sweep_runs.made(5)).plot()
    assert [text.get_text() for text in few.get_legend().get_texts()] == ["runs"]


def test_page_takes_names_for_text():
    pytest.importorskip("plotly")
    data = frame(sweep_runs.made(40))
    data["name"] = "</script><script>alert(1)</script>"
    data.loc[3, "optimizer"] = "<b>adam</b>"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", clrfast.logs.ReadWarning)
        page = clrfast.sweep(data).to_html("<i>title</i>")
    body = page.partition("<script>")[0]
    assert "<i>title" not in body
    assert "&lt;b&gt;adam" in body
    assert "alert(1)</script>" not in page.replace("&lt;/script&gt;", "")
    assert "default-src 'none'" in page
