"""The noise scale: its definition in closed form and by hand, what it is told of, and no trace of it left."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import clrfast
from clrfast._batch_size._gradient_noise import Parts, ratio_interval
from clrfast._batch_size._gradients import Gradients
from experiments import batches, dense, fingerprint, generators, make

WIDTH, OFF, NOISE = 12, 0.3, 2.0


def squares(output: Tensor, target: Tensor) -> Tensor:
    return (output.squeeze(-1) - target).square().mean()


def regression(rows: int, seed: int) -> tuple[nn.Module, Tensor, Tensor]:
    """Normal inputs, targets of a line with noise, and a model whose weights are off by `OFF` each."""
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, WIDTH, generator=source)
    y = x.sum(1) + NOISE * torch.randn(rows, generator=source)
    model = nn.Linear(WIDTH, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1 + OFF)
    return model, x, y


def in_closed_form() -> tuple[float, float]:
    """The squared gradient and the variance of a sample's: its gradient is 2 x (x d - e), x and e normal."""
    off = WIDTH * OFF**2
    return 4 * off, 4 * ((WIDTH + 2) * off + WIDTH * NOISE**2) - 4 * off


def cut(x: Tensor, y: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(x.split(size), y.split(size)))


@pytest.mark.parametrize("how", ["halves", "batches", "training"])
def test_is_that_of_the_closed_form(how: str) -> None:
    squared, trace = in_closed_form()
    found = []
    for seed in range(100, 116):
        model, x, y = regression(2400, seed)
        size = 16 if how == "batches" else 48
        options: dict[str, Any] = {"accumulate": 48 // size}
        if how == "training":
            options |= {"optimizer": torch.optim.SGD(model.parameters()), "lr": 1e-12}
        found.append(clrfast.noise_scale(model, squares, cut(x, y, size), steps=50, **options))
    for name, truth in (("squared_gradient", squared), ("trace", trace)):
        values = np.array([getattr(one, name) for one in found])
        assert abs(values.mean() - truth) < 3 * values.std() / 4
        assert values.std() < 0.5 * truth


@pytest.mark.parametrize("is_fixed", [False, True])
def test_interval_holds_the_closed_form(is_fixed: bool) -> None:
    """On 300 sets of 50 steps, cut in blocks of 4: about 95 of 100."""
    squared, trace = in_closed_form()
    source = np.random.default_rng(0)
    blocks, counts, held = np.arange(50) // 4, np.full(50, 2), 0
    for _ in range(300):
        x, noise = source.standard_normal((2400, WIDTH)), NOISE * source.standard_normal(2400)
        halves = (2 * x * (OFF * x.sum(1) - noise)[:, None]).reshape(50, 2, 24, WIDTH).mean(2)
        sums = halves.sum(1)
        in_blocks = np.array([sums[blocks == block].sum(0) for block in range(13)])
        parts = Parts(
            norms=np.square(halves).sum((1, 2)),
            norm_of_sum=np.square(sums).sum(1),
            counts=counts,
            inverse=counts / 24,
            blocks=blocks,
            products=in_blocks @ in_blocks.T if is_fixed else None,
        )
        low, high = ratio_interval(*parts.estimates(), parts.covariance(), 12)
        held += low <= trace / squared <= high
    assert 270 <= held <= 294


def gradients(model: nn.Module, parts: list[tuple[Tensor, Tensor]]) -> list[np.ndarray[Any, Any]]:
    rows = []
    for x, y in parts:
        found = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
        rows.append(torch.cat([one.flatten() for one in found]).double().numpy())
    return rows


def by_hand(rows: list[np.ndarray[Any, Any]], size: float) -> tuple[float, float]:
    """From gradients of parts of one size: the mean product of different ones, and the variance."""
    table = np.array(rows)
    products = table @ table.T
    others = products[~np.eye(len(rows), dtype=bool)]
    return float(others.mean()), size * float(table.var(axis=0, ddof=1).sum())


def net() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(8, 7), nn.Tanh(), nn.Linear(7, 3))


def test_compares_all_parts_of_a_fixed_model() -> None:
    model, data = net(), batches(100, 6)
    found = clrfast.noise_scale(model, F.cross_entropy, data, steps=100)
    rows = gradients(model, [half for x, y in data for half in ((x[:3], y[:3]), (x[3:], y[3:]))])
    squared, trace = by_hand(rows, 3)
    np.testing.assert_allclose([found.squared_gradient, found.trace], [squared, trace], rtol=1e-4)
    assert found.scale == found.trace / found.squared_gradient
    each = [by_hand(rows[i : i + 2], 3) for i in range(0, 200, 2)]
    np.testing.assert_allclose(found.squared_gradients, [one for one, _ in each], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.traces, [one for _, one in each], rtol=1e-3)
    losses = [F.cross_entropy(model(x), y).item() for x, y in data]
    np.testing.assert_allclose(found.losses, losses, rtol=1e-5)
    assert found.samples.tolist() == [6] * 100
    assert not found.is_trained


