"""The gallery of schedules has all of them, and each formula on it gives what the code above it makes."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clrfast import schedules

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "schedules.md").read_text(encoding="utf-8")
DRAWN = r"^```\{drawn-schedule\} (\w+)\n(.*?)^```"
CODE = dict(re.findall(DRAWN, PAGE, re.DOTALL | re.MULTILINE))
FORMULAS = {
    name: formula
    for name, _, formula in re.findall(DRAWN + r"\n```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
}
STEPS = (0, 1, 99, 100, 101, 150, 299, 300, 499, 500, 701, 850, 999, 1000, 1500)
FACTORIES = {name: getattr(schedules, name) for name in schedules.__all__ if name != "Schedule"}


def made(name: str) -> tuple[Any, dict[str, Any]]:
    """What the code makes, and the arguments of its outermost call, by name."""
    function, given = FACTORIES[name], {}

    def note(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        given.update(bound.arguments)
        return function(*args, **kwargs)

    return eval(CODE[name], {**FACTORIES, name: note}), given


def at(step: int, given: dict[str, Any]) -> dict[str, Any]:
    """What the page says a formula may use: the step, and where it is in its schedule or cycle."""
    names = {**vars(math), "round": round, **given, "step": step}
    if "total_steps" in given:
        names["x"] = min(step / given["total_steps"], 1)
    if "step_size_up" in given:
        up = given["step_size_up"]
        down = given.get("step_size_down") or up
        names["cycle"], place = divmod(step, up + down)
        names["u"] = place / up if place < up else 1 + (place - up) / down
    if "T_0" in given:
        cycle, rest, length = 0, step, given["T_0"]
        while rest >= length:
            cycle, rest, length = (
                cycle + 1,
                rest - length,
                round(given["T_0"] * given["T_mult"] ** (cycle + 1)),
            )
        names["cycle"], names["t"] = cycle, rest
    return names


def value(formula: str, names: dict[str, Any]) -> Any:
    *before, last = formula.strip().splitlines()
    exec("\n".join(before), names)
    return eval(last, names)


def test_every_schedule_is_drawn() -> None:
    assert set(FACTORIES) <= set(CODE)
    assert set(FORMULAS) == set(FACTORIES)


@pytest.mark.parametrize("name", FORMULAS)
def test_formula_gives_what_the_code_makes(name: str) -> None:
    schedule, given = made(name)
    which: Callable[[int], Any] = schedule
    if isinstance(schedule, list):
        which = lambda step: [each(step) for each in schedule]  # noqa: E731
    last = given.get("total_steps", math.inf) - 1 if name in ("one_cycle", "ramp") else math.inf
    for step in STEPS:
        if step <= last and not (name == "power" and step == 0):
            assert value(FORMULAS[name], at(step, given)) == pytest.approx(which(step), rel=1e-9, abs=1e-15)
