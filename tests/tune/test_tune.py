"""`tune` changes nothing, however it ends, and checks what it is given before it trains."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

import clrfast  # noqa: E402
import interrupts  # noqa: E402
from experiments import Recurrent, batches, dense, fingerprint, generators, make, train  # noqa: E402

EVERYTHING: dict[str, Any] = {"budget": 700, "momentum": True, "weight_decay": True}


def learnable(count: int = 40) -> list[tuple[Tensor, Tensor]]:
    """Batches whose classes follow from the inputs."""
    return [(x, x[:, :3].argmax(1)) for x, _ in batches(count)]


def tune(model: Any, optimizer: Any, loss_fn: Any = F.cross_entropy, **options: Any) -> clrfast.Recipe:
    options = {"loader": learnable(), "total_steps": 200, "validation": learnable(3), **options}
    return clrfast.tune(model, optimizer, loss_fn, **options)


@pytest.mark.parametrize("net", [dense, Recurrent], ids=["dense", "recurrent"])
@pytest.mark.parametrize("optimizer", ["momentum", "adam", "adam, tensor rate"])
def test_everything_is_put_back_bit_for_bit(net: Any, optimizer: str) -> None:
    model, tuned = make(net, optimizer)
    data = TensorDataset(*(torch.cat(part) for part in zip(*learnable())))
    loader = DataLoader(data, batch_size=24, shuffle=True, generator=torch.Generator().manual_seed(2))
    validation = DataLoader(data, batch_size=60, shuffle=True)
    kept = loader.generator.get_state().tolist()
    before = fingerprint(model), fingerprint(tuned), generators()
    recipe = tune(model, tuned, loader=loader, validation=validation, **EVERYTHING)
    assert before == (fingerprint(model), fingerprint(tuned), generators())
    assert kept == loader.generator.get_state().tolist()
    assert recipe.steps <= 700
    assert recipe.choices["momentum"].candidates
    if optimizer == "momentum" and net is dense:
        assert str(tune(model, tuned, loader=loader, validation=validation, **EVERYTHING)) == str(recipe)


def test_short_trainings_are_what_a_plain_loop_would_train() -> None:
    """The one of the momentum as it is: the whole schedule in few steps, then the validation loss."""
    model, optimizer = make()
    recipe = tune(model, optimizer, momentum=[0.5, 0.8], weight_decay=False, budget=400)
    choice = recipe.choices["momentum"]
    steps = choice.losses.shape[1]
    for index, momentum in enumerate(choice.candidates):
        model, optimizer = make()
        model.train()
        rates = clrfast.schedules.one_cycle(choice.max_lr[index], steps).values(0, steps)
        losses = []
        for lr, batch in zip(rates.tolist(), learnable() * 10):
            optimizer.param_groups[0].update(lr=lr, momentum=momentum)
            losses += train(model, optimizer, [batch], 1)
        assert choice.losses[index].tolist() == losses
        model.eval()
        with torch.no_grad():
            reached = [F.cross_entropy(model(x), y).item() for x, y in learnable(3)]
        np.testing.assert_allclose(choice.loss[index], np.mean(reached), rtol=1e-12)


def test_a_step_and_a_validation_of_ones_own() -> None:
    model, optimizer = make()
    count = 0

    def step(batch: tuple[Tensor, Tensor]) -> float:
        nonlocal count
        count += 1
        return train(model, optimizer, [batch], 1)[0]

    def validate() -> float:
        model.eval()
        with torch.no_grad():
            return float(np.mean([F.cross_entropy(model(x), y).item() for x, y in learnable(3)]))

    before = fingerprint(model), fingerprint(optimizer)
    recipe = tune(model, optimizer, None, train_step=step, validation=validate, **EVERYTHING)
    assert before == (fingerprint(model), fingerprint(optimizer))
    assert recipe.steps == count <= 700  # the losses of the start are steps, too, where the step is one's own
    choice = recipe.choices["momentum"]
    assert choice.candidates
    assert np.isfinite(choice.excess_se).all()


def test_several_models_and_optimizers() -> None:
    model = dense(torch.float32)
    head = nn.Linear(3, 3)
    muon = torch.optim.Muon([p for p in model.parameters() if p.ndim == 2], lr=0.02, weight_decay=0.01)
    rest = [p for p in model.parameters() if p.ndim != 2]
    adamw = torch.optim.AdamW([*rest, *head.parameters()], lr=0.001)

    def step(batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        muon.zero_grad()
        adamw.zero_grad()
        loss = F.cross_entropy(head(model(x)), y)
        loss.backward()
        muon.step()
        adamw.step()
        return loss

    before = fingerprint(model), fingerprint(muon), fingerprint(adamw)
    recipe = tune([model, head], [muon, adamw], None, train_step=step, validation=None, **EVERYTHING)
    assert before == (fingerprint(model), fingerprint(muon), fingerprint(adamw))
    assert recipe.momentum is None  # 0.95 beside 0.9
    scheduler = recipe.apply([muon, adamw])
    assert scheduler.ratios == [[1.0], [0.05]]


def test_a_loader_that_can_be_passed_once_is_kept() -> None:
    def endless() -> Any:
        while True:
            yield from learnable()

    given = 0

    def counted() -> Any:
        nonlocal given
        for batch in endless():
            given += 1
            torch.rand(3)  # as one that shuffles draws
            yield batch

    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer), generators()
    recipe = tune(model, optimizer, loader=counted(), **EVERYTHING)
    assert before == (fingerprint(model), fingerprint(optimizer), generators())
    expected = tune(*make(), loader=learnable() * 5, **EVERYTHING)
    assert given == 200  # the most that a short training may take
    assert recipe.code == expected.code


def test_what_cannot_be_put_back_is_told_where_tune_is_called() -> None:
    model, optimizer = make()
    model.noise = iter(range(100))
    with pytest.warns(UserWarning, match=r"cannot put back: model\.noise") as warned:
        tune(model, optimizer)
    assert {warning.filename for warning in warned} == {__file__}


def test_one_that_ends_early_is_passed_again() -> None:
    recipe = tune(*make(), loader=iter(learnable(7)), **EVERYTHING)
    assert recipe.code == tune(*make(), loader=learnable(7), **EVERYTHING).code


@pytest.mark.parametrize("schedule", ["one_cycle", "triangular", "warmup_stable_decay"])
def test_schedules(schedule: Any) -> None:
    recipe = tune(*make(), schedule=schedule, momentum=True, weight_decay=False, budget=700)
    values = recipe.schedule.values(0, 200)
    assert values.max() == pytest.approx(recipe.max_lr, rel=1e-2)
    assert values.min() >= (recipe.base_lr if schedule == "triangular" else 0.0)
    cycled = [isinstance(momentum, tuple) for momentum in recipe.choices["momentum"].candidates]
    assert any(cycled) == (schedule != "warmup_stable_decay")
    assert 0 < recipe.base_lr < recipe.max_lr


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"total_steps": 20}, ValueError, "total_steps must be an integer from 50"),
        ({"total_steps": 200.0}, TypeError, "total_steps must be an integer"),
        ({"budget": 10}, ValueError, "budget must be an integer from 50"),
        ({"schedule": "cosine"}, ValueError, "schedule must be one of 'one_cycle'"),
        ({"momentum": 0.9}, TypeError, "momentum must be True, False, None or a list of candidates, got 0.9"),
        ({"momentum": []}, ValueError, "momentum must be .*, got an empty one"),
        ({"momentum": [1.0]}, ValueError, r"momentum\[0\] must be finite and >= 0 and < 1, got 1.0"),
        ({"momentum": [(0.95, 0.85)]}, ValueError, r"momentum\[0\]\[1\] must be finite and > 0.95"),
        ({"momentum": [(0.8, 0.9, 0.95)]}, ValueError, r"momentum\[0\] must be a number or \(base_momentum"),
        ({"weight_decay": "0.1"}, TypeError, "weight_decay must be True, False, None or a list"),
        ({"weight_decay": [-0.1]}, ValueError, r"weight_decay\[0\] must be finite and >= 0, got -0.1"),
        ({"validation": []}, ValueError, "validation must give batches, got none"),
        ({"validation": 3}, TypeError, "validation must be an iterable"),
        ({"loader": []}, ValueError, "loader must give a batch"),
        ({"loader": 3}, TypeError, "loader must be an iterable"),
        ({"accumulate": 0}, ValueError, "accumulate must be"),
        ({"progress": 3}, TypeError, "progress must be"),
    ],
)
def test_bad_arguments_are_named_and_nothing_changed(options: Any, error: Any, message: str) -> None:
    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer), generators()
    with pytest.raises(error, match=message):
        tune(model, optimizer, **{"momentum": [0.5], "budget": 400, **options})
    assert before == (fingerprint(model), fingerprint(optimizer), generators())


@pytest.mark.parametrize("where", [30, 90, 190])
def test_an_exception_leaves_nothing_changed_and_brings_the_log(where: int) -> None:
    model, optimizer = make()
    count = 0

    def step(batch: tuple[Tensor, Tensor]) -> float:
        nonlocal count
        count += 1
        if count == where:
            raise OSError("the disk is full")
        return train(model, optimizer, [batch], 1)[0]

    before = fingerprint(model), fingerprint(optimizer), generators()
    with pytest.raises(OSError, match="the disk is full") as caught:
        tune(model, optimizer, None, train_step=step, validation=None, **EVERYTHING)
    assert before == (fingerprint(model), fingerprint(optimizer), generators())
    assert isinstance(caught.value.clrfast_log, clrfast.Log)  # type: ignore[attr-defined]
    assert len(caught.value.clrfast_log) == min(where - 1, len(caught.value.clrfast_log))  # type: ignore[attr-defined]


def test_a_validation_that_fails_leaves_nothing_changed() -> None:
    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer), generators()
    validation = [*learnable(2), (torch.zeros(6, 8), torch.full((6,), 7))]
    with pytest.raises(IndexError):
        tune(model, optimizer, validation=validation, **EVERYTHING)
    assert before == (fingerprint(model), fingerprint(optimizer), generators())


# Where Python clears up a generator, it cannot raise, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("twice", [False, True], ids=["one", "two"])
@pytest.mark.parametrize("part", ["clrfast/_tune", "clrfast/_range_test/_s"])
def test_survives_signals_anywhere(part: str, twice: bool) -> None:
    options = {"total_steps": 50, "budget": 200, "momentum": [0.5], "weight_decay": False}
    options["validation"] = batches(1)
    assert interrupts.survey(8, part, twice, clrfast.tune, **options) == []


def test_progress_and_checkpoint(tmp_path: Path) -> None:
    seen: list[int] = []
    file = tmp_path / "before.pt"

    def told(progress: clrfast.Progress) -> None:
        assert file.exists()
        seen.append(progress.step)

    tune(*make(), progress=told, checkpoint=file, momentum=[0.5], weight_decay=False, budget=400)
    assert len(seen) > 20
    assert not file.exists()


def test_accumulates() -> None:
    recipe = tune(*make(), accumulate=3, momentum=[0.5], weight_decay=False, budget=400)
    assert recipe.choices["momentum"].losses.shape[1] >= 30
    assert all(math.isfinite(loss) for loss in recipe.choices["momentum"].loss)
