"""The range test on what Accelerate prepares, in real loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import clrfast
from training_data import Net, copies, loader, weights

accelerate = pytest.importorskip("accelerate")
from accelerate.state import AcceleratorState, GradientState  # noqa: E402

from clrfast.frameworks.accelerate import AccelerateRangeTest  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs


@pytest.fixture(autouse=True)
def states() -> Iterator[None]:
    """Accelerate keeps the precision of its first Accelerator for the process."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


class Prepared:
    """An accelerator and what it has prepared."""

    def __init__(self, lr: float = 0.002, **options: Any) -> None:
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
        torch.manual_seed(0)
        self.accelerator = accelerate.Accelerator(cpu=True, **options)
        model = Net()
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.25, total_iters=4)
        self.model, self.optimizer, self.loader, self.scheduler = self.accelerator.prepare(
            model, optimizer, loader(), scheduler
        )

    def train(self, batches: int = 8) -> list[tuple[float, float]]:
        rows = []
        for _, (x, y) in zip(range(batches), self.loader):
            with self.accelerator.accumulate(self.model):
                loss = F.cross_entropy(self.model(x), y)
                self.accelerator.backward(loss)
                rows.append((loss.item(), self.optimizer.param_groups[0]["lr"]))
                self.optimizer.step()
                self.scheduler.step()
                self.optimizer.zero_grad()
        return rows

    def run(self, test: AccelerateRangeTest, loss_fn: Any = F.cross_entropy) -> clrfast.Log:
        return test.run(self.model, self.optimizer, loss_fn, self.loader, scheduler=self.scheduler)

    def state(self) -> list[str]:
        holders = [self.accelerator.gradient_state, self.optimizer, self.loader]
        counted = [self.accelerator.step, self.optimizer.state_dict(), self.scheduler.state_dict()]
        return [str(vars(holder)) for holder in holders] + [str(each) for each in counted]


@pytest.mark.parametrize(
    "options", [{}, {"gradient_accumulation_steps": 3}, {"mixed_precision": "bf16"}], ids=str
)
def test_training_is_as_without_the_test(options: Any) -> None:
    plain = Prepared(**options)
    rows, trained = plain.train(), weights(plain.model)
    tested = Prepared(**options)
    before = tested.state()
    test = AccelerateRangeTest(tested.accelerator, steps=20)
    with copies() as sizes:
        log = tested.run(test)
    assert max(sizes) <= 1024  # of the data set, nothing
    assert tested.state() == before
    assert 10 < len(log) <= 20
    assert log is test.log
    assert tested.train() == rows
    assert weights(tested.model) == trained


def test_what_it_counts_in_the_midst_of_an_accumulation_stays() -> None:
    plain = Prepared(gradient_accumulation_steps=3)
    rows = [plain.train(4), plain.train(5)]
    tested = Prepared(gradient_accumulation_steps=3)
    assert tested.train(4) == rows[0]
    tested.run(AccelerateRangeTest(tested.accelerator, steps=20))
    assert tested.train(5) == rows[1]
    assert weights(tested.model) == weights(plain.model)


@pytest.mark.parametrize(("batches", "clip"), [(1, None), (2, None), (2, 0.05)])
def test_its_losses_are_those_of_a_plain_loop(batches: int, clip: Any) -> None:
    prepared = Prepared(gradient_accumulation_steps=batches)
    test = AccelerateRangeTest(prepared.accelerator, steps=30, end_lr=0.5, max_grad_norm=clip)
    log = prepared.run(test)
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)

    class Clipped(torch.optim.Adam):
        def step(self, closure: Any = None) -> None:
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            super().step(closure)

    optimizer = Clipped(model.parameters(), lr=0.002)
    begin = prepared.loader.__iter__
    again = type("Again", (), {"__iter__": lambda _: begin()})()
    torch.manual_seed(0)
    Net()
    plain = clrfast.range_test(
        model, optimizer, F.cross_entropy, again, steps=30, end_lr=0.5, accumulate=batches
    )
    np.testing.assert_array_equal(log.lr, plain.lr)
    np.testing.assert_allclose(log.loss, plain.loss, rtol=1e-6)


