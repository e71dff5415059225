"""`RangeTest`: rates, misuse, and what it does beside the loop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import clrfast
import interrupts
from experiments import batches, dense, fingerprint, generators, make, run

Optimizer = torch.optim.Optimizer


def usual(test: Any, model: nn.Module, optimizer: Optimizer, loader: Any = None) -> None:
    for x, y in test(batches() if loader is None else loader):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        test.record(loss)


def body(model: Any, optimizer: Any, loss_fn: Any, loader: Any, *, autocast: Any, **options: Any) -> None:
    """A loop, as `interrupts` calls it."""
    with clrfast.RangeTest(model, optimizer, **options) as test:
        for x, y in test(loader):
            optimizer.zero_grad()
            with autocast:
                loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            test.record(loss)


@pytest.mark.parametrize("twice", [False, True], ids=["one", "two"])
def test_survives_signals_anywhere_but_in_the_loop_itself(twice: bool) -> None:
    assert interrupts.survey(60, "clrfast/_range_test", twice, body, steps=3) == []


def test_is_the_one_call() -> None:
    model, optimizer = make()
    model.train()
    with clrfast.RangeTest(model, optimizer, steps=20) as test:
        usual(test, model, optimizer)
    expected = run(*make(), steps=20)
    assert test.log.loss.tolist() == expected.loss.tolist()
    assert test.log.lr.tolist() == expected.lr.tolist()
    assert test.log.status == expected.status


# Rates


def groups_of(model: nn.Module, *rates: float) -> list[dict[str, Any]]:
    parameters = list(model.parameters())
    return [{"params": parameters[i :: len(rates)], "lr": rate} for i, rate in enumerate(rates)]


def rates_seen(optimizers: list[Optimizer], models: list[nn.Module], **options: Any) -> tuple[Any, Any]:
    seen = []
    with clrfast.RangeTest(models, optimizers, steps=9, **options) as test:
        for _ in test:
            seen.append([group["lr"] for optimizer in optimizers for group in optimizer.param_groups])
            for optimizer, model in zip(optimizers, models):
                model(batches(1)[0][0]).sum().backward()
                optimizer.step()
            test.record(1.0)
    return test, np.array(seen)


def test_several_optimizers_keep_one_ratio() -> None:
    models = [dense(torch.float32), dense(torch.float32)]
    first = torch.optim.SGD(groups_of(models[0], 0.1, 0.4), lr=1.0)
    second = torch.optim.SGD(models[1].parameters(), lr=0.2)
    test, seen = rates_seen([first, second], models, start_lr=1e-6, end_lr=1e-2)
    np.testing.assert_allclose(seen, np.outer(test.log.lr, [0.25, 1.0, 0.5]), rtol=1e-15)
    assert test.log.lr[[0, -1]] == pytest.approx([1e-6, 1e-2])
    assert test.group_lrs(1e-3) == pytest.approx([0.25e-3, 1e-3, 0.5e-3])
    assert [group["lr"] for group in first.param_groups] == [0.1, 0.4]


@pytest.mark.parametrize("shape", ["exponential", "linear"])
def test_each_group_has_its_own_ends(shape: Any) -> None:
    models = [dense(torch.float32), dense(torch.float32)]
    optimizers: list[Optimizer] = [torch.optim.SGD(groups_of(models[0], 0.1, 0.4), lr=1.0)]
    optimizers.append(torch.optim.SGD(models[1].parameters(), lr=0.2))
    starts, ends = [1e-6, 1e-5, 1e-4], [1e-3, 1e-1, 1e-2]
    test, seen = rates_seen(optimizers, models, start_lr=starts, end_lr=ends, shape=shape)
    space = np.geomspace if shape == "exponential" else np.linspace
    np.testing.assert_allclose(seen, space(starts, ends, 9), rtol=1e-12)
    np.testing.assert_array_equal(test.log.lr, seen[:, 1])  # the group with the highest end leads
    for i in range(9):
        assert test.group_lrs(test.log.lr[i]) == pytest.approx(seen[i].tolist())


def test_one_start_goes_with_several_ends() -> None:
    model = dense(torch.float32)
    optimizer = torch.optim.SGD(groups_of(model, 0.1, 0.4), lr=1.0)
    _, seen = rates_seen([optimizer], [model], start_lr=1e-5, end_lr=(1e-2, 1e-3))
    np.testing.assert_allclose(seen[[0, -1]], [[1e-5, 1e-5], [1e-2, 1e-3]])


def test_a_staircase_holds_each_rate() -> None:
    log = run(*make(), steps=10, hold=3, start_lr=1e-3, end_lr=1.0, stop_factor=math.inf)
    np.testing.assert_allclose(log.lr, np.repeat([1e-3, 1e-2, 1e-1, 1.0], 3)[:10])
    assert log.analyze().n == 10


# Misuse


def test_record_is_for_a_step() -> None:
    model, optimizer = make()
    test = clrfast.RangeTest(model, optimizer)
    with pytest.raises(RuntimeError, match=r"record\(\) must be called once in each step"):
        test.record(1.0)
    with pytest.raises(RuntimeError, match="log must be asked for after"):
        _ = test.log
    with pytest.raises(RuntimeError, match="must be called inside of 'with RangeTest"):
        test(batches())
    with pytest.raises(RuntimeError, match="must be iterated inside of 'with RangeTest"):
        next(iter(test))
    with test:
        for x, y in test(batches()):
            test.record(F.cross_entropy(model(x), y))
            with pytest.raises(RuntimeError, match=r"record\(\) must be called once in each step"):
                test.record(1.0)
            break
    assert "the loop was left" in test.log.status
    with pytest.raises(RuntimeError, match="can be entered once"):
        test.__enter__()


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        ("1", TypeError, r"record\(\) must get a scalar tensor or a real number, got '1'"),
        (None, TypeError, r"record\(\) must get a scalar tensor or a real number, got None"),
        (torch.ones(2), ValueError, r"record\(\) must get a scalar, such as a mean, got shape \(2,\)"),
    ],
)
def test_a_loss_is_a_number(loss: Any, error: type[Exception], message: str) -> None:
    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer), generators()
    for others in ({}, {"second": loss}):

        def body(others: Any = others) -> None:
            with clrfast.RangeTest(model, optimizer) as test:
                for _ in test:
                    test.record(1.0 if others else loss, **others)

        with pytest.raises(error, match=message.replace(r"\(\)", r"\(second=\)") if others else message):
            body()
    assert before == (fingerprint(model), fingerprint(optimizer), generators())


def test_a_loop_that_forgets_to_record_is_told() -> None:
    model, optimizer = make()

    def body() -> None:
        with clrfast.RangeTest(model, optimizer) as test:
            for _ in test(batches()):
                pass

    with pytest.raises(RuntimeError, match=r"record\(\) must be called in each step, .* in 1001 batches"):
        body()


def test_a_step_may_take_the_loader_several_times() -> None:
    model, optimizer = make()
    seen = 0
    with clrfast.RangeTest(model, optimizer, steps=5, end_lr=1e-3) as test:
        for x, y in test(batches(3)):
            seen += 1
            if seen % 10 == 0:
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
                test.record(1.0)
    assert (seen, len(test.log)) == (50, 5)


@pytest.mark.parametrize("way", ["no step", "another optimizer"])
def test_a_loss_that_no_rate_can_change_is_refused(way: str) -> None:
    model, optimizer = make()
    other = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)
    before = fingerprint(model), fingerprint(optimizer), generators()
    steps = 0

    def body() -> None:
        nonlocal steps
        with clrfast.RangeTest(model, optimizer) as test:
            for x, y in test(batches()):
                F.cross_entropy(model(x), y).backward()
                if way == "another optimizer":
                    other.step()
                steps += 1
                test.record(1.0)

    with pytest.raises(ValueError, match=r"optimizer must change parameters .* in 20 steps") as caught:
        body()
    assert steps == 20
    assert len(caught.value.clrfast_log) == 20
    assert before == (fingerprint(model), fingerprint(optimizer), generators())
    with pytest.raises(ValueError, match="none changed in 3 steps"):
        run(model, optimizer, loss_fn=None, train_step=lambda batch: 1.0, steps=3)


@pytest.mark.parametrize("rate", ["number", "tensor"])
def test_a_replayed_graph_with_a_frozen_rate_is_refused(rate: str) -> None:
    class Replayed(torch.optim.SGD):
        """Writes as a replayed graph does: torch does not see it."""

        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.data.sub_(1e-3)

    model = dense(torch.float32)
    optimizer = Replayed(model.parameters(), lr=0.1 if rate == "number" else torch.tensor(0.1))
    optimizer.param_groups[0]["capturable"] = True
    if rate == "tensor":
        assert len(run(model, optimizer, end_lr=1e-3)) == 20
        return
    with pytest.raises(ValueError, match=r"param_groups\[0\]\['lr'\] must be a tensor .* got a number"):
        run(model, optimizer, end_lr=1e-3)


def test_an_optimizer_that_forgets_its_rate_is_refused() -> None:
    class Forgetful(torch.optim.SGD):
        """Makes its groups anew each time, as fastai's optimizers do."""

        def __getattribute__(self, name: str) -> Any:
            value = super().__getattribute__(name)
            anew = name == "param_groups" and "is_made" in vars(self)
            return [dict(group) for group in value] if anew else value

    model = dense(torch.float32)
    optimizer = Forgetful(model.parameters(), lr=0.1)
    optimizer.is_made = True
    with pytest.raises(ValueError, match=r"optimizer.param_groups\[0\]\['lr'\] must stay .* 1e-07, got 0.1"):
        run(model, optimizer)


