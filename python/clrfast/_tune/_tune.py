"""A recipe in one call: the rate by a range test, what goes with it by short trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from clrfast import _check
from clrfast._range_test._context import RangeTest
from clrfast._range_test._training import Training
from clrfast._tune._candidates_of import DecayAsked, MomentumAsked, check_momentum, check_weight_decay
from clrfast._tune._code import code_for
from clrfast._tune._made_schedules import SCHEDULES, code_of, momentum_schedule, rate_schedule
from clrfast._tune._recipe import Recipe
from clrfast._tune._search import FEWEST_IN_ALL, Search

if TYPE_CHECKING:
    from os import PathLike

    import torch
    from torch import Tensor

    from clrfast._range_test._context import Models, Optimizers
    from clrfast._range_test._progress import Asked


def tune(
    model: Models,
    optimizer: Optimizers,
    loss_fn: Callable[..., Tensor] | None,
    loader: Iterable[Any],
    *,
    total_steps: SupportsIndex,
    budget: SupportsIndex | None = None,
    validation: Iterable[Any] | Callable[[], Tensor | float] | None = None,
    momentum: MomentumAsked = None,
    weight_decay: DecayAsked = None,
    schedule: Literal["one_cycle", "triangular", "warmup_stable_decay"] = "one_cycle",
    accumulate: SupportsIndex = 1,
    autocast: AbstractContextManager[Any] | None = None,
    scaler: torch.amp.GradScaler | None = None,
    device: torch.device | str | None = None,
    train_step: Callable[[Any], Tensor | float] | None = None,
    also: Iterable[Any] = (),
    progress: Asked = False,
    checkpoint: str | PathLike[str] | None = None,
    process_group: torch.distributed.ProcessGroup | None = None,
) -> Recipe:
    """Find the rate, the momentum and the weight decay to train with, and change nothing.

    After Smith, arXiv:1803.09820: a range test for the rate, with probes around it in long trainings;
    then short trainings at that rate, each a whole schedule in few steps, from the same state and on the
    same batches, for what goes with it. After each, everything is put back as `range_test` does, bit for
    bit and however it ends. What the optimizer has stays where nothing else is clearly better.

    With SGD, the rate changes with the momentum m so that lr / (1 - m) stays. What cannot be tuned is said in
    `Recipe.choices`, and the rest goes on.

    Args:
        model: The module to train; with `train_step` several, a list or a dictionary of them.
        optimizer: Its optimizer; with `train_step` several. The rates of groups keep their ratios, and so do
            their weight decays.
        loss_fn: As in `range_test`, as are the forms of batches.
        loader: The batches, iterated anew when they end. Of one that can only be passed once, as many as the
            longest test needs are taken and kept in memory, and each test trains on these.
        total_steps: Steps of the training to come, >= 50.
        budget: Training steps that may be spent, >= 50. None, the default, is half of `total_steps`, or
            what a range test takes, if that is more. Less may be spent.
        validation: Batches that short trainings are compared by, in eval mode and without gradients after
            their last step; they are kept in memory, so give few. With `train_step`: a function that returns
            the loss. Without them, losses of training are compared, which say little of weight decay.
        momentum: Whether to tune the momentum, or beta1 of Adam's family: True tries 0.8, 0.9, 0.95, 0.99,
            and one that is cycled against the rate, beside that of now. Or a list of what to try: numbers
            from 0 to below 1, and pairs (base_momentum, max_momentum) for one that is cycled. None, the
            default, tries them where that of now is above 0.95: below, another one gains little at the rate
            that goes with it.
        weight_decay: Whether to tune the weight decay: True tries 0, a third of that of now and three times
            it. Or a list of what to try, numbers >= 0. None, the default, tries them where lr *
            weight_decay * steps is above 0.5, below which it matters little.
        schedule: What the recipe, and each short training, goes through: 'one_cycle', 'triangular' (two
            cycles between `base_lr` and `max_lr`), or 'warmup_stable_decay'.
        accumulate: Batches for each step, >= 1; the step's loss is their mean.
        autocast: A context entered around each forward pass.
        scaler: A gradient scaler; `train_step` uses it by itself.
        device: Where batches are moved to; the model's own by default.
        train_step: Does one whole training step with a batch and returns its loss: see `range_test`.
        also: Further modules, optimizers or other objects to restore, which `train_step` changes.
        progress: As in `range_test`; told of each test on its own.
        checkpoint: A file for the state before each test: see `range_test`.
        process_group: The group of processes that train the model: see `range_test`.

    Returns:
        The recipe: what was chosen, from what, how sure that is, and the schedules.

    Raises:
        TypeError, ValueError: An argument is not as said above, the loader is empty, a batch or a loss has no
            such form, or no step has changed a parameter. Everything has been restored.
        NoSuggestionError: No rate is found, and the optimizer's own is 0.
        OSError, RuntimeError, ImportError: As for `range_test`.
    """
    total = _check.whole("total_steps", total_steps, least=FEWEST_IN_ALL)
    limit = None if budget is None else _check.whole("budget", budget, least=FEWEST_IN_ALL)
    kind = _check.choice("schedule", schedule, SCHEDULES)
    momenta, weight_decays = check_momentum(momentum), check_weight_decay(weight_decay)
    options: dict[str, Any] = {
        **{"also": list(also), "progress": progress, "checkpoint": checkpoint},
        **{"process_group": process_group},
    }
    unused = RangeTest(model, optimizer, **options)  # checks what it is given
    training = Training(
        model,
        optimizer,
        loss_fn,
        loader,
        accumulate=accumulate,
        autocast=autocast,
        scaler=scaler,
        device=device,
        train_step=train_step,
        validation=validation,
    )
    search = Search(training, list(unused._optimizers.values()), options, kind, total, limit)
    rate = search.rate(momenta)
    try:
        max_lr, *others = search.others(rate, momenta, weight_decays)
    except BaseException as error:
        error.clrfast_log = rate.log  # type: ignore[attr-defined] # that of the ramp, not of a short training
        raise
    base_lr = rate.base_lr * max_lr / rate.choice.value
    chosen = {choice.name: choice for choice in (rate.choice, *others)}
    drive = rate_schedule(kind, base_lr, max_lr, total)
    tuned, decay = chosen["momentum"].value, chosen["weight_decay"].value
    return Recipe(
        max_lr=max_lr,
        base_lr=base_lr,
        momentum=tuned,
        weight_decay=decay,
        batch_size=None,
        schedule=drive,
        momentum_schedule=momentum_schedule(drive, tuned),
        total_steps=total,
        steps=search.spent,
        choices=chosen,
        log=rate.log,
        code=code_for(unused._optimizers, code_of(kind, base_lr, max_lr, total), tuned, decay),
    )
