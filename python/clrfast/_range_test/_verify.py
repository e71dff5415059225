"""A range test's answer is checked by probes: below it, at it and above it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from clrfast import _check
from clrfast._range_test._probe import FEWEST, Prober
from clrfast._range_test._training import Training
from clrfast.analysis import Probes, Suggestion
from clrfast.logs import Log

_APART = 10 ** (2 / 3)  # from one rate to the next
_AT_MOST = 3  # further probes on the side that is better and better
_DECADES = 5  # below the end of the ramp, where that says nothing: one rate in each


def check_verify(verify: SupportsIndex | None) -> int:
    """Return the steps of each probe, 0 for no probes."""
    if verify is None or verify == 0:
        return 0
    return _check.whole("verify", verify, least=FEWEST)


def verified(log: Log, training: Training, options: dict[str, Any], steps: int) -> Log:
    """Return the log with probes around what it suggests; as it is where it is too short to suggest anything.

    Args:
        log: What the ramps recorded.
        training: What they trained.
        options: What `RangeTest` was given for them.
        steps: Steps of each probe.
    """
    try:
        found = log.analyze_repeats() if log.runs else log.analyze()
    except ValueError:
        return log
    prober = Prober(training, _for_probes(options), steps, checks=False)
    try:
        probes = around(found.suggestion, found.lr_range[1], prober.probe)
    except BaseException as error:
        error.clrfast_log = log  # type: ignore[attr-defined] # that of the ramp, not of a probe
        raise
    return dataclasses.replace(log, probes=probes)


def around(suggestion: Suggestion, highest: float, probe: Callable[[list[dict[str, Any]]], Probes]) -> Probes:
    """Probe the suggestion and its neighbours, and further on the side where the loss is better and better.

    Args:
        suggestion: That of the ramp.
        highest: The ramp's highest rate: where nothing is suggested, a coarse ladder leads down from it.
        probe: Probes more candidates, and returns what all of them show.
    """
    probes = probe(_first(suggestion, highest))
    if not suggestion and probes.has_signal:
        probes = probe([{"lr": probes.best_lr / _APART}, {"lr": probes.best_lr * _APART}])
    for _ in range(_AT_MOST):
        further = _beyond(probes)
        if further is None:
            break
        probes = probe([{"lr": further}])
    return probes


def _for_probes(options: dict[str, Any]) -> dict[str, Any]:
    """Return those options that say how groups' rates go together, and what is restored and shown."""
    kept = ("start_lr", "end_lr", "shape", "also", "progress", "checkpoint", "process_group")
    return {name: options[name] for name in kept if name in options}


def _first(suggestion: Suggestion, highest: float) -> list[dict[str, Any]]:
    """Return what to probe first: the suggestion and its neighbours, or a coarse ladder down from the end."""
    max_lr = suggestion.bounds[1]
    rates = [highest / 10**i for i in range(_DECADES, 0, -1)]
    if max_lr is not None:
        rates = [max_lr / _APART, max_lr, max_lr * _APART]
    return [{"lr": rate} for rate in rates]


def _beyond(probes: Probes) -> float | None:
    """Return the next rate on the side where the loss is better and better, or where something is finite."""
    best = probes.best_lr
    lowest, highest = float(probes.lr.min()), float(probes.lr.max())
    if not np.isfinite(probes.score).any():
        return lowest / _APART
    order = np.argsort(probes.lr)
    if best == lowest and not probes.basin[order[1]]:
        return lowest / _APART
    if best == highest and not probes.basin[order[-2]]:
        return highest * _APART
    return None
