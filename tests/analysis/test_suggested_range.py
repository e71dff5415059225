"""What clrfast's rule makes of logs whose course is known."""

from __future__ import annotations

import numpy as np
import pytest

from clrfast.analysis import analyze


def smooth_step(x, at, width):
    return 1 / (1 + np.exp(-(x - at) / width))


def noisy(values, noise=0.02, seed=0):
    return values + noise * np.random.default_rng(seed).standard_normal(len(values))


def noises(kind, rows, seed):
    source = np.random.default_rng(seed)
    if kind == "normal":
        return source.standard_normal(rows)
    if kind == "lognormal":
        return source.lognormal(size=rows)
    if kind == "errors in a batch":
        return source.binomial(32, 0.7, rows) / 32
    values = source.standard_normal(rows)  # each one shares half or most of the one before
    for i in range(1, rows):
        values[i] += float(kind) * values[i - 1]
    return values


@pytest.mark.parametrize("rows", [50, 200, 1000])
@pytest.mark.parametrize("kind", ["normal", "lognormal", "errors in a batch"])
def test_noise_alone_suggests_nothing(kind, rows):
    lr = np.geomspace(1e-7, 10, rows)
    found = [analyze(lr, noises(kind, rows, seed)).suggestion for seed in range(100)]
    assert sum(map(bool, found)) <= 6
    assert not any(suggestion.confidence == "high" for suggestion in found)


@pytest.mark.parametrize("shared", ["0.5", "0.8"])
def test_noise_that_neighbours_share_is_never_trusted(shared):
    lr = np.geomspace(1e-7, 10, 1000)
    found = [analyze(lr, noises(shared, 1000, seed)).suggestion for seed in range(100)]
    assert sum(map(bool, found)) <= 40
    assert sum(suggestion.confidence == "high" for suggestion in found) <= 2


def test_a_lone_spike_is_no_rise():
    lr = np.geomspace(1e-7, 10, 1500)
    x = np.log10(lr)
    loss = noisy(2.3 - 2 * smooth_step(x, -3, 0.2) + 2 * smooth_step(x, 0, 0.05))
    spiked = np.where(np.abs(x + 1.5) < 0.02, 3.0, loss)
    calm, wild = analyze(lr, loss).suggestion, analyze(lr, spiked).suggestion
    assert calm.max_lr == pytest.approx(wild.max_lr, rel=0.5)
    assert 3e-2 < calm.max_lr < 1


def test_a_floor_that_no_rise_ends_suggests_the_rate_that_reaches_it():
    lr = np.geomspace(1e-7, 10, 800)
    loss = noisy(2.3 - 2.3 * smooth_step(np.log10(lr), -4, 0.25), noise=0.01)
    s = analyze(lr, loss).suggestion
    assert 1e-4 < s.max_lr < 3e-3
    assert not s.still_falling
    assert s.reasons == (
        "the loss stays at its floor up to the highest rate: max_lr is the least that reaches it",
    )


def test_a_fall_within_the_first_eighth_is_seen():
    lr = np.geomspace(1e-5, 1e-1, 4000)
    x = np.log10(lr)
    loss = noisy(2.3 - 2 * smooth_step(x, -4.75, 0.05) + 2 * smooth_step(x, -3, 0.1))
    s = analyze(lr, loss).suggestion
    assert 3e-5 < s.max_lr < 5e-4
    assert any("the loss falls from the lowest rate on" in reason for reason in s.reasons)


@pytest.mark.parametrize("rows", [3000, 20_000])
def test_a_collapse_to_chance_bounds_the_rate_of_a_fine_tuning(rows):
    """A fresh head's fall dwarfs all else: it ends two decades before the network collapses."""
    lr = np.geomspace(1e-8, 1e-2, rows)
    x = np.log10(lr)
    loss = noisy(4.5 - 4.18 * smooth_step(x, -6.8, 0.15) + 2 * smooth_step(x, -3.9, 0.02), noise=0.1)
    s = analyze(lr, loss).suggestion
    assert 6e-6 < s.max_lr < 6e-5  # 0.3 to 1.3 decades below the collapse
    assert s.max_lr_interval[1] < 1.3e-4 * 1.5


def test_without_a_fall_the_rise_bounds_the_rate():
    lr = np.geomspace(1e-7, 1, 400)
    loss = noisy(0.2 + 1.5 * smooth_step(np.log10(lr), -1.5, 0.2), noise=0.1)
    s = analyze(lr, loss).suggestion
    assert 1e-3 < s.max_lr < 1e-2
    assert (s.confidence, s.still_falling) == ("low", False)
    assert s.reasons == ("the loss does not fall clearly: max_lr is a guess from where it rises",)


def test_a_short_test_is_not_trusted():
    def course(rows):
        lr = np.geomspace(1e-7, 10, rows)
        x = np.log10(lr)
        return analyze(lr, noisy(2.3 - 2 * smooth_step(x, -3, 0.3) + 4 * smooth_step(x, 0, 0.2))).suggestion

    short, long = course(60), course(400)
    assert long.confidence == "high"
    assert short.confidence == "medium"
    assert "few steps" in short.reasons[0]
    width = [np.log10(s.max_lr_interval[1] / s.max_lr_interval[0]) for s in (short, long)]
    assert width[0] > width[1]


def test_bands_lie_around_the_rate_and_grow_with_their_price():
    lr = np.geomspace(1e-7, 10, 400)
    x = np.log10(lr)
    s = analyze(lr, noisy(2.3 - 2 * smooth_step(x, -3, 0.3) + 4 * smooth_step(x, 0, 0.2))).suggestion
    one, five = s.max_lr_bands[0.01], s.max_lr_bands[0.05]
    assert five[0] < one[0] < s.max_lr < one[1] < five[1]
    assert s.to_dict()["max_lr_bands"] == {"0.01": list(one), "0.05": list(five)}
    nothing = analyze(lr, np.ones(400)).suggestion
    assert nothing.max_lr_bands == {}


def test_a_collapse_to_chance_is_no_floor():
    """Inputs in thousands: the untrained loss is far above chance level, where the network ends."""
    lr = np.geomspace(1e-7, 10, 400)
    x = np.log10(lr)
    loss = noisy(1 + 140 * (1 - smooth_step(x, -4.5, 0.1)) + 2.26 * smooth_step(x, -1.5, 0.05), noise=0.1)
    s = analyze(lr, loss).suggestion
    assert 1e-3 < s.max_lr < 1e-2
    assert not s.still_falling
