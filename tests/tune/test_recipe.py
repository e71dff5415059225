"""A recipe is put in place by `apply` and by its code, says what was tried, and draws it."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import clrfast  # noqa: E402
from clrfast import lr_scheduler  # noqa: E402
from experiments import fingerprint  # noqa: E402

Optimizers = Any


def data() -> list[tuple[Tensor, Tensor]]:
    source = torch.Generator().manual_seed(0)
    x = torch.randn(400, 6, generator=source)
    return list(zip(x.split(20), (x @ torch.randn(6, 2, generator=source)).split(20)))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16, bias=False), nn.Tanh(), nn.Linear(16, 2, bias=False))


def two_groups(kind: Any, **options: Any) -> Any:
    """An optimizer whose second group has a tenth of the rate and no decay."""

    def made(model: nn.Sequential) -> Any:
        first, second = model.parameters()
        groups = [{"params": [first]}, {"params": [second], "lr": 0.001, "weight_decay": 0.0}]
        return kind(groups, **{"lr": 0.01, **options})

    return made


MADE = {
    "sgd": lambda m: torch.optim.SGD(m.parameters(), lr=0.01, momentum=0.5),
    "sgd, two groups": two_groups(torch.optim.SGD, momentum=0.9, weight_decay=1e-3),
    "adam": lambda m: torch.optim.Adam(m.parameters(), lr=0.01),
    "adamw, two groups": two_groups(torch.optim.AdamW, weight_decay=0.05),
    "adamw, tensor rate": lambda m: torch.optim.AdamW(m.parameters(), lr=torch.tensor(0.01), foreach=False),
    "muon": lambda m: torch.optim.Muon(m.parameters(), lr=0.01),
    "rmsprop": lambda m: torch.optim.RMSprop(m.parameters(), lr=0.01),
}


def recipe_for(make: Any, **options: Any) -> tuple[clrfast.Recipe, Any]:
    model = network()
    optimizer = make(model)
    options = {"total_steps": 200, "budget": 800, "validation": data()[:4], **options}
    return clrfast.tune(model, optimizer, F.mse_loss, data(), **options), optimizer


def states(optimizer: Any, scheduler: Any, steps: int = 30) -> list[Any]:
    """Rate, momentum and weight decay of each group in each step."""
    found = []
    for _ in range(steps):
        for group in optimizer.param_groups:
            momentum = group["betas"] if "betas" in group else group.get("momentum")
            found.append((float(group["lr"]), momentum, float(group["weight_decay"])))
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("asked", [[0.8], [(0.85, 0.95)]], ids=["constant", "cycled"])
def test_code_does_what_apply_does(name: str, asked: Any) -> None:
    recipe, optimizer = recipe_for(MADE[name], momentum=asked, weight_decay=[0.02])
    if recipe.momentum is not None:
        value = asked[0]
        cycled = (
            recipe.schedule.reciprocal(*value, base_lr=recipe.schedule(0))
            if isinstance(value, tuple)
            else None
        )
        assert recipe.momentum in (value, recipe.choices["momentum"].before)
        assert (recipe.momentum_schedule is None) == isinstance(recipe.momentum, float)
        if recipe.momentum_schedule is not None:
            assert recipe.momentum_schedule == cycled
    other = MADE[name](network())
    names: dict[str, Any] = {"optimizer": other}
    exec(recipe.code, names)
    scheduler = recipe.apply(optimizer)
    assert isinstance(scheduler, lr_scheduler.ScheduleLR)
    assert states(optimizer, scheduler) == states(other, names["scheduler"])


@pytest.mark.parametrize("name", ["sgd, two groups", "adamw, two groups"])
def test_groups_keep_their_ratios(name: str) -> None:
    recipe, optimizer = recipe_for(MADE[name], weight_decay=True)
    scheduler = recipe.apply(optimizer)
    first, second = optimizer.param_groups
    for step in range(200):
        assert first["lr"] == pytest.approx(recipe.schedule(step), rel=1e-12)
        assert second["lr"] == pytest.approx(0.1 * recipe.schedule(step), rel=1e-12)
        optimizer.step()
        scheduler.step()
    assert first["weight_decay"] == recipe.weight_decay
    assert second["weight_decay"] == 0.0
    assert recipe.weight_decay in recipe.choices["weight_decay"].candidates


def test_tensors_are_filled_in_place() -> None:
    recipe, optimizer = recipe_for(MADE["adamw, tensor rate"])
    rate = optimizer.param_groups[0]["lr"]
    recipe.apply(optimizer)
    assert optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == pytest.approx(recipe.schedule(0), rel=1e-6)


def test_an_optimizer_that_does_not_fit_is_left_as_it_is() -> None:
    recipe, _ = recipe_for(MADE["adamw, two groups"])
    model = network()
    no_betas = torch.optim.RMSprop(model.parameters(), lr=0.01)
    before = fingerprint(no_betas)
    with pytest.raises(ValueError, match="optimizer must have a momentum or betas in each group"):
        recipe.apply(no_betas)
    with pytest.raises(TypeError, match=r"optimizer must be a torch\.optim\.Optimizer, got Sequential"):
        recipe.apply(model)
    no_decay = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    del no_decay.param_groups[0]["weight_decay"]
    with pytest.raises(ValueError, match="optimizer must have a weight_decay in each group"):
        recipe.apply(no_decay)
    assert before == fingerprint(no_betas)
    assert no_decay.param_groups[0]["lr"] == 0.01


def test_a_scheduler_that_fails_leaves_everything_as_it_was() -> None:
    recipe, optimizer = recipe_for(MADE["sgd"], momentum=False)
    optimizer.param_groups[0].update(weight_decay=0.3, momentum=0.1, lr=-1.0)
    before = fingerprint(optimizer)
    with pytest.raises(ValueError, match="lr"):
        recipe.apply(optimizer)
    assert before == fingerprint(optimizer)


def test_a_training_with_it_learns_more_than_with_what_there_was() -> None:
    recipe, optimizer = recipe_for(MADE["sgd"])
    ends = []
    for use in (False, True):
        model = network()
        optimizer = MADE["sgd"](model)
        scheduler = recipe.apply(optimizer) if use else None
        for _, (x, y) in zip(range(200), data() * 10):
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
        with torch.no_grad():
            ends.append(float(torch.stack([F.mse_loss(model(x), y) for x, y in data()]).mean()))
    assert ends[1] < ends[0]


def test_what_is_printed_and_kept() -> None:
    recipe, _ = recipe_for(MADE["sgd"], momentum=True, weight_decay=True)
    text = str(recipe)
    assert text.endswith(recipe.code)
    for name, choice in recipe.choices.items():
        assert f"{name} " in text
        assert all(reason in text for reason in choice.reasons)
        assert choice.value == getattr(recipe, name) or name == "max_lr"
    assert "above the chosen" in text
    assert f"found in {recipe.steps:,}" in text
    assert repr(recipe).startswith("<Recipe: max_lr ")
    assert repr(recipe.choices["momentum"]).startswith("<Choice: momentum ")
    assert recipe.batch_size is None
    plain = recipe.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert clrfast.Schedule.from_json(plain["schedule"]) == recipe.schedule
    assert plain["choices"]["momentum"]["candidates"][-1] == [0.85, 0.95]
    again = pickle.loads(pickle.dumps(recipe))
    assert again.code == recipe.code
    assert again.schedule == recipe.schedule
    np.testing.assert_array_equal(again.choices["momentum"].losses, recipe.choices["momentum"].losses)
    assert copy.deepcopy(recipe).max_lr == recipe.max_lr


def test_pictures() -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    recipe, _ = recipe_for(MADE["sgd"], momentum=True, weight_decay=False, budget=1500)
    figure = recipe.plot()
    drawn = [choice for choice in recipe.choices.values() if choice.candidates]
    panels = [ax for ax in figure.axes if ax.get_xlabel() == "Step"]
    assert figure.axes[0].get_xlabel() == "Learning rate"
    bars = [ax for ax in figure.axes[1:] if ax.get_xlabel() != "Step"]
    assert [ax.get_ylabel() for ax in bars] == [choice.name for choice in drawn] == ["max_lr", "momentum"]
    for choice, ax, bar in zip(drawn, panels, bars):
        assert len(ax.lines) == len(choice.candidates)
        assert sum("chosen" in label.get_text() for label in bar.get_yticklabels()) == 1
    axes = plt.figure().add_subplot()
    assert recipe.choices["momentum"].plot(axes) is axes
    with pytest.raises(ValueError, match="candidates of weight_decay, got none: not asked for"):
        recipe.choices["weight_decay"].plot()
    plt.close("all")
