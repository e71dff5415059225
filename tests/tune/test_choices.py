"""What is chosen where the answer is known, and what is said where there is nothing to choose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import clrfast  # noqa: E402
from clrfast._tune._choice import best_of  # noqa: E402
from clrfast._tune._short_trainings import Trained  # noqa: E402
from experiments import batches, make  # noqa: E402


def regression(rows: int, width: int, noise: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs and targets of a linear function, to train on and to validate with."""
    source = torch.Generator().manual_seed(seed)
    truth = torch.randn(width, generator=source)
    x = torch.randn(rows + 200, width, generator=source)
    y = x @ truth + noise * torch.randn(rows + 200, generator=source)
    return x[:rows], y[:rows], x[rows:], y[rows:]


def tuned(data: Any, batch: int = 20, make_optimizer: Any = None, **options: Any) -> clrfast.Recipe:
    """Tune a linear function on that, validated with eight batches."""
    x, y, other_x, other_y = data
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(x.shape[1], 1), nn.Flatten(0))
    optimizer = make_optimizer(model.parameters())
    loader = list(zip(x.split(batch), y.split(batch)))
    validation = list(zip(other_x.chunk(8), other_y.chunk(8)))
    options = {"total_steps": 600, "budget": 2000, "validation": validation, **options}
    return clrfast.tune(model, optimizer, F.mse_loss, loader, **options)


def sgd(**options: Any) -> Any:
    return lambda parameters: torch.optim.SGD(parameters, **{"lr": 0.01, "momentum": 0.9, **options})


def test_decay_goes_where_it_only_hurts() -> None:
    """The truth is linear and without noise: all that decay does is to keep weights from it."""
    recipe = tuned(regression(400, 10, 0.0), make_optimizer=sgd(weight_decay=0.1), momentum=False)
    choice = recipe.choices["weight_decay"]
    assert recipe.weight_decay == 0
    assert choice.before == 0.1
    assert choice.confidence == "high"
    assert choice.excess[0] > 0
    assert np.all(choice.excess[np.array(choice.candidates) > 0] > 0)


def test_decay_comes_where_noise_is_learned_by_heart() -> None:
    """Hardly more rows than weights, and more noise than signal."""
    recipe = tuned(
        regression(60, 50, 12.0),
        batch=60,
        make_optimizer=sgd(),
        momentum=False,
        weight_decay=[0.1, 0.3, 1.0],
    )
    assert recipe.weight_decay in (0.1, 0.3, 1.0)
    assert recipe.choices["weight_decay"].confidence in ("high", "medium")


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_too_long_a_memory_is_left(kind: Any) -> None:
    options = {"momentum": 0.995} if kind is torch.optim.SGD else {"betas": (0.995, 0.999)}
    recipe = tuned(regression(400, 10, 0.1), make_optimizer=lambda p: kind(p, lr=0.01, **options))
    assert isinstance(recipe.momentum, (float, tuple))
    assert np.mean(recipe.momentum) <= 0.95
    choice = recipe.choices["momentum"]
    assert choice.before == 0.995
    assert choice.candidates[:2] == (0.9, 0.995)
    assert choice.candidates[-1] == (0.85, 0.95)
    assert "made at 0.9" in choice.reasons[-1]
    if kind is torch.optim.SGD:  # lr / (1 - momentum) is held at that of the range test
        rates = [recipe.choices["max_lr"].value * (1 - np.mean(m)) / 0.1 for m in choice.candidates]
        np.testing.assert_allclose(choice.max_lr, rates)
        assert recipe.max_lr == choice.max_lr[choice.candidates.index(recipe.momentum)]
    else:
        assert set(choice.max_lr) == {recipe.max_lr}


def test_what_matters_little_is_not_tried() -> None:
    recipe = tuned(regression(200, 5, 0.1), make_optimizer=sgd(weight_decay=1e-6))
    momentum, decay = recipe.choices["momentum"], recipe.choices["weight_decay"]
    assert (recipe.momentum, recipe.weight_decay) == (0.9, 1e-6)
    assert momentum.candidates == decay.candidates == ()
    assert momentum.confidence == decay.confidence == "medium"
    assert "momentum=True" in momentum.reasons[0]
    assert "weight_decay=True" in decay.reasons[0]
    assert recipe.steps == recipe.choices["max_lr"].steps


