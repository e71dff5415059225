"""The history and the picture of a run."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import SGD, Adam

from clrfast import lr_scheduler, schedules


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of|The epoch parameter")
        yield


def adam(groups: int = 2) -> Adam:
    rates = [torch.tensor(0.1 * (i + 1), dtype=torch.float64) for i in range(groups)]
    return Adam(
        [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates], foreach=False
    )


MAKERS: dict[str, Any] = {
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, [0.01, 0.02], 0.3, 7, mode="triangular2"),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, 50),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 2),
    "DeviceScheduleLR": lambda o: lr_scheduler.DeviceScheduleLR(
        o, lr=[schedules.triangular(0.1, 0.3, 9), None], total_steps=60
    ),
    "ScheduleLR": lambda o: lr_scheduler.ScheduleLR(o, lr=[schedules.triangular(0.1, 0.3, 9), None]),
}


@pytest.mark.parametrize("name", MAKERS)
def test_history_is_what_was_done(name: str) -> None:
    scheduler = MAKERS[name](adam())
    rates, momenta = [], []
    for _ in range(40):
        rates.append([float(group["lr"]) for group in scheduler.optimizer.param_groups])
        momenta.append([group["betas"][0] for group in scheduler.optimizer.param_groups])
        scheduler.step()
    scheduler.step(39)
    resumed = MAKERS[name](adam())
    resumed.load_state_dict(scheduler.state_dict())
    for history in (scheduler.history, resumed.history):
        assert np.array_equal(history["step"], np.arange(40))
        expected = np.array(rates)
        if "ScheduleLR" in name:
            expected[:, 1] = np.nan
        assert np.allclose(history["lr"], expected, rtol=1e-15, atol=0, equal_nan=True)
        assert set(history) - {"step", "lr"} == ({"beta1"} if name in ("CyclicLR", "OneCycleLR") else set())
        if "beta1" in history:
            assert np.allclose(history["beta1"], momenta, rtol=1e-15, atol=0)


def test_history_is_bounded_and_has_both_ends() -> None:
    curve = schedules.triangular(0.1, 0.3, 1_000_003)
    optimizer = SGD([torch.ones(1)], lr=0.1)
    scheduler = lr_scheduler.ScheduleLR(optimizer, lr=curve, last_epoch=7_000_000)
    history = scheduler.history
    assert len(history["step"]) == 1000
    assert (history["step"][0], history["step"][-1]) == (0, 7_000_001)
    assert np.array_equal(history["lr"][:, 0], curve(history["step"]))
    assert optimizer.param_groups[0]["lr"] == scheduler.get_last_lr()[0] == curve(7_000_001)


@pytest.mark.parametrize("name", MAKERS)
def test_plot_draws_a_line_for_each_different_group(name: str) -> None:
    scheduler = MAKERS[name](adam())
    before = scheduler.state_dict()
    for _ in range(3):
        scheduler.step()
    axes = scheduler.plot()
    *curves, now = axes.get_lines()
    assert list(now.get_xdata()) == [3, 3]
    assert len(curves) == (1 if name == "OneCycleLR" else 2)
    assert max(line.get_xdata()[-1] for line in curves) >= 20
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Step", "Learning rate")
    assert scheduler.plot(axes, steps=10) is axes
    with pytest.raises(ValueError, match="name must be one of 'lr'"):
        scheduler.plot(name="cats")
    assert scheduler.state_dict() == {**before, **scheduler.state_dict()}
    scheduler.step()
    assert scheduler.last_epoch == 4


@pytest.mark.parametrize("name", MAKERS)
def test_a_plot_without_matplotlib_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = MAKERS[name](adam())
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = r"plot\(\) needs matplotlib, which is not installed: pip install 'clrfast\[plot\]'"
    with pytest.raises(ImportError, match=message):
        scheduler.plot()


def test_plot_of_the_momentum() -> None:
    axes = MAKERS["OneCycleLR"](adam()).plot(name="beta1")
    assert axes.get_ylabel() == "beta1"
    assert min(axes.get_lines()[0].get_ydata()) == pytest.approx(0.85, abs=1e-3)
