"""What suggestions are worth: the regret of training at them, for each rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from record import PEAKS, regrets

import clrfast
from clrfast._range_test._stop_rule import Watch

RUINOUS = 0.5
WRONG = 0.1  # what "high" must not lose
OURS, WHOLE = "clrfast", "clrfast, whole ramp"
Suggestions = dict[str, "float | None"]


def suggestions(lr: list[float], loss: list[float]) -> tuple[Suggestions, str | None]:
    """The peak that each rule suggests for the raw losses of a whole ramp, and how sure clrfast is.

    A peak is None where a rule has none.

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
    found[OURS], confidence = _ours(lr[: len(kept)], kept)
    found[WHOLE], _ = _ours(lr, loss)
    return found, confidence


def _ours(lr: list[float], loss: list[float]) -> tuple[float | None, str | None]:
    try:
        suggestion = clrfast.analyze(lr, loss).suggestion
    except ValueError:  # hardly a loss is finite
        return None, None
    return suggestion.bounds[1], suggestion.confidence if suggestion else None


def regret(trained: dict[str, Any], peak: float | None) -> float:
    """The regret of trainings at a peak, between those recorded; 1 where there is no suggestion."""
    if peak is None:
        return 1.0
    return float(np.interp(np.log(peak), np.log(PEAKS), regrets(trained)))


class Case(NamedTuple):
    """One range test: of which problem, how long, and what each rule loses by its suggestion."""

    problem: str
    kind: str
    steps: int
    lost: dict[str, float]
    without: frozenset[str]  # the rules that have no suggestion
    confidence: str | None  # clrfast's


def cases_of(problem: str, kind: str, record: dict[str, Any], horizon: str) -> list[Case]:
    """Return the range tests of a record, scored by its "short" or its "long" trainings."""
    found = []
    for test in record["tests"]:
        suggested, confidence = suggestions(test["lr"], test["loss"])
        lost = {rule: regret(record[horizon], peak) for rule, peak in suggested.items()}
        without = frozenset(rule for rule, peak in suggested.items() if peak is None)
        found.append(Case(problem, kind, len(test["lr"]), lost, without, confidence))
    return found


def by_rule(cases: Sequence[Case]) -> str:
    """A row for each rule: mean, median and worst regret over all tests, and how often it goes wrong."""
    rows = [f"{'rule':<22} {'mean':>6} {'median':>6} {'worst':>6} {'ruinous':>8} {'without suggestion':>19}"]
    for rule in cases[0].lost:
        lost = np.array([case.lost[rule] for case in cases])
        none = sum(rule in case.without for case in cases)
        rows.append(
            f"{rule:<22} {lost.mean():6.3f} {np.median(lost):6.3f} {lost.max():6.2f} "
            f"{(lost > RUINOUS).sum():8} {none:19}"
        )
    return "\n".join(rows)


def by_group(cases: Sequence[Case], group: Callable[[Case], Any], title: str) -> str:
    """A row for each group: each rule's mean regret, and clrfast's with how sure it was."""
    rules = [rule for rule in cases[0].lost if rule != WHOLE]
    shown = [*rules, "high", "wrong"]
    rows = [" ".join([f"{title:<34}", f"{'tests':>5}", *(f"{name[:12]:>12}" for name in shown)])]
    for key in sorted({group(case) for case in cases}):
        these = [case for case in cases if group(case) == key]
        means = [np.mean([case.lost[rule] for case in these]) for rule in rules]
        sure = [case.lost[OURS] for case in these if case.confidence == "high"]
        cells = [
            *(f"{mean:12.3f}" for mean in means),
            f"{len(sure):12}",
            f"{sum(x > WRONG for x in sure):12}",
        ]
        rows.append(" ".join([f"{key!s:<34}", f"{len(these):5}", *cells]))
    return "\n".join(rows)
