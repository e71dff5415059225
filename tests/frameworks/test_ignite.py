"""The range test as a handler of Ignite's Engine, in real runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import clrfast
from training_data import Net, copies, loader, weights

engines = pytest.importorskip("ignite.engine")
from ignite.handlers.param_scheduler import CosineAnnealingScheduler, LRScheduler  # noqa: E402

from clrfast.frameworks.ignite import IgniteRangeTest  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Ignite's own
Events = engines.Events


class Training:
    """A trainer with a process function of its own, and what its handlers hear."""

    def __init__(self, lr: float = 0.002, accumulate: int = 1) -> None:
        torch.manual_seed(0)
        self.model = Net()
        self.average = torch.optim.swa_utils.AveragedModel(self.model)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 3, 0.5)
        self.rows: list[Any] = []
        self.indices: list[int] = []
        average = self.average

        def process(engine: Any, batch: Any) -> dict[str, Any]:
            assert engine.state.batch is batch
            assert engine.state.epoch >= 1
            step = engine.state.iteration
            if (step - 1) % accumulate == 0:
                self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(batch[0]), batch[1])
            (loss / accumulate).backward()
            if step % accumulate == 0:
                self.optimizer.step()
                average.update_parameters(self.model)
            return {"loss": loss.detach(), "step": step}

        self.trainer = engines.Engine(process)
        self.trainer.add_event_handler(Events.ITERATION_STARTED, LRScheduler(self.scheduler))
        self.trainer.add_event_handler(Events.ITERATION_COMPLETED, self.note)

    def note(self, engine: Any) -> None:
        state = engine.state
        rate = self.optimizer.param_groups[0]["lr"]
        self.rows.append(
            (state.iteration, state.epoch, state.output["loss"].item(), state.output["step"], rate)
        )

    def attach(self, **options: Any) -> IgniteRangeTest:
        given = {"scheduler": self.scheduler, "steps": 20, **options}
        test = IgniteRangeTest(self.model, self.optimizer, output_transform=lambda out: out["loss"], **given)
        test.attach(self.trainer)
        return test

    def run(self, **options: Any) -> list[Any]:
        self.trainer.run(loader(), **{"max_epochs": 2, "epoch_length": 5, **options})
        return self.rows


@pytest.mark.parametrize("accumulate", [1, 3])
def test_training_is_as_without_the_test(accumulate: int) -> None:
    plain, tested = Training(accumulate=accumulate), Training(accumulate=accumulate)
    test = tested.attach(accumulate=accumulate)
    torch.manual_seed(0)
    rows = plain.run()
    torch.manual_seed(0)
    with copies() as sizes:
        assert tested.run() == rows
    assert max(sizes) <= 1024  # of the data set, nothing
    assert weights(tested.model) == weights(plain.model)
    assert weights(tested.average) == weights(plain.average)
    assert test.log is not None
    assert 10 < len(test.log) <= 20


@pytest.mark.parametrize("accumulate", [1, 2])
def test_its_losses_are_those_of_a_plain_loop(accumulate: int) -> None:
    training, plain = Training(accumulate=accumulate), Training()
    test = training.attach(accumulate=accumulate, steps=30, end_lr=0.5)
    torch.manual_seed(0)
    training.run()
    torch.manual_seed(0)
    log = clrfast.range_test(
        plain.model, plain.optimizer, F.cross_entropy, loader(), steps=30, end_lr=0.5, accumulate=accumulate
    )
    assert test.log is not None
    np.testing.assert_array_equal(test.log.lr, log.lr)
    np.testing.assert_allclose(test.log.loss, log.loss, rtol=1e-6)


@pytest.mark.parametrize("wrapped", [False, True])
def test_apply_trains_as_if_the_rate_had_been_there(wrapped: bool) -> None:
    training = Training()
    scheduler = LRScheduler(training.scheduler) if wrapped else training.scheduler
    test = training.attach(apply=True, steps=100, scheduler=scheduler)
    rates = [row[-1] for row in training.run()]
    other = Training(lr=test.suggestion.max_lr)
    assert rates == pytest.approx([row[-1] for row in other.run()], rel=1e-12)
    assert rates[0] == test.suggestion.max_lr


def test_without_a_suggestion_the_rate_stays() -> None:
    training, other = Training(), Training()
    training.attach(apply=True, end_lr=1e-6)
    with pytest.warns(UserWarning, match="the learning rate stays as it is, because the log suggests none: "):
        rows = training.run()
    assert [row[-1] for row in rows] == [row[-1] for row in other.run()]


def test_a_run_that_resumes_is_not_tested_and_a_new_one_is() -> None:
    training = Training()
    test = training.attach()
    training.trainer.load_state_dict({"iteration": 5, "epoch_length": 5, "max_epochs": 2})
    training.run()
    assert test.log is None
    training.run()
    assert test.log is not None


def test_an_engine_may_have_no_data() -> None:
    training = Training()

    def process(engine: Any, batch: None) -> float:
        training.optimizer.zero_grad()
        loss = training.model(torch.randn(16, 8)).pow(2).mean()
        loss.backward()
        training.optimizer.step()
        return loss.item()

    test = IgniteRangeTest(training.model, training.optimizer, steps=20)
    trainer = engines.Engine(process)
    test.attach(trainer)
    trainer.run(max_epochs=1, epoch_length=3)
    assert test.log is not None
    assert len(test.log) == 20


def test_an_error_leaves_everything_as_it_was() -> None:
    training = Training()

    def broken(output: Any) -> Tensor:
        if output["step"] == 8:
            training.trainer.terminate()
            raise KeyError("broken")
        return output["loss"]  # type: ignore[no-any-return]

    test = IgniteRangeTest(training.model, training.optimizer, output_transform=broken, steps=20)
    test.attach(training.trainer)
    before = weights(training.model), weights(training.average), str(training.optimizer.state_dict())
    with pytest.raises(KeyError, match="broken") as raised:
        training.run()
    after = weights(training.model), weights(training.average), str(training.optimizer.state_dict())
    assert after == before
    state = training.trainer.state
    assert (state.iteration, state.epoch, state.output, state.batch) == (0, 0, None, None)
    assert training.trainer.should_terminate is False
    assert len(raised.value.clrfast_log) == 7  # type: ignore[attr-defined]


def test_arguments_are_checked_first() -> None:
    training = Training()
    with pytest.raises(TypeError, match="output_transform must be a function, got 'loss'"):
        IgniteRangeTest(training.model, training.optimizer, output_transform="loss")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="accumulate must be an integer from 1"):
        IgniteRangeTest(training.model, training.optimizer, accumulate=0)
    with pytest.raises(TypeError, match="engine must be an ignite Engine, got Net"):
        IgniteRangeTest(training.model, training.optimizer).attach(training.model)  # type: ignore[arg-type]
    own = CosineAnnealingScheduler(training.optimizer, "lr", 0.1, 0.01, 10)
    training.attach(apply=True, scheduler=own)
    with pytest.raises(TypeError, match="scheduler must be a torch LRScheduler"):
        training.run()
    assert training.rows == []


def test_the_length_of_the_training_chooses_that_of_the_test() -> None:
    training = Training(accumulate=2)
    test = training.attach(accumulate=2, total_steps=None)
    del test.options["steps"], test.options["total_steps"]
    with pytest.warns(UserWarning, match="up to 50 steps, more than a quarter of the 5 of the training"):
        training.run()
    assert test.log is not None
    assert test.log.lr[:3].tolist() == [1e-8, 1e-7, 1e-6]  # the gradients are there to be looked at
    assert "of 50 steps" in test.log.status or "all 50 steps" in test.log.status
