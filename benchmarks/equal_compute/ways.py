"""The ways to choose a rate and to train at it, each within the same number of steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from torch.optim import SGD, AdamW
from train import Make, Outcome, Reached, Trainer

import clrfast
from clrfast import schedules
from clrfast.schedules import Schedule

Way = Callable[[Trainer, int], Outcome]
Shape = Callable[["float | None", float, int], Schedule]
SEARCHED = (1e-5, 1.0)  # what Optuna and random search draw from, evenly in the logarithm


def one_cycle(_: float | None, max_lr: float, steps: int) -> Schedule:
    return schedules.one_cycle(max_lr, steps)


def cosine(_: float | None, max_lr: float, steps: int) -> Schedule:
    return schedules.cosine(max_lr, steps)


def constant(_: float | None, max_lr: float, __: int) -> Schedule:
    return schedules.constant(max_lr)


def two_triangles(base_lr: float | None, max_lr: float, steps: int) -> Schedule:
    """Two cycles, which end at the lower bound; that is a tenth of the upper one where none is suggested."""
    return schedules.triangular(base_lr or max_lr / 10, max_lr, (steps - 1) / 4)


def range_tested(
    trainer: Trainer, seed: int, shape: Shape = one_cycle, optimizer: Make | None = None, **options: Any
) -> Outcome:
    """A range test of clrfast, then training for the rest; at the default rate where it suggests none.

    The test has a fifth of the steps, which for 1,000 are its default of 200, if nothing else is said.
    """
    log, search = trainer.range_test(seed, optimizer, **(options or {"steps": trainer.total_steps // 5}))
    found = log.analyze().suggestion
    base_lr, max_lr = found.bounds
    note = "; ".join([found.confidence or "no confidence", *found.reasons])
    if max_lr is None:
        max_lr = trainer.default_lr(optimizer)
        note = f"no suggestion: {note}"
    return _trained(trainer, seed, shape, base_lr, max_lr, search, optimizer, note)


def adaptive(trainer: Trainer, seed: int, **options: Any) -> Outcome:
    """As `range_tested`, with a test as long as pays for the training: a tenth of its steps."""
    return range_tested(trainer, seed, total_steps=trainer.total_steps, **options)


def probed(trainer: Trainer, seed: int) -> Outcome:
    """As `adaptive`, with short trainings around the suggestion that check it: 3 % of the steps each."""
    return adaptive(trainer, seed, verify=max(10, 3 * trainer.total_steps // 100))


def peer(trainer: Trainer, seed: int, rule: str) -> Outcome:
    """Another finder's test and rule, and one-cycle for the rest.

    The test has 100 steps, the default of both finders. It is charged up to where the finder stops.
    """
    log, _ = trainer.range_test(seed, steps=100, stop_factor=float("inf"))
    kept, _ = clrfast.rules.recorded(_RECORDERS[rule], log.lr, log.loss)
    try:
        max_lr, note = clrfast.rules.suggest(rule, log.lr, log.loss).max_lr, ""
    except ValueError as error:
        max_lr, note = trainer.default_lr(), f"no suggestion: {error}"
    return _trained(trainer, seed, one_cycle, None, max_lr, len(kept), note=note)


def default(trainer: Trainer, seed: int, shape: Shape, optimizer: Make | None = None) -> Outcome:
    """The rate that the optimizer has where none is given: the problem's own, or another in its place."""
    return _trained(trainer, seed, shape, None, trainer.default_lr(optimizer), 0, optimizer)


def usual(trainer: Trainer, seed: int) -> Outcome:
    """A rate of textbooks, for torch's default for SGD, 0.001, is low: 0.1 for it, and 0.001 for others."""
    make = trainer.problem.optimizer
    max_lr = 0.1 if getattr(make, "func", make) is SGD else 0.001
    return _trained(trainer, seed, one_cycle, None, max_lr, 0)


