"""A suggestion gives numbers, or one error with its reasons; looking at any result never raises."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import sys
import typing

import numpy as np
import pytest

import clrfast
from clrfast import rules, schedules
from clrfast.analysis import Analysis, NoSuggestionError, Phases, Suggestion, analyze
from states import log

SHOWN = analyze(*log())
FLAT = analyze(np.geomspace(1e-6, 1, 200), np.ones(200))  # which suggests nothing
ONE_BOUND = rules.suggest("fastai_valley", *log())
NO_FALL = "the loss neither falls nor rises clearly"


def test_bounds_are_numbers():
    found = SHOWN.suggestion
    assert found
    assert found.bounds == (found.base_lr, found.max_lr)
    assert type(found.base_lr) is type(found.max_lr) is float
    assert 0 < found.base_lr < found.max_lr


@pytest.mark.parametrize(
    "ask",
    [
        lambda found: found.base_lr,
        lambda found: found.max_lr,
        lambda found: found.one_cycle(100),
        lambda found: found.triangular(10),
    ],
    ids=["base_lr", "max_lr", "one_cycle", "triangular"],
)
def test_a_log_that_shows_nothing_says_so_when_a_rate_is_asked_for(ask):
    found = FLAT.suggestion
    assert not found
    message = rf"^there is no (base|max)_lr to use, because the log suggests no range: {NO_FALL}$"
    with pytest.raises(NoSuggestionError, match=message) as caught:
        ask(found)
    assert isinstance(caught.value, ValueError)
    assert caught.value.reasons == found.reasons == (NO_FALL,)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.reasons) == (NoSuggestionError, str(caught.value), (NO_FALL,))


def test_a_rule_without_a_lower_bound_says_so():
    assert ONE_BOUND
    assert ONE_BOUND.bounds == (None, ONE_BOUND.max_lr)
    message = "there is no base_lr to use: the rule fastai_valley gives no lower bound, only max_lr = "
    for ask in (lambda: ONE_BOUND.base_lr, ONE_BOUND.triangular):
        with pytest.raises(NoSuggestionError, match=message) as caught:
            ask()
        assert caught.value.reasons == ("the rule fastai_valley gives no lower bound",)
    assert ONE_BOUND.one_cycle(100) == schedules.one_cycle(ONE_BOUND.max_lr, 100)


@pytest.mark.parametrize("analysis", [SHOWN, FLAT, dataclasses.replace(SHOWN, suggestion=ONE_BOUND)])
def test_looking_never_raises(analysis):
    pytest.importorskip("plotly")
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    found = analysis.suggestion
    for shown in (repr(analysis), str(analysis), repr(found), str(found), repr(analysis.phases)):
        assert shown
    plain = json.loads(json.dumps(analysis.to_dict(), allow_nan=False))
    assert plain["format"] == 1
    assert (plain["suggestion"]["base_lr"], plain["suggestion"]["max_lr"]) == found.bounds
    assert plain["suggestion"] == json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert "bounds" not in plain["suggestion"]
    again = pickle.loads(pickle.dumps(analysis))
    assert again.suggestion == found == copy.deepcopy(found)
    assert again.phases == analysis.phases
    assert hash(again.suggestion) == hash(found)
    assert dataclasses.replace(found, rule="mine").bounds == found.bounds
    plt.close(analysis.plot().figure)
    assert "Plotly" in analysis.to_html()


def test_reprs_say_what_was_found():
    found = SHOWN.suggestion
    low, high = f"{found.base_lr:.3g}", f"{found.max_lr:.3g}"
    assert repr(found) == f"<Suggestion: {low} to {high}, confidence high>"
    assert repr(FLAT.suggestion) == f"<Suggestion: no range, confidence low; {NO_FALL}>"
    assert repr(ONE_BOUND) == f"<Suggestion: to {ONE_BOUND.max_lr:.3g}, rule fastai_valley>"
    assert repr(SHOWN) == f"<Analysis of 5,000 rows: {low} to {high}, confidence high>"
    assert repr(SHOWN.phases).startswith(f"<Phases: plateau_end_lr={SHOWN.phases.plateau_end_lr:.3g}, steep")
    assert repr(FLAT.phases) == "<Phases: none>"


def test_schedules_are_those_of_the_factories():
    found = SHOWN.suggestion
    assert found.one_cycle(100) == schedules.one_cycle(found.max_lr, 100)
    options = {"pct_start": 0.2, "div_factor": 10.0, "final_div_factor": 100.0, "three_phase": True}
    assert found.one_cycle(100, **options) == schedules.one_cycle(found.max_lr, 100, **options)
    straight = found.one_cycle(100, shape="linear")
    assert straight != found.one_cycle(100)
    assert straight(15) == pytest.approx(
        (found.max_lr / 25 * 14 + found.max_lr * 15) / 29
    )  # of 29 to the peak
    assert found.triangular() == schedules.triangular(found.base_lr, found.max_lr)
    assert found.triangular(30, 40) == schedules.triangular(found.base_lr, found.max_lr, 30, 40)
    with pytest.raises(ValueError, match=r"shape must be one of 'cosine', 'linear', got 'welch'"):
        found.one_cycle(100, shape="welch")


def test_results_are_known_by_public_names():
    for kind in (Analysis, NoSuggestionError, Phases, Suggestion, clrfast.analysis.State):
        assert kind.__module__ == "clrfast.analysis"
        assert getattr(clrfast.analysis, kind.__name__) is kind
    assert b"clrfast.analysis._" not in pickle.dumps((SHOWN, FLAT, clrfast.analysis.State()), protocol=0)


def test_a_log_alone_is_enough():
    lr, loss = log()
    assert clrfast.analyze(clrfast.Log(lr, loss)).suggestion == SHOWN.suggestion
    assert clrfast.analyze(lr=clrfast.Log(lr, loss), beta=0.5).beta == 0.5
    table = np.rec.fromarrays([lr, loss], names="lr,loss")
    assert clrfast.analyze(table).suggestion == SHOWN.suggestion


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_data_frame_alone_is_enough(library):
    module = pytest.importorskip(library)
    make = module.table if library == "pyarrow" else module.DataFrame
    lr, loss = log()
    assert clrfast.analyze(make({"lr": lr, "other": loss, "loss": loss})).suggestion == SHOWN.suggestion
    with pytest.raises(ValueError, match="a data frame must have the columns lr and loss, got no loss"):
        clrfast.analyze(make({"lr": lr, "other": loss}))


def test_what_is_no_log_of_one_run_is_named():
    lr, loss = log(rows=100)
    two = clrfast.Log(lr, loss, runs=("a", "b"), offsets=[0, 50, 100])
    with pytest.raises(ValueError, match=r"the log must hold one run, got 2: use log.analyze_runs\(\)"):
        clrfast.analyze(two)
    for nothing in (lr, 3.0, None, "log.csv"):
        with pytest.raises(
            TypeError, match="loss must be given beside lr, or a log that has both columns, got "
        ):
            clrfast.analyze(nothing)


def test_a_plot_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"plot\(\) needs matplotlib, .* pip install 'clrfast\[plot\]'"):
        SHOWN.plot()


def test_types_of_rates_say_that_there_is_one():
    """As `schedules.one_cycle(found.max_lr, ...)` needs, where types are checked strictly."""
    for bound in (Suggestion.base_lr, Suggestion.max_lr):
        assert typing.get_type_hints(bound.fget)["return"] is float


@pytest.mark.parametrize("module", [clrfast.analysis, clrfast.rules, clrfast.smoothing])
def test_modules_show_public_names_alone(module):
    assert sorted(dir(module)) == sorted(module.__all__)
    assert not [name for name in module.__all__ if name.startswith("_")]
    for name in module.__all__:
        assert hasattr(module, name)


def test_a_loss_that_explodes_and_comes_back_bounds_the_rate():
    """As of a ramp at a momentum of 0.99: the wide window would carry the fall past the explosion."""
    at = np.log10([1e-5, 1e-3, 4.5e-3, 9.3e-3, 1.6e-2, 2.4e-2, 3.4e-2, 4.9e-2, 7.1e-2, 0.124, 0.216, 0.376])
    level = [2.307, 2.277, 2.15, 1.81, 1.18, 0.69, 1.41, 1.75, 1.26, 0.98, 1.06, 2.7]
    lr = np.geomspace(1e-5, 0.4, 231)
    for seed in range(5):
        noise = 0.03 * np.random.default_rng(seed).standard_normal(231)
        found = analyze(lr, np.interp(np.log10(lr), at, level) + noise)
        assert 0.008 < found.suggestion.max_lr < found.phases.divergence_lr
        assert found.suggestion.confidence != "high"
        assert any("explodes and comes back" in reason for reason in found.suggestion.reasons)
