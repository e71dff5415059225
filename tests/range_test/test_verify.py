"""`range_test(verify=)` probes around its answer, and leaves the state as a test without it does."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import clrfast
from experiments import batches, dense, fingerprint, generators, make, run, train

STEPS = 20


def separable(count: int = 8, size: int = 16) -> list[tuple[Tensor, Tensor]]:
    """Batches of a problem that is soon learned."""
    source = torch.Generator().manual_seed(3)
    data = []
    for _ in range(count):
        y = torch.randint(3, (size,), generator=source)
        data.append((F.one_hot(y, 8).float() + 0.3 * torch.randn(size, 8, generator=source), y))
    return data


def learner() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))
    return model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def factors(log: clrfast.Log, rate: float) -> list[float]:
    assert log.probes is not None
    return [round(1.5 * math.log10(lr / rate), 6) for lr in log.probes.lr]


def test_probes_below_at_and_above_the_suggestion_and_puts_everything_back() -> None:
    model, optimizer = learner()
    before = fingerprint(model), fingerprint(optimizer), generators()
    options: dict[str, Any] = {"loader": separable(), "steps": 200}
    plain = run(model, optimizer, **options)
    log = run(model, optimizer, verify=60, **options)
    assert before == (fingerprint(model), fingerprint(optimizer), generators())
    np.testing.assert_array_equal(plain.loss, log.loss)
    assert log.status == plain.status
    assert plain.probes is None
    assert plain.analyze().suggestion.verified is None
    rate = plain.analyze().suggestion.max_lr
    assert log.probes is not None
    assert log.probes.losses.shape[1] == 60
    assert factors(log, rate)[:3] == [-1.0, 0.0, 1.0]
    found = log.analyze()
    assert found.suggestion.verified is True
    assert found.suggestion.max_lr == rate
    assert found.suggestion.confidence == "high"
    assert "probes: confirmed" in str(found)
    assert found.to_dict()["suggestion"]["verified"] is True
    assert clrfast.analyze(log).suggestion == found.suggestion
    assert pickle.loads(pickle.dumps(log)).analyze().suggestion == found.suggestion
    expected = clrfast.probe(model, optimizer, F.cross_entropy, separable(), log.probes.lr.tolist(), steps=60)
    np.testing.assert_array_equal(log.probes.losses, expected.losses)
    np.testing.assert_array_equal(log.probes.start_loss, expected.start_loss)


def test_noise_is_no_learning_signal() -> None:
    def noise() -> Any:
        source = torch.Generator().manual_seed(11)
        while True:
            yield torch.randn(16, 8, generator=source), torch.randint(3, (16,), generator=source)

    class Noise:
        def __iter__(self) -> Any:
            return noise()

    model, optimizer = learner()
    with torch.no_grad():
        model[-1].weight.zero_()  # type: ignore[index, union-attr, operator]
        model[-1].bias.zero_()  # type: ignore[index, union-attr, operator]
    log = run(model, optimizer, loader=Noise(), steps=100, verify=100)
    found = log.analyze().suggestion
    assert found.verified is False
    assert not found
    assert found.reasons[0].startswith("no learning signal: in probes of 100 steps at rates from ")
    with pytest.raises(clrfast.NoSuggestionError, match="no learning signal"):
        found.one_cycle(100)


def test_goes_on_where_it_gets_better_and_moves_the_answer() -> None:
    model, optimizer = learner()
    log = run(model, optimizer, loader=separable(), steps=100, end_lr=0.02, verify=40)
    ramp = clrfast.analyze(log.lr, log.loss).suggestion
    found = log.analyze().suggestion
    assert log.probes is not None
    assert factors(log, ramp.max_lr) == [-1.0, 0.0, 1.0, 2.0, 3.0]
    assert log.probes.best_index == 3
    assert found.verified is False
    assert found.max_lr == log.probes.best_lr
    assert found.confidence == "medium"
    assert found.base_lr / found.max_lr == pytest.approx(ramp.base_lr / ramp.max_lr)
    assert not found.still_falling
    (reason,) = found.reasons
    assert (
        reason == f"probes move max_lr from {ramp.max_lr:.2g}: at {found.max_lr:.2g} the loss falls further"
    )


def test_where_the_ramp_shows_nothing_a_ladder_does() -> None:
    model, optimizer = learner()
    log = run(model, optimizer, loader=separable(), steps=100, end_lr=1e-3, verify=40)
    assert not clrfast.analyze(log.lr, log.loss).suggestion
    assert log.probes is not None
    decades = [1.5 * power for power in (-5, -4, -3, -2, -1)]
    assert factors(log, 1e-3) == [*decades, -2.5, -0.5, 0.5, 1.5, 2.5]
    found = log.analyze().suggestion
    assert found.max_lr == log.probes.best_lr == log.probes.lr[-1]
    assert found.confidence == "low"
    assert found.verified is False


def test_repeats_are_probed_once_after_all() -> None:
    model, optimizer = learner()
    log = run(model, optimizer, loader=separable(), steps=60, repeats=3, verify=STEPS)
    assert log.runs == ("1", "2", "3")
    assert log.probes is not None
    assert log.probes.losses.shape[1] == STEPS
    found = log.analyze_repeats()
    assert found.suggestion.verified is not None
    plain = run(model, optimizer, loader=separable(), steps=60, repeats=3)
    assert factors(log, plain.analyze_repeats().suggestion.max_lr)[:3] == [-1.0, 0.0, 1.0]
    assert all(one.probes is None for one in log.split().values())


def test_ramps_of_each_group_are_probed_at_their_rates() -> None:
    model = dense(torch.float32)
    first, *rest = model.parameters()
    optimizer = torch.optim.SGD([{"params": [first]}, {"params": rest}], lr=0.1)
    seen: list[tuple[float, float]] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append(tuple(g["lr"] for g in optimizer.param_groups)))
    log = run(
        model,
        optimizer,
        loader=separable(),
        steps=60,
        start_lr=[1e-6, 1e-5],
        end_lr=[0.1, 10.0],
        verify=STEPS,
    )
    assert log.probes is not None
    probed = np.array(seen[len(log) :])
    probed = probed[STEPS - 1 :: STEPS]
    np.testing.assert_allclose(probed[:, 1], log.probes.lr)
    share = np.log(log.probes.lr / 1e-5) / np.log(10.0 / 1e-5)
    np.testing.assert_allclose(probed[:, 0], 1e-6 * (0.1 / 1e-6) ** share)


def test_what_stops_it_carries_the_log_of_the_ramp() -> None:
    model, optimizer = learner()
    before = fingerprint(model), fingerprint(optimizer), generators()
    expected = run(model, optimizer, loader=separable(), steps=60)
    calls = 0

    def step(batch: Any) -> float:
        nonlocal calls
        calls += 1
        if calls > len(expected) + 3:
            raise KeyboardInterrupt
        return train(model, optimizer, [batch], 1)[0]

    with pytest.raises(KeyboardInterrupt) as caught:
        run(model, optimizer, loss_fn=None, train_step=step, loader=separable(), steps=60, verify=STEPS)
    assert before == (fingerprint(model), fingerprint(optimizer), generators())
    np.testing.assert_array_equal(caught.value.clrfast_log.lr, expected.lr)  # type: ignore[attr-defined]


def test_a_log_too_short_to_suggest_anything_is_not_probed() -> None:
    model, optimizer = make()
    log = run(model, optimizer, loss_fn=lambda output, target: output.sum() * math.nan, verify=STEPS)
    assert len(log) == 1
    assert log.probes is None


def test_files_of_the_log_and_checkpoints_are_those_of_the_ramp(tmp_path: Any) -> None:
    model, optimizer = learner()
    log = run(
        *(model, optimizer),
        **{"loader": separable(), "steps": 60, "verify": STEPS},
        **{"log_file": tmp_path / "log.csv", "checkpoint": tmp_path / "before.pt"},
    )
    np.testing.assert_array_equal(clrfast.logs.read(tmp_path / "log.csv").loss, log.loss)
    assert not (tmp_path / "before.pt").exists()


@pytest.mark.parametrize("verify", [None, 0])
def test_is_off_by_default(verify: Any) -> None:
    assert run(*make(), verify=verify).probes is None


@pytest.mark.parametrize(("verify", "error"), [(9, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_refuses_too_few_steps_before_it_begins(verify: Any, error: type[Exception]) -> None:
    def step(batch: Any) -> float:
        raise AssertionError

    with pytest.raises(error, match="verify must be an integer"):
        run(*make(), verify=verify, loss_fn=None, train_step=step, loader=batches())
