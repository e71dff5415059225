"""The range of rates that a log suggests, and the error where one is asked for that it does not."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, SupportsIndex

from clrfast import schedules
from clrfast._pictures._picture import Verdict
from clrfast.analysis._advice import advice

# Multiples of max_lr between which a training loses less than that share of its gain.
_BANDS = {0.01: (0.8, 1.25), 0.05: (0.35, 2.8)}


class NoSuggestionError(ValueError):
    """A rate was asked for that the log, or the rule, does not suggest.

    Attributes:
        reasons: why there is none, a sentence each.
    """

    __module__ = "clrfast.analysis"  # what pickles name

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        """Say what is missing, and why."""
        super().__init__(message)
        self.reasons = reasons


@dataclasses.dataclass(frozen=True, repr=False)
class Suggestion:
    """A range of rates to train with, and how far it can be trusted; true if there is a `max_lr`.

    `base_lr` and `max_lr` are numbers, or raise :class:`NoSuggestionError` where there is none. To look
    without that, see `bounds`, which has None for what is missing.

    Attributes:
        bounds: `base_lr` and `max_lr`; both None if the log shows nothing to suggest a range by, the first
            alone if the rule gives no lower bound.
        base_lr_interval: where `base_lr` would probably lie in another test, as (low, high); None if
            there is no bound, or if the rule does not say.
        max_lr_interval: where the best rate probably lies; None likewise. Measured
            (`benchmarks/suggestion_rules`): after 9 of 10 tests it held a rate that costs less than 1 %, and
            after 7 the best of 19.
        confidence: "high", "medium" or "low"; None if the rule does not say.
        still_falling: whether the loss still falls at the highest rate of the log, so that `max_lr`
            may well be too low.
        reasons: what lowered the confidence, a sentence each; empty if nothing did.
        rule: the name of the rule that made the suggestion.
        verified: what probes say of the range (``range_test(verify=)``): True if they confirm it, False if
            they moved it or found nothing to learn, None if there were none.
    """

    __module__ = "clrfast.analysis"

    bounds: tuple[float | None, float | None]
    base_lr_interval: tuple[float, float] | None
    max_lr_interval: tuple[float, float] | None
    confidence: Literal["high", "medium", "low"] | None
    still_falling: bool
    reasons: tuple[str, ...]
    rule: str
    verified: bool | None = None

    @property
    def base_lr(self) -> float:
        """The lower bound of a cycle.

        Raises:
            NoSuggestionError: there is none.
        """
        base_lr, max_lr = self.bounds
        if base_lr is not None:
            return base_lr
        if max_lr is None:
            raise self._nothing("base_lr")
        why = f"the rule {self.rule} gives no lower bound"
        raise NoSuggestionError(f"there is no base_lr to use: {why}, only max_lr = {max_lr:.3g}", (why,))

    @property
    def max_lr(self) -> float:
        """The upper bound of a cycle, and the peak for one-cycle training.

        Raises:
            NoSuggestionError: there is none.
        """
        max_lr = self.bounds[1]
        if max_lr is None:
            raise self._nothing("max_lr")
        return max_lr

    def _nothing(self, name: str) -> NoSuggestionError:
        why = "; ".join(self.reasons) or f"the rule {self.rule} finds none"
        message = f"there is no {name} to use, because the log suggests no range: {why}"
        return NoSuggestionError(message, self.reasons)

    @property
    def max_lr_bands(self) -> dict[float, tuple[float, float]]:
        """Rates that cost little: a share of what training can gain, to the (low, high) that costs less.

        Measured (`benchmarks/suggestion_rules`): 5 % held for all rates of the band after two of three tests,
        1 % after one of two. Empty where the rule does not say, and where the confidence is low.
        """
        max_lr = self.bounds[1]
        if max_lr is None or self.confidence in (None, "low"):
            return {}
        return {price: (low * max_lr, high * max_lr) for price, (low, high) in _BANDS.items()}

    def one_cycle(
        self,
        total_steps: SupportsIndex,
        *,
        pct_start: float = 0.3,
        shape: str = "cosine",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> schedules.Schedule:
        """Return one rise to `max_lr` and one fall: :func:`clrfast.schedules.one_cycle`, which explains more.

        Args:
            total_steps: steps of the whole cycle, at least 1.
            pct_start: the share of the steps before the fall begins, from 0 to 1.
            shape: "cosine" or "linear".
            div_factor: the first rate is `max_lr` divided by this, above 0.
            final_div_factor: the last rate is the first one divided by this, above 0.
            three_phase: fall back to the first rate as fast as it rose, and only then to the last one.

        Raises:
            NoSuggestionError: there is no `max_lr`.
            TypeError, ValueError: as there.
        """
        return schedules.one_cycle(
            self.max_lr,
            total_steps,
            pct_start=pct_start,
            shape=shape,
            div_factor=div_factor,
            final_div_factor=final_div_factor,
            three_phase=three_phase,
        )

    def triangular(
        self, step_size_up: float = 2000, step_size_down: float | None = None
    ) -> schedules.Schedule:
        """Return cycles from `base_lr` to `max_lr` and back, forever: :func:`clrfast.schedules.triangular`.

        Args:
            step_size_up: steps up, above 0.
            step_size_down: steps down, at least 0; None means `step_size_up`.

        Raises:
            NoSuggestionError: there is no `base_lr`, or no `max_lr`.
            TypeError, ValueError: as there.
        """
        return schedules.triangular(self.base_lr, self.max_lr, step_size_up, step_size_down)

    def __bool__(self) -> bool:
        """Whether there is a `max_lr`."""
        return self.bounds[1] is not None

    def __repr__(self) -> str:
        """One line: the range, how sure it is, and what lowered that."""
        return f"<Suggestion: {'; '.join([self._summary(), *self.reasons])}>"

    def _summary(self) -> str:
        base_lr, max_lr = self.bounds
        low = "" if base_lr is None else f"{base_lr:.3g} "
        found = "no range" if max_lr is None else f"{low}to {max_lr:.3g}"
        trust = f"rule {self.rule}" if self.confidence is None else f"confidence {self.confidence}"
        return f"{found}, {trust}"

    def _verdict(self) -> Verdict:
        base_lr, max_lr = self.bounds
        rates = {"max_lr": (max_lr, self.max_lr_interval), "base_lr": (base_lr, self.base_lr_interval)}
        what_next = advice(self.bounds, self.confidence, self.verified)
        return Verdict(rates, self.rule, self.confidence, self.reasons, what_next)

    def _repr_html_(self) -> str:
        """What a notebook shows: the range, why it is no surer, what next."""
        from clrfast._pictures._notebook import suggestion_html

        return suggestion_html(self._verdict())

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, fit for JSON, with `base_lr` and `max_lr` for `bounds`."""
        base_lr, max_lr = self.bounds
        bands = {str(price): list(band) for price, band in self.max_lr_bands.items()}
        others = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)[1:]}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in others.items()}
        return {"base_lr": base_lr, "max_lr": max_lr, "max_lr_bands": bands, **plain}
