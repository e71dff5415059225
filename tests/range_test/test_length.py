"""How long a range test is where the length of the training to come is known."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import clrfast
from experiments import dense, fingerprint, make, run

LONG = "takes up to {} steps, more than a quarter of the {} of the training"


def quick(**options: Any) -> clrfast.RangeTest:
    """A test that is made and not run."""
    model = dense(torch.float32)
    return clrfast.RangeTest(model, torch.optim.SGD(model.parameters(), lr=0.1), **options)


def rows(test: clrfast.RangeTest) -> int:
    with test:
        for _ in test:
            for optimizer in test._optimizers.values():
                for parameter in (p for group in optimizer.param_groups for p in group["params"]):
                    parameter.data.add_(1.0)
            test.record(1.0)
    return len(test.log)


@pytest.mark.parametrize(
    ("total_steps", "steps"), [(200, 50), (500, 50), (1000, 100), (1999, 199), (6000, 600), (10**7, 600)]
)
def test_a_tenth_of_the_training_but_50_to_600_steps(total_steps: int, steps: int) -> None:
    assert rows(quick(total_steps=total_steps)) == steps
    assert len(run(*make(), steps=None, total_steps=total_steps, stop_factor=np.inf)) == steps


def test_without_the_training_nothing_is_chosen() -> None:
    log = run(*make(), steps=None, stop_factor=np.inf)
    assert len(log) == 200
    assert log.lr[0] == 1e-7
    assert log.lr.tolist() == run(*make(), steps=200, start_lr=1e-7, stop_factor=np.inf).lr.tolist()


def test_what_is_given_wins() -> None:
    log = run(*make(), steps=40, start_lr=1e-4, total_steps=1000)
    assert log.lr.tolist() == run(*make(), steps=40, start_lr=1e-4).lr.tolist()


def test_validation_takes_as_many_updates() -> None:
    model, optimizer = make()
    validation = [(torch.zeros(2, 8), torch.zeros(2, dtype=torch.long))]
    options = {"steps": None, "total_steps": 700, "stop_factor": np.inf, "validation": validation}
    assert len(run(model, optimizer, hold=7, **options)) == 10


@pytest.mark.parametrize(
    ("options", "spent"),
    [
        ({"total_steps": 199}, 50),
        ({"total_steps": 1}, 50),
        ({"total_steps": 1000, "steps": 251}, 251),
        ({"total_steps": 1000, "repeats": 3}, 300),
    ],
)
def test_a_test_of_more_than_a_quarter_is_warned_of_once(options: dict[str, Any], spent: int) -> None:
    message = LONG.format(spent, options["total_steps"])
    with pytest.warns(UserWarning, match=message) as warned:
        run(*make(), **{"steps": None, **options})
    assert len(warned) == 1
    assert Path(warned[0].filename).name == "experiments.py"  # where range_test is called
    if "repeats" not in options:
        with pytest.warns(UserWarning, match=message) as warned:
            quick(**options)
        assert Path(warned[0].filename) == Path(__file__)


def test_up_to_a_quarter_it_is_not() -> None:
    quick(total_steps=200)
    quick(total_steps=1000, steps=250)
    run(*make(), total_steps=1000, steps=50, repeats=5, stop_factor=1e-3)


def test_a_warning_that_is_an_error_changes_nothing() -> None:
    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=LONG.format(50, 60)):
            run(model, optimizer, steps=None, total_steps=60)
    assert (fingerprint(model), fingerprint(optimizer)) == before


@pytest.mark.parametrize(
    ("total_steps", "error", "message"),
    [
        (0, ValueError, f"total_steps must be an integer from 1 to {2**53}, got 0"),
        (-5, ValueError, f"total_steps must be an integer from 1 to {2**53}, got -5"),
        (1e3, TypeError, "total_steps must be an integer, got 1000.0"),
        (True, TypeError, "total_steps must be an integer, got True"),
        ("1000", TypeError, "total_steps must be an integer, got '1000'"),
    ],
)
def test_what_is_no_length_is_refused(total_steps: Any, error: type[Exception], message: str) -> None:
    model, optimizer = make()
    for ask in (quick, lambda **options: run(model, optimizer, **options)):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            ask(total_steps=total_steps)


def test_other_numbers_count_as_integers() -> None:
    assert rows(quick(total_steps=np.int64(1000))) == 100
