"""What probes show: paired losses of short trainings, and which candidate they speak for."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from clrfast._aligned import aligned
from clrfast.analysis._analysis import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORMAT = 1  # of to_dict()
# Early steps are alike at all rates, and the last ones prefer rates that a whole training must anneal.
_MIDDLE = (0.3, 0.7)
_SIGNIFICANT = 3.0  # standard errors that make a difference between two real
_SIGNAL = 4.0  # ... and a fall of the best of several, whose steps depend on each other
_COSTLY = 0.1  # of the best candidate's fall: to lose less hardly matters
_INFINITE = 1e100  # as in an analysis, a loss beyond it counts as not finite


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Probes:
    """What :func:`clrfast.probe` found: the losses of short trainings from one state, on the same batches.

    The score of a candidate is its mean loss in the middle of its probe, from 30 to 70 % of the steps, and
    infinite where a loss was not finite. The lowest score is the best. Standard errors are those of means of
    as many losses; of differences, they are taken batch by batch, where what batches have in common cancels.

    Attributes:
        candidates: the hyperparameters that each sets, by name.
        lr: the rate of each, float64, shape (candidates,).
        losses: of each step, before its update, float64, shape (candidates, steps); NaN from where on one was
            not finite.
        start_loss: the losses of the untouched start on the same batches, float64, shape (steps,).
    """

    __module__ = "clrfast.analysis"

    candidates: tuple[Mapping[str, Any], ...]
    lr: NDArray[np.float64]
    losses: NDArray[np.float64]
    start_loss: NDArray[np.float64]

    @functools.cached_property
    def score(self) -> NDArray[np.float64]:
        """The score of each, float64, shape (candidates,)."""
        sound = np.all(np.abs(self.losses) < _INFINITE, axis=1)
        scores = np.full(len(self.losses), math.inf)
        scores[sound] = self.losses[sound, self._middle].mean(axis=1)
        return scores

    @functools.cached_property
    def score_se(self) -> NDArray[np.float64]:
        """Its standard error, float64, shape (candidates,); NaN where the score is infinite."""
        return self._standard_error(self.losses)

    @functools.cached_property
    def fall(self) -> NDArray[np.float64]:
        """By how much the score of each lies below that of the start, float64, shape (candidates,)."""
        return float(self.start_loss[self._middle].mean()) - self.score

    @functools.cached_property
    def fall_se(self) -> NDArray[np.float64]:
        """Its standard error, float64, shape (candidates,); NaN where the score is infinite."""
        return self._standard_error_between(self.start_loss)

    @functools.cached_property
    def excess(self) -> NDArray[np.float64]:
        """By how much the score of each lies above the best, float64, shape (candidates,)."""
        best = self.score[self.best_index]
        return np.full(len(self.score), math.inf) if math.isinf(best) else self.score - best

    @functools.cached_property
    def excess_se(self) -> NDArray[np.float64]:
        """Its standard error, float64, shape (candidates,); NaN where the score is infinite."""
        return self._standard_error_between(self.losses[self.best_index])

    @functools.cached_property
    def best_index(self) -> int:
        """The place of the best candidate, counted from 0."""
        return int(np.argmin(self.score))

    @property
    def best(self) -> Mapping[str, Any]:
        """The hyperparameters of the best candidate, by name."""
        return self.candidates[self.best_index]

    @property
    def best_lr(self) -> float:
        """The rate of the best candidate."""
        return float(self.lr[self.best_index])

    @functools.cached_property
    def has_signal(self) -> bool:
        """Whether the best one has fallen clearly, by more than 4 standard errors: else all is noise."""
        return bool(self.fall[self.best_index] > _SIGNAL * self.fall_se[self.best_index])

    @functools.cached_property
    def basin(self) -> NDArray[np.bool_]:
        """Which are as good as the best, bool, shape (candidates,).

        Those that lose less than a tenth of its fall, or less than 3 standard errors of the difference.
        """
        i = self.best_index
        free = np.maximum(_COSTLY * max(self.fall[i], 0.0), _SIGNIFICANT * np.nan_to_num(self.excess_se))
        return np.asarray(np.isfinite(self.score) & (self.excess <= free))

    @property
    def basin_decades(self) -> float:
        """The decades from the lowest rate in the basin to the highest: how little the exact rate matters."""
        rates = self.lr[self.basin]
        return math.log10(rates.max() / rates.min()) if len(rates) and rates.min() > 0 else 0.0

    @functools.cached_property
    def paired(self) -> bool:
        """Whether all had the same batches: before any update, one batch gives one loss.

        Where they had not, standard errors are those of independent losses.
        """
        apart = np.abs(self.losses[:, 0] - self.start_loss[0])
        same = 0.1 * np.std(self.start_loss) + 1e-6 * abs(self.start_loss[0])
        return not bool(np.any(apart > same))

    @property
    def _middle(self) -> slice:
        steps = len(self.start_loss)
        return slice(round(_MIDDLE[0] * steps), round(_MIDDLE[1] * steps))

    def _standard_error(self, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        middle = losses[..., self._middle]
        errors = np.asarray(np.std(middle, axis=-1, ddof=1) / math.sqrt(middle.shape[-1]))
        return np.where(np.isfinite(self.score), errors, math.nan) if errors.ndim else errors

    def _standard_error_between(self, others: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.paired:
            return self._standard_error(self.losses - others)
        return np.hypot(self._standard_error(self.losses), self._standard_error(others))

    def __repr__(self) -> str:
        """One line: how many, which is best, and how sure that is."""
        return f"<Probes of {len(self.lr)} candidates, {len(self.start_loss)} steps each: {self._verdict()}>"

    def _verdict(self) -> str:
        if not self.has_signal:
            return "no learning signal"
        best = ", ".join(f"{name} {_text(value)}" for name, value in self.best.items())
        return f"best {best}, {int(self.basin.sum())} as good within {self.basin_decades:.1f} decades"

    def _rows(self) -> list[list[str]]:
        """A header, and a row for each candidate."""
        names = list(dict.fromkeys(name for candidate in self.candidates for name in candidate))
        rows = [[*names, "loss", "below the start", "above the best", ""]]
        for i, candidate in enumerate(self.candidates):
            note = "best" if i == self.best_index else "as good" if self.basin[i] else ""
            pairs = ((self.score, self.score_se), (self.fall, self.fall_se), (self.excess, self.excess_se))
            numbers = [f"{value[i]:.4g} +- {se[i]:.1g}" for value, se in pairs]
            if math.isinf(self.score[i]):
                numbers, note = ["not finite", "", ""], ""
            rows.append([*(_text(candidate.get(name, "")) for name in names), *numbers, note])
        return rows

    def __str__(self) -> str:
        """A table with a row for each candidate, for people."""
        middle = self._middle
        lines = [
            f"{len(self.lr)} candidates, {len(self.start_loss)} steps each; "
            f"losses are means of steps {middle.start} to {middle.stop - 1}",
            *aligned(self._rows()),
            self._verdict(),
            *([] if self.paired else ["not paired: the loader gives other batches each time"]),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """What a notebook shows: the table, and the scores over the rates."""
        from clrfast._pictures._notebook import probes_html

        return probes_html(self._verdict(), self._rows(), (self.lr, self.score, self.score_se))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dictionaries, fit for JSON, without the losses.

        Returns:
            The number of this layout, `format`, 1, `steps`, and what this class has, by its names; what is
            not a finite number is None.
        """
        columns = ("lr", "score", "score_se", "fall", "fall_se", "excess", "excess_se", "basin")
        return {
            "format": _FORMAT,
            "steps": len(self.start_loss),
            "candidates": [dict(candidate) for candidate in self.candidates],
            **{name: plain(getattr(self, name).tolist()) for name in columns},
            "best": dict(self.best),
            "best_lr": self.best_lr,
            "basin_decades": self.basin_decades,
            "has_signal": self.has_signal,
            "paired": self.paired,
        }


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