def test_a_model_may_make_its_own_loss_of_a_mapping() -> None:
    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
            return {"loss": F.cross_entropy(self.net(x), labels)}

    torch.manual_seed(0)
    accelerator = accelerate.Accelerator(cpu=True)
    model = Classifier()
    batches = [{"x": x, "labels": y} for _, (x, y) in zip(range(3), loader())]
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    log = AccelerateRangeTest(accelerator, steps=20).run(model, optimizer, None, batches)
    plain = clrfast.range_test(model, optimizer, None, batches, steps=20)
    np.testing.assert_array_equal(log.loss, plain.loss)


def test_apply_trains_as_if_the_rate_had_been_there() -> None:
    tested = Prepared()
    test = AccelerateRangeTest(tested.accelerator, apply=True, steps=100)
    tested.run(test)
    rates = [row[1] for row in tested.train()]
    other = Prepared(lr=test.suggestion.max_lr)
    assert rates == pytest.approx([row[1] for row in other.train()], rel=1e-12)
    assert rates[-1] == pytest.approx(test.suggestion.max_lr, rel=1e-12)


def test_without_a_suggestion_the_rate_stays() -> None:
    tested = Prepared()
    before = tested.state()
    with pytest.warns(UserWarning, match="the learning rate stays as it is, because the log suggests none: "):
        tested.run(AccelerateRangeTest(tested.accelerator, apply=True, steps=20, end_lr=1e-6))
    assert tested.state() == before


def test_low_confidence_is_told() -> None:
    """Labels that nothing can be learned of."""
    tested = Prepared()
    batches = [(torch.randn(16, 8), torch.randint(3, (16,))) for _ in range(20)]
    test = AccelerateRangeTest(tested.accelerator, apply=True, steps=200)
    with pytest.warns(UserWarning, match="was set to .*, but with low confidence: the "):
        test.run(tested.model, tested.optimizer, F.cross_entropy, batches, scheduler=tested.scheduler)
    assert tested.scheduler.scheduler.base_lrs == [test.suggestion.max_lr]


def test_a_scaler_is_used_and_put_back() -> None:
    """Accelerate itself has one on devices only."""
    found = []
    for tested in (False, True):
        torch.manual_seed(0)
        accelerator, model = accelerate.Accelerator(cpu=True), Net()
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=3)
        model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
        batches = [batch for _, batch in zip(range(5), loader())]
        if tested:
            log = AccelerateRangeTest(accelerator, steps=20).run(model, optimizer, F.cross_entropy, batches)
            plain = clrfast.range_test(model, optimizer.optimizer, F.cross_entropy, batches, steps=20)
            np.testing.assert_array_equal(log.loss, plain.loss)
            assert accelerator.scaler.get_scale() == 4.0
        for x, y in batches:
            accelerator.backward(F.cross_entropy(model(x), y))
            optimizer.step()
            optimizer.zero_grad()
        found.append((weights(model), accelerator.scaler.state_dict()))
    assert found[0] == found[1]
    assert found[0][1]["scale"] == 8.0


def test_an_error_leaves_everything_as_it_was() -> None:
    calls: list[int] = []

    def broken(y: Tensor, target: Tensor) -> Tensor:
        calls.append(len(calls))
        if len(calls) == 8:
            raise KeyError("broken")
        return F.cross_entropy(y, target)

    tested = Prepared(gradient_accumulation_steps=2)
    before = tested.state(), weights(tested.model)
    with pytest.raises(KeyError, match="broken") as raised:
        tested.run(AccelerateRangeTest(tested.accelerator, steps=20), broken)
    assert (tested.state(), weights(tested.model)) == before
    assert len(raised.value.clrfast_log) == 3  # type: ignore[attr-defined]


def test_arguments_are_checked_first() -> None:
    tested = Prepared()
    with pytest.raises(TypeError, match="accelerator must be an Accelerator, got Net"):
        AccelerateRangeTest(Net())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_grad_norm must be finite and > 0, got 0"):
        AccelerateRangeTest(tested.accelerator, max_grad_norm=0)
    with pytest.raises(TypeError, match="loss_fn must be callable or None, got 'mse'"):
        tested.run(AccelerateRangeTest(tested.accelerator), "mse")
    with pytest.raises(TypeError, match="loader must be an iterable of batches, got int"):
        AccelerateRangeTest(tested.accelerator).run(tested.model, tested.optimizer, None, 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="several or None, got int"):
        AccelerateRangeTest(tested.accelerator, apply=True).run(
            tested.model, tested.optimizer, F.cross_entropy, tested.loader, scheduler=3
        )
