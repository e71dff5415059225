from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from clrfast.analysis import Analysis, State, analyze


def valley_log(rows=400, fall=1e-3, rise=1.0, noise=0.02, seed=0, lo=1e-6, hi=10.0):
    """Flat, falling around `fall`, rising around `rise`."""
    x = np.linspace(math.log(lo), math.log(hi), rows)
    loss = 2 - 1.5 / (1 + np.exp(-2 * (x - math.log(fall)))) + np.exp(1.5 * (x - math.log(rise)))
    return np.exp(x), loss + noise * np.random.default_rng(seed).standard_normal(rows)


def test_phases_and_range_of_a_known_curve():
    lr, loss = valley_log()
    a = analyze(lr, loss)
    p, s = a.phases, a.suggestion
    assert 5e-4 < p.steepest_lr < 2e-3
    assert p.plateau_end_lr < p.steepest_lr < p.min_lr < p.turn_lr < p.divergence_lr
    assert 1e-6 < s.base_lr < s.max_lr < p.turn_lr
    assert s.base_lr_interval[0] <= s.base_lr <= s.base_lr_interval[1]
    assert s.max_lr_interval[0] <= s.max_lr <= s.max_lr_interval[1]
    assert (s.confidence, s.reasons) == ("high", ())
    assert (a.n, a.n_nonfinite) == (400, 0)


@pytest.mark.parametrize("rows", [300, 4000, 200_000])
@pytest.mark.parametrize("width", [0.12, 0.25, 0.5])  # in decades
def test_the_curve_follows_a_dip_down(rows, width):
    lr = np.geomspace(1e-6, 1.0, rows)
    noise = 0.02 * np.random.default_rng(1).standard_normal(rows)

    def truth(lr):
        return 2 - 1.5 * np.exp(-(((np.log10(lr) + 2) / width) ** 2))

    a = analyze(lr, truth(lr) + noise)
    assert a.grid_loss.min() < 0.5 + 0.15 * 1.5
    assert 0.7e-2 < a.phases.min_lr < 1.4e-2
    assert np.abs(a.grid_loss - truth(a.grid_lr)).max() < 0.25


def test_a_log_that_begins_on_the_slope_says_so():
    reason = "the loss falls from the lowest rate on: base_lr may be too high, test further down"
    for lo, says_so in ((1e-6, False), (1e-5, False), (7e-4, True)):
        a = analyze(*valley_log(rows=1000, lo=lo))
        assert (reason in a.suggestion.reasons) == says_so
        assert (a.suggestion.confidence == "high") == (not says_so)


@pytest.mark.parametrize("rows", [400, 20_000])
def test_a_cliff_pulls_nothing_before_it(rows):
    lr = np.geomspace(1e-8, 1e-2, rows)
    x = np.log10(lr)
    rng = np.random.default_rng(2)
    before = 0.3 + 4 / (1 + np.exp((x + 7) * 4))
    a = analyze(lr, np.where(x > -4, 2.3, before) + 0.05 * rng.standard_normal(rows))
    near = (a.grid_lr > 1e-6) & (a.grid_lr < 1e-4 / 10 ** (0.15 if rows > 1000 else 0.3))
    assert np.abs(a.grid_loss[near] - 0.3).max() < 0.1
    assert 0.9e-4 < a.phases.divergence_lr < 2e-4


def test_the_curve_lies_about_where_its_errors_say():
    """They leave out the bias, which the choice of the window keeps about as small as they are."""
    inside = []
    for seed in range(20):
        lr, loss = valley_log(rows=2000, noise=0.1, hi=0.5, seed=seed)
        a = analyze(lr, loss)
        _, truth = valley_log(rows=2000, noise=0.0, hi=0.5)
        off = a.grid_loss - np.interp(np.log(a.grid_lr), np.log(lr), truth)
        inside += (np.abs(off) < 3 * a.grid_loss_se).tolist()
    assert np.mean(inside) > 0.8


def test_noise_is_averaged_over_most_of_the_window():
    loss = 2 + 0.1 * np.random.default_rng(3).standard_normal(4000)
    a = analyze(np.geomspace(1e-6, 1.0, 4000), loss)
    # 4000 rows over 6 decades are 1067 in a window of 1.6; a kernel counts some 80 % of them.
    least = 0.1 / np.sqrt(0.83 * 1067)
    assert 0.95 * least < np.median(a.grid_loss_se) < 1.25 * least
    assert np.abs(a.grid_loss - 2).max() < 0.03