def test_a_closed_loader_is_refused() -> None:
    model, optimizer = make()

    def numbers() -> Iterator[Any]:
        yield from batches()

    loader = numbers()
    loader.close()
    refused = pytest.raises(ValueError, match=r"loader must give a batch .* used up, or closed")
    with pytest.warns(UserWarning, match="loader, a generator, goes on"), refused:
        run(model, optimizer, loader=loader)


@pytest.mark.parametrize(
    ("models", "optimizers", "error", "message"),
    [
        ([], None, ValueError, "model must be one or several, got none"),
        (None, {}, ValueError, "optimizer must be one or several, got none"),
        ([3], None, TypeError, r"model\[0\] must be a torch.nn.Module, got int"),
        (None, {"a": 3}, TypeError, r"optimizer\['a'\] must be a torch.optim.Optimizer, got int"),
        (None, "twice", ValueError, r"optimizer\[1\] must not share parameters with optimizer\[0\]"),
        (None, "foreign", ValueError, r"optimizer\[1\] must hold parameters of model, got none"),
    ],
)
def test_models_and_optimizers_must_fit(
    models: Any, optimizers: Any, error: type[Exception], message: str
) -> None:
    model, optimizer = make()
    if optimizers == "twice":
        optimizers = [optimizer, torch.optim.SGD(list(model.parameters())[-1:], lr=0.1)]
    elif optimizers == "foreign":
        optimizers = [optimizer, torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)]
    with pytest.raises(error, match=message):
        clrfast.RangeTest(
            model if models is None else models, optimizer if optimizers is None else optimizers
        )


