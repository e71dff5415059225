"""What suggestions are worth: the regret of training at them, for each rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from record import PEAKS, PROBES, regrets

import clrfast
from clrfast._range_test._stop_rule import Watch
from clrfast._range_test._verify import around
from clrfast.analysis import Probes, Suggestion
from clrfast.analysis._verdict import judged

RUINOUS = 0.5
WRONG = 0.1  # what "high" must not lose
OURS, WHOLE, CHECKED = "clrfast", "clrfast, whole ramp", "clrfast, probes"


class Found(NamedTuple):
    """A peak, None where there is none, and how sure the rule is, None where it does not say."""

    peak: float | None
    confidence: str | None = None


def suggestions(lr: list[float], loss: list[float], probes: NDArray[np.float64]) -> dict[str, Found]:
    """Return what each rule suggests for the raw losses of a whole ramp.

    Each rule gets what its own library records: the peers a smoothed curve, clrfast raw losses, and all of
    them up to where the library stops. clrfast gets the whole ramp as well, and once more with probes.
    """
    found: dict[str, Found] = {}
    for name, suggested in clrfast.rules.compare(lr, loss).items():
        found[name] = Found(suggested[1] if isinstance(suggested, tuple) else suggested)
    watch = Watch(len(loss), factor=4.0)  # as range_test does
    for value in loss:
        watch.add(value)
    kept, _ = watch.result()
    ours = _ours(lr[: len(kept)], kept)
    found[OURS] = _found(ours)
    found[WHOLE] = _found(_ours(lr, loss))
    found[CHECKED] = _found(None if ours is None else checked(ours, lr[len(kept) - 1], probes))
    return found


def _found(suggestion: Suggestion | None) -> Found:
    return Found(suggestion.bounds[1], suggestion.confidence) if suggestion else Found(None)


def _ours(lr: list[float], loss: list[float]) -> Suggestion | None:
    try:
        return clrfast.analyze(lr, loss).suggestion
    except ValueError:  # hardly a loss is finite
        return None


def checked(suggestion: Suggestion, highest: float, recorded: NDArray[np.float64]) -> Suggestion:
    """Return what recorded probes at the nearest peaks make of a suggestion, as ``verify=`` does.

    Args:
        suggestion: That of the ramp.
        highest: The ramp's highest rate.
        recorded: The losses of a probe at each peak, shape (peaks, steps), NaN where it had failed.
    """
    peaks = np.array(PEAKS)
    used: set[int] = set()

    def probe(candidates: list[dict[str, Any]]) -> Probes:
        used.update(int(np.abs(np.log(candidate["lr"] / peaks)).argmin()) for candidate in candidates)
        lr = peaks[sorted(used)]
        # At the lowest peak hardly anything moves in so few steps: these are the losses at the start.
        return Probes(tuple({"lr": rate} for rate in lr.tolist()), lr, recorded[sorted(used)], recorded[0])

    return judged(suggestion, around(suggestion, highest, probe))


class Case(NamedTuple):
    """One range test: of which problem, how long, and what each rule loses by its suggestion."""

    problem: str
    kind: str
    steps: int
    found: dict[str, Found]
    lost: dict[str, float]


def cases_of(problem: str, kind: str, record: dict[str, Any]) -> dict[str, list[Case]]:
    """Return the range tests of a record, scored by its "short" and its "long" trainings."""
    probes = np.full((len(PEAKS), PROBES), np.nan)
    for row, losses in zip(probes, record["probes"]):
        row[: len(losses)] = losses
    found = [suggestions(test["lr"], test["loss"], probes) for test in record["tests"]]
    scored = {}
    for horizon in {"short", "long"} & set(record):
        lost_at = regrets(record[horizon])
        scored[horizon] = [
            Case(
                problem,
                kind,
                len(test["lr"]),
                each,
                {rule: regret(lost_at, one.peak) for rule, one in each.items()},
            )
            for test, each in zip(record["tests"], found)
        ]
    return scored


def regret(lost_at: NDArray[np.float64], peak: float | None) -> float:
    """The regret at a peak, between those recorded; 1 where there is no suggestion."""
    return 1.0 if peak is None else float(np.interp(np.log(peak), np.log(PEAKS), lost_at))


def by_rule(cases: Sequence[Case]) -> str:
    """A row for each rule: mean, median and worst regret over all tests, and how often it goes wrong."""
    rows = [f"{'rule':<22} {'mean':>6} {'median':>6} {'worst':>6} {'ruinous':>8} {'without suggestion':>19}"]
    for rule in cases[0].lost:
        lost = np.array([case.lost[rule] for case in cases])
        none = sum(case.found[rule].peak is None for case in cases)
        rows.append(
            f"{rule:<22} {lost.mean():6.3f} {np.median(lost):6.3f} {lost.max():6.2f} "
            f"{(lost > RUINOUS).sum():8} {none:19}"
        )
    return "\n".join(rows)


def by_group(cases: Sequence[Case], group: Callable[[Case], Any], title: str) -> str:
    """A row for each group: each rule's mean regret; for clrfast also how often it was sure, and wrongly."""
    rules = [rule for rule in cases[0].lost if rule != WHOLE]
    rows = [" ".join([f"{title:<34}", f"{'tests':>5}", *(f"{name[:15]:>15}" for name in rules)])]
    for key in sorted({group(case) for case in cases}):
        these = [case for case in cases if group(case) == key]
        cells = []
        for rule in rules:
            sure = [case.lost[rule] for case in these if case.found[rule].confidence == "high"]
            trust = f" {len(sure):3}/{sum(lost > WRONG for lost in sure)}" if rule in (OURS, CHECKED) else ""
            cells.append(f"{np.mean([case.lost[rule] for case in these]):.3f}{trust}".rjust(15))
        rows.append(" ".join([f"{key!s:<34}", f"{len(these):5}", *cells]))
    return "\n".join(rows)
