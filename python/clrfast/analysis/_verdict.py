"""What probes say about a suggestion: they confirm it, move it, or find nothing to learn."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from clrfast.analysis._analysis import Analysis
from clrfast.analysis._probes import Probes
from clrfast.analysis._suggestion import Suggestion

_HALF_WAY = 10 ** (1 / 3)  # to the next rate probed
_BASE_SHARE = 0.2  # of max_lr, where the ramp has no base_lr


def with_probes(analysis: Analysis, probes: Any) -> Analysis:
    """Return the analysis with the suggestion that it and its probes, if any, make together."""
    if not isinstance(probes, Probes):
        return analysis
    return dataclasses.replace(analysis, suggestion=judged(analysis.suggestion, probes))


def judged(suggestion: Suggestion, probes: Probes) -> Suggestion:
    """Return what a suggestion becomes by probes of rates around it.

    It is confirmed where it is in the basin of the best, and sure where a neighbour is clearly worse, so that
    the probes could have told. Where it is not, it moves to the best. Without a signal there is none.
    """
    max_lr = suggestion.bounds[1]
    if not probes.has_signal:
        return _without_signal(suggestion, probes)
    if max_lr is None:
        return _moved(suggestion, probes)
    here = int(np.argmin(np.abs(np.log(probes.lr / max_lr))))
    if not (_is_near(float(probes.lr[here]), max_lr) and probes.basin[here]):
        return _moved(suggestion, probes)
    below, above = (_is_worse(probes, here, step) for step in (-1, 1))
    still_falling = suggestion.still_falling and not above
    if not (below or above):
        return dataclasses.replace(suggestion, verified=True)
    return dataclasses.replace(
        suggestion, confidence="high", still_falling=still_falling, reasons=(), verified=True
    )


def _is_near(rate: float, other: float) -> bool:
    return 1 / _HALF_WAY < rate / other < _HALF_WAY


def _is_worse(probes: Probes, here: int, step: int) -> bool:
    """Return whether the next rate below (-1) or above (1) was probed, and is not in the basin."""
    order = np.argsort(probes.lr).tolist()
    place = order.index(here) + step
    return 0 <= place < len(order) and not probes.basin[order[place]]


def _without_signal(suggestion: Suggestion, probes: Probes) -> Suggestion:
    reason = (
        f"no learning signal: in probes of {len(probes.start_loss)} steps at rates from "
        f"{probes.lr.min():.2g} to {probes.lr.max():.2g} the loss does not fall clearly"
    )
    max_lr = suggestion.bounds[1]
    if max_lr is not None:
        reason += f" (the ramp alone would say max_lr = {max_lr:.2g})"
    return dataclasses.replace(
        suggestion,
        bounds=(None, None),
        base_lr_interval=None,
        max_lr_interval=None,
        confidence="low",
        still_falling=False,
        reasons=(reason, *suggestion.reasons),
        verified=False,
    )


def _moved(suggestion: Suggestion, probes: Probes) -> Suggestion:
    base_lr, max_lr = suggestion.bounds
    best_lr, here = probes.best_lr, probes.best_index
    share = _BASE_SHARE if base_lr is None or max_lr is None else base_lr / max_lr
    bracketed = _is_worse(probes, here, -1) and _is_worse(probes, here, 1)
    reason = (
        f"the ramp shows no rate: max_lr is the best of {len(probes.lr)} that were probed"
        if max_lr is None
        else f"probes move max_lr from {max_lr:.2g}: at {best_lr:.2g} the loss falls further"
    )
    return dataclasses.replace(
        suggestion,
        bounds=(share * best_lr, best_lr),
        base_lr_interval=_around(share * best_lr),
        max_lr_interval=_around(best_lr),
        confidence="medium" if bracketed or max_lr is not None else "low",
        still_falling=False,
        reasons=(reason,),
        verified=False,
    )


def _around(rate: float) -> tuple[float, float]:
    return rate / _HALF_WAY, rate * _HALF_WAY