def test_parts_of_other_sizes_count_as_what_they_are() -> None:
    """The variance of parts of different sizes, scaled to one sample, has the right mean."""
    squared, trace = in_closed_form()
    found = []
    for seed in range(100, 116):
        model, x, y = regression(1500, seed)
        data = [(a, b) for i, (xs, ys) in enumerate(cut(x, y, 30)) for a, b in cut(xs, ys, (30, 8, 5)[i % 3])]
        found.append(clrfast.noise_scale(model, squares, data, accumulate=2, steps=len(data) // 2))
    for name, truth in (("squared_gradient", squared), ("trace", trace)):
        values = np.array([getattr(one, name) for one in found])
        assert abs(values.mean() - truth) < 3 * values.std() / 4


def test_trains_as_the_whole_batches_would() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    data = batches(20, 6)
    before = fingerprint(model), fingerprint(optimizer), generators()
    found = clrfast.noise_scale(model, F.cross_entropy, data, steps=20, optimizer=optimizer, lr=0.2)
    assert before == (fingerprint(model), fingerprint(optimizer), generators())
    assert found.is_trained
    for i, (x, y) in enumerate(data):
        rows = gradients(model, [(x[:3], y[:3]), (x[3:], y[3:])])
        squared, trace = by_hand(rows, 3)
        np.testing.assert_allclose(found.squared_gradients[i], squared, rtol=2e-3, atol=1e-5)
        np.testing.assert_allclose(found.traces[i], trace, rtol=2e-3)
        optimizer.param_groups[0]["lr"] = 0.2 * min(1.0, (i + 1) / 2)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        np.testing.assert_allclose(found.losses[i], loss.item(), rtol=1e-4)
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(found.trace, found.traces.mean())


@pytest.mark.parametrize("trained", [False, True])
def test_puts_everything_back(trained: bool) -> None:
    model, optimizer = make()
    x, y = torch.randn(90, 8), torch.randint(3, (90,))
    loader = DataLoader(
        TensorDataset(x, y), batch_size=7, shuffle=True, generator=torch.Generator().manual_seed(3)
    )
    options: dict[str, Any] = {"optimizer": optimizer, "lr": 0.1} if trained else {}

    def state() -> Any:
        return fingerprint(model), fingerprint(optimizer), generators(), loader.generator.get_state().tolist()

    before = state()
    found = clrfast.noise_scale(model, F.cross_entropy, loader, steps=20, **options)
    assert before == state()
    again = clrfast.noise_scale(model, F.cross_entropy, loader, steps=20, **options)
    assert found.traces.tolist() == again.traces.tolist()
    left = 0

    def breaks(output: Tensor, target: Tensor) -> Tensor:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return F.cross_entropy(output, target)

    for calls in range(0, 20, 3):
        left = calls
        with pytest.raises(KeyboardInterrupt):
            clrfast.noise_scale(model, breaks, loader, steps=20, **options)
        assert before == state()


def test_a_sum_gives_the_scale_of_the_mean() -> None:
    model, x, y = regression(900, 1)
    mean = clrfast.noise_scale(model, squares, cut(x, y, 18), steps=50)
    total = clrfast.noise_scale(model, lambda o, t: len(t) * squares(o, t), cut(x, y, 18), steps=50)
    assert total.scale == pytest.approx(mean.scale, rel=1e-4)
    assert total.interval == pytest.approx(mean.interval, rel=1e-4)


class Named(nn.Module):
    """Takes names, and returns a loss itself where it is given labels."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = net()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
        output = self.inner(x)
        return output if labels is None else {"loss": F.cross_entropy(output, labels)}


def test_batches_of_the_usual_forms() -> None:
    model, data = Named(), batches(20, 6)
    expected = clrfast.noise_scale(model, F.cross_entropy, data, steps=20)
    forms: list[tuple[Any, Any]] = [
        (F.cross_entropy, [({"x": x}, y) for x, y in data]),
        (None, [{"x": x, "labels": y} for x, y in data]),
    ]
    for loss_fn, loader in forms:
        assert clrfast.noise_scale(model, loss_fn, loader, steps=20).scale == expected.scale
    for loader in ([x for x, _ in data], [(x,) for x, _ in data]):
        found = clrfast.noise_scale(model, lambda output, _: output.square().mean(), loader, steps=20)
        assert found.samples.tolist() == [6] * 20


def test_batches_of_one_sample_are_compared_with_each_other() -> None:
    model, data = net(), batches(60, 1)
    with pytest.raises(ValueError, match="a batch must hold 2 samples or more to be halved, got 1: accumul"):
        clrfast.noise_scale(model, F.cross_entropy, data)
    found = clrfast.noise_scale(model, F.cross_entropy, data, accumulate=2, steps=30)
    squared, trace = by_hand(gradients(model, data), 1)
    np.testing.assert_allclose([found.squared_gradient, found.trace], [squared, trace], rtol=1e-4)
    ragged = [*batches(5, 4), *batches(1, 1)]  # the last of a pass has one sample: it is passed over
    assert clrfast.noise_scale(model, F.cross_entropy, ragged, steps=20).samples.tolist() == [4] * 20


def test_parameters_without_a_gradient_count_nothing() -> None:
    class Partly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused, self.table = net(), nn.Linear(3, 3), nn.Embedding(4, 8, sparse=True)

        def forward(self, x: Tensor) -> Any:
            return self.used(x + 0 * self.table(torch.zeros(len(x), dtype=torch.long)))

    data = batches(20, 6)
    found = clrfast.noise_scale(Partly(), F.cross_entropy, data, steps=20)
    assert found.scale == pytest.approx(clrfast.noise_scale(net(), F.cross_entropy, data, steps=20).scale)


def test_noise_alone_has_no_upper_end() -> None:
    model, x, y = regression(640, 3)
    with torch.no_grad():
        model.weight.fill_(1.0)
    found = clrfast.noise_scale(model, squares, cut(x, y, 16), steps=40)
    assert found.interval[1] == math.inf
    assert found.interval[0] > 16
    assert found.confidence == "low"
    assert found.reasons == ("the gradient is not told from its noise: give more steps, or larger batches",)


def test_interval_of_a_ratio_holds_it() -> None:
    """Fieller's theorem on normal numbers: 95 of 100, also where the denominator is hardly there."""
    source = np.random.default_rng(0)
    covariance = np.array([[1.0, 0.3], [0.3, 0.5]])
    for squared in (0.5, 2.0, 10.0):
        draws = source.multivariate_normal([squared, 20.0], covariance, 2000)
        ends = [ratio_interval(a, b, covariance, 10**6) for a, b in draws.tolist()]
        held = np.mean([low <= 20.0 / squared <= high for low, high in ends])
        assert abs(held - 0.95) < 0.02
    assert all(math.isfinite(high) for _, high in ends)


def test_says_what_makes_it_doubtful() -> None:
    model, optimizer = make(optimizer="adam")
    model.train()
    found = clrfast.noise_scale(model, F.cross_entropy, batches(40), steps=30)
    assert any("batch norm" in reason for reason in found.reasons)
    found = clrfast.noise_scale(net(), F.cross_entropy, batches(5), steps=30)
    assert any("passed more than once" in reason for reason in found.reasons)
    found = clrfast.noise_scale(model, F.cross_entropy, batches(40), steps=30, optimizer=optimizer)
    assert any("under Adam" in reason for reason in found.reasons)
    assert found.confidence in ("medium", "low")


def test_steps_without_finite_gradients_are_left_out() -> None:
    model, data = net(), batches(40, 6)
    calls = 0

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        bad = (output * 0).sum().sqrt() if calls in (7, 20) else 0.0  # 0, whose gradient is NaN
        return F.cross_entropy(output, target) + bad

    found = clrfast.noise_scale(model, loss_fn, data, steps=40)
    assert len(found.losses) == 38
    assert np.isfinite([found.scale, *found.traces]).all()
    assert "2 steps whose gradients were not finite are left out" in found.reasons
    clean = [batch for i, batch in enumerate(data) if i not in (3, 9)]
    assert found.scale == clrfast.noise_scale(model, F.cross_entropy, clean, steps=38).scale
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    calls = -20
    found = clrfast.noise_scale(model, loss_fn, data, steps=40, optimizer=optimizer)
    assert len(found.losses) == 13  # a training ends there


@pytest.mark.filterwarnings("ignore:.*goes on where the test left it")
def test_a_loader_that_is_passed_once() -> None:
    found = clrfast.noise_scale(net(), F.cross_entropy, iter(batches(30)), steps=100)
    assert len(found.losses) == 30
    with pytest.raises(ValueError, match="loader must give 10 steps with finite losses and gradients, got 9"):
        clrfast.noise_scale(net(), F.cross_entropy, iter(batches(9)))


def test_cost_is_twice_the_fewest_at_the_scale() -> None:
    found = clrfast.noise_scale(net(), F.cross_entropy, batches(40), steps=40)
    assert found.cost(found.scale) == pytest.approx((2.0, 2.0))
    assert found.cost(3 * found.scale) == pytest.approx((4 / 3, 4.0))
    with pytest.raises(ValueError, match="batch_size must be finite and > 0, got 0"):
        found.cost(0)


def test_prints_and_saves() -> None:
    found = clrfast.noise_scale(net(), F.cross_entropy, batches(40), steps=40)
    assert str(found).startswith("noise scale ")
    assert "from 40 steps of 6 samples of one model" in str(found)
    assert repr(found) == f"<NoiseScale: {found._summary()}, confidence {found.confidence}>"
    saved = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (saved["format"], saved["steps"], saved["batch_size"]) == (1, 40, 6.0)
    assert saved["scale"] == found.scale


class Other:
    """What no batch is."""


def refused() -> Iterator[tuple[dict[str, Any], type[Exception], str]]:
    yield {"steps": 9}, ValueError, "steps must be an integer from 10 to"
    yield {"model": 3}, TypeError, r"model must be a torch\.nn\.Module, got int"
    yield {"model": nn.Flatten()}, ValueError, "model must have parameters that require gradients, got none"
    yield {"loader": 3}, TypeError, "loader must be an iterable of batches, got int"
    yield {"loss_fn": 3}, TypeError, "loss_fn must be callable or None, got 3"
    yield {"lr": 0.1}, ValueError, "lr must be None where no optimizer is given, got 0.1"
    yield {"lr": -1.0}, ValueError, "lr must be finite and > 0, got -1.0"
    yield {"accumulate": 0}, ValueError, "accumulate must be an integer from 1 to"
    yield {"optimizer": 3}, TypeError, r"optimizer must be a torch\.optim\.Optimizer, got int"
    pair = (torch.zeros(4, 8), torch.zeros(3, dtype=torch.long))
    yield {"loader": [pair]}, ValueError, r"tensors of one length to be halved, got \[3, 4\]: accumulate=2"
    odd = (torch.zeros(4, 8), Other(), torch.zeros(4))
    yield {"loader": [odd]}, TypeError, "a batch must hold tensors to be halved, got a Other: accumulate=2"
    yield {"loader": [Other()] * 20, "accumulate": 2}, TypeError, "must hold a tensor with its samples"


@pytest.mark.parametrize(("changed", "error", "message"), list(refused()))
def test_refuses(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    model = net()
    before = fingerprint(model), generators()
    given = {"model": model, "loss_fn": F.cross_entropy, "loader": batches(20), **changed}
    with pytest.raises(error, match=message):
        clrfast.noise_scale(**given)
    assert before == (fingerprint(model), generators())


def test_refuses_an_optimizer_whose_parameters_are_frozen() -> None:
    model = net()
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.1)
    model[0].requires_grad_(False)
    with pytest.raises(ValueError, match="optimizer must hold parameters that require gradients, got none"):
        clrfast.noise_scale(model, F.cross_entropy, batches(20), optimizer=optimizer)


def test_refuses_an_optimizer_that_needs_a_closure() -> None:
    model = dense(torch.float32)
    optimizer = torch.optim.LBFGS(model.parameters())
    with pytest.raises(ValueError, match="optimizer must step without a closure"):
        clrfast.noise_scale(model, F.cross_entropy, batches(20), optimizer=optimizer)


@pytest.mark.parametrize("steps", [10, 16, 17, 33, 100])
def test_blocks_are_sums_of_successive_steps(steps: int) -> None:
    parameter = nn.Parameter(torch.zeros(5))
    kept = Gradients([parameter], is_fixed=True)
    rows = torch.randn(steps, 2, 5, generator=torch.Generator().manual_seed(1))
    for step in rows:
        for gradient in step:
            parameter.grad = gradient.clone()
            kept.add(3)
        assert kept.end_step()
    parts = kept.parts()
    sums = torch.stack([rows[parts.blocks == i].sum((0, 1)) for i in range(parts.blocks[-1] + 1)])
    assert 8 <= len(sums) <= 17
    assert parts.products is not None
    np.testing.assert_allclose(parts.products, sums @ sums.T, rtol=1e-4, atol=1e-4)
