"""Several curves on one picture: each where it belongs, in its colour, under its name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, SymLogNorm, to_hex

import clrfast
from clrfast import pictures, schedules
from clrfast._cli import _show, main

LOGS = {
    name: clrfast.Log(log["lr"], log["loss"])
    for name, log in json.loads(
        (Path(__file__).parents[1] / "data" / "keras_one_cycle.json").read_text()
    ).items()
}
DECAYS = [name for name in LOGS if name.startswith("mobilenet")]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def bar(ax: Axes) -> Any:
    _, beside = ax.figure.axes
    return beside


def drawn(ax: Axes) -> dict[str, Any]:
    return {container.get_label(): container[0] for container in ax.containers}


def probes(weight: float) -> clrfast.Probes:
    lr = np.array([0.1, 0.001, 0.01, 1.0])  # in any order
    losses = 1 + np.abs(np.log10(lr / weight))[:, None] + np.sin(np.arange(20.0)) / 50
    losses[lr == 1.0, 3:] = np.nan
    candidates = tuple({"lr": rate} for rate in lr)
    return clrfast.Probes(candidates, lr, losses, 5 + np.sin(np.arange(20.0)) / 50)


def test_fits_and_suggestions_are_drawn_as_they_are() -> None:
    analyses = {name: log.analyze() for name, log in LOGS.items()}
    ax = pictures.compare(analyses)
    assert len(labels(ax)) == len(LOGS)
    for label, (name, analysis) in zip(labels(ax), analyses.items()):
        low = " (low)" if analysis.suggestion.confidence == "low" else ""
        assert label == f"{name}: max_lr {analysis.suggestion.max_lr:.2g}{low}"
        line = drawn(ax)[label]
        np.testing.assert_array_equal(line.get_xdata(), analysis.grid_lr)
        np.testing.assert_array_equal(line.get_ydata(), analysis.grid_loss)
        dot = next(dot for dot in ax.lines if list(dot.get_xdata()) == [analysis.suggestion.max_lr])
        hollow = analysis.suggestion.confidence == "low"
        assert (dot.get_markerfacecolor() == line.get_color()) != hollow
        assert (dot.get_markeredgecolor() == line.get_color()) == hollow
    assert len({line.get_color() for line in drawn(ax).values()}) == len(LOGS)
    assert ax.get_xscale() == "log"
    low_end, high_end = ax.get_xlim()
    for analysis in analyses.values():
        assert low_end <= analysis.lr_range[0] < analysis.lr_range[1] <= high_end
        assert ax.get_ylim()[0] <= analysis.grid_loss.min()


def test_two_tests_are_drawn_with_their_losses_and_many_without() -> None:
    logs = list(LOGS.values())
    two, many = pictures.compare(logs[:2]), pictures.compare(logs)
    assert [label.split(":")[0] for label in labels(two)] == ["1", "2"]
    rows = [line for line in two.lines if len(line.get_xdata()) == len(logs[0])]
    np.testing.assert_array_equal(rows[0].get_ydata(), logs[0].loss)
    assert not [line for line in many.lines if len(line.get_xdata()) == len(logs[0])]


def test_logs_are_analysed_one_of_several_runs_as_repeats_and_alone_run_by_run() -> None:
    rng = np.random.default_rng(0)
    lr = np.geomspace(1e-5, 1, 200)
    runs = {
        name: clrfast.Log(lr, 2 - np.exp(-(np.log(lr / 0.03) ** 2)) + rng.normal(0, 0.01, 200))
        for name in "abc"
    }
    together = clrfast.Log.of_runs(runs)
    found = together.analyze_repeats().suggestion.max_lr
    assert labels(pictures.compare({"all": together, "a": runs["a"]}))[0] == f"all: max_lr {found:.2g}"
    assert [label.split(":")[0] for label in labels(pictures.compare(together))] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("values", "norm", "ticks"),
    [
        ([1e-6, 1e-5, 1e-4, 1e-2], LogNorm, ["1e-06", "1e-05", "0.0001", "0.01"]),
        ([0.0, 1e-5, 1e-4, 1e-2], SymLogNorm, ["0", "1e-05", "0.0001", "0.01"]),
        ([0.8, 0.9, 0.95, 0.99], Normalize, ["0.8", "0.9", "0.95", "0.99"]),
        ([-1.0, 0, 1, 1000], Normalize, ["-1", "0", "1", "1000"]),
        ([3, 3, 3, 3], Normalize, ["3"]),
    ],
)
def test_values_are_explained_by_a_bar(values: list[float], norm: type, ticks: list[str]) -> None:
    ax = pictures.compare([LOGS[name] for name in DECAYS], values=values, label="Weight decay")
    assert ax.get_legend() is None
    assert bar(ax).get_ylabel() == "Weight decay"
    assert [text.get_text() for text in bar(ax).get_yticklabels()] == ticks
    mappable = bar(ax)._colorbar.mappable
    assert type(mappable.norm) is norm
    colours = [to_hex(line.get_color()) for line in drawn(ax).values()]
    assert colours == [to_hex(mappable.to_rgba(value)) for value in values]
    ax.figure.canvas.draw()


def test_unknown_values_are_grey() -> None:
    ax = pictures.compare([LOGS[name] for name in DECAYS], values=[1, math.nan, 2, np.float32("nan")])
    colours = [to_hex(line.get_color()) for line in drawn(ax).values()]
    assert (colours[1], colours[3]) == ("#888888", "#888888")
    assert len({*colours}) == 3
    pictures.compare([LOGS["small"]], values=[math.nan]).figure.canvas.draw()


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_every_colour_stands_out_from_its_ground(style: str) -> None:
    with plt.style.context(style):
        ax = pictures.compare([LOGS["small"]] * 9, values=range(9))
        ground = mpl.colors.to_rgb(ax.get_facecolor())
        for line in drawn(ax).values():
            apart = np.dot([0.3, 0.6, 0.1], np.subtract(mpl.colors.to_rgb(line.get_color()), ground))
            assert abs(apart) > 0.2


def test_schedules_and_probes() -> None:
    rates = {"one-cycle": schedules.one_cycle(0.1, 100), "endless": schedules.triangular(0.01, 0.1, 20)}
    ax = pictures.compare(rates)
    assert labels(ax) == list(rates)
    assert (ax.get_xlabel(), ax.get_xlim()) == ("Step", (0, 99))
    np.testing.assert_array_equal(drawn(ax)["endless"].get_ydata(), rates["endless"].values(0, 100))
    assert pictures.compare([rates["endless"]]).get_xlim()[1] >= 160  # four cycles

    several = {"wd 0": probes(0.01), "wd 1": probes(0.1)}
    ax = pictures.compare(several, label="Weight decay")
    assert ax.get_legend().get_title().get_text() == "Weight decay"  # type: ignore[union-attr]
    for name, each in several.items():
        line = drawn(ax)[name]
        np.testing.assert_array_equal(line.get_xdata(), [0.001, 0.01, 0.1])  # where the loss stayed finite
        np.testing.assert_array_equal(line.get_ydata(), each.score[[1, 2, 0]])
        assert [each.best_lr] in [list(dot.get_xdata()) for dot in ax.lines]
    ax.figure.canvas.draw()


def test_draws_into_the_given_axes_and_leaves_a_legend_out() -> None:
    _, ax = plt.subplots()
    assert pictures.compare(LOGS, ax, legend=False) is ax
    assert ax.get_legend() is None
    assert pictures.compare([LOGS["small"]] * 21).get_legend() is None
    axes = pictures.compare([LOGS["small"]] * 20)
    strokes = {(line.get_color(), line.get_linestyle()) for line in drawn(axes).values()}
    assert len(strokes) == len(labels(axes)) == 20


def test_names_are_text() -> None:
    names = ["_hidden", "$x_{", "a\nb", "\x1b[31m"]
    ax = pictures.compare(dict.fromkeys(names, LOGS["small"]))
    ax.figure.canvas.draw()
    shown = ["_hidden", "$x_{", "a\\nb", "\\x1b[31m"]
    assert [label.split(": ")[0].strip() for label in labels(ax)] == shown


def test_curves_that_rise_far_do_not_flatten_the_others() -> None:
    lr = np.geomspace(1e-5, 1, 300)
    dip = 2 - np.exp(-(np.log(lr / 0.01) ** 2))
    cliff = np.where(lr < 0.001, 2.0, 2 + 1e3 * np.log(lr / 0.001).clip(0))
    ax = pictures.compare([clrfast.Log(lr, loss) for loss in (dip, dip, cliff)])
    assert 0.5 < ax.get_ylim()[0] < 1
    assert 2 < ax.get_ylim()[1] < 6


def test_nothing_found_is_drawn_too() -> None:
    lr = np.geomspace(1e-5, 1, 50)
    nothing = {"NaN": clrfast.Log(lr, np.where(lr < 0.1, np.nan, 1.0)), "flat": clrfast.Log(lr, np.ones(50))}
    ax = pictures.compare(nothing)
    ax.figure.canvas.draw()
    assert labels(ax) == ["NaN: no suggestion", "flat: no suggestion"]


@pytest.mark.parametrize(
    ("curves", "values", "error", "message"),
    [
        ({}, None, ValueError, "curves must hold one at least, got none"),
        (3, None, TypeError, "curves must be a mapping or a row of analyses"),
        ("ab", None, TypeError, r"curves\['1'\] must be one of analyses and logs.*, got 'a'"),
        ({"a": np.ones(3)}, None, TypeError, r"curves\['a'\] must be one of"),
        (
            {"a": LOGS["small"], "b": schedules.constant(1)},
            None,
            TypeError,
            r"of one kind, got Analysis \('a'\) and Schedule \('b'\)",
        ),
        ({"a": clrfast.Log([1], [1])}, None, ValueError, r"curves\['a'\]: lr must hold at least 3"),
        (LOGS, [1, 2], ValueError, "values must be as many as curves, 7, got 2"),
        ([LOGS["small"]], ["x"], TypeError, r"values\[0\] must be a number, got 'x'"),
        ([LOGS["small"]], [math.inf], ValueError, r"values\[0\] must be finite, got inf"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_drawn(
    curves: Any, values: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        pictures.compare(curves, values=values)
    assert plt.get_fignums() == []


def test_command_line_draws_several_runs_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in DECAYS:
        LOGS[name].to_csv(tmp_path / f"{name}.csv")
    (tmp_path / "zz.csv").write_text("lr,loss\n1,2\n")  # which cannot be analysed
    out = tmp_path / "out.svg"
    with mpl.rc_context({"svg.fonttype": "none"}):
        assert main(["analyze", str(tmp_path), "--plot", str(out)]) == 0
    assert capsys.readouterr().err.endswith(f"Saved {out}\n")
    text = out.read_text()
    for name in DECAYS:
        assert f"{name}.csv: max_lr {LOGS[name].analyze().suggestion.max_lr:.2g}" in text
    assert "zz.csv" not in text


def test_command_line_colours_many_runs_by_their_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_show, "MOST_RUNS", 22)
    (tmp_path / "log.csv").write_text(
        "lr,loss,run\n"
        + "".join(
            f"{lr},{loss},{run}\n"
            for run in range(23)
            for lr, loss in zip(LOGS["small"].lr, LOGS["small"].loss)
        )
    )
    out = tmp_path / "out.svg"
    with mpl.rc_context({"svg.fonttype": "none"}):
        assert main(["analyze", str(tmp_path / "log.csv"), "--plot", str(out)]) == 0
    assert f"{out} has the curves of the first 22 of 23 runs" in capsys.readouterr().err
    assert ">max_lr</text>" in out.read_text()
