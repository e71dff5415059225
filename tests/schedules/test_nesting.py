"""Schedules in schedules: flat where they can be, bounded where not, and safe on a small stack."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable

import pytest

from clrfast import Schedule, schedules

COSINE = schedules.cosine(1.0, 10)
TAIL = schedules.linear(0.5, 0.1, 5)


def on_a_small_stack(body: Callable[[], None]) -> None:
    """Run `body` in a thread whose stack has 512 KB, and raise what it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            body()
        except BaseException as error:
            raised.append(error)

    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    if raised:
        raise raised[0]


def nested(levels: int) -> Schedule:
    """A schedule that can only be had by nesting: each level has a map of its own."""
    made = COSINE
    for _ in range(levels - 1):
        made = made.scaled(0.99).then(TAIL, at=7)
    return made


def test_what_is_run_once_more_is_itself() -> None:
    made = COSINE
    for _ in range(500):
        made = made.repeat(1)
    assert made is COSINE


def test_repeats_are_multiplied() -> None:
    made = COSINE.repeat(2).repeat(3).repeat(4)
    assert made == COSINE.repeat(24)
    assert COSINE.scaled(0.5).repeat(2) == COSINE.repeat(2).scaled(0.5)
    assert all(piece.nested is None for piece in made._pieces)


@pytest.mark.parametrize("cut", [1, 3, 8, 12, 40])
def test_cutting_again_and_again_stays_flat(cut: int) -> None:
    made = COSINE.then(TAIL)
    for _ in range(500):
        made = made.then(TAIL, at=cut)
    assert made.values(0, cut).tolist() == COSINE.then(TAIL).values(0, cut).tolist()
    assert made.values(cut, cut + 9).tolist() == TAIL.values(0, 9).tolist()
    assert len(made._pieces) <= 4
    assert all(p.nested is None or p.nested._pieces[0].nested is None for p in made._pieces)


def test_a_long_chain_stays_flat() -> None:
    made = COSINE
    for _ in range(500):
        made = made.then(TAIL)
    assert len(made._pieces) == 501
    assert made(10 + 5 * 300 + 2) == TAIL(2)


def test_too_deep_is_refused_when_made() -> None:
    deepest = nested(64)
    with pytest.raises(ValueError, match="schedules must be nested at most 64 deep, got 65"):
        deepest.scaled(0.99).then(TAIL, at=7)


def test_too_deep_a_text_is_refused() -> None:
    plain = json.loads(COSINE.to_json())
    del plain["format"]
    inner = json.dumps(plain)
    for levels in (65, 500, 20_000):
        text = inner
        head, tail = inner.split('[{"until"', 1)
        tail = tail[tail.index("]") :]
        text = (head + '[{"until": 10, "schedule": ') * levels + inner + ("}" + tail) * levels
        text = '{"format": 1, ' + text[1:]
        with pytest.raises(ValueError, match="deep"):
            Schedule.from_json(text)


def test_the_deepest_works_on_a_small_stack() -> None:
    def body() -> None:
        made = nested(64)
        values = made.values(0, 50)
        assert made(range(50)).tolist() == values.tolist() == [made(step) for step in range(50)]
        assert made.values(0, 50, dtype="float32").tolist() == values.astype("float32").tolist()
        assert made(2.5) > 0
        for other in (Schedule.from_json(made.to_json()), pickle.loads(pickle.dumps(made)), nested(64)):
            assert other == made
            assert hash(other) == hash(made)
        assert len(repr(made)) < 1000
        assert made.reciprocal()(0) < 1.0
        with pytest.raises(ValueError, match="nested at most 64 deep, got 65"):
            made.scaled(0.99).then(TAIL, at=7)
        for text in ("[" * 100_000, '{"a":' * 100_000):
            with pytest.raises(ValueError, match="deep"):
                Schedule.from_json(text)

    on_a_small_stack(body)


def test_what_holds_itself_twice_and_twice_again_is_bounded() -> None:
    made = COSINE.repeat(2).scaled(0.5)
    for _ in range(22):
        made = schedules.concatenate([made.scaled(0.9), made.scaled(0.8)])
        assert len(repr(made)) < 1000
    with pytest.raises(ValueError, match=r"at most 2\*\*24 pieces"):
        schedules.concatenate([made.scaled(0.9), made.scaled(0.8)])
