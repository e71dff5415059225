"""What becomes of a suggestion by probes: each case of the rule, on probes whose losses are known."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

import clrfast
from clrfast.analysis import Probes, Suggestion
from clrfast.analysis._verdict import judged

APART = 10 ** (2 / 3)


def suggestion(confidence: Any = "medium", max_lr: float | None = 0.1, **others: Any) -> Suggestion:
    return Suggestion(
        bounds=(None, None) if max_lr is None else (max_lr / 5, max_lr),
        base_lr_interval=None if max_lr is None else (max_lr / 6, max_lr / 4),
        max_lr_interval=None if max_lr is None else (max_lr / 2, max_lr * 2),
        confidence=confidence,
        still_falling=others.get("still_falling", False),
        reasons=() if confidence == "high" else ("noisy",),
        rule="clrfast",
    )


def probes(*falls: float, around: float = 0.1, first: int = -1) -> Probes:
    """Probes at rates a step apart, beginning so many steps from `around`, that fall by so much."""
    lr = around * APART ** np.arange(first, first + len(falls))
    noise = np.random.default_rng(0).normal(size=(len(falls) + 1, 100))
    line = np.linspace(0, 1, 100)
    losses = 2.0 + noise[0] - np.outer(falls, line) + 0.02 * noise[1:] * line
    return Probes(tuple({"lr": rate} for rate in lr.tolist()), lr, losses, 2.0 + noise[0])


@pytest.mark.parametrize("confidence", ["low", "medium", "high"])
@pytest.mark.parametrize("falls", [(0.5, 1.0, 0.2), (0.5, 0.95, 1.0), (1.0, 0.96, 0.3)])
def test_confirmed_is_sure_where_a_neighbour_is_clearly_worse(confidence: Any, falls: Any) -> None:
    before = suggestion(confidence)
    found = judged(before, probes(*falls))
    assert found == dataclasses.replace(before, verified=True, confidence="high", reasons=())


@pytest.mark.parametrize("confidence", ["low", "medium", "high"])
def test_confirmed_by_probes_that_are_all_alike_is_as_sure_as_before(confidence: Any) -> None:
    before = suggestion(confidence)
    assert judged(before, probes(0.98, 1.0, 0.97)) == dataclasses.replace(before, verified=True)


def test_still_falling_is_settled_by_a_worse_neighbour_above() -> None:
    before = suggestion(still_falling=True)
    assert not judged(before, probes(0.5, 1.0, 0.2)).still_falling
    assert judged(before, probes(0.5, 1.0, 1.0)).still_falling


@pytest.mark.parametrize("confidence", ["low", "medium", "high"])
@pytest.mark.parametrize(("falls", "steps"), [((0.1, 0.5, 1.0, 0.9), 1), ((1.0, 0.5, -1.0), -1)])
def test_moves_to_what_is_clearly_better(confidence: Any, falls: Any, steps: int) -> None:
    found = judged(suggestion(confidence), probes(*falls))
    assert found.verified is False
    assert found.max_lr == pytest.approx(0.1 * APART**steps)
    assert found.base_lr == pytest.approx(found.max_lr / 5)
    assert found.confidence == "medium"
    assert found.max_lr_interval is not None
    assert found.max_lr_interval[0] < found.max_lr < found.max_lr_interval[1]
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith("probes move max_lr from 0.1")


def test_what_diverges_is_left() -> None:
    broken = probes(0.5, 1.0, 1.0)
    broken.losses[1:, 50:] = np.nan
    found = judged(suggestion("high"), broken)
    assert found.max_lr == pytest.approx(0.1 / APART)
    assert found.verified is False


@pytest.mark.parametrize("max_lr", [0.1, None])
@pytest.mark.parametrize("falls", [(0.0, 0.0, 0.0), (-0.2, -0.5, -2.0)])
def test_without_a_fall_there_is_no_number(max_lr: Any, falls: Any) -> None:
    found = judged(suggestion("low", max_lr), probes(*falls))
    assert found.bounds == (None, None)
    assert found.base_lr_interval is found.max_lr_interval is None
    assert found.confidence == "low"
    assert found.verified is False
    assert found.reasons[0].startswith(
        "no learning signal: in probes of 100 steps at rates from 0.022 to 0.46"
    )
    assert ("the ramp alone would say max_lr = 0.1" in found.reasons[0]) == (max_lr is not None)
    assert found.reasons[1:] == ("noisy",)


def test_a_ladder_gives_the_number_that_the_ramp_has_not() -> None:
    found = judged(suggestion("low", None), probes(0.1, 0.5, 1.0, 0.3, around=1.0, first=-4))
    assert found.max_lr == pytest.approx(1.0 / APART**2)
    assert found.base_lr == pytest.approx(found.max_lr / 5)
    assert found.confidence == "medium"  # both neighbours are worse
    at_the_end = judged(suggestion("low", None), probes(0.1, 0.2, 0.5, 1.0, around=1.0, first=-4))
    assert at_the_end.confidence == "low"
    assert at_the_end.reasons == ("the ramp shows no rate: max_lr is the best of 4 that were probed",)


def test_probes_of_other_rates_speak_for_themselves() -> None:
    found = judged(suggestion("high", 5.0), probes(0.5, 1.0, 0.2))
    assert found.max_lr == pytest.approx(0.1)
    assert found.verified is False


def test_logs_keep_their_probes_and_analyses_ask_them() -> None:
    lr = np.geomspace(1e-6, 10, 200)
    loss = 2.0 - 1.5 / (1 + (0.02 / lr) ** 2) + 3 * (lr / 2) ** 2
    plain = clrfast.Log(lr, loss)
    rate = plain.analyze().suggestion.max_lr
    log = clrfast.Log(lr, loss, probes=probes(0.5, 1.0, 0.2, around=rate))
    assert "3 probes" in repr(log)
    assert plain.analyze().suggestion.verified is None
    for found in (log.analyze(), clrfast.analyze(log), pickle.loads(pickle.dumps(log)).analyze()):
        assert found.suggestion.verified is True
        assert "probes: confirmed" in str(found)
    assert log.unsmoothed(0.0).probes is log.probes
    assert log.split()[""] is log
    assert clrfast.analyze(log.lr, log.loss).suggestion == plain.analyze().suggestion
    moved = clrfast.Log(lr, loss, probes=probes(0.5, 0.6, 1.0, around=rate)).analyze()
    assert "probes: not confirmed" in str(moved)


def test_suggestions_pickled_before_there_were_probes_are_not_verified() -> None:
    state = dict(vars(suggestion()))
    del state["verified"]
    old = object.__new__(Suggestion)
    old.__dict__.update(state)
    assert pickle.loads(pickle.dumps(old)).verified is None
