"""The range test records what a plain loop would, stops when it should, and leaves no trace."""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, Dataset, TensorDataset

import clrfast
from clrfast._range_test._stop_rule import StopRule, Watch
from experiments import OPTIMIZERS, Net, Recurrent, batches, dense, fingerprint, generators, make, run, train


def line(weight: float = 0.0) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, weight)
    return model, torch.optim.SGD(model.parameters(), lr=0.01)


def play(losses: list[float], **options: Any) -> clrfast.Log:
    """A test in which the losses are these, whatever is trained."""
    following = iter(losses)
    model, optimizer = line()

    def step(batch: Any) -> float:
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        return next(following)

    return run(model, optimizer, loss_fn=None, train_step=step, steps=len(losses), **options)


# What it records


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("shape", ["exponential", "linear"])
def test_records_what_a_plain_loop_would(shape: str, accumulate: int) -> None:
    model, optimizer = make()
    log = run(model, optimizer, start_lr=1e-5, end_lr=0.1, steps=25, shape=shape, accumulate=accumulate)

    model, optimizer = make()
    model.train()
    rates = np.geomspace(1e-5, 0.1, 25) if shape == "exponential" else np.linspace(1e-5, 0.1, 25)
    stream = (batch for _ in range(100) for batch in batches())
    expected = []
    for rate in log.lr.tolist():
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        losses = []
        for x, y in itertools.islice(stream, accumulate):
            loss = F.cross_entropy(model(x), y)
            (loss / accumulate).backward()
            losses.append(loss.detach())
        expected.append(torch.stack(losses).mean().item())
        optimizer.step()

    np.testing.assert_allclose(log.lr, rates, rtol=1e-14)
    assert log.loss.tolist() == expected
    assert log.step is not None
    assert log.step.tolist() == list(range(25))
    assert log.status == "Ran all 25 steps, up to lr 0.1."


def test_takes_the_whole_step_from_the_user() -> None:
    model, optimizer = make()

    def step(batch: tuple[Tensor, Tensor]) -> Tensor:
        return torch.tensor(train(model, optimizer, [batch], 1)[0])

    expected = run(model, optimizer)
    log = run(model, optimizer, loss_fn=None, train_step=step)
    np.testing.assert_array_equal(log.loss, expected.loss)


class Named(nn.Module):
    """Takes its arguments by name and returns its loss, as models of Hugging Face's library do."""

    def __init__(self, as_dict: bool) -> None:
        super().__init__()
        self.net, self.as_dict = dense(torch.float32), as_dict

    def forward(self, x: Tensor, labels: Tensor) -> Any:
        logits = self.net(x)
        output = {"logits": logits, "loss": F.cross_entropy(logits, labels)}
        return output if self.as_dict else SimpleNamespace(**output)


@pytest.mark.parametrize("as_dict", [True, False])
@pytest.mark.parametrize("own_loss", [True, False])
def test_takes_batches_of_named_arguments(as_dict: bool, own_loss: bool) -> None:
    def loss_fn(output: Any, batch: Any) -> Tensor:
        return F.cross_entropy(output["logits"] if as_dict else output.logits, batch["labels"])

    torch.manual_seed(1)
    model = Named(as_dict)
    loader = [{"x": x, "labels": y} for x, y in batches()]
    log = run(
        model, OPTIMIZERS["adam"](model.parameters()), loss_fn=None if own_loss else loss_fn, loader=loader
    )
    torch.manual_seed(1)
    model = Named(as_dict).net
    expected = run(model, OPTIMIZERS["adam"](model.parameters()))
    np.testing.assert_array_equal(log.loss, expected.loss)


def test_takes_several_inputs_and_any_loss_module() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(8, 3)

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.net(a) + self.net(b)

    model, criterion = Sum(), nn.CrossEntropyLoss()
    criterion.eval()
    log = run(
        model,
        OPTIMIZERS["adam"](model.parameters()),
        loss_fn=criterion,
        loader=[[x, x, y] for x, y in batches()],
    )
    assert len(log) == 20
    assert not criterion.training


