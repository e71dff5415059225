"""What schedules are made of, seen from outside: taken apart, cut, moved, described."""

from __future__ import annotations

import math

from clrfast import _core

_SHOWN_PIECES, _SHOWN_LEVELS = 4, 3


def first_steps(schedule: _core.Schedule, steps: float) -> list[_core.Piece]:
    """The first `steps` steps as a row of pieces, with as little nested in it as can be.

    A schedule that is only a row gives its own pieces, which count in the same integers, so that no value
    changes in the last bit. Anything else is nested whole.
    """
    if steps == 0:
        return []
    if not _is_row(schedule):
        return [_core.Piece(steps, nested=schedule)]
    pieces: list[_core.Piece] = []
    begin = 0.0
    for piece in schedule._pieces:
        pieces.append(piece if piece.until <= steps else _cut(piece, begin, steps))
        begin = piece.until
        if begin >= steps:
            return pieces
    held = schedule(float(schedule._total_steps))
    return [*pieces, _core.Piece(steps, _core.Curve("constant", held, held))]


def moved(piece: _core.Piece, steps: float) -> _core.Piece:
    """The same piece, `steps` whole steps later."""
    if piece.nested is not None:
        return _core.Piece(piece.until + steps, nested=piece.nested)
    assert piece.curve is not None  # a piece has one or the other
    return _core.Piece(piece.until + steps, piece.curve)


def can_be_repeated_flat(schedule: _core.Schedule) -> bool:
    """Whether running the pieces again and again is the same as running the schedule again and again."""
    return schedule._cycle_mult == 1.0 and schedule._scaling.per == "none" and _is_whole(schedule)


def bounds(schedule: _core.Schedule) -> tuple[float, float]:
    """The lowest and the highest end of a curve in the first cycle."""
    ends: list[float] = []
    for piece in schedule._pieces:
        if piece.nested is not None:
            ends += bounds(piece.nested)
        elif piece.curve is not None:
            unbounded = piece.curve.shape == "power_law"
            ends += [math.inf if unbounded else piece.curve.start, piece.curve.end]
    mapping = schedule._map
    mapped = [min(max(end * mapping.scale + mapping.shift, mapping.low), mapping.high) for end in ends]
    return min(mapped), max(mapped)


def describe(schedule: _core.Schedule, levels: int = _SHOWN_LEVELS) -> str:
    """The pieces, the first few of them, and what is done with them."""
    shown = [_describe_piece(piece, levels) for piece in schedule._pieces[:_SHOWN_PIECES]]
    if len(schedule._pieces) > _SHOWN_PIECES:
        shown.append(f"... {len(schedule._pieces)} pieces")
    text = ", ".join(shown)
    if schedule._cycles != 1:
        text += ", repeated" if schedule._cycles == 0 else f", {schedule._cycles} times"
    if schedule._cycle_mult != 1.0:
        text += f", each {schedule._cycle_mult:g} times as long"
    scaling, mapping = schedule._scaling, schedule._map
    if scaling.per != "none":
        text += f", scaled each {scaling.per} by " + ("a table" if scaling.factors else f"{scaling.gamma:g}")
    if (mapping.scale, mapping.shift) != (1.0, 0.0):
        text += f", * {mapping.scale:g} + {mapping.shift:g}"
    if (mapping.low, mapping.high) != (-math.inf, math.inf):
        text += f", within [{mapping.low:g}, {mapping.high:g}]"
    return text


def _is_row(schedule: _core.Schedule) -> bool:
    """Whether the schedule is nothing but pieces of whole steps, run once."""
    return schedule._cycles == 1 and can_be_repeated_flat(schedule) and schedule._map.changes_nothing


def _is_whole(schedule: _core.Schedule) -> bool:
    ends = ((piece.until, piece.rest) for piece in schedule._pieces)
    return all(math.isinf(until) or (until.is_integer() and rest == 0.0) for until, rest in ends)


def _cut(piece: _core.Piece, begin: float, until: float) -> _core.Piece:
    """A piece that begins at `begin`, ended at `until`, which lies within it."""
    if piece.nested is not None:
        return _core.Piece(until, nested=piece.nested)
    assert piece.curve is not None  # a piece has one or the other
    if piece.curve.shape == "constant":
        return _core.Piece(until, piece.curve)
    return _core.Piece(until, nested=_core.Schedule([_core.Piece(piece.until - begin, piece.curve)]))


def _describe_piece(piece: _core.Piece, levels: int) -> str:
    until = f"until {piece.until:g}"
    if piece.nested is not None:
        return f"({describe(piece.nested, levels - 1) if levels > 0 else '...'}) {until}"
    curve = piece.curve
    assert curve is not None  # a piece has one or the other
    if curve.shape == "constant":
        return f"constant {curve.start:g} {until}"
    return f"{curve.shape} {curve.start:g}->{curve.end:g} {until}"
