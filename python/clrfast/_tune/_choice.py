"""What was chosen of one hyperparameter, from what, and how sure that is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clrfast._aligned import aligned
from clrfast._tune._settings import mean_of
from clrfast.analysis._analysis import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from clrfast._tune._short_trainings import Trained

Confidence = Literal["high", "medium", "low"]
_PAIRS = 2.0  # standard errors of the paired difference that set two candidates apart, and twice that: surely
# To gain less than this share of what a short training falls, and of the loss that it reaches, is not worth
# leaving what there is.
_WORTH, _WORTH_OF_REST = 0.01, 0.05


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Choice:
    """One hyperparameter of a :class:`clrfast.Recipe`: what was tried, what was chosen, and why.

    Attributes:
        name: "max_lr", "momentum", "weight_decay" or "batch_size".
        value: what was chosen: a number, a pair for a momentum that is cycled, None where there is none.
        before: what the optimizer has.
        candidates: what was tried, `before` among them; empty where nothing was.
        loss: what each reached, float64, shape (candidates,): the loss on the validation batches after a
            short training, or that of its last fifth of steps; of rates, the score of each probe. Infinite
            where one diverged.
        excess: by how much that lies above the loss of the value chosen, likewise; negative where another
            one reached less, though not clearly.
        excess_se: its standard error, from the differences batch by batch; NaN where there is none.
        confidence: "high", "medium" or "low": how sure it is that no other candidate is better.
        reasons: why, a sentence each.
        steps: training steps spent on it.
        max_lr: the highest rate of each candidate's training, float64, shape (candidates,).
        losses: the losses of each step of these, float64, shape (candidates, steps); NaN from where on one
            was not finite.
    """

    __module__ = "clrfast"

    name: str
    value: Any
    before: Any
    candidates: tuple[Any, ...]
    loss: NDArray[np.float64]
    excess: NDArray[np.float64]
    excess_se: NDArray[np.float64]
    confidence: Confidence
    reasons: tuple[str, ...]
    steps: int
    max_lr: NDArray[np.float64]
    losses: NDArray[np.float64]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses of all candidates, smoothed, on one axis, with a colour bar that names them.

        As in the figures of Smith, arXiv:1803.09820.

        Args:
            ax: where to draw; a new figure's axes by default.

        Returns:
            The axes drawn into. Nothing is shown or saved.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: Nothing was tried.
        """
        from clrfast._pictures._grid import plot

        if not self.candidates:
            raise ValueError(f"plot() needs candidates of {self.name}, got none: {'; '.join(self.reasons)}")
        nearest = [abs(_place(one) - _place(self.value)) for one in self.candidates]
        labels = [text_of(one) for one in self.candidates]
        values = [_place(one) for one in self.candidates]
        return plot(self.losses, values, labels, int(np.argmin(nearest)), self.name, ax)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dictionaries, fit for JSON, without the losses of steps.

        Returns:
            What this class has, by its names; what is not a finite number is None.
        """
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del fields["losses"]
        listed = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in fields.items()}
        return {name: plain(value) for name, value in listed.items()}

    def __str__(self) -> str:
        """What was chosen, and a row for each candidate, for people."""
        was = "" if self.value == self.before else f", was {text_of(self.before)}"
        lines = [
            f"{self.name} {text_of(self.value)}{was}; confidence {self.confidence}, {self.steps:,} steps"
        ]
        rows = [["", "loss", "above the chosen"]]
        for i, one in enumerate(self.candidates):
            numbers = ["diverged", ""]
            if math.isfinite(self.loss[i]):
                error = "" if math.isnan(self.excess_se[i]) else f" +- {self.excess_se[i]:.1g}"
                numbers = [f"{self.loss[i]:.4g}", f"{self.excess[i]:.3g}{error}"]
            rows.append([text_of(one), *numbers])
        if self.candidates:
            lines += [f"  {line}" for line in aligned(rows)]
        return "\n".join([*lines, *(f"  - {reason}" for reason in self.reasons)])

    def __repr__(self) -> str:
        """One line."""
        return f"<Choice: {self.name} {text_of(self.value)} of {len(self.candidates)}, {self.confidence}>"


def kept(name: str, value: Any, *reasons: str, confidence: Confidence = "low") -> Choice:
    """Return that a hyperparameter stays as it is, untried."""
    none, rows = np.empty(0), np.empty((0, 0))
    return Choice(name, value, value, (), none, none, none, confidence, reasons, 0, none, rows)


def best_of(
    name: str,
    candidates: Sequence[Any],
    trained: Sequence[Trained],
    max_lr: Sequence[float],
    steps: int,
    said: Sequence[str],
    before: Any,
) -> Choice:
    """Return the choice among candidates, the first of which stays in doubt.

    The best one takes its place where it is better by more than two standard errors of the paired difference,
    and by a hundredth of what the training falls, or a twentieth of what is left.

    Args:
        name: Of the hyperparameter.
        candidates: What was tried.
        trained: What each reached.
        max_lr: The highest rate of each.
        steps: Steps spent.
        said: What is to be said beside why it was chosen.
        before: What the optimizer has.
    """
    scores = np.array([one.score for one in trained])
    best = int(np.argmin(scores))
    gains = [_gain(trained[0], one) for one in trained]  # of each over the first
    chosen = best if math.isinf(scores[0]) or gains[best][0] > _least(trained[0], gains[best][1]) else 0
    pairs = [one.above(trained[chosen]) for one in trained]
    why, confidence = _why(candidates, scores, gains, pairs, chosen, best)
    excess, errors = np.array(pairs).T
    losses = np.full((len(trained), max(len(one.losses) for one in trained)), math.nan)
    for row, one in zip(losses, trained):
        row[: len(one.losses)] = one.losses
    return Choice(
        name,
        candidates[chosen],
        before,
        tuple(candidates),
        scores,
        excess,
        errors,
        confidence,
        (*why, *said),
        steps,
        np.array(max_lr),
        losses,
    )


def _gain(first: Trained, other: Trained) -> tuple[float, float]:
    above, error = other.above(first)
    return -above, error


def _least(first: Trained, error: float) -> float:
    """Return the gain that another one must have over the first."""
    start, end = (float(part.mean()) for part in (first.losses[:3], first.losses[-3:]))
    return max(_PAIRS * error, min(_WORTH * (start - end), _WORTH_OF_REST * abs(first.score)))


def _why(
    candidates: Sequence[Any],
    scores: NDArray[np.float64],
    gains: Sequence[tuple[float, float]],
    pairs: Sequence[tuple[float, float]],
    chosen: int,
    best: int,
) -> tuple[list[str], Confidence]:
    """Return why it was chosen, and how sure that is."""
    if not np.isfinite(scores).any():
        return ["all diverged"], "low"
    others = [pair for i, pair in enumerate(pairs) if i != chosen]
    apart = [above / error if error > 0 else math.copysign(math.inf, above) for above, error in others]
    lost = [math.isinf(above) for above, _ in others]
    clear = [far or ratio > _PAIRS for far, ratio in zip(lost, apart)]
    diverged = [text_of(candidates[i]) for i in range(len(scores)) if math.isinf(scores[i])]
    said = [f"diverged: {', '.join(diverged)}"] if diverged else []
    if chosen != 0 and math.isinf(scores[0]):
        return [f"{text_of(candidates[0])} diverged"], "medium"
    if chosen != 0:
        gain, error = gains[chosen]
        said.insert(0, f"better than {text_of(candidates[0])} by {gain:.3g} +- {error:.1g}")
        return said, "high" if gain > 2 * _PAIRS * error and all(clear) else "medium"
    if best != 0:
        gain, error = gains[best]
        said.insert(0, f"{text_of(candidates[best])} is better by {gain:.2g} +- {error:.1g}: not enough")
        return said, "low"
    return said, "high" if all(clear) else "medium" if any(clear) else "low"


def text_of(value: Any) -> str:
    """Return a value as tables show it."""
    if isinstance(value, tuple):
        return f"{value[1]:g} to {value[0]:g}"
    return "none" if value is None else f"{value:.3g}"


def _place(value: Any) -> float:
    """Return where a value stands among others."""
    return mean_of(value) if value is not None else 0.0
