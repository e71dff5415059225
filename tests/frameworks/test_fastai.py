"""The range test on fastai's Learner, in real fits."""

from __future__ import annotations

import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import clrfast
from training_data import Net, copies, dataset, weights

pytestmark = pytest.mark.filterwarnings("ignore")  # fastai's own
pytest.importorskip("fastai")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastai.callback import schedule, tracker  # noqa: F401 - it gives the Learner fit_one_cycle
    from fastai.callback.core import Callback
    from fastai.callback.progress import CSVLogger
    from fastai.callback.training import GradientAccumulation, GradientClip
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    from clrfast.frameworks.fastai import FastaiRangeTest


class Noise(Callback):  # type: ignore[misc]
    """A user's callback, which takes part in each step, and remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []
        self.average: dict[str, Any] = {}

    def before_batch(self) -> None:
        self.learn.xb = (self.xb[0] + 0.01 * torch.randn_like(self.xb[0]),)

    def after_step(self) -> None:
        self.seen.append(float(self.loss))
        self.average["weight"] = next(self.model.parameters()).detach().clone()


def torch_adam(*args: Any, **kwargs: Any) -> Any:
    return OptimWrapper(*args, opt=torch.optim.Adam, **kwargs)


def halves(model: nn.Module) -> Any:
    parameters = list(model.parameters())
    return [parameters[:2], parameters[2:]]


def learner(folder: Path, cbs: Any = (), **options: Any) -> Any:
    random.seed(0)
    torch.manual_seed(0)
    data = dataset()
    rows = DataLoader(data, bs=16, shuffle=True, n=80)
    loaders = DataLoaders(rows, DataLoader(data, bs=16, n=32))
    learn = Learner(
        loaders,
        Net(),
        nn.CrossEntropyLoss(),
        cbs=[*cbs, CSVLogger()],
        path=folder,
        **{"lr": 0.002, **options},
    )
    learn.logger = lambda _: None
    learn.remove_cbs([each for each in learn.cbs if "Progress" in type(each).__name__])
    return learn


def told(learn: Any) -> Any:
    """What a fit has left, but for its time."""
    recorder = learn.recorder
    losses = [float(loss) for loss in recorder.losses]
    return weights(learn.model), recorder.lrs, losses, list(recorder.values), learn.train_iter


CASES: dict[str, Any] = {
    "plain": lambda: {},
    "torch's": lambda: {"opt_func": torch_adam},
    "groups": lambda: {"splitter": halves, "lr": slice(0.0005, 0.002)},
    "accumulated": lambda: {"cbs": [GradientAccumulation(32), GradientClip(0.1), Noise()]},
}


@pytest.mark.parametrize("by_hand", [False, True], ids=["callback", "by hand"])
@pytest.mark.parametrize("case", CASES)
def test_training_is_as_without_the_test(tmp_path: Path, case: str, by_hand: bool) -> None:
    found = []
    for tested in (False, True):
        learn, test = learner(tmp_path, **CASES[case]()), FastaiRangeTest(steps=20)
        before = {name: value for name, value in vars(learn).items() if name != "cbs"}
        with copies() as sizes:
            if tested and by_hand:
                log = test.run(learn)
                assert log is test.log
                assert {name: value for name, value in vars(learn).items() if name != "cbs"} == before
                assert learn.opt is None
            learn.fit_one_cycle(1, cbs=[test] if tested and not by_hand else [])
            learn.fit(1)
        assert max(sizes, default=0) <= 1024  # of the data set, nothing
        own = [(each.seen, each.average["weight"].tolist()) for each in learn.cbs if isinstance(each, Noise)]
        found.append((told(learn), own, random.getstate()))
    assert test.log is not None
    assert 10 < len(test.log) <= 20
    assert found[0] == found[1]


def test_its_losses_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    learn = learner(tmp_path, opt_func=torch_adam)
    states = torch.get_rng_state(), random.getstate()
    learn.dls.train.rng = random.Random(5)
    log = FastaiRangeTest(steps=30, end_lr=0.5).run(learn)
    learn.dls.train.rng = random.Random(5)
    torch.set_rng_state(states[0])
    optimizer = torch.optim.Adam(learn.model.parameters(), lr=0.002, weight_decay=0.0)
    plain = clrfast.range_test(learn.model, optimizer, F.cross_entropy, learn.dls.train, steps=30, end_lr=0.5)
    np.testing.assert_array_equal(log.lr, plain.lr)
    np.testing.assert_allclose(log.loss, plain.loss, rtol=1e-6)


def test_with_two_batches_a_step_each_step_updates(tmp_path: Path) -> None:
    class Updates(Callback):  # type: ignore[misc]
        def after_step(self) -> None:
            counted.append(self.iter)

    counted: list[int] = []
    learn = learner(tmp_path, cbs=[GradientAccumulation(32), Updates()])
    log = FastaiRangeTest(steps=12, stop_factor=float("inf")).run(learn)
    assert counted == [2 * step + 1 for step in range(len(log))]


@pytest.mark.parametrize("case", ["plain", "torch's", "groups"])
def test_apply_by_hand_is_what_the_next_fit_starts_from(tmp_path: Path, case: str) -> None:
    learn, test = learner(tmp_path, **CASES[case]()), FastaiRangeTest(apply=True, steps=100)
    test.run(learn)
    rate = test.suggestion.max_lr
    given = CASES[case]()
    if case == "groups":
        given["lr"] = slice(rate / 4, rate)
    other = learner(tmp_path, **{"lr": rate, **given})
    for each in (learn, other):
        each.fit(1)
    assert learn.recorder.lrs == pytest.approx(other.recorder.lrs)
    assert [hypers["lr"] for hypers in learn.opt.hypers] == pytest.approx(
        [rate / 4, rate] if case == "groups" else [rate]
    )
    for each in (learn, other):
        each.fit_one_cycle(1)
    assert learn.recorder.lrs == pytest.approx(other.recorder.lrs)


def test_apply_in_a_fit_at_one_rate(tmp_path: Path) -> None:
    learn, test = learner(tmp_path), FastaiRangeTest(apply=True, steps=100)
    learn.fit(1, cbs=test)
    assert set(learn.recorder.lrs) == {test.suggestion.max_lr}
    assert learn.lr == test.suggestion.max_lr


def test_apply_in_a_fit_that_schedules_its_rate_is_refused(tmp_path: Path) -> None:
    learn, test = learner(tmp_path), FastaiRangeTest(apply=True, steps=20)
    before = weights(learn.model)
    with pytest.raises(ValueError, match="apply must be False in a fit that schedules its rate"):
        learn.fit_one_cycle(1, cbs=test)
    assert weights(learn.model) == before
    assert test.log is None


def test_without_a_suggestion_the_rate_stays(tmp_path: Path) -> None:
    learn = learner(tmp_path)
    with pytest.warns(UserWarning, match="the learning rate stays as it is, because the log suggests none: "):
        FastaiRangeTest(apply=True, steps=20, end_lr=1e-6).run(learn)
    assert learn.lr == 0.002


@pytest.mark.parametrize("case", ["plain", "torch's"])
def test_a_checkpoint_holds_the_weights_before(tmp_path: Path, case: str) -> None:
    learn, found = learner(tmp_path, **CASES[case]()), []

    def recover(*_: Any) -> None:
        if not found:
            model = Net()
            clrfast.recover(tmp_path / "before.pt", model)
            found.append(weights(model))

    before = weights(learn.model)
    FastaiRangeTest(steps=10, checkpoint=tmp_path / "before.pt", progress=recover).run(learn)
    assert found == [before]
    assert not (tmp_path / "before.pt").exists()


@pytest.mark.parametrize("by_hand", [False, True])
def test_an_error_leaves_everything_as_it_was(tmp_path: Path, by_hand: bool) -> None:
    class Broken(Noise):
        def after_step(self) -> None:
            super().after_step()
            if len(self.seen) == 7:
                raise KeyError("broken")

    noise = Broken()
    learn, test = learner(tmp_path, cbs=[noise]), FastaiRangeTest(steps=20)
    learn.model.eval()
    before, callbacks = weights(learn.model), list(learn.cbs)
    with pytest.raises(KeyError, match="broken") as raised:
        test.run(learn) if by_hand else learn.fit(1, cbs=test)
    if not by_hand:
        learn.csv_logger.file.close()  # fastai leaves it open where a fit fails
    assert weights(learn.model) == before
    assert (noise.seen, noise.average) == ([], {})
    assert list(learn.cbs) == callbacks
    assert len(raised.value.clrfast_log) == 6  # type: ignore[attr-defined]
    assert learn.model.training is not by_hand


def test_arguments_are_checked_first() -> None:
    with pytest.raises(TypeError, match="learn must be a fastai Learner, got Net"):
        FastaiRangeTest().run(Net())
    with pytest.raises(TypeError, match="got 'num_it'"):
        FastaiRangeTest(num_it=100)


def test_the_length_of_the_fit_chooses_that_of_the_test(tmp_path: Path) -> None:
    learn, test = learner(tmp_path, cbs=[GradientAccumulation(32)]), FastaiRangeTest()
    with pytest.warns(UserWarning, match="up to 50 steps, more than a quarter of the 5 of the training"):
        learn.fit(2, cbs=test)
    assert test.log is not None
    assert " 50 steps" in test.log.status
    assert " 200 steps" in FastaiRangeTest().run(learn).status  # for a fit of unknown length