def test_all_of_a_grid_are_tried_where_asked() -> None:
    recipe = tuned(
        regression(200, 5, 0.1), make_optimizer=sgd(weight_decay=0.01), momentum=True, weight_decay=True
    )
    assert recipe.choices["momentum"].candidates == (0.9, 0.8, 0.95, 0.99, (0.85, 0.95))
    np.testing.assert_allclose(recipe.choices["weight_decay"].candidates, [0.01, 0.0, 0.01 / 3, 0.03])
    assert recipe.steps == sum(choice.steps for choice in recipe.choices.values())


def test_adamw_holds_its_time_scale() -> None:
    recipe = tuned(
        regression(200, 5, 0.1),
        make_optimizer=lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.1),
        weight_decay=True,
    )
    choice = recipe.choices["weight_decay"]
    centre = 0.1 * max(1e-3 / recipe.max_lr, 0.1)
    np.testing.assert_allclose(choice.candidates[1:4], [0.0, centre / 3, centre])
    assert any("2505.13738" in reason for reason in choice.reasons)


@pytest.mark.parametrize(
    ("make_optimizer", "momentum", "decay"),
    [
        (lambda p: torch.optim.RMSprop(p, lr=0.01), "no momentum", "divides"),
        (lambda p: torch.optim.Adagrad(p, lr=0.01), "no momentum", "divides"),
        (lambda p: torch.optim.Adam(p, lr=0.01), "", "AdamW's is tuned"),
        (lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1), "", ""),
        (lambda p: torch.optim.Rprop(p, lr=0.01), "no momentum", "no weight decay"),
    ],
)
def test_what_an_optimizer_has_not_is_said(make_optimizer: Any, momentum: str, decay: str) -> None:
    recipe = tuned(regression(200, 5, 0.1), make_optimizer=make_optimizer, momentum=True, weight_decay=True)
    for name, said in (("momentum", momentum), ("weight_decay", decay)):
        choice = recipe.choices[name]
        assert bool(choice.candidates) == (said == "")
        assert said in choice.reasons[0]
    recipe.apply(make_optimizer([torch.zeros(3, requires_grad=True)]))


def test_groups_that_differ_in_momentum_keep_theirs() -> None:
    def made(parameters: Any) -> Any:
        weight, bias = parameters
        return torch.optim.SGD([{"params": [weight], "momentum": 0.5}, {"params": [bias]}], 0.01, 0.9)

    recipe = tuned(regression(200, 5, 0.1), make_optimizer=made)
    assert recipe.momentum is None
    assert "different" in recipe.choices["momentum"].reasons[0]


def test_a_budget_too_small_is_said_and_the_rest_goes_on() -> None:
    data = regression(200, 5, 0.1)
    asked: dict[str, Any] = {"momentum": True, "weight_decay": True, "make_optimizer": sgd()}
    smallest = tuned(data, budget=50, **asked)
    assert smallest.steps == 50
    assert "too small for probes" in smallest.choices["max_lr"].reasons[-1]
    for name in ("momentum", "weight_decay"):
        assert "the budget leaves 0 steps" in smallest.choices[name].reasons[0]
    more = tuned(data, budget=260, **asked)
    assert more.steps <= 260
    assert more.choices["momentum"].candidates
    assert "the budget leaves" in more.choices["weight_decay"].reasons[0]


def test_decay_is_not_judged_by_losses_of_batches_seen_before() -> None:
    recipe = tuned(
        regression(200, 5, 0.1), make_optimizer=sgd(), weight_decay=True, validation=None, momentum=True
    )
    assert "give validation" in recipe.choices["weight_decay"].reasons[0]
    assert recipe.choices["momentum"].candidates


def test_where_nothing_can_be_learned_the_rate_is_a_guess() -> None:
    """Targets that are noise, of which nothing can be learned."""
    source = torch.Generator().manual_seed(0)
    model = nn.Linear(4, 1, bias=False)
    nn.init.zeros_(model.weight)
    data = [(torch.randn(64, 4, generator=source), torch.randn(64, 1, generator=source)) for _ in range(300)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)
    recipe = clrfast.tune(model, optimizer, F.mse_loss, data, total_steps=600, budget=1200)
    rate = recipe.choices["max_lr"]
    assert rate.confidence == "low"
    assert "no learning signal" in rate.reasons[0]
    assert "that of the ramp alone is taken" in rate.reasons
    assert (recipe.momentum, recipe.weight_decay) == (0.5, 0.0)