def test_moves_batches_in_any_nesting() -> None:
    class Pair(NamedTuple):
        x: Tensor
        names: list[str]

    seen: list[Any] = []

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(8, 3, device="meta")

        def forward(self, pair: Pair, more: dict[str, list[Tensor]]) -> Tensor:
            seen.append((type(pair), pair.x.device.type, pair.names, more["z"][0].device.type))
            return self.net(pair.x)

    model = Model()
    x, y = batches()[0]
    loader = [(Pair(x, ["a"]), {"z": [x]}, y)]
    with pytest.raises(RuntimeError, match="meta"):  # which has no losses to read back
        run(model, torch.optim.SGD(model.parameters(), lr=0.1), loader=loader)
    assert seen[0] == (Pair, "meta", ["a"], "meta")


@pytest.mark.parametrize("rates", [(0.1, 0.1), (0.1, 0.01), (0.0, 0.01)])
@pytest.mark.parametrize("tensor", [True, False])
def test_groups_keep_their_ratio_to_the_largest(rates: tuple[float, float], tensor: bool) -> None:
    model = dense(torch.float32)
    halves = list(model.parameters())[:2], list(model.parameters())[2:]
    kept = [torch.tensor(rate, dtype=torch.float64) if tensor else rate for rate in rates]
    optimizer = torch.optim.Adam(
        [{"params": half, "lr": rate} for half, rate in zip(halves, kept)], foreach=False, capturable=False
    )
    seen: list[list[float]] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append([float(g["lr"]) for g in optimizer.param_groups]))
    log = run(model, optimizer)
    expected = np.outer(log.lr, np.divide(rates, max(rates)))
    np.testing.assert_allclose(seen, expected, rtol=1e-15)
    for group, rate in zip(optimizer.param_groups, kept):
        assert group["lr"] is rate
        assert float(rate) in rates


def test_ratios_are_the_schedulers_while_it_warms_up_from_nothing() -> None:
    model = dense(torch.float32)
    groups = [{"params": [p], "lr": 0.1 * (i + 1)} for i, p in enumerate(model.parameters())]
    optimizer = torch.optim.SGD(groups)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 10)
    assert scheduler.get_last_lr() == [0.0] * 6
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.append([g["lr"] for g in optimizer.param_groups]))
    run(model, optimizer, steps=2, end_lr=0.6)
    np.testing.assert_allclose(seen[-1], np.arange(1, 7) / 10)


# When it stops


def test_reads_the_losses_back_rarely() -> None:
    class Elsewhere(Tensor):
        """A loss that says it is not in the CPU's memory."""

        is_cpu = False
        lists = 0

        def tolist(self) -> Any:
            Elsewhere.lists += 1
            return super().tolist()

    class Reads(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.count += func is torch.ops.aten._local_scalar_dense.default
            return func(*args, **(kwargs or {}))

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target).as_subclass(Elsewhere)

    logs = []
    for loss_of, reads_of_steps in ((loss_fn, 0), (F.cross_entropy, 500)):
        model, optimizer = make()
        with Reads() as reads:
            logs.append(run(model, optimizer, steps=500, end_lr=1e-3, loss_fn=loss_of))
        assert reads.count == reads_of_steps
    assert 0 < Elsewhere.lists <= 500 / 25
    np.testing.assert_array_equal(logs[0].loss, logs[1].loss)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_never_waits_for_a_gpu() -> None:
    model = dense(torch.float32).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    before = [fingerprint_cuda(t) for t in (*model.parameters(), *model.buffers())]
    loader = [(x.cuda(), y.cuda()) for x, y in batches()]

    calls = 0

    def guarded(output: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        torch.cuda.set_sync_debug_mode("error" if 1 < calls < 300 else "default")
        return F.cross_entropy(output, target)

    try:
        log = run(model, optimizer, loader=loader, steps=300, end_lr=1e-2, loss_fn=guarded)
        assert len(log) == 300
        torch.cuda.set_sync_debug_mode("default")
        log = run(model, optimizer, loader=loader, steps=300, end_lr=1e30, stop_factor=0.1)
        assert len(log) < 300
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert before == [fingerprint_cuda(t) for t in (*model.parameters(), *model.buffers())]


def fingerprint_cuda(tensor: Tensor) -> Any:
    return id(tensor), tensor.data_ptr(), tensor.detach().cpu().flatten().view(torch.uint8).tolist()


def test_cuts_off_what_follows_the_stop() -> None:
    falling = [2.0 - 0.01 * i for i in range(100)]
    rising = [1.0 + 0.5 * i for i in range(100)]
    log = play([*falling, *rising])
    # The median fell from 1.95 to 1.01 or so, and the rise counts once all of the last five are high enough.
    assert log.loss[-5] > 1.01 + 4 * (1.95 - 1.01) > log.loss[-6] - 0.5
    assert len(log) < 125
    assert log.loss.tolist() == [*falling, *rising][: len(log)]
    assert log.status.startswith(f"Stopped after {len(log)} of 200 steps, at lr ")
    assert "risen" in log.status


@pytest.mark.parametrize("offset", [-1000.0, -3.0, 0.0, 1000.0])
def test_negative_losses_do_not_stop_it(offset: float) -> None:
    falling = [offset - 0.02 * i for i in range(200)]
    assert len(play(falling)) == 200
    assert len(play([*falling[:100], *(falling[99] + 5.0 * i for i in range(100))])) < 200


def test_noise_and_spikes_do_not_stop_it() -> None:
    noise = np.random.default_rng(3).normal(size=400)
    noise[[50, 51, 120, 300, 301, 302]] = 1e6
    assert len(play(noise.tolist())) == 400


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 1, 9, 10, 57])
def test_a_loss_that_is_not_finite_stops_it(bad: float, at: int) -> None:
    losses = [1.0] * 60
    losses[at] = bad
    log = play(losses, stop_factor=math.inf)
    np.testing.assert_array_equal(log.loss, losses[: at + 1])
    assert log.status == f"Stopped after {at + 1} of 60 steps, at lr {log.lr[-1]:.3g}: the loss was {bad}."


