"""Schedules as JSON and in pickles: versions to come read this one's, and no text does harm."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clrfast import Schedule, schedules

DATA = Path(__file__).parents[1] / "data" / "schedules"
CYCLE = schedules.triangular2(0.001, 0.006, 2000.1, 999.7)
NESTED = schedules.warmup(CYCLE.then(schedules.rex(0.1, 30), at=17).scaled(0.5).clamped(0.0, 0.04), 5)


def test_a_text_says_its_format() -> None:
    assert json.loads(NESTED.to_json())["format"] == 1


def test_what_is_no_double_survives() -> None:
    again = Schedule.from_json(CYCLE.to_json())
    assert again == CYCLE
    assert again(7_000_001) == CYCLE(7_000_001)


def test_a_newer_format_is_refused_by_name() -> None:
    newer = json.dumps({"format": 2, "whatever": "it holds"})
    with pytest.raises(ValueError, match="written by a newer clrfast: format 2, this one reads up to 1"):
        Schedule.from_json(newer)
    kind, (_,) = NESTED.__reduce__()
    with pytest.raises(ValueError, match="newer clrfast"):
        kind(newer)


def changed(path: list[Any], value: Any) -> str:
    plain = json.loads(NESTED.to_json())
    at = plain
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return json.dumps(plain)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "3", "[]", "{}", "null", '"x"', "NaN", "[" * 100_000, '{"a":' * 100_000, "9" * 5000),
        *(changed(["format"], value) for value in (0, -1, 1.0, True, "1", None, [])),
        *(changed(["pieces"], value) for value in ([], 3, None, {}, [3], [[]], [{}], "abc")),
        *(
            changed(["pieces", 0, "until"], value)
            for value in (0, -1, "nan", "inf", 1e300, 10**400, True, [])
        ),
        *(changed(["pieces", 0, "shape"], value) for value in (0, "curl", None, [], "constants")),
        *(changed(["pieces", 0, "start"], value) for value in (10**400, "inf", None, "1")),
        *(changed(["pieces", 0, "rest"], value) for value in (1.0, "inf", None)),
        changed(["pieces", 0, "more"], 1),
        *(changed(["cycles"], value) for value in (-1, 2**70, 1.5, "1", None, True)),
        *(changed(["cycle_mult"], value) for value in (0.5, "inf", 1e-300, None)),
        *(changed(["scaling"], value) for value in (None, {}, [], 3, "none")),
        *(changed(["scaling", "per"], value) for value in ("year", 3, None)),
        *(changed(["scaling", "factors"], value) for value in (3, ["inf"], [None], [10**400])),
        *(changed(["map"], value) for value in (None, {}, {"scale": 1})),
        changed(["map"], {"scale": 1.0, "shift": 0.0, "low": 1.0, "high": 0.0}),
        changed(["pieces", 1, "schedule", "pieces"], []),
    ],
)
def test_what_describes_no_schedule_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="text must be the JSON of a schedule, got"):
        Schedule.from_json(text)


@pytest.mark.parametrize("text", [None, 3, b"{}", [], {}])
def test_what_is_no_text_is_a_type_error(text: Any) -> None:
    with pytest.raises(TypeError, match="text must be a string, got"):
        Schedule.from_json(text)


extremes = st.sampled_from(["inf", "-inf", 1e308, 10**400, 0, 1])
numbers = st.one_of(st.integers(), st.integers(-(2**70), 2**70), st.floats(), extremes)
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5))
anything = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner))
)
names = "constant linear cosine welch power 1-sqrt rex exponential inverse_sqrt power_law"
shapes = st.sampled_from(names.split())
sane = st.one_of(st.floats(0.0, 10.0), st.integers(1, 10), numbers)


def piece_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    curve = {"until": sane, "shape": shapes, "start": sane, "end": sane, "param": sane}
    return st.one_of(
        st.fixed_dictionaries(curve, optional={"rest": sane}),
        st.fixed_dictionaries({"until": sane, "schedule": inner}),
    )


def schedule_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    per = st.sampled_from(["none", "cycle", "step"])
    scaling = {"per": per, "gamma": sane, "floor": sane, "factors": st.lists(sane, max_size=3)}
    return st.fixed_dictionaries(
        {
            "pieces": st.lists(piece_of(inner), max_size=3),
            "cycles": st.one_of(st.integers(0, 5), numbers),
            "cycle_mult": st.one_of(st.just(1.0), sane),
            "scaling": st.fixed_dictionaries(scaling),
            "map": st.fixed_dictionaries({"scale": sane, "shift": sane, "low": numbers, "high": numbers}),
        }
    )


lookalikes = st.recursive(schedule_of(scalars), schedule_of, max_leaves=4)


@settings(suppress_health_check=[HealthCheck.too_slow])  # it draws much, on machines that may be busy
@given(st.one_of(anything, lookalikes, lookalikes.map(lambda plain: {"format": 1, **plain})))
def test_any_json_gives_a_schedule_or_a_value_error(plain: Any) -> None:
    try:
        made = Schedule.from_json(json.dumps(plain))
    except ValueError:
        return
    assert_reads_back(made)


@given(st.text())
def test_any_text_gives_a_schedule_or_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="text must be"):
        Schedule.from_json(text)


good = st.floats(0.0, 10.0)


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    """What is a schedule but for the values in it, which are mostly so."""
    ends = sorted(draw(st.lists(st.integers(1, 50), min_size=1, max_size=4, unique=True)))
    pieces = [
        {"until": end, "shape": draw(shapes), "start": draw(good), "end": draw(good), "param": draw(good)}
        for end in ends
    ]
    scaling = {
        "per": draw(st.sampled_from(["none", "cycle", "step"])),
        "gamma": draw(st.floats(0.5, 2.0)),
        "floor": draw(good),
        "factors": draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3)),
    }
    finite = st.floats(allow_nan=False, allow_infinity=False)
    high = draw(st.sampled_from(["inf", 1e9]))
    return {
        "format": 1,
        "pieces": pieces,
        "cycles": draw(st.integers(0, 3)),
        "cycle_mult": draw(st.sampled_from([1.0, 1.0, 1.5, 2.0, 1e300])),
        "scaling": scaling,
        "map": {"scale": draw(finite), "shift": draw(finite), "low": "-inf", "high": high},
    }


@given(parts())
def test_what_is_nearly_a_schedule(plain: dict[str, Any]) -> None:
    try:
        made = Schedule.from_json(json.dumps(plain))
    except ValueError:
        return
    assert_reads_back(made)


def assert_reads_back(made: Schedule) -> None:
    """It is finite everywhere, can be written down, compared and shown, and is not changed by that."""
    steps = [0, 1, 7, 1000, 2**40, 2**63 - 1]
    values = made(steps)
    assert all(abs(value) < float("inf") for value in values), (made, values)
    assert Schedule.from_json(made.to_json()) == made
    assert pickle.loads(pickle.dumps(made))(steps).tolist() == values.tolist()
    assert hash(made) == hash(Schedule.from_json(made.to_json()))
    assert repr(made).startswith("<Schedule ")


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_json_of_earlier_versions(path: Path) -> None:
    cases = json.loads(path.read_text())
    assert len(cases) > 20
    for case in cases:
        made = Schedule.from_json(json.dumps(case["schedule"]))
        assert made(case["steps"]).tolist() == pytest.approx(case["values"], rel=1e-14, abs=0.0), case["name"]


@pytest.mark.parametrize("path", sorted(DATA.glob("*.pkl")), ids=lambda path: path.stem)
def test_pickles_of_earlier_versions(path: Path) -> None:
    made = pickle.loads(path.read_bytes())
    cases = {case["name"]: case for case in json.loads(path.with_suffix(".json").read_text())}
    assert made.keys() == cases.keys()
    for name, case in cases.items():
        assert made[name] == Schedule.from_json(json.dumps(case["schedule"]))
        assert made[name](case["steps"]).tolist() == pytest.approx(case["values"], rel=1e-14, abs=0.0), name


def test_there_are_files_of_earlier_versions() -> None:
    assert {path.name for path in DATA.iterdir()} >= {"0.1.0.json", "0.1.0.pkl"}


def test_a_pickle_names_the_public_path() -> None:
    code = (
        "import pickle; from clrfast.schedules import Schedule, cosine; "
        "assert Schedule.__module__ == 'clrfast'; "
        "text = pickle.dumps(cosine(0.1, 10)); assert b'_schedule' not in text; pickle.loads(text)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
