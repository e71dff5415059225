"""What probes say follows from their losses: scores, paired differences, the best and its basin."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import numpy as np
import pytest

from clrfast.analysis import Probes

STEPS = 100
MIDDLE = slice(30, 70)


def probes(*falls: float, noise: float = 0.3, own: float = 0.01, paired: bool = True, **rates: Any) -> Probes:
    """Losses that fall by so much in the end, under noise that all share and a little of their own."""
    random = np.random.default_rng(1)
    shared = 2.0 + noise * random.normal(size=STEPS)
    line = np.linspace(0, 1, STEPS)
    rows = []
    for fall in falls:
        batch = shared if paired else 2.0 + noise * random.normal(size=STEPS)
        rows.append(batch - fall * line + own * line * random.normal(size=STEPS))
    lr = rates.get("lr", [10.0 ** (i - 3) for i in range(len(falls))])
    return Probes(tuple({"lr": rate} for rate in lr), np.array(lr), np.array(rows), shared)


def test_scores_are_means_of_the_middle_and_differences_are_paired() -> None:
    found = probes(0.5, 1.0, -1.0)
    middle = found.losses[:, MIDDLE]
    np.testing.assert_allclose(found.score, middle.mean(axis=1))
    np.testing.assert_allclose(found.score_se, middle.std(axis=1, ddof=1) / math.sqrt(40))
    np.testing.assert_allclose(found.fall, found.start_loss[MIDDLE].mean() - found.score)
    assert (found.fall_se < 0.5 * found.score_se).all()
    assert found.best_index == 1
    assert found.best == {"lr": 0.01}
    assert found.best_lr == 0.01
    assert found.excess[1] == found.excess_se[1] == 0
    np.testing.assert_allclose(found.excess, found.score - found.score[1])
    assert found.has_signal
    assert found.basin.tolist() == [False, True, False]


def test_differences_of_other_batches_hold_their_noise() -> None:
    found = probes(0.5, 1.0, paired=False)
    assert not found.paired
    np.testing.assert_allclose(found.excess_se[0], np.hypot(*found.score_se))
    assert found.basin.tolist() == [True, True] or found.excess[0] > 3 * found.excess_se[0]


def test_noise_is_no_signal() -> None:
    found = probes(0.0, 0.0, 0.0, own=0.1)
    assert not found.has_signal
    assert "no learning signal" in repr(found)
    assert "no learning signal" in str(found)


def test_basin_is_what_is_as_good() -> None:
    found = probes(0.2, 0.97, 1.0, 0.98, 0.4)
    assert found.basin.tolist() == [False, True, True, True, False]
    assert found.basin_decades == pytest.approx(2.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e101])
def test_what_is_not_finite_is_worst(bad: float) -> None:
    found = probes(0.5, 1.0)
    found.losses[1, 80:] = bad
    assert found.score[1] == math.inf
    assert found.best_index == 0
    assert found.fall[1] == -math.inf
    assert found.excess[1] == math.inf
    assert math.isnan(found.excess_se[1])
    assert found.basin.tolist() == [True, False]
    assert "not finite" in str(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_where_all_break_nothing_is_good() -> None:
    found = probes(0.5, 1.0)
    found.losses[:, 5:] = math.nan
    assert not found.has_signal
    assert found.basin.tolist() == [False, False]
    assert found.basin_decades == 0.0
    assert found.excess.tolist() == [math.inf, math.inf]
    json.dumps(found.to_dict(), allow_nan=False)
    assert "no learning signal" in str(found)


def test_a_start_that_is_not_finite_has_no_signal() -> None:
    found = probes(0.5, 1.0)
    found.start_loss[3:] = math.nan
    assert not found.has_signal
    json.dumps(found.to_dict(), allow_nan=False)
    assert str(found)


def test_says_it_in_a_line_a_table_and_a_dictionary() -> None:
    found = probes(0.2, 0.97, 1.0)
    assert (
        repr(found) == "<Probes of 3 candidates, 100 steps each: best lr 0.1, 2 as good within 1.0 decades>"
    )
    lines = str(found).splitlines()
    assert lines[0] == "3 candidates, 100 steps each; losses are means of steps 30 to 69"
    assert lines[1].split("  ")[0] == "lr"
    assert [line.split()[0] for line in lines[2:5]] == ["0.001", "0.01", "0.1"]
    assert lines[3].endswith("as good")
    assert lines[4].endswith("best")
    plain = found.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["format"] == 1
    assert plain["best"] == {"lr": 0.1}
    assert plain["steps"] == 100
    assert plain["score"] == found.score.tolist()


def test_pickles_give_the_same_answers() -> None:
    found = probes(0.2, 0.97, 1.0)
    again = pickle.loads(pickle.dumps(found))
    assert again.to_dict() == found.to_dict()
    np.testing.assert_array_equal(again.losses, found.losses)