def test_stop_factor_of_infinity_lets_it_run() -> None:
    losses = [1.0, *(2.0**i for i in range(99))]
    assert len(play(losses)) < 100
    assert len(play(losses, stop_factor=math.inf)) == 100


def slow_first_stop(losses: list[float], factor: float, width: int, first: int) -> int:
    lowest = math.inf
    for i, loss in enumerate(losses):
        if not math.isfinite(loss):
            return i
        if i >= width - 1:
            window = sorted(losses[i - width + 1 : i + 1])
            lowest = min(lowest, window[width // 2])
        if i >= first:
            start = sorted(losses[:first])
            level = start[first // 2]
            fall = max(level - lowest, start[-1] - start[0], 0.01 * abs(level))
            if window[0] - lowest > factor * fall:
                return i
    return len(losses)


@given(
    losses=st.lists(
        st.floats(-100, 100) | st.sampled_from([math.nan, math.inf]) | st.integers(-3, 3).map(float)
    ),
    rising=st.lists(st.floats(0, 1e4)),
    factor=st.sampled_from([0.1, 1.0, 4.0, math.inf]),
    width=st.integers(1, 6),
    more=st.integers(0, 8),
)
def test_the_stop_is_what_its_words_say_and_knows_no_future(
    losses: list[float], rising: list[float], factor: float, width: int, more: int
) -> None:
    losses = [*losses, *sorted(rising)]
    first = width + more
    expected = slow_first_stop(losses, factor, width, first)
    for count in {1, len(losses) // 2, expected, expected + 1, len(losses)}:
        rule = StopRule(len(losses), factor)
        rule._width, rule._first = width, first
        for loss in losses[:count]:
            rule.add(loss)
        assert rule.stop == (expected if expected < min(count, len(losses)) else None)


def test_watch_finds_the_same_stop_however_often_it_asks() -> None:
    losses = [1.0] * 40 + [50.0] * 60
    for every in (1, 7, 1000):
        watch = Watch(100, 4.0)
        watch._every = every
        for loss in losses:
            if watch.add(torch.tensor(loss)):
                break
        assert watch.result() == (losses[:43], True)


# What it leaves


@pytest.mark.parametrize("steps", [0, 3], ids=["fresh", "trained"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", [dense, Recurrent])
def test_leaves_no_trace(net: Net, optimizer: str, dtype: torch.dtype, steps: int) -> None:
    model, tuned = make(net, optimizer, dtype, steps)
    before = fingerprint(model), fingerprint(tuned), generators()
    log = run(model, tuned, loader=batches(dtype=dtype), end_lr=1e4)
    assert len(log) > 1
    assert before == (fingerprint(model), fingerprint(tuned), generators())


class Boom(BaseException):
    pass


@settings(max_examples=40)
@given(
    at=st.integers(0, 24),
    place=st.sampled_from(["loader", "model", "loss", "backward", "progress", "step"]),
    error=st.sampled_from([Boom, RuntimeError, KeyboardInterrupt, StopIteration, GeneratorExit, SystemExit]),
    optimizer=st.sampled_from(["momentum", "adam"]),
)
def test_an_exception_anywhere_restores_and_goes_on(
    at: int, place: str, error: type[BaseException], optimizer: str
) -> None:
    model, tuned = make(optimizer=optimizer)
    raised = error("here")
    calls = 0
    at = at % 3 if place == "progress" else at  # of which there are so many

    def maybe(here: str) -> None:
        nonlocal calls
        if here == place:
            calls += 1
            if calls == at + 1:
                raise raised

    class Loader:
        def __iter__(self) -> Iterator[Any]:
            return self

        def __next__(self) -> Any:
            maybe("loader")
            return batches(1)[0]

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        maybe("loss")
        output.register_hook(lambda grad: maybe("backward"))
        return F.cross_entropy(output, target)

    hooks = (
        model.register_forward_hook(lambda *_: maybe("model")),
        tuned.register_step_pre_hook(lambda *_: maybe("step")),
    )
    before = fingerprint(model), fingerprint(tuned), generators()
    options = {
        "loader": Loader(),
        "loss_fn": loss_fn,
        "steps": 25,
        "progress": lambda *_: maybe("progress"),
    }
    if place == "loader" and error is StopIteration:  # this is how a pass ends; the next one goes on
        assert len(run(model, tuned, **options)) == 25
    else:
        with pytest.raises(error) as caught:
            run(model, tuned, **options)
        assert caught.value is raised
    assert before == (fingerprint(model), fingerprint(tuned), generators())
    for hook in hooks:
        hook.remove()


class Noisy(Dataset[Any]):
    """Every item takes numbers from each of the generators, as augmentation does."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return torch.randn(8) + random.random() + float(np.random.random()), i % 3


@pytest.mark.parametrize("own_generator", [True, False])
@pytest.mark.parametrize("net", [dense, Recurrent])
@pytest.mark.parametrize("optimizer", ["momentum", "adam", "lbfgs"])
def test_training_goes_on_as_if_there_had_been_none(net: Net, optimizer: str, own_generator: bool) -> None:
    def weights(with_test: bool) -> list[list[float]]:
        random.seed(0)
        np.random.seed(0)
        model, tuned = make(net, optimizer)
        generator = torch.Generator().manual_seed(5) if own_generator else None
        loader = DataLoader(Noisy(), batch_size=8, shuffle=True, generator=generator)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(tuned, 0.1, 10, cycle_momentum=False)
        if with_test:
            run(model, tuned, loader=loader)
        for _ in range(2):
            for batch in loader:
                train(model, tuned, [batch], 1)
                scheduler.step()
        return [p.tolist() for p in model.parameters()]

    assert weights(True) == weights(False)


def test_a_scheduler_still_notices_that_nothing_was_trained() -> None:
    model, optimizer = make(steps=0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    run(model, optimizer)
    with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`"):
        scheduler.step()


def test_keeps_the_iterator_of_persistent_workers() -> None:
    def order(with_test: bool) -> list[Any]:
        torch.manual_seed(0)
        data = TensorDataset(torch.randn(24, 8), torch.arange(24) % 3)
        loader = DataLoader(data, batch_size=4, shuffle=True, num_workers=1, persistent_workers=True)
        taken = iter(loader)
        seen = [next(taken)[0].tolist()]
        if with_test:
            run(*make(), loader=loader, steps=8)
            torch.manual_seed(1)  # which make() also did
        else:
            make()
            torch.manual_seed(1)
        return [*seen, *(x.tolist() for x, _ in taken), *(x.tolist() for x, _ in loader)]

    assert order(True) == order(False)


def test_restores_a_scaler() -> None:
    model, optimizer = make()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**100, growth_interval=2)
    before = scaler.state_dict(), fingerprint(model), fingerprint(optimizer)
    log = run(model, optimizer, scaler=scaler, autocast=torch.autocast("cpu", dtype=torch.bfloat16))
    assert len(log) == 20
    assert before == (scaler.state_dict(), fingerprint(model), fingerprint(optimizer))


def test_restores_what_else_a_step_changes() -> None:
    model, optimizer = make()
    other, second = make(optimizer="adam")
    scheduler = torch.optim.lr_scheduler.StepLR(second, 3)
    average = torch.optim.swa_utils.AveragedModel(model)
    average.eval()

    def step(batch: Any) -> float:
        loss = train(model, optimizer, [batch], 1)[0] + train(other, second, [batch], 1)[0]
        scheduler.step()
        average.update_parameters(model)
        return loss

    everything = model, optimizer, other, second, average
    before = [fingerprint(item) for item in everything], scheduler.state_dict()
    run(model, optimizer, loss_fn=None, train_step=step, also=(other, second, scheduler, average))
    assert before == ([fingerprint(item) for item in everything], scheduler.state_dict())


def test_restores_tensors_whose_memory_was_replaced_or_shared() -> None:
    net, optimizer = make()
    model = nn.ModuleDict({"net": net, "extra": nn.Linear(2, 2)})
    model.register_buffer("table", torch.arange(3).expand(4, 3), persistent=False)
    model.register_buffer("graph", torch.eye(3).to_sparse(), persistent=False)

    def step(batch: Any) -> float:
        loss = train(net, optimizer, [batch], 1)[0]
        net.double().float()
        model.table = torch.zeros(())  # a buffer made anew
        model.graph.mul_(2.0)
        model["extra"].weight = nn.Parameter(torch.zeros(1))
        return loss

    graph = model.graph
    rest = fingerprint(model.table), fingerprint(model["extra"].weight), graph.to_dense().tolist()
    parameters = [fingerprint(parameter) for parameter in model.parameters()]
    run(model, optimizer, loss_fn=None, train_step=step)
    assert model.graph is graph
    assert rest == (fingerprint(model.table), fingerprint(model["extra"].weight), graph.to_dense().tolist())
    assert parameters == [fingerprint(parameter) for parameter in model.parameters()]


def test_gradients_that_nobody_clears_are_kept() -> None:
    model = dense(torch.float32)
    F.cross_entropy(model(batches()[0][0]), batches()[0][1]).backward()
    optimizer = torch.optim.SGD(list(model.parameters())[2:], lr=0.1)  # the first layer's are not cleared
    before = fingerprint(model)
    run(model, optimizer)
    assert before == fingerprint(model)


def test_works_where_gradients_are_switched_off() -> None:
    expected = run(*make())
    with torch.no_grad():
        log = run(*make())
        assert not torch.is_grad_enabled()
    np.testing.assert_array_equal(log.loss, expected.loss)


# Loaders


def test_a_loader_of_one_batch_is_passed_again_and_again() -> None:
    assert len(run(*make(), loader=batches(1))) == 20


def test_a_loader_that_can_be_passed_once_ends_the_test() -> None:
    with pytest.warns(UserWarning, match="cannot put back: loader, a list_iterator, goes on where the test"):
        log = run(*make(), loader=iter(batches(7)), accumulate=2)
    assert len(log) == 3
    assert log.lr[-1] < 1e-6
    assert log.status.startswith("Ended after 3 of 20 steps, at lr ")


# Bad input


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.LazyLinear(3)


def elsewhere() -> torch.optim.Optimizer:
    return torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"start_lr": 0.0}, ValueError, r"start_lr must be finite and > 0, got 0.0"),
        ({"start_lr": "1"}, TypeError, r"start_lr must be a number, got '1'"),
        ({"start_lr": 1.0, "end_lr": 1.0}, ValueError, r"end_lr must be finite and > 1, got 1.0"),
        ({"end_lr": math.inf}, ValueError, r"end_lr must be finite .* got inf"),
        ({"steps": 1}, ValueError, r"steps must be an integer from 2 .* got 1"),
        ({"steps": 20.0}, TypeError, r"steps must be an integer, got 20.0"),
        ({"shape": "log"}, ValueError, r"shape must be one of 'exponential', 'linear', got 'log'"),
        ({"stop_factor": 0.0}, ValueError, r"stop_factor must be finite and > 0, got 0.0"),
        ({"stop_factor": math.nan}, ValueError, r"stop_factor must be .* got nan"),
        ({"accumulate": 0}, ValueError, r"accumulate must be an integer from 1 .* got 0"),
        ({"model": print}, TypeError, r"model must be a torch.nn.Module, got builtin"),
        ({"model": Lazy()}, ValueError, r"model must have seen a batch: its parameter 'net.weight'"),
        ({"optimizer": print}, TypeError, r"optimizer must be a torch.optim.Optimizer, got builtin"),
        ({"optimizer": elsewhere()}, ValueError, r"optimizer must hold parameters of model, got none"),
        ({"loader": 3}, TypeError, r"loader must be an iterable of batches, got int"),
        ({"loader": []}, ValueError, r"loader must give a batch for each step, got none"),
        ({"loader": ["ab"]}, TypeError, r"a batch must be .* got a str of length 2"),
        ({"loader": [({1},)]}, TypeError, r"a batch must be .* got a set of length 1"),
        ({"loader": [5]}, TypeError, r"a batch must be .* got a int with"),
        ({"loss_fn": 3}, TypeError, r"loss_fn must be callable or None, got 3"),
        ({"loss_fn": None}, TypeError, r"a batch must be .* with loss_fn=None"),
        ({"loss_fn": lambda x, y: x.sum(1)}, ValueError, r"loss_fn must return a scalar, .* shape \(6,\)"),
        ({"loss_fn": lambda x, y: 1.0}, TypeError, r"loss_fn must return a scalar tensor, got 1.0"),
        ({"train_step": 3, "loss_fn": None}, TypeError, r"train_step must be callable, got 3"),
        ({"train_step": id}, ValueError, r"loss_fn must be None where train_step is given"),
        ({"train_step": id, "loss_fn": None, "accumulate": 2}, ValueError, r"accumulate must be 1 where"),
        ({"train_step": id, "loss_fn": None, "device": "cpu"}, ValueError, r"device must be None where"),
        ({"train_step": repr, "loss_fn": None}, TypeError, r"train_step must return .* number, got '"),
        ({"also": [3]}, TypeError, r"also must hold modules, optimizers or schedulers, got 3"),
        ({"loss_fn": lambda x, y: x.detach().sum()}, ValueError, r"loss_fn must return .* gradient"),
        ({"progress": 3}, TypeError, r"progress must be True, False, 'plain', functions or one, got 3"),
        ({"hold": 0}, ValueError, r"hold must be an integer from 1 .* got 0"),
        ({"hold": 11}, ValueError, r"hold must be an integer from 1 to 10, got 11"),
        ({"repeats": 0}, ValueError, r"repeats must be an integer from 1 .* got 0"),
        ({"validation": 3}, TypeError, r"validation must be an iterable of batches, got int"),
        ({"start_lr": [1e-7, 1e-6]}, ValueError, r"start_lr must be one number, or one for each of 1 groups"),
        ({"end_lr": [1e-8]}, ValueError, r"end_lr\[0\] must be finite and > 1e-07, got 1e-08"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    model, optimizer = make()
    before = fingerprint(model), fingerprint(optimizer), generators()
    with pytest.raises(error, match=message):
        run(**{"model": model, "optimizer": optimizer, **options})
    assert before == (fingerprint(model), fingerprint(optimizer), generators())


@pytest.mark.parametrize("rate", [-1.0, math.nan, None])
def test_an_optimizer_without_a_proper_rate_is_refused(rate: Any) -> None:
    model, optimizer = make()
    optimizer.param_groups[0]["lr"] = rate
    with pytest.raises((TypeError, ValueError), match=r"optimizer.param_groups\[0\]\['lr'\] must be .* got"):
        run(model, optimizer)


@pytest.mark.parametrize(
    ("module", "extra", "options"), [("torch", "torch", {}), ("tqdm", "demo", {"progress": True})]
)
def test_a_missing_package_names_the_extra(
    module: str, extra: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = make()
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(ImportError, match=rf"needs {module}.*pip install 'clrfast\[{extra}\]'"):
        run(model, optimizer, **options)
