"""Probes train as a plain loop would, each from the same state on the same batches, and leave no trace."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import clrfast
from experiments import Recurrent, batches, dense, fingerprint, generators, make, train

STEPS = 24


def probe(model: Any, optimizer: Any, candidates: Any, **options: Any) -> clrfast.Probes:
    options = {"loss_fn": F.cross_entropy, "loader": batches(), "steps": STEPS, **options}
    return clrfast.probe(model, optimizer, candidates=candidates, **options)


def by_hand(steps: int = STEPS, made: Any = make, **values: Any) -> list[float]:
    """The losses of a plain loop with these hyperparameters, and a warm-up in the first tenth."""
    model, optimizer = made()
    (group,) = optimizer.param_groups
    group.update(values)
    lr, losses = float(group["lr"]), []
    for i, batch in enumerate((batches() * 20)[:steps]):
        rate = lr * min(1.0, (i + 1) / max(1, round(steps / 10)))
        group["lr"] = torch.tensor(rate) if isinstance(group["lr"], Tensor) else rate
        losses += train(model, optimizer, [batch], 1)
    return losses


@pytest.mark.parametrize("net", [dense, Recurrent], ids=["dense", "recurrent"])
@pytest.mark.parametrize("optimizer", ["momentum", "adam", "lbfgs"])
def test_trains_as_a_plain_loop_would_and_puts_everything_back(net: Any, optimizer: str) -> None:
    def made() -> Any:
        model, tuned = make(net, optimizer)
        return model.train(), tuned

    model, tuned = made()
    before = fingerprint(model), fingerprint(tuned), generators()
    found = probe(model, tuned, [0.001, 0.3, 0.001])
    assert before == (fingerprint(model), fingerprint(tuned), generators())
    expected = [by_hand(made=made, lr=lr) for lr in (0.001, 0.3, 0.001)]
    assert found.losses.tolist() == expected
    assert found.lr.tolist() == [0.001, 0.3, 0.001]
    assert found.candidates == ({"lr": 0.001}, {"lr": 0.3}, {"lr": 0.001})
    assert found.paired


def test_start_is_the_loss_of_the_untouched_model_with_the_same_dropout() -> None:
    model, optimizer = make()
    model.train()
    torch.manual_seed(5)
    found = probe(model, optimizer, [0.1])
    torch.manual_seed(5)
    stream = batches() * 10
    expected = [F.cross_entropy(model(x), y).item() for x, y in stream[:STEPS]]
    assert found.start_loss.tolist() == expected
    assert found.losses[0, 0] == expected[0]


def test_hyperparameters_are_set_by_name_in_each_step() -> None:
    candidates = [
        {"lr": 0.05, "momentum": 0.5},
        {"momentum": 0.0, "nesterov": False},
        {"weight_decay": 0.1},
    ]
    model, optimizer = make()
    before = fingerprint(optimizer)
    found = probe(model, optimizer, candidates)
    assert found.losses.tolist() == [by_hand(**candidate) for candidate in candidates]
    assert found.lr.tolist() == [0.05, 0.01, 0.01]
    assert before == fingerprint(optimizer)


def test_betas_and_rates_in_tensors() -> None:
    def made() -> Any:
        return make(optimizer="adam, tensor rate")

    model, optimizer = made()
    rate = optimizer.param_groups[0]["lr"]
    found = probe(model, optimizer, [{"lr": 0.02, "betas": (0.5, 0.6)}])
    expected = by_hand(made=made, lr=torch.tensor(0.02), betas=(0.5, 0.6))
    assert found.losses.tolist() == [expected]
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate == torch.tensor(1e-3)


def test_groups_keep_their_ratios() -> None:
    model = dense(torch.float32)
    first, *rest = model.parameters()
    groups = [{"params": [first], "lr": 0.1, "weight_decay": 0.0}, {"params": rest, "lr": 0.01}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.2)
    seen: list[Any] = []
    optimizer.register_step_pre_hook(
        lambda *_: seen.append([(g["lr"], g["weight_decay"]) for g in optimizer.param_groups])
    )
    probe(model, optimizer, [{"lr": 1.0, "weight_decay": 0.4}])
    np.testing.assert_allclose(seen[2:], [[(1.0, 0.0), (0.1, 0.4)]] * (STEPS - 2))
    np.testing.assert_allclose(seen[0], [(0.5, 0.0), (0.05, 0.4)])


def test_accumulates() -> None:
    model, optimizer = make()
    found = probe(model, optimizer, [0.1], accumulate=3, steps=10)
    log = clrfast.range_test(
        *(model, optimizer, F.cross_entropy, batches()),
        **{"start_lr": 0.1, "end_lr": 0.1000001, "steps": 10, "accumulate": 3, "stop_factor": math.inf},
    )
    np.testing.assert_allclose(found.losses[0], log.loss, rtol=1e-4)


def test_takes_the_whole_step_from_the_user() -> None:
    model, optimizer = make()
    calls = 0

    def step(batch: tuple[Tensor, Tensor]) -> float:
        nonlocal calls
        calls += 1
        return train(model, optimizer, [batch], 1)[0]

    found = probe(model, optimizer, [0.01, 0.1], loss_fn=None, train_step=step)
    expected = probe(*make(), [0.01, 0.1])
    assert found.losses.tolist() == expected.losses.tolist()
    assert found.start_loss.tolist() == expected.start_loss.tolist()
    assert calls == 3 * STEPS


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_that_breaks_ends_early_and_the_others_go_on(bad: float) -> None:
    model, optimizer = make()
    calls = 0

    def step(batch: tuple[Tensor, Tensor]) -> float:
        nonlocal calls
        calls += 1
        loss = train(model, optimizer, [batch], 1)[0]
        return bad if optimizer.param_groups[0]["lr"] == 7.0 else loss

    before = fingerprint(model), fingerprint(optimizer)
    found = probe(model, optimizer, [0.01, 7.0, 0.1], loss_fn=None, train_step=step)
    assert before == (fingerprint(model), fingerprint(optimizer))
    assert np.isnan(found.losses[1, 1:]).all()
    assert np.isfinite(found.losses[[0, 2]]).all()
    assert found.score[1] == math.inf
    assert calls < 4 * STEPS


def test_a_shuffling_loader_gives_each_the_same_batches() -> None:
    x, y = torch.randn(60, 8), torch.randint(3, (60,))
    model, optimizer = make()
    for generator in (None, torch.Generator().manual_seed(3)):
        loader = DataLoader(TensorDataset(x, y), batch_size=6, shuffle=True, generator=generator)
        before = generators()
        found = probe(model, optimizer, [0.01, 0.01], loader=loader)
        assert generators() == before
        assert found.losses[0].tolist() == found.losses[1].tolist()
        assert found.paired


@pytest.mark.filterwarnings("ignore:.*goes on where the test left it")
def test_keeps_the_batches_of_a_loader_that_can_be_passed_once() -> None:
    model, optimizer = make()
    found = probe(model, optimizer, [0.01, 0.1], loader=iter(batches() * 5))
    assert found.losses.tolist() == probe(model, optimizer, [0.01, 0.1]).losses.tolist()
    short = probe(model, optimizer, [0.01, 0.1], loader=iter(batches() * 2))
    assert short.losses.shape == (2, 10)
    assert short.start_loss.shape == (10,)
    with pytest.raises(ValueError, match="loader must give batches for 10 steps, got 5"):
        probe(model, optimizer, [0.01], loader=iter(batches()))


def test_names_itself_in_warnings() -> None:
    with pytest.warns(UserWarning, match=r"^probe\(\) cannot put back: loader, a list_iterator, goes on"):
        probe(*make(), [0.01], loader=iter(batches() * 5))


def test_says_where_the_loader_gives_other_batches() -> None:
    class Stream(IterableDataset[Any]):
        passes = 0

        def __iter__(self) -> Any:
            type(self).passes += 1
            source = torch.Generator().manual_seed(self.passes)
            for _ in range(STEPS):
                yield torch.randn(8, generator=source), torch.tensor(1)

    found = probe(*make(), [0.01, 0.01], loader=DataLoader(Stream(), batch_size=6))
    assert not found.paired
    assert "not paired" in str(found)
    assert found.excess_se[1 - found.best_index] > 0


def test_rates_that_change_nothing_are_data_but_not_all_of_them() -> None:
    model, optimizer = make(optimizer="sgd", steps=0)
    found = probe(model, optimizer, [1e-30, 0.1], steps=40)
    assert found.losses[0, 0] == found.losses[1, 0]
    other = torch.optim.SGD(copy.deepcopy(model).parameters(), lr=0.1)

    def step(batch: Any) -> float:
        return train(model, other, [batch], 1)[0]

    with pytest.raises(ValueError, match="optimizer must change parameters"):
        probe(model, optimizer, [0.1], loss_fn=None, train_step=step, steps=40)


def test_what_interrupts_it_leaves_no_trace() -> None:
    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer), generators()
    for stop_at in range(0, 3 * STEPS, 5):
        calls = 0

        def loss_fn(output: Tensor, target: Tensor, stop_at: int = stop_at) -> Tensor:
            nonlocal calls
            calls += 1
            if calls > stop_at:
                raise KeyboardInterrupt
            return F.cross_entropy(output, target)

        with pytest.raises(KeyboardInterrupt):
            probe(model, optimizer, [0.01, 0.1], loss_fn=loss_fn)
        assert before == (fingerprint(model), fingerprint(optimizer), generators())


def test_tells_how_far_each_is() -> None:
    told: list[str] = []
    probe(*make(), [0.01, 0.1], progress=lambda now: told.append(str(now)), steps=20)
    assert len(told) == 3 * 2
    assert told[-1].startswith("step 20 of 20, lr 1.00e-01, loss ")


@pytest.mark.parametrize(
    ("candidates", "error", "message"),
    [
        ([], ValueError, "candidates must be one or several, got none"),
        (0.1, TypeError, "candidates must be a list of rates or dictionaries, got 0.1"),
        ({"lr": 0.1}, TypeError, "candidates must be a list of rates or dictionaries"),
        ([0.1, -0.1], ValueError, r"candidates\[1\] must be finite and > 0, got -0.1"),
        ([{}], ValueError, r"candidates\[0\] must hold a hyperparameter at least, got none"),
        ([{"lr": 0}], ValueError, r"candidates\[0\]\['lr'\] must be finite and > 0, got 0"),
        (
            [{"wd": 1}],
            ValueError,
            r"candidates\[0\]\['wd'\] must be a hyperparameter .*, momentum",
        ),
        ([{"params": 1}], ValueError, "must be a hyperparameter of the optimizer"),
        ([{"momentum": "x"}], TypeError, r"candidates\[0\]\['momentum'\] must be a number, got 'x'"),
    ],
)
def test_refuses_what_it_cannot_try(candidates: Any, error: type[Exception], message: str) -> None:
    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer)
    with pytest.raises(error, match=message):
        probe(model, optimizer, candidates)
    assert before == (fingerprint(model), fingerprint(optimizer))


def test_refuses_other_arguments_as_the_range_test_does() -> None:
    model, optimizer = make()
    with pytest.raises(ValueError, match="steps must be an integer from 10 to"):
        probe(model, optimizer, [0.1], steps=9)
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module"):
        probe(3, optimizer, [0.1])
    with pytest.raises(TypeError, match="loader must be an iterable"):
        probe(model, optimizer, [0.1], loader=3)
    with pytest.raises(ValueError, match=r"\['betas'\] must be 2 numbers, got 0.9"):
        probe(*make(optimizer="adam"), [{"betas": 0.9}])


def test_costs_no_copies_afterwards() -> None:
    model = nn.Linear(8, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = probe(model, optimizer, [0.1])
    assert not any(isinstance(value, (Tensor, nn.Module)) for value in vars(found).values())
