"""The range test in fastai: called by hand before a fit, or as a callback of it (needs fastai)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from clrfast._require import require
from clrfast.frameworks._shared import RunsRangeTest, attributes_kept, mean, state_in

require("fastai.learner", "clrfast.frameworks.fastai", "frameworks")

from fastai.callback.core import Callback  # noqa: E402 - after the check
from fastai.callback.schedule import ParamScheduler  # noqa: E402
from fastai.callback.training import GradientAccumulation  # noqa: E402
from fastai.learner import Learner, Recorder  # noqa: E402
from fastai.optimizer import OptimWrapper  # noqa: E402
from fastcore.foundation import L  # noqa: E402

if TYPE_CHECKING:
    from clrfast.logs import Log

__all__ = ["FastaiRangeTest"]

# Callbacks of these modules of fastai.callback, and what derives from them, record, show, save, stop or
# schedule; all others take part in a step.
_LISTENERS = (
    "azureml",
    "captum",
    "comet",
    "preds",
    "progress",
    "schedule",
    "tensorboard",
    "tracker",
    "wandb",
)


class FastaiRangeTest(RunsRangeTest, Callback):  # type: ignore[misc] # fastai is not followed
    """Runs a range test on a Learner, by hand or when a fit starts, and leaves all of it as it was.

    Each step is the Learner's own, ``one_batch``, with the callbacks that take part in training: mixed
    precision, accumulation, clipping, mixup and those of users. Those of fastai that record, show, save, stop
    or schedule hear nothing of the test.

    Args:
        apply: Whether the suggested `max_lr` is put in place: in the optimizer, whose groups keep their
            ratios, and as the Learner's ``lr``, from which a later ``fit`` or ``fit_one_cycle`` starts. Where
            there is none, the rate stays, and a UserWarning says why.
        **options: `start_lr`, `end_lr`, `steps` and the others of `clrfast.range_test`; `total_steps` is
            that of the fit which it is a callback of, unless it or `steps` is given.

    Attributes:
        log: What the last test recorded; None before it.
        suggestion: What that suggests.

    Raises:
        TypeError: An argument is not as said.
        TypeError, ValueError, RuntimeError: When it tests, as `clrfast.range_test`; or, as a callback with
            `apply`, the rate of this fit is scheduled already, as ``fit_one_cycle`` does. Nothing is changed
            then.

    >>> test = FastaiRangeTest(apply=True)  # doctest: +SKIP
    >>> test.run(learn)  # doctest: +SKIP
    >>> learn.fit_one_cycle(5)  # doctest: +SKIP
    """

    order = 1000  # after all others have prepared for the fit

    def __init__(self, *, apply: bool = False, **options: Any) -> None:
        """Check, and test nothing yet."""
        super().__init__()
        self._take(apply, options)
        self._is_due = False

    def run(self, learn: Any) -> Log:
        """Test a Learner now.

        Args:
            learn: The Learner; its optimizer is made, and forgotten again, if it has none yet.

        Returns:
            The log, which is also kept as `log`.

        Raises:
            TypeError: It is not a Learner.
            TypeError, ValueError, RuntimeError: As `clrfast.range_test`. Nothing has been changed.
        """
        if not isinstance(learn, Learner):
            raise TypeError(f"learn must be a fastai Learner, got {type(learn).__name__}")
        modes = [(module, module.training) for module in learn.model.modules()]
        with _quiet(learn, self):
            if learn.opt is None:
                learn.create_opt()
            learn.epoch, learn.dl = 0, learn.dls.train
            try:
                learn(["before_fit", "before_epoch", "before_train"])
                self._test(learn)
            finally:
                learn("after_fit")
                for module, training in modes:
                    module.training = training
        self._put_in_place(lambda rate: _set(learn, rate))
        assert self.log is not None
        return self.log

    def before_fit(self) -> None:
        """Wait for the first epoch's training."""
        self._is_due = True

    def before_train(self) -> None:
        """Test, before the first batch of a fit."""
        if not self._is_due:
            return
        self._is_due = False
        learn = self.learn
        if self.apply and any("lr" in each.scheds for each in learn.cbs if isinstance(each, ParamScheduler)):
            raise ValueError(
                "apply must be False in a fit that schedules its rate already, got True: test.run(learn) "
                "before it puts the rate in place"
            )
        with _quiet(learn, self):
            self._test(learn, epochs=learn.n_epoch)
        self._put_in_place(lambda rate: _set(learn, rate))

    def _test(self, learn: Any, epochs: int | None = None) -> None:
        """Test a Learner that is ready to train, and whose callbacks all take part in a step."""
        wrapper = learn.opt
        optimizer = wrapper.opt if isinstance(wrapper, OptimWrapper) else _Groups(wrapper)
        loader = learn.dls.train
        learn.n_iter = len(loader)
        taken = 0

        def step(batches: list[Any]) -> Any:
            nonlocal taken
            losses = []
            for batch in batches:
                learn.one_batch(taken, batch)
                losses.append(learn.loss.detach())
                taken += 1
            return mean(losses)

        items = [each.n_acc for each in learn.cbs if isinstance(each, GradientAccumulation)]
        own = [
            SimpleNamespace(**{name: value for name, value in vars(each).items() if name != "learn"})
            for each in learn.cbs
        ]
        count = math.ceil(max(items, default=1) / (loader.bs or 1))
        self._run(
            learn.model,
            optimizer,
            loader,
            step,
            batches_a_step=count,
            also=[SimpleNamespace(**vars(wrapper)), *state_in(learn, loader, wrapper), *own],
            total_steps=epochs and epochs * len(loader) // count,
        )


@contextmanager
def _quiet(learn: Any, test: FastaiRangeTest) -> Iterator[None]:
    """Leave a Learner the callbacks that take part in a step, and put back what it and they remember."""
    with attributes_kept(learn, *(each for each in learn.cbs if each is not test)):
        learn.cbs = L(each for each in learn.cbs if each is not test and not _listens(each))
        yield


def _listens(callback: Any) -> bool:
    modules = [f"fastai.callback.{name}" for name in _LISTENERS]
    return isinstance(callback, Recorder) or any(cls.__module__ in modules for cls in type(callback).__mro__)


class _Groups:
    """A fastai optimizer with parameter groups that can be written: its own are made anew each time."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.param_groups = [
            _Group(parameters, hypers) for parameters, hypers in zip(optimizer.param_lists, optimizer.hypers)
        ]

    def step(self) -> None:
        """Update the parameters."""
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state in plain containers, as a checkpoint holds it."""
        return {name: [dict(each) for each in values] for name, values in self.optimizer.state_dict().items()}


class _Group(dict[str, Any]):
    """A parameter group that writes a rate into the hyperparameters that fastai's optimizer reads."""

    def __init__(self, parameters: Any, hypers: dict[str, Any]) -> None:
        super().__init__(params=list(parameters), lr=hypers["lr"])
        self._hypers = hypers

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._hypers[key] = value


def _set(learn: Any, rate: float) -> None:
    """Put a rate in place: in the optimizer, if there is one yet, and as what the next fit starts from."""
    if learn.opt is not None:
        rates = [hypers["lr"] for hypers in learn.opt.hypers]
        learn.opt.set_hyper("lr", [rate * (each / max(rates)) for each in rates])
    if isinstance(learn.lr, slice):
        start = learn.lr.start and rate * (learn.lr.start / learn.lr.stop)
        learn.lr = slice(start, rate)
    else:
        learn.lr = rate