def test_several_need_a_step_of_their_own() -> None:
    model, optimizer = make()
    with pytest.raises(ValueError, match="model must be one where train_step is not given, got 1"):
        run([model], optimizer)


# Beside the loop


def test_finds_what_the_loop_names_and_puts_it_back() -> None:
    model, optimizer = make()
    average = torch.optim.swa_utils.AveragedModel(model)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    before = fingerprint(average), scheduler.state_dict()
    with clrfast.RangeTest(model, optimizer, steps=20) as test:
        for x, y in test(batches()):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            average.update_parameters(model)
            scheduler.step()
            test.record(1.0)
    assert before == (fingerprint(average), scheduler.state_dict())


def test_an_exception_leaves_nothing_changed_and_brings_the_log() -> None:
    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer), generators()
    test = clrfast.RangeTest(model, optimizer, steps=20)

    def body() -> None:
        with test:
            for x, y in test(batches()):
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
                test.record(float(len(test.log)))
                if len(test.log) == 7:
                    raise KeyError("here")

    with pytest.raises(KeyError) as caught:
        body()
    assert caught.value.clrfast_log.loss.tolist() == list(range(7)) == test.log.loss.tolist()
    assert "Interrupted after 7 of 20 steps" in test.log.status
    assert before == (fingerprint(model), fingerprint(optimizer), generators())


def test_record_says_whether_the_test_goes_on() -> None:
    model, optimizer = make()
    said = []
    with clrfast.RangeTest(model, optimizer, steps=4) as test:
        rates = iter(test)
        while next(rates, None) is not None:
            model(batches(1)[0][0]).sum().backward()
            optimizer.step()
            said.append(test.record(1.0))
    assert said == [True, True, True, False]
    with clrfast.RangeTest(model, optimizer, steps=4) as test:
        for _ in test:
            test.record(math.nan)
    assert len(test.log) == 1


def test_epochs_around_the_loader_end_with_the_test() -> None:
    model, optimizer = make()
    epochs = []
    with clrfast.RangeTest(model, optimizer, steps=12) as test:
        for epoch in range(3):
            usual(test, model, optimizer)
            epochs.append(epoch)
    assert len(test.log) == 12
    assert epochs == [0, 1, 2]


def shuffled(own: bool) -> DataLoader[Any]:
    x, y = (torch.cat(part) for part in zip(*batches(8)))
    generator = torch.Generator().manual_seed(3) if own else None
    return DataLoader(TensorDataset(x, y), batch_size=6, shuffle=True, generator=generator)


