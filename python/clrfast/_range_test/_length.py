"""How long a range test is where the length of the training to come is known."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

from clrfast import _check
from clrfast._range_test._arguments import warn

USUAL_STEPS, USUAL_START = 200, 1e-7  # where nothing is said
# Fewer steps place the rate badly, more place it no better: `benchmarks/range_test_length.py`.
_FEWEST, _MOST = 50, 600
_SHARE = 10  # of the training: a tenth
_LARGE = 4  # beyond a quarter of it, the test is worth a warning


def steps_for(
    total_steps: SupportsIndex | None, steps: SupportsIndex | None, repeats: int = 1
) -> SupportsIndex:
    """Return the steps of a test: those given, or else a tenth of the training, but 50 to 600.

    Args:
        total_steps: Steps of the training to come, >= 1; None where that is not known.
        steps: What a user asks for; None leaves it to this function.
        repeats: How many such tests there are.
    """
    if total_steps is None:
        return USUAL_STEPS if steps is None else steps
    training = _check.whole("total_steps", total_steps, least=1)
    chosen = length_for(training) if steps is None else steps
    spent = repeats * _check.whole("steps", chosen, least=2)
    if spent * _LARGE > training:
        warn(
            f"the range test takes up to {spent} steps, more than a quarter of the {training} of the training"
        )
    return chosen


def length_for(training: int) -> int:
    """Return how long a test is that pays for a training of so many steps."""
    return min(max(_FEWEST, training // _SHARE), _MOST)


def with_total_steps(options: dict[str, Any], total_steps: float | None) -> dict[str, Any]:
    """Return options of a test with the steps that a framework knows of, unless a user has said how long.

    Args:
        options: As `range_test` takes them.
        total_steps: Steps of the training to come; None, 0 or infinity where that is not known.
    """
    if total_steps and total_steps < math.inf and options.keys().isdisjoint(("steps", "total_steps")):
        return {**options, "total_steps": int(total_steps)}
    return options