def test_standard_errors_cover_the_truth():
    misses = 0
    x = np.linspace(math.log(1e-5), math.log(1.0), 600)
    for seed in range(40):
        noise = np.random.default_rng(seed).standard_normal(600)
        a = analyze(np.exp(x), 3 - 0.2 * x + 0.1 * noise)
        middle = len(a.grid_lr) // 2
        misses += abs(a.grid_slope[middle] + 0.2) > 2 * a.grid_slope_se[middle]
    assert misses <= 6  # two of 40 are expected; more than six has a chance of 1 in 1000


def test_smoothed_is_the_debiased_average():
    lr, loss = valley_log(rows=50)
    average, expected = 0.0, []
    for t, value in enumerate(loss, 1):
        average = 0.9 * average + 0.1 * value
        expected.append(average / (1 - 0.9**t))
    np.testing.assert_allclose(analyze(lr, loss, beta=0.9).smoothed, expected, rtol=1e-12)


def test_nonfinite_losses_are_divergence():
    lr, loss = valley_log(hi=0.3)
    last = lr[-1]
    lr, loss = np.append(lr, [0.5, 0.6, 0.7]), np.append(loss, [np.nan, np.inf, -np.inf])
    a = analyze(lr, loss)
    assert a.n_nonfinite == 3
    assert last < a.phases.divergence_lr < 0.52  # the cell of the first such row
    assert np.isfinite(a.smoothed).all()


def test_offset_and_scale_of_the_loss_do_not_matter():
    lr, loss = valley_log()
    one, other = analyze(lr, loss), analyze(lr, 1000 * loss - 5000)  # negative losses
    assert other.suggestion.max_lr == pytest.approx(one.suggestion.max_lr, rel=1e-9)
    assert other.suggestion.base_lr == pytest.approx(one.suggestion.base_lr, rel=1e-9)


@pytest.mark.parametrize("offset", [1e9, -1e9, 1e12])
def test_a_constant_added_to_all_losses_does_not_matter(offset):
    lr, loss = valley_log(rows=2000)
    loss = (loss + offset) - offset  # only the digits that are left beside the offset
    one, other = analyze(lr, loss), analyze(lr, loss + offset)
    assert other.suggestion.max_lr == pytest.approx(one.suggestion.max_lr, rel=1e-3)
    assert other.suggestion.base_lr == pytest.approx(one.suggestion.base_lr, rel=1e-3)
    assert other.suggestion.confidence == one.suggestion.confidence == "high"
    unit = np.spacing(abs(offset))
    np.testing.assert_allclose(other.grid_loss - offset, one.grid_loss, atol=2 * unit)


@pytest.mark.parametrize("noise", [0.002, 0.05, 0.3])
@pytest.mark.parametrize("rows", [100, 1000, 5000])
def test_an_offset_that_costs_no_digits_changes_nothing(rows, noise):
    """Phases and intervals too; at 1e9 the mean of a cell keeps 1e-7, which may move one to a neighbour."""
    lr, loss = valley_log(rows=rows, noise=noise)
    loss = np.round(loss * 2**20) / 2**20
    one = analyze(lr, loss)
    for offset, close in ((1e3, 1e-6), (-1e3, 1e-6), (1e6, 1e-6), (-1e6, 1e-6), (1e9, 0.04), (-1e9, 0.04)):
        other = analyze(lr, loss + offset)
        a, b = one.suggestion, other.suggestion
        assert (a.confidence, a.reasons) == (b.confidence, b.reasons)
        for name in ("bounds", "base_lr_interval", "max_lr_interval"):
            assert getattr(b, name) == pytest.approx(getattr(a, name), rel=close), name
        assert dataclasses.asdict(other.phases) == pytest.approx(dataclasses.asdict(one.phases), rel=close)
        rounding = 2 * np.spacing(abs(offset))
        np.testing.assert_allclose(other.grid_loss - offset, one.grid_loss, rtol=0, atol=rounding)
    single = analyze(lr, (loss + 1e3).astype(np.float32)).suggestion
    assert single == analyze(lr, (loss + 1e3).astype(np.float32).astype(np.float64)).suggestion
    assert single.max_lr == pytest.approx(one.suggestion.max_lr, rel=0.1)


def test_order_of_the_rows_does_not_matter():
    lr, loss = valley_log()
    shuffled = np.random.default_rng(1).permutation(len(lr))
    one, other = analyze(lr, loss), analyze(lr[shuffled], loss[shuffled])
    np.testing.assert_allclose(other.grid_slope, one.grid_slope, rtol=1e-9, atol=1e-12)
    assert other.suggestion.max_lr == pytest.approx(one.suggestion.max_lr, rel=1e-9)


