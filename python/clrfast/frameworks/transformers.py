"""The range test in Hugging Face's Trainer: a callback (needs transformers and accelerate)."""

from __future__ import annotations

import sys
from inspect import signature
from typing import Any

from clrfast._require import require
from clrfast.frameworks._accelerated import Prepared, synchronised, update
from clrfast.frameworks._shared import RunsRangeTest, attributes_kept, state_in

require("transformers", "clrfast.frameworks.transformers", "frameworks")
require("accelerate", "clrfast.frameworks.transformers", "frameworks")

from transformers import Trainer, TrainerCallback  # noqa: E402 - after the check

__all__ = ["TransformersRangeTest"]


class TransformersRangeTest(RunsRangeTest, TrainerCallback):  # type: ignore[misc] # transformers is not followed
    """Runs a range test when a Trainer starts to train, and leaves it and all that it trains as they were.

    Each step is the Trainer's own: its `training_step`, and so its `compute_loss`, label smoothing and
    precision, ``gradient_accumulation_steps`` batches, and clipping to ``max_grad_norm``. No callback hears
    of the test, and what `Trainer.log` is given in it is dropped. A run that resumes is not tested.

    Args:
        apply: Whether the suggested `max_lr` is put in place, as by `clrfast.apply_lr`, in the optimizer and
            the Trainer's scheduler, whose warm-up stays. Where there is none, the rate stays, and a
            UserWarning says why.
        **options: `start_lr`, `end_lr`, `steps` and the others of `clrfast.range_test`; `total_steps` is
            what the Trainer says, unless it or `steps` is given.

    Attributes:
        log: What the test recorded; None before it.
        suggestion: What that suggests.

    Raises:
        TypeError: An argument is not as said.
        TypeError, ValueError, RuntimeError: When training starts, as `clrfast.range_test` and
            `clrfast.apply_lr`. Nothing is changed then.

    >>> trainer = Trainer(..., callbacks=[TransformersRangeTest(apply=True)])  # doctest: +SKIP
    """

    def __init__(self, *, apply: bool = False, **options: Any) -> None:
        """Check, and test nothing yet."""
        self._take(apply, options)

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Test, unless the run resumes."""
        if state.global_step > 0:
            return
        trainer = self._trainer()
        accelerator, model, optimizer = trainer.accelerator, trainer.model_wrapped, trainer.optimizer

        leading_elsewhere = accelerator, trainer.train_dataset, trainer.eval_dataset

        # Transformers 4.48 does not ask for it yet.
        device = [args.device] if "device" in signature(trainer.get_batch_samples).parameters else []

        def step(batches: list[Any]) -> Any:
            taken, count = trainer.get_batch_samples(iter(batches), len(batches), *device)
            trainer.current_gradient_accumulation_steps = len(taken)
            model.zero_grad()
            losses = []
            for index, inputs in enumerate(taken):
                with synchronised(accelerator, model, index == len(taken) - 1):
                    losses.append(trainer.training_step(model, inputs, count))
            update(accelerator, model, optimizer, args.max_grad_norm)
            return sum(losses)  # each is divided by their number already

        self._check_apply(optimizer, trainer.lr_scheduler)
        with attributes_kept(trainer, accelerator, accelerator.gradient_state):
            trainer.log = _say_nothing
            self._run(
                model,
                optimizer,
                Prepared(others["train_dataloader"]),
                step,
                batches_a_step=args.gradient_accumulation_steps,
                also=[state, control, *state_in(trainer, *leading_elsewhere)],
                schedulers=trainer.lr_scheduler,
                total_steps=state.max_steps,
            )
        self._put_into(optimizer, trainer.lr_scheduler)

    def _trainer(self) -> Any:
        """Return the Trainer that calls: it tells a callback of everything but itself."""
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back
            caller = frame.f_locals.get("self")
            if isinstance(caller, Trainer) and self in caller.callback_handler.callbacks:
                return caller
        raise RuntimeError(f"{type(self).__name__} must be called by a Trainer that has it as a callback")


def _say_nothing(*args: Any, **kwargs: Any) -> None:
    """Take the place of `Trainer.log`."""
