"""The highest rate: a range test, and probes around what it suggests."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clrfast._range_test._loop import ramps
from clrfast._range_test._verify import verified
from clrfast._tune._choice import Choice, Confidence, kept
from clrfast.analysis import NoSuggestionError, Probes
from clrfast.logs import Log

if TYPE_CHECKING:
    from clrfast._range_test._training import Training

_BASE_SHARE = 0.2  # of max_lr, where nothing says where the fall begins


class Rate(NamedTuple):
    """What was found of the rate.

    Attributes:
        choice: That of `max_lr`.
        base_lr: The lower bound.
        log: What the range test recorded, with its probes.
        is_found: Whether anything says so; otherwise it is the optimizer's own.
    """

    choice: Choice
    base_lr: float
    log: Log
    is_found: bool


def choose_rate(
    training: Training, options: dict[str, Any], steps: int, probe_steps: int, now: float
) -> Rate:
    """Find `max_lr` by a range test and probes around what it suggests.

    Args:
        training: What is trained.
        options: What `RangeTest` is given.
        steps: Steps of the range test.
        probe_steps: Steps of each probe; 0 for none.
        now: The highest rate that the optimizer has, which stays where nothing is suggested.

    Raises:
        NoSuggestionError: Nothing is suggested, and the optimizer's rate is 0.
    """
    plain = copy.copy(training)
    plain.validation = None  # a validation at each rate would cost more than the ramp
    log = ramps(plain, {**options, "steps": steps})
    if probe_steps:
        log = verified(log, plain, options, probe_steps)
    try:
        found = log.analyze().suggestion
    except ValueError as error:  # it diverged at once
        return _as_it_is(now, log, str(error))
    reasons = (
        found.reasons if probe_steps else (*found.reasons, "not checked: the budget is too small for probes")
    )
    confidence: Confidence = found.confidence or "low"
    if not found:  # noise hides from probes what a ramp may have seen
        found = dataclasses.replace(log, probes=None).analyze().suggestion
        reasons, confidence = (*reasons, "that of the ramp alone is taken"), "low"
    base_lr, max_lr = found.bounds
    if max_lr is None:
        return _as_it_is(now, log, *found.reasons)
    choice = _choice(max_lr, now, log.probes, confidence, reasons)
    return Rate(choice, _BASE_SHARE * max_lr if base_lr is None else base_lr, log, True)


def _as_it_is(now: float, log: Log, *reasons: str) -> Rate:
    if now == 0:
        raise NoSuggestionError("tune() finds no max_lr, and the optimizer's rate is 0", reasons)
    choice = _choice(now, now, log.probes, "low", (*reasons, "the optimizer's rate stays"))
    return Rate(choice, _BASE_SHARE * now, log, False)


def _choice(
    max_lr: float,
    now: float,
    probes: Probes | None,
    confidence: Confidence,
    reasons: tuple[str, ...],
) -> Choice:
    if not isinstance(probes, Probes):
        return dataclasses.replace(kept("max_lr", now, *reasons), value=max_lr, confidence=confidence)
    here = int(np.argmin(np.abs(np.log(probes.lr / max_lr))))
    beside = probes.losses[here] if np.isfinite(probes.score[here]) else probes.losses[probes.best_index]
    return Choice(
        name="max_lr",
        value=max_lr,
        before=now,
        candidates=tuple(probes.lr.tolist()),
        loss=probes.score,
        excess=probes.excess - (probes.excess[here] if np.isfinite(probes.score[here]) else 0.0),
        excess_se=probes._standard_error_between(beside),
        confidence=confidence,
        reasons=reasons,
        steps=0,
        max_lr=probes.lr,
        losses=probes.losses,
    )
