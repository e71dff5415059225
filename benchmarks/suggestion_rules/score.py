"""What suggestions are worth: the regret of training at them, for each rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import clrfast
from clrfast._range_test._stop_rule import Watch

RUINOUS = 0.5
Suggestions = dict[str, "float | None"]


def suggestions(lr: list[float], loss: list[float]) -> Suggestions:
    """The peak that each rule suggests for the raw losses of a whole ramp, None where a rule has none.

    Each rule gets what its own library records: the peers a smoothed curve, clrfast raw losses, and all of
    them up to where the library stops. clrfast gets the whole ramp as well.
    """
    found: Suggestions = {}
    for name, suggested in clrfast.rules.compare(lr, loss).items():
        found[name] = suggested[1] if isinstance(suggested, tuple) else suggested
    watch = Watch(len(loss), factor=4.0)  # as range_test does
    for value in loss:
        watch.add(value)
    kept, _ = watch.result()
    found["clrfast"] = _ours(lr[: len(kept)], kept)
    found["clrfast, whole ramp"] = _ours(lr, loss)
    return found


def _ours(lr: list[float], loss: list[float]) -> float | None:
    try:
        return clrfast.analyze(lr, loss).suggestion.bounds[1]
    except ValueError:  # hardly a loss is finite
        return None


def regrets(record: dict[str, Any], schedule: str) -> NDArray[np.float64]:
    """For each peak the share lost of the improvement that the best peak reaches.

    The improvement is that of the validation loss, from the untrained network's, in the mean over the seeds.
    A training that fails, or ends above the untrained network's loss, improves nothing.
    """
    untrained = np.mean(record["untrained"])
    reached = np.minimum(record["validation"][schedule], untrained).mean(axis=1)
    return (reached - reached.min()) / (untrained - reached.min())


def regret(record: dict[str, Any], schedule: str, peak: float | None) -> float:
    """The regret at a peak, between those recorded; 1 where there is no suggestion."""
    if peak is None:
        return 1.0
    return float(np.interp(np.log(peak), np.log(record["peaks"]), regrets(record, schedule)))


def table(records: Sequence[dict[str, Any]], schedule: str) -> str:
    """A row for each rule: mean, median and worst regret over all tests, and how often it goes wrong."""
    cases = [
        (record, suggestions(test["lr"], test["loss"])) for record in records for test in record["tests"]
    ]
    head = f"{'rule':<22} {'mean':>6} {'median':>6} {'worst':>6} {'ruinous':>8} {'without suggestion':>19}"
    rows = [f"{schedule}: regret over {len(cases)} tests of {len(records)} problems", head]
    for rule in cases[0][1]:
        lost = np.array([regret(record, schedule, found[rule]) for record, found in cases])
        none = sum(found[rule] is None for _, found in cases)
        rows.append(
            f"{rule:<22} {lost.mean():6.3f} {np.median(lost):6.3f} {lost.max():6.2f} "
            f"{(lost > RUINOUS).sum():8} {none:19}"
        )
    return "\n".join(rows)
