"""The range test with Hugging Face Accelerate: what `Accelerator.prepare` has returned (needs accelerate)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from clrfast import _check
from clrfast._range_test._arguments import check_loader, check_usual_step
from clrfast._range_test._reachable import reachable
from clrfast._range_test._training_step import Step
from clrfast._require import require
from clrfast.frameworks._accelerated import Prepared, synchronised, update
from clrfast.frameworks._shared import RunsRangeTest, attributes_kept, mean

require("accelerate", "clrfast.frameworks.accelerate", "frameworks")

from accelerate import Accelerator  # noqa: E402 - after the check

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from clrfast.logs import Log

__all__ = ["AccelerateRangeTest"]


class AccelerateRangeTest(RunsRangeTest):
    """Runs a range test on what an Accelerator has prepared, and leaves all of it as it was.

    Each step is the usual one: ``gradient_accumulation_steps`` batches, forward in the accelerator's
    precision, ``accelerator.backward``, and one step of the optimizer with its scaler.

    Args:
        accelerator: The Accelerator. What it counts is put back.
        max_grad_norm: What gradients are clipped to in the training loop, > 0; None for no clipping.
        apply: Whether the suggested `max_lr` is put in place, as by `clrfast.apply_lr`. Where there is none,
            the rate stays, and a UserWarning says why.
        **options: `start_lr`, `end_lr`, `steps` and the others of `clrfast.range_test`.

    Attributes:
        log: What the test recorded; None before it.
        suggestion: What that suggests.

    Raises:
        TypeError, ValueError: An argument is not as said.

    >>> test = AccelerateRangeTest(accelerator, apply=True)  # doctest: +SKIP
    >>> test.run(model, optimizer, loss_fn, loader, scheduler=scheduler)  # doctest: +SKIP
    """

    def __init__(
        self,
        accelerator: Accelerator,
        *,
        max_grad_norm: float | None = None,
        apply: bool = False,
        **options: Any,
    ) -> None:
        """Check, and test nothing yet."""
        if not isinstance(accelerator, Accelerator):
            raise TypeError(f"accelerator must be an Accelerator, got {type(accelerator).__name__}")
        self._take(apply, options)
        self._accelerator = accelerator
        self._max_grad_norm = (
            None if max_grad_norm is None else _check.real("max_grad_norm", max_grad_norm, above=0.0)
        )

    def run(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        loss_fn: Callable[..., Tensor] | None,
        loader: Iterable[Any],
        *,
        scheduler: Any = None,
    ) -> Log:
        """Test now.

        Args:
            model: The prepared model.
            optimizer: The prepared optimizer.
            loss_fn: As of `clrfast.range_test`; None takes the loss that the model's output has.
            loader: The prepared loader.
            scheduler: For `apply`: the optimizer's scheduler, prepared or not, or several.

        Returns:
            The log, which is also kept as `log`.

        Raises:
            TypeError, ValueError, RuntimeError: As `clrfast.range_test` and `clrfast.apply_lr`. Nothing has
                been changed.
        """
        check_usual_step(loss_fn, None, model, optimizer)
        check_loader(loader)
        accelerator: Any = self._accelerator
        loss_of = Step(model, optimizer, loss_fn, None, None, None)._forward

        def step(batches: list[Any]) -> Any:
            model.zero_grad()
            losses = []
            for index, batch in enumerate(batches):
                with synchronised(accelerator, model, index == len(batches) - 1):
                    loss = loss_of(batch)
                    accelerator.backward(loss)
                losses.append(loss.detach())
            update(accelerator, model, optimizer, self._max_grad_norm)
            return mean(losses)

        self._check_apply(optimizer, scheduler)
        with attributes_kept(accelerator, accelerator.gradient_state):
            self._run(
                model,
                optimizer,
                Prepared(loader),
                step,
                batches_a_step=accelerator.gradient_accumulation_steps,
                also=[accelerator.scaler, *(part for part in reachable(loss_fn) if part is not accelerator)],
                schedulers=scheduler,
            )
        self._put_into(optimizer, scheduler)
        assert self.log is not None
        return self.log