def test_what_diverges_everywhere_keeps_its_rate() -> None:
    model, optimizer = make()

    def step(batch: tuple[Tensor, Tensor]) -> float:
        optimizer.step()
        return math.nan

    recipe = clrfast.tune(model, optimizer, None, batches(), total_steps=200, train_step=step, momentum=True)
    assert recipe.max_lr == recipe.choices["max_lr"].before == 0.01
    assert recipe.choices["max_lr"].confidence == "low"
    assert recipe.choices["max_lr"].reasons[-1] == "the optimizer's rate stays"
    assert recipe.momentum == 0.9
    assert "no rate was found" in recipe.choices["momentum"].reasons[0]
    optimizer.param_groups[0]["momentum"] = 0.99  # a range test at 0.9 tells nothing of it either
    recipe = clrfast.tune(model, optimizer, None, batches(), total_steps=200, train_step=step)
    assert (recipe.max_lr, recipe.momentum) == (0.01, 0.99)
    optimizer.param_groups[0]["lr"] = 0.0
    with pytest.raises(clrfast.NoSuggestionError, match="the optimizer's rate is 0"):
        clrfast.tune(model, optimizer, None, batches(), total_steps=200, train_step=step)


def test_a_candidate_that_diverges_is_said_and_the_others_go_on() -> None:
    x, y, _, _ = regression(200, 5, 0.1)
    model = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step(batch: tuple[Tensor, Tensor]) -> float:
        optimizer.zero_grad()
        loss = F.mse_loss(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return math.nan if optimizer.param_groups[0]["momentum"] == 0.99 else loss.item()

    options: dict[str, Any] = {"budget": 1000, "train_step": step, "momentum": [0.99, 0.8]}
    recipe = clrfast.tune(
        model, optimizer, None, list(zip(x.split(20), y.split(20))), total_steps=400, **options
    )
    choice = recipe.choices["momentum"]
    assert choice.candidates == (0.9, 0.99, 0.8)
    assert np.isfinite(choice.loss).tolist() == [True, False, True]
    assert "diverged: 0.99" in choice.reasons


def trained(score: float, spread: float, *, diverged: bool = False) -> Trained:
    """A short training from a loss of 2 down to a score, whose batches differ by a spread."""
    noise = spread * np.array([1.0, -1.0] * 8)
    losses = np.linspace(2.0, score, 50)
    if diverged:
        return Trained(np.full(50, math.nan), np.full(16, math.inf), False)
    return Trained(losses, score + noise, False)


@pytest.mark.parametrize(
    ("first", "others", "value", "confidence"),
    [
        ((1.0, 0.0), [(0.5, 0.01), (0.8, 0.01)], 1, "high"),
        ((1.0, 0.0), [(0.5, 0.01), (0.501, 0.2)], 1, "medium"),
        ((1.0, 0.0), [(0.9, 0.5)], 0, "low"),  # lost in noise
        ((1.0, 0.0), [(0.999, 0.0)], 0, "low"),  # sure, and not worth it
        ((1.0, 0.0), [(1.5, 0.1), (1.2, 0.1)], 0, "high"),
        ((1.0, 0.0), [(1.5, 0.1), (1.01, 0.5)], 0, "medium"),
    ],
)
def test_pairs_decide(first: Any, others: Any, value: int, confidence: str) -> None:
    all_of_them = [trained(*one) for one in (first, *others)]
    values = list(range(len(all_of_them)))
    choice = best_of("weight_decay", values, all_of_them, [0.1] * len(values), 7, ["said"], 0)
    assert (choice.value, choice.confidence) == (value, confidence)
    assert choice.excess[value] == 0
    np.testing.assert_allclose(choice.loss, [one.score for one in all_of_them])
    np.testing.assert_allclose(choice.excess, choice.loss - choice.loss[value])
    assert choice.reasons[-1] == "said"


def test_divergence_decides_against() -> None:
    good, bad = trained(1.0, 0.1), trained(1.0, 0.1, diverged=True)
    rates = [0.1, 0.1]
    kept = best_of("momentum", [0.9, 0.99], [good, bad], rates, 0, [], 0.9)
    assert (kept.value, kept.confidence) == (0.9, "high")
    assert "diverged: 0.99" in kept.reasons
    moved = best_of("momentum", [0.99, 0.9], [bad, good], rates, 0, [], 0.9)
    assert moved.value == 0.9
    assert "0.99 diverged" in moved.reasons[0]
    lost = best_of("momentum", [0.99, 0.9], [bad, bad], rates, 0, [], 0.9)
    assert (lost.value, lost.confidence) == (0.99, "low")
    assert "all diverged" in lost.reasons[0]
