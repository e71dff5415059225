"""`RangeTest` in six loops that people write, each the same as by hand."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import clrfast
from experiments import batches, dense, fingerprint, generators

STEPS = 24


class ByHand:
    """What a `RangeTest` is to a loop, without anything that it does beside."""

    def __init__(self, *optimizers: torch.optim.Optimizer, steps: int = STEPS) -> None:
        self.optimizers, self.losses = optimizers, []
        self.rates = clrfast.schedules.ramp(1e-5, 0.1, steps).values(0, steps).tolist()

    def __iter__(self) -> Iterator[float]:
        while len(self.losses) < len(self.rates):
            rate = self.rates[len(self.losses)]
            for group in [group for optimizer in self.optimizers for group in optimizer.param_groups]:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate
            yield rate

    def __call__(self, loader: Any) -> Iterator[Any]:
        def forever() -> Iterator[Any]:
            while True:
                yield from loader

        return (batch for _, batch in zip(self, forever()))

    def record(self, loss: Any, **others: Any) -> bool:
        self.losses.append(loss.item())
        return len(self.losses) < len(self.rates)


class Parts:
    """The objects of a loop, with a training step behind them."""

    def __init__(self) -> None:
        torch.manual_seed(2)
        self.model: nn.Module = dense(torch.float32)
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.1)

    def state(self) -> Any:
        values = [
            value for value in vars(self).values() if isinstance(value, (nn.Module, torch.optim.Optimizer))
        ]
        saved = [copy.deepcopy(v.state_dict()) for v in vars(self).values() if hasattr(v, "get_scale")]
        return [fingerprint(value) for value in values], saved, generators()


class Usual(Parts):
    def loop(self, test: Any) -> None:
        model, optimizer = self.model, self.optimizer
        for x, y in test(batches()):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            test.record(loss)


class RecordsBeforeItSteps(Parts):
    def loop(self, test: Any) -> None:
        model, optimizer = self.model, self.optimizer
        for x, y in test(batches()):
            loss = F.cross_entropy(model(x), y)
            test.record(loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


class Adversaries(Parts):
    def __init__(self) -> None:
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(8, 6), nn.LeakyReLU(), nn.Linear(6, 1))
        self.model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 8))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.1)
        self.second = torch.optim.Adam(self.critic.parameters(), lr=0.1)

    def loop(self, test: Any) -> None:
        generator, critic = self.model, self.critic
        for real, _ in test(batches()):
            fake = generator(torch.randn(len(real), 3))
            critic_loss = F.softplus(critic(fake.detach())).mean() + F.softplus(-critic(real)).mean()
            self.second.zero_grad()
            critic_loss.backward()
            self.second.step()
            generator_loss = F.softplus(-critic(fake)).mean()
            self.optimizer.zero_grad()
            generator_loss.backward()
            self.optimizer.step()
            test.record(generator_loss, critic=critic_loss)


class Reinforced(Parts):
    def loop(self, test: Any) -> None:
        policy, optimizer = self.model, self.optimizer
        wanted = torch.arange(6) % 3
        for _ in test:
            choices = torch.distributions.Categorical(logits=policy(torch.ones(6, 8)))
            actions = choices.sample()
            loss = -(choices.log_prob(actions) * (actions == wanted)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            test.record(loss)


class Closure(Parts):
    def __init__(self) -> None:
        super().__init__()
        self.optimizer = torch.optim.LBFGS(self.model.parameters(), lr=0.1, max_iter=3)

    def loop(self, test: Any) -> None:
        model, optimizer = self.model, self.optimizer
        for x, y in test(batches()):

            def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                return loss

            test.record(optimizer.step(closure))


class ClippedAndAccumulated(Parts):
    def loop(self, test: Any) -> None:
        model, optimizer = self.model, self.optimizer
        losses = []
        for x, y in test(batches()):
            loss = F.cross_entropy(model(x), y) / 4
            loss.backward()
            losses.append(loss.detach())
            if len(losses) == 4:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                test.record(sum(losses))
                losses = []


class Scaled(Parts):
    def __init__(self) -> None:
        super().__init__()
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4, growth_interval=5)

    def loop(self, test: Any) -> None:
        model, optimizer, scaler = self.model, self.optimizer, self.scaler
        for x, y in test(batches()):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            test.record(loss)


class Compiled(Parts):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Linear(8, 3)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=torch.tensor(0.1))

    def loop(self, test: Any) -> None:
        model, optimizer = self.model, self.optimizer

        @torch.compile(backend="aot_eager")
        def step(x: Tensor, y: Tensor) -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        for x, y in test(batches()):
            test.record(step(x, y))


LOOPS: list[Any] = [
    *(Usual, RecordsBeforeItSteps, Adversaries, Reinforced, Closure, ClippedAndAccumulated, Scaled),
    pytest.param(Compiled, marks=pytest.mark.filterwarnings("ignore")),  # torch.compile warns of itself
]


@pytest.mark.parametrize("make", LOOPS)
def test_records_what_the_same_loop_by_hand_would(make: Callable[[], Any]) -> None:
    parts = make()
    models = [value for value in vars(parts).values() if isinstance(value, nn.Module)]
    optimizers = [value for value in vars(parts).values() if isinstance(value, torch.optim.Optimizer)]
    torch.manual_seed(5)
    before = parts.state()
    with clrfast.RangeTest(
        models, optimizers, start_lr=1e-5, end_lr=0.1, steps=STEPS, stop_factor=math.inf
    ) as test:
        parts.loop(test)
    assert before == parts.state()

    by_hand = ByHand(*optimizers)
    parts.loop(by_hand)
    assert before != parts.state()
    np.testing.assert_array_equal(test.log.lr, by_hand.rates)
    np.testing.assert_array_equal(test.log.loss, by_hand.losses)
    assert len(set(by_hand.losses)) > STEPS // 2


def test_keeps_the_other_losses() -> None:
    parts = Adversaries()
    both = {"generator": parts.optimizer, "critic": parts.second}
    with clrfast.RangeTest([parts.model, parts.critic], both, end_lr=1e-2, steps=30) as test:
        parts.loop(test)
    assert list(test.logs) == ["loss", "critic"]
    assert test.logs["loss"] is test.log
    assert len(test.logs["critic"]) == 30
    assert test.logs["critic"].lr.tolist() == test.log.lr.tolist()
    assert (test.logs["critic"].loss != test.log.loss).all()