@pytest.mark.parametrize("own_generator", [True, False])
def test_repeats_see_other_batches_and_are_one_log(own_generator: bool, tmp_path: Any) -> None:
    model, optimizer = make()
    loader, path = shuffled(own_generator), tmp_path / "log.csv"
    before = fingerprint(model), fingerprint(optimizer), generators()
    options = {"steps": 40, "stop_factor": math.inf, "loader": loader}
    log = run(model, optimizer, repeats=3, log_file=path, **options)
    assert before == (fingerprint(model), fingerprint(optimizer), generators())
    assert log.runs == ("1", "2", "3")
    runs = log.split()
    assert len({tuple(one.loss) for one in runs.values()}) == 3
    assert runs["1"].loss.tolist() == run(model, optimizer, **options).loss.tolist()
    assert log.loss.tolist() == run(model, optimizer, repeats=3, **options).loss.tolist()
    assert log.analyze_repeats().n == 120
    read = clrfast.logs.read(path)
    assert read.runs == log.runs
    assert read.loss.tolist() == log.loss.tolist()


def test_an_interrupted_repeat_keeps_those_before_it() -> None:
    model, optimizer = make()
    calls = 0

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 17:
            raise KeyboardInterrupt
        return F.cross_entropy(output, target)

    with pytest.raises(KeyboardInterrupt) as caught:
        run(model, optimizer, loss_fn=loss_fn, repeats=3, steps=12, stop_factor=math.inf)
    assert {name: len(one) for name, one in caught.value.clrfast_log.split().items()} == {"1": 12, "2": 4}


def test_a_sampler_of_several_processes_shuffles_anew() -> None:
    x, y = (torch.cat(part) for part in zip(*batches(8)))
    data = TensorDataset(x, y)
    sampler = DistributedSampler(data, num_replicas=2, rank=0, shuffle=True)
    log = run(*make(), loader=DataLoader(data, batch_size=6, sampler=sampler), repeats=2)
    first, second = log.split().values()
    assert first.loss.tolist() != second.loss.tolist()
    assert sampler.epoch == 0


def test_a_seed_gives_the_same_numbers_again() -> None:
    losses = []
    for seed in (1, 2, 1):
        model, optimizer = make()
        with clrfast.RangeTest(model, optimizer, steps=20, seed=seed) as test:
            usual(test, model, optimizer, shuffled(True))
        losses.append(test.log.loss.tolist())
    assert losses[0] == losses[2] != losses[1]


# Validation


def test_measures_held_out_batches_before_each_update() -> None:
    held_out = batches(8)[5:]
    model, optimizer = make()
    training = [module.training for module in model.modules()]
    log = run(model, optimizer, steps=24, hold=3, end_lr=0.1, validation=held_out, stop_factor=math.inf)
    assert len(log) == 8
    assert [module.training for module in model.modules()] == training

    model, optimizer = make()
    model.train()
    expected = []
    for i, lr in enumerate(log.lr):
        model.eval()
        with torch.no_grad():
            losses = [F.cross_entropy(model(x), y) for x, y in held_out]
            expected.append(float(torch.stack(losses).mean()))
        model.train()
        next(model.children()).eval()
        optimizer.param_groups[0]["lr"] = lr
        for x, y in [batches()[j % 5] for j in range(3 * i, 3 * i + 3)]:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    np.testing.assert_array_equal(log.loss, expected)


def test_a_step_of_ones_own_brings_its_own_measure() -> None:
    model, optimizer = make()
    seen = []

    def step(batch: Any) -> Tensor:
        loss = F.cross_entropy(model(batch[0]), batch[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    def measure() -> float:
        seen.append(float(len(seen)))
        return -seen[-1]

    log = run(model, optimizer, loss_fn=None, train_step=step, validation=measure, steps=10)
    assert log.loss.tolist() == [-i for i in range(10)]
    with pytest.raises(TypeError, match="validation must be a function where train_step is given"):
        run(model, optimizer, loss_fn=None, train_step=step, validation=batches())


# Batches


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


@pytest.mark.parametrize(
    "form", ["tensor", "one of one", "mapping and target", "own loss", "tuple of outputs"]
)
def test_takes_batches_of_any_usual_form(form: str) -> None:
    torch.manual_seed(0)
    model: nn.Module = Named()
    loss_fn: Any = F.mse_loss
    inputs = [x for x, _ in batches()]
    loader: Any = inputs
    if form == "one of one":
        loader = [(x,) for x in inputs]
    elif form == "mapping and target":
        loader = [({"x": x}, x) for x in inputs]
    elif form in ("own loss", "tuple of outputs"):
        forward = model.forward

        def loss_of(x: Tensor) -> Any:
            loss = F.mse_loss(forward(x), x)
            return loss if form == "own loss" else (loss, x)

        model.forward, loss_fn = loss_of, None  # type: ignore[method-assign]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    log = clrfast.range_test(model, optimizer, loss_fn, loader, steps=10, end_lr=1e-2)
    torch.manual_seed(0)
    plain = Named()
    expected = clrfast.range_test(
        *(plain, torch.optim.SGD(plain.parameters(), lr=0.1), F.mse_loss, [(x, x) for x in inputs]),
        steps=10,
        end_lr=1e-2,
    )
    assert log.loss.tolist() == expected.loss.tolist()
