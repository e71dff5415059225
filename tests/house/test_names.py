"""The vocabulary of docs/names.md, held against every public signature and against what the names mean."""

from __future__ import annotations

import importlib
import inspect
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

import clrfast
from clrfast import analysis, schedules

PAGE = (Path(__file__).parents[2] / "docs" / "names.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`.*?`) \|", PAGE, re.MULTILINE)
NAMES = {name for row in ROWS for name in re.findall(r"`(\w+)`", row)}
# Where arguments are somebody else's: torch's, Kenstler's, those of the libraries whose rules these are.
FOREIGN = re.compile(r"clrfast\.rules\.(fastai|lightning|torch_lr|ignite|dataiku)")
PUBLIC = ("analysis", "logs", "pictures", "rules", "schedules", "smoothing", "trackers")
MODULES = ["clrfast", *(f"clrfast.{name}" for name in PUBLIC)]
# Nobody makes these by hand.
RESULTS = (
    *(BaseException, tuple, schedules.Schedule, clrfast.Analysis, analysis.Phases, clrfast.Suggestion),
    clrfast.Progress,
    clrfast.Probes,
    clrfast.Recipe,
    clrfast.Choice,
)


def callables() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function, class and method, by its public path."""
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            thing = getattr(module, name)
            path = f"{module.__name__}.{name}"
            if inspect.isclass(thing):
                if not issubclass(thing, RESULTS):
                    yield path, thing
                for method, value in vars(thing).items():
                    if not method.startswith("_") and callable(getattr(thing, method)):
                        yield f"{path}.{method}", value.__func__ if isinstance(value, classmethod) else value
            elif callable(thing) and thing is not clrfast.build_config:  # which takes none
                yield path, thing


PARAMETERS = {
    path: [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
    for path, function in callables()
    if not FOREIGN.match(path)
}


def test_there_is_much_to_look_at() -> None:
    assert len(PARAMETERS) > 60
    assert "clrfast.schedules.one_cycle" in PARAMETERS
    assert "clrfast.range_test" in PARAMETERS
    assert len(NAMES) > 30


@pytest.mark.parametrize("path", PARAMETERS)
def test_every_argument_is_in_the_vocabulary(path: str) -> None:
    assert set(PARAMETERS[path]) <= NAMES


def test_every_word_is_used() -> None:
    used = {name for names in PARAMETERS.values() for name in names}
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            thing = getattr(module, name)
            used |= {name, *dir(thing), *getattr(thing, "__dataclass_fields__", ())}
    scheduler = pytest.importorskip("clrfast.lr_scheduler")
    used |= set(inspect.signature(scheduler.ScheduleLR).parameters)
    assert NAMES - used == set()


def test_base_lr_is_the_lower_bound_of_a_cycle_only() -> None:
    for path, names in PARAMETERS.items():
        if "base_lr" in names:
            assert "max_lr" in names, path


def test_step_size_is_that_of_a_staircase_only() -> None:
    assert [path for path, names in PARAMETERS.items() if "step_size" in names] == ["clrfast.schedules.step"]


# What each factory needs besides what has a meaning of its own below.
MORE = {
    "cyclic": {"gamma": 0.9},
    "exponential": {"gamma": 0.99},
    "inverse_sqrt": {"timescale": 20.0},
    "multistep": {"milestones": [10, 20]},
    "power": {"batch_size": 32.0, "sequence_length": 1.0},
    "sgdr": {"T_0": 10, "T_mult": 2},
    "step": {"step_size": 10},
}
COMMON = {"base_lr": 0.1, "max_lr": 0.7, "min_lr": 0.05, "total_steps": 100, "step_size_up": 7}
LENGTHS = ("warmup_steps", "stable_steps", "decay_steps")


def made(name: str) -> tuple[schedules.Schedule, dict[str, Any]]:
    names = PARAMETERS[f"clrfast.schedules.{name}"]
    given = {key: COMMON[key] for key in names if key in COMMON}
    given.update({key: 10 for key in names if key in LENGTHS})
    given.update(MORE.get(name, {}))
    return getattr(schedules, name)(**given), given


FACTORIES = [
    name for name in schedules.__all__ if "max_lr" in PARAMETERS.get(f"clrfast.schedules.{name}", [])
]


@pytest.mark.parametrize("name", FACTORIES)
def test_rates_lie_between_the_bounds_that_names_promise(name: str) -> None:
    schedule, given = made(name)
    values = schedule.values(0, 400)
    floor = given.get("base_lr", given.get("min_lr", 0.0))
    assert values.max() <= given["max_lr"]
    assert values.max() > 0.8 * given["max_lr"]
    assert values.min() >= (0.0 if "start_lr" in PARAMETERS[f"clrfast.schedules.{name}"] else floor)


@pytest.mark.parametrize("name", [name for name in FACTORIES if name not in MORE])
def test_total_steps_counts_the_steps_that_have_values(name: str) -> None:
    schedule, given = made(name)
    total = schedule.total_steps
    if math.isinf(total):
        assert "total_steps" not in given
        return
    assert isinstance(total, int)
    if "total_steps" in given:
        assert total == given["total_steps"]
    then = schedule.then(schedules.constant(0.9))
    assert then(total - 1) == schedule(total - 1)
    assert then(total) == 0.9
    assert schedule.repeat(2).total_steps == 2 * total
    assert schedule.repeat()(total + 3) == schedule(3)


def test_one_cycle_and_ramp_end_on_their_last_step() -> None:
    assert schedules.one_cycle(0.1, 100).total_steps == 100
    assert schedules.one_cycle(0.1, 100)(99) == pytest.approx(0.1 / 25 / 1e4, rel=1e-15)
    assert schedules.ramp(0.001, 1.0, 50).total_steps == 50
    assert schedules.ramp(0.001, 1.0, 50)(49) == 1.0