def optuna(trainer: Trainer, seed: int, trials: int) -> Outcome:
    """Short one-cycle trainings at Optuna's proposals; the best one's rate for the rest."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    length = trainer.total_steps // 10

    def loss(trial: Any) -> float:
        lr = trial.suggest_float("lr", *SEARCHED, log=True)
        return min(trainer.train(schedules.one_cycle(lr, length), length, seed).loss, 1e300)

    study.optimize(loss, n_trials=trials)
    return _trained(trainer, seed, one_cycle, None, study.best_params["lr"], trials * length)


def random_search(trainer: Trainer, seed: int, trials: int, peaks: np.ndarray) -> Outcome:
    """The best of whole trainings at random rates, on average, each read from between the recorded peaks.

    The best one is told by the validation loss, which it is also judged by.
    """
    steps = trainer.total_steps
    start = trainer.start(seed)
    ends = [trainer.train(schedules.one_cycle(peak, steps), steps, seed) for peak in peaks]
    ends = [end if end.loss < start.loss else start for end in ends]
    low, high = np.log(SEARCHED)
    drawn = np.random.default_rng(seed).uniform(low, high, (1000, trials))
    losses, errors = (np.interp(drawn, np.log(peaks), column) for column in zip(*ends))
    best = losses.argmin(axis=1)[:, None]
    reached = Reached(*(float(np.take_along_axis(of, best, 1).mean()) for of in (losses, errors)))
    return Outcome(reached, None, (trials - 1) * steps)


def _trained(
    trainer: Trainer,
    seed: int,
    shape: Shape,
    base_lr: float | None,
    max_lr: float,
    search: int,
    optimizer: Make | None = None,
    note: str = "",
) -> Outcome:
    """Train in the steps that the search has left."""
    steps = trainer.total_steps - search
    reached = trainer.train(shape(base_lr, max_lr, steps), steps, seed, optimizer)
    return Outcome(reached, max_lr, search, note)


_RECORDERS = {"fastai_valley": "fastai", "torch_lr_finder": "torch_lr_finder"}


def ways(peaks: np.ndarray, steps: int) -> tuple[dict[str, Way], dict[str, str]]:
    """All ways by their names, and those that are left out, with the reason.

    Args:
        peaks: What random search is read from.
        steps: The budget, which says how long a fifth and a tenth of it are.
    """
    tested = f"clrfast, test of {steps // 5}"
    found: dict[str, Way] = {
        f"{tested}, one-cycle": range_tested,
        f"{tested}, cosine": partial(range_tested, shape=cosine),
        f"{tested}, two triangles": partial(range_tested, shape=two_triangles),
        "clrfast, test as long as pays, one-cycle": adaptive,
        "clrfast, the same with probes, one-cycle": probed,
        "default rate, constant": partial(default, shape=constant),
        "default rate, one-cycle": partial(default, shape=one_cycle),
        "default rate, cosine": partial(default, shape=cosine),
        "usual rate (SGD 0.1, others 0.001), one-cycle": usual,
        "fastai valley, one-cycle": partial(peer, rule="fastai_valley"),
        "pytorch-lr-finder, one-cycle": partial(peer, rule="torch_lr_finder"),
    }
    missing: dict[str, str] = {}
    _add_optimizers(found, missing, steps)
    try:
        import optuna as _  # noqa: F401
    except ImportError:
        missing["Optuna"] = "pip install optuna"
    else:
        for trials in (3, 5):
            found[f"Optuna, {trials} trials of {steps // 10}, one-cycle"] = partial(optuna, trials=trials)
    for trials in (3, 5, 10):
        name = f"random search, {trials} whole trainings"
        found[name] = partial(random_search, trials=trials, peaks=peaks)
    # AdamW is Adam where nothing decays.
    found["Adam at 0.01, one-cycle (hindsight)"] = partial(
        default, optimizer=partial(AdamW, lr=0.01, fused=True), shape=one_cycle
    )
    return found, missing


def _add_optimizers(found: dict[str, Way], missing: dict[str, str], steps: int) -> None:
    """Add the optimizers that choose their rate by themselves, or need no schedule."""
    try:
        from prodigyopt import Prodigy
    except ImportError:
        missing["Prodigy"] = "pip install prodigyopt"
    else:
        advised = partial(Prodigy, d_coef=2.0, use_bias_correction=True)
        for name, kind in (("Prodigy", Prodigy), ("Prodigy (d_coef 2, bias correction)", advised)):
            found[f"{name}, cosine"] = partial(default, optimizer=kind, shape=cosine)
    try:
        from dadaptation import DAdaptAdam
    except ImportError:
        missing["D-Adaptation"] = "pip install dadaptation"
    else:
        found["D-Adaptation (Adam), cosine"] = partial(default, optimizer=DAdaptAdam, shape=cosine)
    try:
        from schedulefree import AdamWScheduleFree
    except ImportError:
        missing["schedule-free AdamW"] = "pip install schedulefree"
    else:
        found["schedule-free AdamW, default rate"] = partial(
            default, optimizer=AdamWScheduleFree, shape=constant
        )
        found[f"schedule-free AdamW, clrfast's test of {steps // 5}"] = partial(
            range_tested, optimizer=AdamWScheduleFree, shape=constant
        )
