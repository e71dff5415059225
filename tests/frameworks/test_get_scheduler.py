"""The table of docs/schedules_elsewhere.md: each row gives the rates of Hugging Face's scheduler."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clrfast import lr_scheduler, schedules

optimization = pytest.importorskip("transformers.optimization")

PAGE = (Path(__file__).parents[2] / "docs" / "schedules_elsewhere.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (?:`(.*?)`)? ?\| `(.*?)` \|$", PAGE, re.MULTILINE)
WITHOUT = {"reduce_lr_on_plateau", "greedy"}
OPTIONS = {
    "num_cycles": [1, 2, 4],  # where 4 * progress is not rounded to below a whole number
    "lr_end": [1e-7, 1e-3],
    "power": [1.0, 2.5],
    "timescale": [30, 500],
    "min_lr": [0.0, 0.003],
    "warmup_lr_rate": [0.01, 0.3],
    "decay_type": ["linear", "cosine", "1-sqrt"],
}
SHORT = {"S": "num_stable_steps", "D": "num_decay_steps", "m": "min_lr_ratio"}


def theirs(name: str, lr: float, warmup: int, total: int, options: dict[str, Any]) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    length = None if "num_stable_steps" in options else total  # it warns where it is given both
    scheduler = optimization.get_scheduler(name, optimizer, warmup, length, options)
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def choices(names: list[str]) -> list[dict[str, Any]]:
    """The n-th value of each option, or its last."""
    return [{name: OPTIONS[name][min(n, len(OPTIONS[name]) - 1)] for name in names} for n in range(3)]


@pytest.mark.parametrize(("name", "given", "expression"), ROWS, ids=[f"{r[0]}-{r[1]}" for r in ROWS])
@pytest.mark.parametrize(("lr", "warmup", "total"), [(0.1, 8, 72), (3e-4, 100, 1124), (0.05, 2, 18)])
def test_rates_are_equal(name: str, given: str, expression: str, lr: float, warmup: int, total: int) -> None:
    names = [option for option in given.split(", ") if option]
    for options in choices([option for option in names if option not in SHORT]):
        if options.get("lr_end", 0.0) >= lr:
            continue
        lengths = {"S": (total - warmup) // 4, "D": total - warmup - (total - warmup) // 4, "m": 0.1}
        known = {option: lengths[option] for option in names if option in SHORT}
        scope = {**vars(schedules), "lr": lr, "W": warmup, "T": total, **known, **options}
        if "min_lr" in options:
            scope["min_lr"] = options["min_lr"] = min(options["min_lr"], lr / 10)
        schedule = eval(expression, {"__builtins__": {}}, scope)
        keys = {SHORT.get(option, option): value for option, value in {**known, **options}.items()}
        expected = theirs(name, lr, warmup, total, keys)
        assert schedule(np.arange(total)) == pytest.approx(expected, rel=1e-9, abs=1e-15 * lr + 1e-17)


def test_every_name_is_in_the_table() -> None:
    names = {kind.value for kind in optimization.TYPE_TO_SCHEDULER_FUNCTION}
    assert len(names) >= 10
    assert names <= {name for name, *_ in ROWS} | WITHOUT
    assert all(f"`{name}`" in PAGE for name in WITHOUT)


@pytest.mark.parametrize("name", ["linear", "constant"])
def test_without_a_warmup(name: str) -> None:
    schedule = {"linear": schedules.linear(0.1, 0, 20), "constant": schedules.constant(0.1)}[name]
    assert schedule(np.arange(20)) == pytest.approx(theirs(name, 0.1, 0, 20, {}), rel=1e-12)


def test_in_the_two_schedulers_of_torch() -> None:
    """As the page says: LambdaLR on a rate of 1, and ScheduleLR on any."""
    rate = schedules.warmup(schedules.linear(0.1, 0, 16), 4)
    unit, other = (torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr) for lr in (1.0, 0.7))
    both = torch.optim.lr_scheduler.LambdaLR(unit, rate), lr_scheduler.ScheduleLR(other, lr=rate)
    for expected in theirs("linear", 0.1, 4, 20, {}):
        for optimizer, scheduler in zip((unit, other), both):
            assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-12, abs=1e-17)
            optimizer.step()
            scheduler.step()