def test_repeated_rates_of_a_staircase():
    lr, loss = valley_log()
    a = analyze(np.repeat(lr[::5], 5), loss)
    assert a.suggestion.max_lr == pytest.approx(analyze(lr, loss).suggestion.max_lr, rel=0.3)


def test_nothing_to_see_is_said():
    a = analyze(np.geomspace(1e-6, 1, 200), np.ones(200))
    s = a.suggestion
    assert (*s.bounds, s.base_lr_interval, s.max_lr_interval) == (None,) * 4
    assert (s.confidence, s.reasons) == ("low", ("the loss neither falls nor rises clearly",))
    assert "no suggestion" in str(a)
    assert "no range" in repr(a)


def test_a_test_that_ends_too_early_is_still_falling():
    s = analyze(*valley_log(hi=0.002)).suggestion
    assert s.still_falling
    assert s.confidence == "medium"
    assert any("test further up" in reason for reason in s.reasons)
    assert not analyze(*valley_log()).suggestion.still_falling


def test_a_loss_that_only_rises():
    lr = np.geomspace(1e-5, 1, 300)
    noise = 0.01 * np.random.default_rng(0).standard_normal(300)
    a = analyze(lr, 1 + 50 * lr + noise)
    assert a.suggestion.confidence == "low"
    assert a.suggestion.max_lr < a.phases.turn_lr < 0.1
    assert (a.phases.plateau_end_lr, a.phases.min_lr) == (None, None)


def test_few_rows_have_a_curve_and_no_range():
    a = analyze(np.geomspace(1e-4, 1, 10), np.arange(10.0))
    assert a.suggestion.bounds == (None, None)
    assert a.suggestion.reasons == ("there are too few rows with a finite loss",)
    np.testing.assert_allclose(a.grid_slope, 9 / math.log(1e4), rtol=1e-6)


def test_a_loss_that_is_never_finite_where_it_counts():
    lr = np.geomspace(1e-4, 1, 30)
    a = analyze(lr, np.where(lr < 0.05, np.nan, 1.0))
    assert a.suggestion.bounds == (None, None)
    assert len(a.grid_lr) == 0
    assert a.phases.divergence_lr == pytest.approx(1e-4, rel=0.02)


def test_an_explosion_does_not_reach_to_the_left():
    lr, loss = valley_log()
    calm = analyze(lr, loss)
    wild = analyze(lr, np.where(lr > 3, 1e12, loss))
    assert wild.suggestion.max_lr == pytest.approx(calm.suggestion.max_lr, rel=0.02)


def test_a_fast_ramp_answers_late():
    """The loss of a step answers to the rates of the steps before it."""
    slow, fast = analyze(*valley_log(rows=8000)), analyze(*valley_log(rows=160))
    assert fast.suggestion.max_lr / fast.phases.min_lr < slow.suggestion.max_lr / slow.phases.min_lr


def test_repeats_merge_into_a_surer_answer():
    lr, loss = valley_log(noise=0.3)
    logs = [valley_log(noise=0.3, seed=seed)[1] for seed in range(8)]
    one, all_of_them = analyze(lr, loss), analyze(np.tile(lr, 8), np.concatenate(logs))
    assert all_of_them.grid_loss_se.mean() < 0.6 * one.grid_loss_se.mean()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i8", "u1"])
def test_any_real_dtype_and_stride(dtype):
    lr, loss = valley_log(rows=64)
    scaled = np.round(loss * 20).astype(dtype)
    strided = np.empty((64, 3), dtype=dtype)
    strided[:, 1] = scaled
    expected = analyze(lr, scaled.astype("f8")).suggestion
    assert analyze(lr, strided[:, 1]).suggestion == expected
    assert analyze(list(lr), [float(value) for value in scaled]).suggestion == expected


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    lr, loss = valley_log()
    wanted = analyze(lr, loss).suggestion
    tensor = torch.tensor(loss, requires_grad=True)
    assert analyze(torch.tensor(lr), tensor).suggestion == wanted
    assert analyze(lr.tolist(), list(torch.tensor(loss))).suggestion == wanted
    rounded = torch.tensor(loss).bfloat16()
    assert analyze(lr, rounded).suggestion == analyze(lr, rounded.double().numpy()).suggestion
    single = torch.tensor(loss, dtype=torch.float32)
    assert np.shares_memory(analyze(lr, single).loss, single.numpy())  # no copy
    with pytest.raises(TypeError, match="loss must be a column of real numbers in this machine's"):
        analyze(lr, torch.empty(400, device="meta"))


