"""README's examples run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_blocks_find_a_rate_and_train() -> None:
    digits = load_digits()
    x = torch.tensor(digits.data / 16, dtype=torch.float32)
    y = torch.tensor(digits.target)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    names: dict[str, Any] = {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        "loss_fn": nn.CrossEntropyLoss(),
        "loader": DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True),
    }
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in block.splitlines() if line]) == 6
    exec(block, names)
    scheduler = names["scheduler"]
    for _ in range(names["total_steps"] // len(names["loader"])):
        for inputs, targets in names["loader"]:
            names["optimizer"].zero_grad()
            names["loss_fn"](model(inputs), targets).backward()
            names["optimizer"].step()
            scheduler.step()
    assert (model(x).argmax(1) == y).float().mean() > 0.97


def test_it_opens_with_a_picture_and_the_two_commands() -> None:
    commands = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert "clrfast demo" in commands[0]
    assert "-m pytest" in commands[1]
    first_screen = README[: README.index("## ")]
    assert README.index("<img") < README.index(commands[0]) < README.index(commands[1]) < len(first_screen)
    assert len(re.sub(r"<[^>]*>", "", first_screen)) < 800


def test_its_pictures_and_links_lead_somewhere() -> None:
    """It is read elsewhere too (PyPI), so that they are absolute; what they name is here."""
    assert re.findall(r"\]\((?!https://)", README) == []
    pictures = re.findall(r'src="https://raw.githubusercontent.com/clrfast/clrfast/main/([^"]+)"', README)
    pages = re.findall(r"https://github.com/clrfast/clrfast/blob/main/([^)#]+)", README)
    assert len(pictures) == 1
    assert len(pages) > 10
    assert [path for path in (*pictures, *pages) if not (ROOT / path).is_file()] == []


def test_its_figures_are_those_of_the_benchmark() -> None:
    table = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    ways = {
        "clrfast, test as long as pays, one-cycle": "**clrfast**, then one cycle",
        "fastai valley, one-cycle": "fastai's finder, then one cycle",
        "Optuna, 3 trials": "Optuna, 3 trials, then one cycle",
        "schedule-free AdamW, default rate": "schedule-free AdamW at its default rate",
        "default rate, constant": "the optimizer's default rate",
    }
    for way, name in ways.items():
        (mean, worst, _, scaled, *_), (mean_300, worst_300, _, scaled_300, *_), *_ = figures(table, way)
        assert figures(README, name) == [[mean, worst, mean_300, worst_300, scaled, scaled_300]]


def figures(page: str, row: str) -> list[list[str]]:
    """Return the cells of each row that begins so."""
    rows = re.findall(rf"^\| {re.escape(row)}[^|]*\|(.*)$", page, re.MULTILINE)
    return [[cell.replace("*", "").replace(" ", "") for cell in row.strip(" |").split("|")] for row in rows]
