"""What is trained, and how: the same for a range test and for the probes that check it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, SupportsIndex

from clrfast import _check
from clrfast._range_test._arguments import check_loader, check_usual_step, check_whole_step

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from clrfast._range_test._context import Models, Optimizers, RangeTest
    from clrfast._range_test._training_step import Step


class Training:
    """A loop of one's own or the usual one; the arguments are those of `range_test`.

    Attributes:
        step: Makes one step of as many batches as `accumulate` says, and returns its loss.
        usual: The same, where it is the usual step.
        held: Hyperparameters that are set in each step: the group, the name, the value.
    """

    def __init__(
        self,
        model: Models,
        optimizer: Optimizers,
        loss_fn: Callable[..., Tensor] | None,
        loader: Iterable[Any],
        *,
        accumulate: SupportsIndex,
        autocast: AbstractContextManager[Any] | None,
        scaler: torch.amp.GradScaler | None,
        device: torch.device | str | None,
        train_step: Callable[[Any], Tensor | float] | None,
        validation: Iterable[Any] | Callable[[], Tensor | float] | None = None,
    ) -> None:
        """Check everything; change nothing."""
        check_loader(loader)
        self.accumulate = _check.whole("accumulate", accumulate, least=1)

        from clrfast._range_test._lightning_module import is_lightning
        from clrfast._range_test._reachable import reachable
        from clrfast._range_test._snapshot import numbered
        from clrfast._range_test._training_step import Step

        self.model, self.optimizer, self.loader, self.validation = model, optimizer, loader, validation
        self.held: list[tuple[dict[str, Any], str, Any]] = []
        self.step: Callable[[list[Any]], Any]
        self.usual: Step | None = None
        if train_step is None:
            check_usual_step(loss_fn, validation, model, optimizer)
            one: Any = model
            tuned: Any = optimizer
            self.step = self.usual = Step(one, tuned, loss_fn, autocast, scaler, device)
        else:
            others = {"loss_fn": loss_fn, "accumulate": accumulate, "autocast": autocast, "device": device}
            check_whole_step(train_step, validation, **others)
            self.step = lambda batches: train_step(batches[0])
        self._source = "loss_fn" if train_step is None else "train_step"
        self._holders = {"scaler": scaler, **numbered(reachable(train_step or loss_fn), self._source)}
        if callable(validation):
            self._source = "validation"
            self._holders |= numbered(reachable(validation), self._source)
        self._is_lightning = self.usual is not None and is_lightning(model)

    def enter_into(self, test: RangeTest, batches_a_step: int) -> None:
        """Tell a test that has not begun what its loop trains."""
        from clrfast._range_test._lightning_module import without_trainer

        test._holders, test._source = self._holders, self._source
        test._batches_a_step = batches_a_step
        test._rates.held += self.held
        if self._is_lightning and self.usual is not None:
            test._around = without_trainer(self.usual.model)

    def begin(self, test: RangeTest) -> None:
        """Let gradients be recorded, and modules that are in eval mode as a whole train."""
        import torch

        torch.set_grad_enabled(True)
        for trained in test._models.values():
            if not trained.training:
                trained.train()
