"""Claim: a range test costs about what its training steps cost.

The goals at 1,000 steps of a small network: 1.03 times a bare loop with `train_step` and in the context, and
1.08 in one call.

Run: python benchmarks/range_test_cost.py [--quick]
Contenders take turns on one thread, each with a new network from one seed; what counts is the processor's
time, as machines are shared. Tests of 1,000 and of 200 steps tell apart what a step costs and what is fixed;
some steps of a network of 20 million parameters, what copies of its state cost. What each has recorded must
be what a plain loop gives at the same rates, and the network must be as before. Peers stop nowhere; averages
are undone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

import clrfast
from timing import medians, report

START, END = 1e-6, 0.1
Record = tuple[Any, Any]  # the rate of each step and its loss
BARE = "bare loop"


class Task:
    """A network, its optimizer and batches: the same each time.

    Args:
        widths: Of the network's layers.
        rows: Of a batch.
        steps: Of the test.
    """

    def __init__(self, widths: tuple[int, ...], rows: int, steps: int) -> None:
        torch.manual_seed(0)
        layers = [nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in zip(widths, widths[1:])]
        self.model = nn.Sequential(*layers, nn.Linear(widths[-1], 10))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=START, momentum=0.9)
        pairs = [(torch.randn(rows, widths[0]), torch.randint(10, (rows,))) for _ in range(10)]
        self.batches = pairs * (steps // 10)
        self.steps = len(self.batches)

    def train_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def loader(self) -> DataLoader[Any]:
        """The batches for those to whom a list would be something else."""
        return DataLoader(self.batches, batch_size=None)  # type: ignore[arg-type]

    def at(self, rates: Any) -> list[float]:
        """The losses of a plain loop at these rates."""
        losses = []
        for lr, batch in zip(rates, self.batches):
            self.optimizer.param_groups[0]["lr"] = lr
            losses.append(self.train_step(batch).item())
        return losses


def bare(task: Task) -> Record:
    model, optimizer = task.model, task.optimizer
    for x, y in task.batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return [], []


def plain_list(task: Task) -> Record:
    model, optimizer = task.model, task.optimizer
    rates = np.geomspace(START, END, task.steps).tolist()
    losses = []
    for lr, (x, y) in zip(rates, task.batches):
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return rates, torch.stack(losses).tolist()


def one_call(task: Task) -> Record:
    log = clrfast.range_test(
        *(task.model, task.optimizer, F.cross_entropy, task.batches),
        start_lr=START,
        end_lr=END,
        steps=task.steps,
    )
    return log.lr, log.loss


def own_step(task: Task) -> Record:
    log = clrfast.range_test(
        *(task.model, task.optimizer, None, task.batches),
        start_lr=START,
        end_lr=END,
        steps=task.steps,
        train_step=task.train_step,
    )
    return log.lr, log.loss


def context(task: Task) -> Record:
    model, optimizer = task.model, task.optimizer
    with clrfast.RangeTest(model, optimizer, start_lr=START, end_lr=END, steps=task.steps) as test:
        for x, y in test(task.batches):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            test.record(loss)
    return test.log.lr, test.log.loss


def torch_lr_finder(task: Task) -> Record:
    from torch_lr_finder import LRFinder, TrainDataLoaderIter

    finder = LRFinder(task.model, task.optimizer, F.cross_entropy)
    loader = TrainDataLoaderIter(task.batches)
    finder.range_test(loader, end_lr=END, num_iter=task.steps, smooth_f=0, diverge_th=1e9)
    finder.reset()
    return finder.history["lr"], finder.history["loss"]


def ignite(task: Task) -> Record:
    from ignite.engine import Engine
    from ignite.handlers import FastaiLRFinder

    trainer: Any = Engine(lambda engine, batch: task.train_step(batch))
    finder = FastaiLRFinder()
    with finder.attach(
        trainer,
        to_save={"model": task.model, "optimizer": task.optimizer},
        num_iter=task.steps,
        start_lr=START,
        end_lr=END,
        smooth_f=0,
        diverge_th=1e9,
    ) as run:
        run.run(task.batches)
    found: Any = finder.get_results()
    return [START, *found["lr"][:-1]], found["loss"]  # it writes down the rate of the step that follows


def lightning(task: Task) -> Record:
    import pytorch_lightning as pl
    from pytorch_lightning.tuner.tuning import Tuner

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.lr = task.model, START

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            return F.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return task.optimizer

    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            accelerator="cpu",
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        found = Tuner(trainer).lr_find(
            Module(),
            task.loader(),
            min_lr=START,
            max_lr=END,
            num_training=task.steps,
            early_stop_threshold=None,
            update_attr=False,
        )
    assert found is not None
    # Its average counts one step more than there were, as if the first loss had been 0.
    averaged = clrfast.Log([START, *found.results["lr"]], [0.0, *found.results["loss"]])
    return averaged.lr[1:], averaged.unsmoothed(0.98).loss[1:]


def fastai(task: Task) -> Record:
    import fastai.callback.all  # noqa: F401 - gives Learner its methods
    from fastai.basics import DataLoaders, Learner, OptimWrapper

    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(
            DataLoaders(task.loader(), task.loader()),
            task.model,
            loss_func=F.cross_entropy,
            opt_func=lambda parameters, lr: OptimWrapper(opt=task.optimizer),
            path=folder,
        )
        with learner.no_bar():
            learner.lr_find(START, END, task.steps, stop_div=False, show_plot=False)
    averaged = clrfast.Log(learner.recorder.lrs, [float(loss) for loss in learner.recorder.losses])
    return averaged.lr, averaged.unsmoothed(0.98).loss


CONTENDERS: dict[str, tuple[Callable[[Task], Record], str]] = {
    BARE: (bare, ""),
    "loop with a list of loss.detach()": (plain_list, ""),
    "clrfast.range_test, one call": (one_call, ""),
    "clrfast.range_test(train_step=)": (own_step, ""),
    "clrfast.RangeTest, a context": (context, "clrfast.RangeTest"),
    "pytorch-lr-finder": (torch_lr_finder, "torch_lr_finder"),
    "Ignite, FastaiLRFinder": (ignite, "ignite"),
    "Lightning, lr_find": (lightning, "pytorch_lightning"),
    "fastai, lr_find": (fastai, "fastai"),
}


def present() -> dict[str, Callable[[Task], Record]]:
    def is_there(needs: str) -> bool:
        return hasattr(clrfast, "RangeTest") if needs == "clrfast.RangeTest" else bool(find_spec(needs))

    return {name: run for name, (run, needs) in CONTENDERS.items() if not needs or is_there(needs)}


def quietly(run: Callable[[Task], Record], task: Task) -> Record:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return run(task)


def check(name: str, run: Callable[[Task], Record], make: Callable[[], Task]) -> None:
    """Raise unless a contender gives what a plain loop gives, and leaves the network as it was."""
    task = make()
    before = [parameter.clone() for parameter in task.model.parameters()]
    lrs, losses = quietly(run, task)
    if name == BARE:
        return
    assert len(lrs) == task.steps, f"{name} has {len(lrs)} steps"
    np.testing.assert_allclose(losses, make().at(lrs), rtol=1e-4, atol=1e-5, err_msg=name)
    restored = all(map(torch.equal, before, task.model.parameters()))
    assert restored == (run is not plain_list), f"{name} has not restored the network"


def timed(run: Callable[[Task], Record], make: Callable[[], Task]) -> Callable[[], float]:
    def contender() -> float:
        task = make()
        begin = time.process_time()
        quietly(run, task)
        return time.process_time() - begin

    return contender


def compared(title: str, make: Callable[[], Task], rounds: int) -> dict[str, float]:
    contenders = present()
    for name, run in contenders.items():
        check(name, run, make)
    seconds = medians({name: timed(run, make) for name, run in contenders.items()}, rounds)
    report(title, seconds, BARE, "ms")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of the rounds")
    share = 3 if parser.parse_args().quick else 1
    warnings.filterwarnings("ignore")  # the peers' own
    for name in ("ignite", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    torch.set_num_threads(1)
    for name, (_, needs) in CONTENDERS.items():
        if name not in present():
            print(f"{name} is left out: {needs} is not there")

    small = (64, 128, 128)
    many = compared("1,000 steps of a small network", lambda: Task(small, 32, 1000), 15 // share)
    few = compared("200 steps of it", lambda: Task(small, 32, 200), 21 // share)
    print(f"\nbeyond a bare loop{'':32} fixed, ms  a step, us")
    for name in many:
        step, least = ((seconds[name] - seconds[BARE]) for seconds in (many, few))
        each = (step - least) / 800
        print(f"  {name:48}{(least - 200 * each) * 1e3:10.1f}{each * 1e6:12.1f}")
    large = (1024, 3072, 3072, 2048)
    compared("20 steps of a network of 20 million parameters", lambda: Task(large, 32, 20), 6 // share)


if __name__ == "__main__":
    main()