def test_dlpack():
    class Producer:
        """An array of some other library."""

        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    lr, loss = valley_log()
    a = analyze(Producer(lr), Producer(loss))
    assert a.suggestion == analyze(lr, loss).suggestion
    assert np.shares_memory(a.loss, loss)


GOOD = list(np.geomspace(1e-4, 1, 20))


@pytest.mark.parametrize(
    ("lr", "loss", "error", "message"),
    [
        ([], [], ValueError, "lr must hold at least 3 rates, .* got 0"),
        ([0.1], [1.0], ValueError, "at least 3 rates, .* got 1, between 0.1 and 0.1"),
        (GOOD, GOOD[:-1], ValueError, "lr and loss must be of equal length, got 20 and 19 rows"),
        ([*GOOD[:-1], 0.0], GOOD, ValueError, r"lr must be positive and finite .*, got 0\.0 \(row 19\)"),
        ([-0.1, *GOOD[1:]], GOOD, ValueError, r"positive and finite .*, got -0\.1 \(row 0\)"),
        ([*GOOD[:-1], math.nan], GOOD, ValueError, "positive and finite .*, got nan"),
        ([*GOOD[:-1], math.inf], GOOD, ValueError, "positive and finite .*, got inf"),
        ([0.1] * 20, GOOD, ValueError, "at least 3 rates, .* got 1, between 0.1 and 0.1"),
        (GOOD, [math.nan] * 20, ValueError, "with a finite loss, got 0"),
        ([GOOD], [GOOD], ValueError, r"lr must be one-dimensional, got shape \(1, 20\)"),
        (GOOD, 3.0, ValueError, r"loss must be one-dimensional, got shape \(\)"),
        (GOOD, [[1.0], [1.0, 2.0]], TypeError, "loss must be a column of real numbers"),
        (GOOD, [*GOOD[:-1], None], TypeError, "loss must hold real numbers, got object"),
        (GOOD, ["a"] * 20, TypeError, "loss must hold real numbers, got <U1"),
        (GOOD, np.ones(20, complex), TypeError, "loss must hold real numbers, got complex128"),
        (np.ones(20, bool), GOOD, TypeError, "lr must hold real numbers, got bool"),
    ],
)
def test_bad_input_is_named(lr, loss, error, message):
    with pytest.raises(error, match=message):
        analyze(lr, loss)


@pytest.mark.parametrize("beta", [-0.1, 1.0, math.nan])
def test_bad_beta(beta):
    with pytest.raises(ValueError, match="beta must be finite and >= 0 and < 1, got"):
        analyze(GOOD, GOOD, beta=beta)


def test_to_dict_is_json():
    lr, loss = valley_log(hi=0.01)
    plain = json.loads(json.dumps(analyze(lr, loss).to_dict(curve=True), allow_nan=False))
    assert plain["n"] == 400
    assert plain["phases"]["divergence_lr"] is None
    assert plain["suggestion"]["base_lr"] < plain["suggestion"]["max_lr"]
    assert len(plain["grid_lr"]) == len(plain["grid_slope_se"])
    assert "grid_lr" not in analyze(lr, loss).to_dict()


def test_text_names_phases_and_range():
    a = analyze(*valley_log())
    text = str(a)
    for word in ("flat", "falling", "rising", "base_lr", "max_lr", "confidence: high"):
        assert word in text
    assert repr(a).startswith("<Analysis of 400 rows: 0.00")


def test_analysis_is_immutable():
    a = analyze(*valley_log())
    assert isinstance(a, Analysis)
    with pytest.raises(dataclasses.FrozenInstanceError):
        a.n = 3


def test_plot_draws_into_the_given_axes():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    lr, loss = valley_log()
    loss[-1] = 1e12  # must not flatten the picture
    a = analyze(lr, loss)
    figure, ax = plt.subplots()
    assert a.plot(ax) is ax
    assert ax.get_xscale() == "log"
    assert ax.get_ylim()[1] < 10
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any(label.startswith("base_lr") for label in labels)
    assert any(label.startswith("max_lr") for label in labels)
    plt.close(figure)
    plt.close(a.plot(intervals=False, legend=False).figure)


def test_plot_of_anything():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    lr = np.geomspace(1e-4, 1, 30)
    state = State()
    state.add(*valley_log())
    for a in (
        analyze(lr, np.where(lr < 0.05, np.nan, 1.0)),
        analyze(lr, np.ones(30)),
        analyze(lr, 1 + lr),
        analyze(*valley_log(rows=30_000)),
        state.analyze(),
    ):
        figure = a.plot().figure
        figure.canvas.draw()
        plt.close(figure)
