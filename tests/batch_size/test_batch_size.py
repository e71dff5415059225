"""Batch sizes: what is known comes out, short memory is lived with, and no trace is left."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import clrfast
from clrfast._batch_size._gradient_noise import NoiseScale
from clrfast._batch_size._steps_to_loss import (
    Critical,
    critical_size,
    exponent,
    has_fallen,
    recent_means,
    smoothed_rates,
    steps_to,
)
from clrfast._batch_size._verdict import verdict
from clrfast._student import quantile
from experiments import fingerprint, generators

SIZES = np.array([8, 16, 32, 64, 128, 256])


def data() -> TensorDataset:
    """Three classes that a line tells apart in four of five cases."""
    source = torch.Generator().manual_seed(3)
    x = torch.randn(4000, 8, generator=source)
    return TensorDataset(x, (x[:, :3] + torch.randn(4000, 3, generator=source)).argmax(1))


DATA = data()


def make_loader(size: int) -> DataLoader[Any]:
    return DataLoader(DATA, batch_size=size, shuffle=True, drop_last=True)


def made() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 3))
    return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def tried(
    model: Any = None, optimizer: Any = None, sizes: Any = (8, 16, 32), **options: Any
) -> clrfast.BatchSizes:
    if model is None:
        model, optimizer = made()
    given = {"loss_fn": F.cross_entropy, "make_loader": make_loader, "steps": 60, **options}
    return clrfast.batch_sizes(model, optimizer, sizes=sizes, **given)


@pytest.fixture(scope="module")
def found() -> clrfast.BatchSizes:
    return tried(sizes=(32, 8, 16, 8))


def test_a_row_for_each_size(found: clrfast.BatchSizes) -> None:
    assert found.sizes.tolist() == [8, 16, 32]
    assert found.accumulate.tolist() == [1, 1, 1]
    for size, analysis, max_lr in zip((8, 16, 32), found.analyses, found.max_lr):
        log = clrfast.range_test(*made(), F.cross_entropy, make_loader(size), steps=60)
        assert analysis.suggestion.max_lr == max_lr == log.analyze().suggestion.max_lr
    assert np.isfinite(found.steps).all()
    assert (np.diff(found.steps) < 0).all()
    np.testing.assert_array_equal(found.samples, found.steps * [8, 16, 32])
    assert found.steps[-1] <= 50
    np.testing.assert_array_equal(found.spent_samples, found.spent_steps * [8, 16, 32])
    assert (found.spent_steps > found.steps).all()
    assert found.critical_interval[0] < found.critical < found.critical_interval[1]
    assert found.noise is not None
    assert found.noise.is_trained
    assert found.best_lr == found.lr[found.sizes.tolist().index(found.batch_size)]


def test_steps_are_those_of_a_plain_training(found: clrfast.BatchSizes) -> None:
    """The fewest steps to the loss are those that a probe takes at the best of rates around."""
    for i, size in enumerate((8, 16)):
        model, optimizer = made()
        longest = 50 * 32 // size
        ratio = found.lr[i] / smoothed_rates(found.sizes.astype(float), found.max_lr)[i]
        assert math.log2(ratio) == pytest.approx(round(math.log2(ratio)))
        losses = []
        for lr in (found.lr[i] * share for share in (0.5, 1.0, 2.0)):
            one = clrfast.probe(
                model, optimizer, F.cross_entropy, make_loader(size), [float(lr)], steps=longest
            )
            losses.append(steps_to(found.loss, one.losses[0].tolist()))
        # A probe warms up for a tenth of its steps, longer than these trainings do.
        assert found.steps[i] == pytest.approx(np.nanmin(losses), rel=0.2)


def test_puts_everything_back_whatever_happens() -> None:
    model, optimizer = made()
    generator = torch.Generator().manual_seed(5)

    def drawing(size: int) -> DataLoader[Any]:
        torch.rand(1)  # what makes a loader may draw
        return DataLoader(DATA, batch_size=size, shuffle=True, generator=generator)

    def state() -> Any:
        return fingerprint(model), fingerprint(optimizer), generators(), generator.get_state().tolist()

    before = state()
    tried(model, optimizer, (8, 16), make_loader=drawing)
    assert before == state()
    left = 0

    def breaks(output: Tensor, target: Tensor) -> Tensor:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return F.cross_entropy(output, target)

    for calls in (0, 40, 90, 200, 280):  # in the ramps, the trainings, the measurement of noise
        left = calls
        with pytest.raises(KeyboardInterrupt):
            tried(model, optimizer, (8, 16), make_loader=drawing, loss_fn=breaks)
        assert before == state()


def short_of_memory(error: type[Exception], most: int) -> Any:
    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        if len(target) > most:
            raise error("CUDA out of memory. Tried to allocate 2.00 GiB")
        return F.cross_entropy(output, target)

    return loss_fn


@pytest.mark.parametrize("error", [RuntimeError, torch.OutOfMemoryError, MemoryError])
def test_accumulates_where_memory_is_short(error: type[Exception]) -> None:
    sizes = (8, 12, 32)
    one = tried(sizes=sizes, loss_fn=short_of_memory(error, 10))
    assert one.accumulate.tolist() == [1, 3, 4]  # batches of 4 and of 8, as 8 alone does not make 12
    other = tried(sizes=sizes, accumulate_above=8)
    assert other.accumulate.tolist() == [1, 3, 4]
    np.testing.assert_array_equal(one.steps, other.steps)
    np.testing.assert_array_equal(one.max_lr, other.max_lr)
    assert "4 batches of 8" in str(one)
    if one.batch_size > 8:
        assert "batches share a step" in one.code


def test_accumulated_batches_train_as_whole_ones() -> None:
    """Ramps differ by dropout alone, and without it by rounding."""
    model, optimizer = made()
    model[2].p = 0.0

    def fixed(size: int) -> list[Any]:
        x, y = DATA.tensors
        return list(zip(x.split(size), y.split(size)))[: 4000 // size]

    whole = tried(model, optimizer, (8, 32), make_loader=fixed)
    parts = tried(model, optimizer, (8, 32), make_loader=fixed, accumulate_above=8)
    np.testing.assert_allclose(whole.max_lr, parts.max_lr, rtol=1e-3)


def test_short_memory_at_the_smallest_size_is_an_error() -> None:
    model, optimizer = made()
    before = fingerprint(model), fingerprint(optimizer), generators()
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        tried(model, optimizer, loss_fn=short_of_memory(RuntimeError, 4))
    assert before == (fingerprint(model), fingerprint(optimizer), generators())


def test_other_errors_are_not_taken_for_short_memory() -> None:
    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        if len(target) > 8:
            raise RuntimeError("a shape is wrong")
        return F.cross_entropy(output, target)

    with pytest.raises(RuntimeError, match="a shape is wrong"):
        tried(loss_fn=loss_fn)


def test_a_loss_of_ones_own() -> None:
    one = tried(loss=0.9)
    assert one.loss == 0.9
    assert np.isfinite(one.steps).all()
    never = tried(sizes=(8, 16), loss=-1.0)
    assert np.isnan(never.steps).all()
    assert math.isnan(never.critical)
    assert never.confidence == "low"
    assert "not reached" in str(never)


class ByClosure(torch.optim.SGD):
    """SGD that has to be given the closure."""

    def step(self, closure: Any) -> Any:  # type: ignore[override]
        with torch.enable_grad():
            loss = closure()
        super().step()
        return loss


def test_goes_on_without_a_second_witness() -> None:
    model, _ = made()
    one = tried(model, ByClosure(model.parameters(), lr=0.1), (8, 16))
    assert one.noise is None
    assert any("could not be measured: optimizer must step without a closure" in why for why in one.reasons)
    assert "by the noise of gradients: not measured" in str(one)


def test_prints_saves_and_draws(found: clrfast.BatchSizes) -> None:
    text = str(found)
    assert text.splitlines()[0].split()[:3] == ["size", "max_lr", "between"]
    assert f"largest size that pays: {found.batch_size}, at a rate of {found.best_lr:.3g}" in text
    assert f"make_loader({found.batch_size})" in found.code
    names: dict[str, Any] = {"clrfast": clrfast, "make_loader": make_loader, "epochs": 3}
    exec(found.code, names)
    assert names["rate"].total_steps == 3 * len(make_loader(found.batch_size))
    assert repr(found).startswith(f"<BatchSizes: {found.batch_size} of 8 to 32 samples")
    saved = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (saved["format"], saved["sizes"]) == (1, [8, 16, 32])
    assert [one["max_lr"] for one in saved["suggestions"]] == saved["max_lr"] == found.max_lr.tolist()
    ax = found.plot()
    lines = [line for line in ax.lines if len(line.get_xdata()) > 1]
    assert len(lines) == 3
    assert (
        max(lines, key=lambda line: line.get_linewidth())
        is lines[found.sizes.tolist().index(found.batch_size)]
    )
    bar = next(other for other in ax.figure.axes if other is not ax)
    assert [label.get_text() for label in bar.get_yticklabels()] == ["8", "16", "32"]
    assert bar.get_ylabel() == "Batch size"


def refused() -> Iterator[tuple[dict[str, Any], type[Exception], str]]:
    yield {"sizes": (8,)}, ValueError, r"sizes must be two different ones at least, got \[8\]"
    yield {"sizes": (8, 8)}, ValueError, r"sizes must be two different ones at least, got \[8\]"
    yield {"sizes": (8, 0)}, ValueError, r"sizes\[1\] must be an integer from 1 to"
    yield {"sizes": (8, 1.5)}, TypeError, r"sizes\[1\] must be an integer, got 1.5"
    yield {"sizes": 8}, TypeError, "sizes must be a list of batch sizes, got 8"
    yield {"sizes": "8"}, TypeError, "sizes must be a list of batch sizes, got '8'"
    yield {"steps": 1}, ValueError, "steps must be an integer from 2 to"
    yield {"total_samples": 100}, ValueError, "total_samples must be an integer from 640 to"
    yield {"accumulate_above": 0}, ValueError, "accumulate_above must be an integer from 1 to"
    yield {"loss": math.nan}, ValueError, "loss must be finite, got nan"
    yield {"make_loader": [1]}, TypeError, r"make_loader must be callable, got \[1\]"
    yield {"make_loader": lambda size: 3}, TypeError, "loader must be an iterable of batches, got int"
    yield {"make_loader": lambda size: []}, ValueError, "loader must give a batch for each step, got none"
    yield {"make_loader": lambda size: make_loader(7)}, ValueError, r"make_loader\(8\) must give .*, got 7"
    yield {"model": 3}, TypeError, r"model must be a torch\.nn\.Module, got int"
    yield {"loss_fn": 3}, TypeError, "loss_fn must be callable or None, got 3"
    yield {"steps": 2}, ValueError, "sizes must each show a curve of losses, got none at 8"


@pytest.mark.parametrize(("changed", "error", "message"), list(refused()))
def test_refuses(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    model, optimizer = made()
    before = fingerprint(model), fingerprint(optimizer), generators()
    with pytest.raises(error, match=message):
        tried(**{"model": model, "optimizer": optimizer, **changed})
    assert before == (fingerprint(model), fingerprint(optimizer), generators())


def test_says_so_where_nothing_can_be_learned() -> None:
    x = torch.zeros(400, 8)
    model, optimizer = made()
    noise = DataLoader(TensorDataset(x, torch.zeros(400)), batch_size=8)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return output.sum() * 0 + torch.rand(())

    with pytest.raises(ValueError, match=r"there is no max_lr at any batch size"):
        tried(model, optimizer, (8, 16), make_loader=partial(make_noise, noise), loss_fn=loss_fn)


def make_noise(noise: DataLoader[Any], size: int) -> list[Any]:
    batch = next(iter(noise))
    return [tuple(part.repeat_interleave(size // 8, 0) for part in batch)] * 10


@pytest.mark.parametrize("critical", [3.0, 40.0, 900.0])
def test_the_critical_size_is_the_one_of_the_law(critical: float) -> None:
    exact = critical_size(SIZES, 50 * (1 + critical / SIZES))
    assert exact is not None
    assert exact.size == pytest.approx(critical, rel=0.02)
    assert exact.fewest_steps == pytest.approx(50, rel=0.02)
    source = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        noisy = 50 * (1 + critical / SIZES) * np.exp(0.15 * source.standard_normal(len(SIZES)))
        low, high = critical_size(SIZES, noisy).interval  # type: ignore[union-attr]
        held += low <= critical <= high
    assert held >= 180


def test_the_critical_size_where_there_is_no_end_of_it() -> None:
    halving = critical_size(SIZES, 8000 / SIZES)
    assert halving is not None
    assert halving.interval[0] > 256
    assert halving.interval[1] == math.inf
    flat = critical_size(SIZES, np.full(6, 70.0))
    assert flat is not None
    assert flat.interval[0] == 0.0
    assert flat.size < 8
    steps = np.array([100.0, math.nan, 40.0, math.nan, math.nan, math.nan])
    assert critical_size(SIZES, steps) is None


def test_steps_to_a_loss_are_read_from_recent_means() -> None:
    losses = np.linspace(2.0, 0.0, 101).tolist()
    np.testing.assert_allclose(recent_means(losses)[[0, 4, 99]], [2.0, 1.92, np.mean(losses[80:100])])
    assert steps_to(3.0, losses) == 1.0
    assert 50 < steps_to(1.0, losses) < 60  # where the mean of the last fifth is 1
    assert steps_to(1.0, [2.0, 1.5]) != steps_to(1.0, [2.0, 1.0])
    assert math.isnan(steps_to(-1.0, losses))
    assert math.isnan(steps_to(1.0, [2.0, math.nan]))


def test_whether_a_loss_has_fallen() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(50)
    assert has_fallen((np.linspace(2, 1, 50) + noise).tolist())
    assert not has_fallen((1 + noise).tolist())
    assert not has_fallen([2.0] * 25 + [math.inf] * 25)


def test_exponents_and_rates() -> None:
    assert exponent(SIZES, 0.1 * SIZES**0.5) == pytest.approx((0.5, 0.0), abs=1e-7)
    rates = np.array([0.1, math.nan, 0.1, 0.2, math.nan, 0.4])
    slope, error = exponent(SIZES, rates)
    assert 0.2 < slope < 0.6
    assert 0 < error < 0.2
    assert math.isnan(exponent(SIZES, np.array([0.1, *[math.nan] * 5]))[0])
    np.testing.assert_allclose(smoothed_rates(SIZES, 0.1 * SIZES)[1:-1], 0.1 * SIZES[1:-1])
    np.testing.assert_allclose(smoothed_rates(SIZES, rates)[1], 0.1)


def test_quantiles_are_those_of_students_distribution() -> None:
    for dof in range(1, 1000):
        assert quantile(dof) == pytest.approx(float(scipy.stats.t.ppf(0.975, dof)), rel=0.001)


def scale_of(scale: float) -> NoiseScale:
    none = np.array([])
    return NoiseScale(scale, (scale, scale), 1.0, scale, none, none, none, none, True, "high", ())


@pytest.mark.parametrize(
    ("critical", "noise", "size", "trust", "doubts"),
    [
        ((50, 30, 80), 60, 64, "high", []),  # half a doubling above is as good
        ((30, 20, 80), 60, 32, "high", []),
        ((50, 2, 80), 60, 64, "medium", ["the steps tell the critical size roughly"]),
        ((50, 30, 80), 1000, 64, "medium", ["the witnesses do not agree"]),
        ((50, 2, 80), 1000, 64, "low", ["the steps tell", "the witnesses do not agree"]),
        ((50, 30, 80), None, 64, "medium", []),
        (None, 60, 64, "low", ["the noise alone decides"]),
        (None, None, 8, "low", ["neither the steps nor the noise"]),
        ((2, 1, 4), 2, 8, "low", ["the smallest size is too large already"]),
        ((900, 400, 2000), 900, 256, "medium", ["the largest size still pays"]),
    ],
)
def test_verdict(critical: Any, noise: float | None, size: int, trust: str, doubts: list[str]) -> None:
    by_steps = None if critical is None else Critical(critical[0], critical[1:], 10.0)
    found, sure, why = verdict(SIZES, by_steps, None if noise is None else scale_of(noise))
    assert (found, sure) == (size, trust)
    assert len(why) == len(doubts)
    assert all(doubt in reason for doubt, reason in zip(doubts, why))
