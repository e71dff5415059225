"""Which column is which, by the names that training tools give them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

# In order of preference, for names in lower case with anything but letters and digits as "_".
USUAL = {
    "lr": (
        r"(train(ing)?_)?(lrs?|learning_rates?)",
        r"(?!.*(base|max|min|initial|peak)_(lr|learning_rate)$).+_(lr|learning_rate)",
        r"(lr|learning_rate)_(?!.*(momentum|weight_decay)).+",
    ),
    "loss": (
        r"(lr_)?range_test_loss",
        r"loss(es)?",
        r"train(ing)?_loss(es)?",
        r"(train(ing)?_)?((batch|step|iter)_loss|loss_(batch|step|iter))",
        r"loss(es)?_train(ing)?(_(batch|step|iter))?",
        r"(?!(.*_)?(val|valid|validation|eval|dev|test|epoch)_).+_loss",
    ),
    "step": (r"(trainer_)?global_step", r"steps?", r"iter(ation)?s?"),
    "run": (r"run(_?(id|name))?",),
}
_MOST_LISTED = 20  # names of columns in an error


def find(
    path: object,
    names: Sequence[str],
    role: str,
    given: str | None,
    *,
    optional: bool,
    spelling: Callable[[str], str] = "{}=".format,
) -> str | None:
    """Return the name of the column for `role`: the given one, or the only one with its most usual name.

    Args:
        path: The file.
        names: Those of its columns.
        role: "lr", "loss", "step" or "run".
        given: The name that the caller gives.
        optional: Whether there need be such a column.
        spelling: What the caller calls the argument for a role: ``lr=`` in Python, ``--lr`` in a shell.

    Raises:
        ValueError: There is none, or there are several, and the column is not optional; or several have that
            very name.
    """
    if given is not None:
        if given in names:
            return _only(path, names, given)
        raise ValueError(f"{path}: no column has the name {given!r}; {_choice(spelling(role), names)}")
    for pattern in USUAL[role]:
        matching = [name for name in names if re.fullmatch(pattern, _plain(name))]
        if len(matching) == 1 or (matching and optional):
            return _only(path, names, matching[0])
        if matching:
            first, second = matching[:2]
            raise ValueError(
                f"{path}: {first!r} and {second!r} could both be the {role}; {_choice(spelling(role), names)}"
            )
    if optional:
        return None
    raise ValueError(
        f"{path}: no column has one of the usual names for {role}; {_choice(spelling(role), names)}"
    )


def _only(path: object, names: Sequence[str], name: str) -> str:
    """Return the name, unless several columns have it: whichever were read could be the wrong one."""
    if names.count(name) > 1:
        raise ValueError(f"{path}: {names.count(name)} columns have the name {name!r}; rename all but one")
    return name


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _choice(argument: str, names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names[:_MOST_LISTED])) or "none at all"
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"give {argument} one of its columns: {listed}{more}"
