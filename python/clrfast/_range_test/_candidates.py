"""What probes try: rates, or hyperparameters by name, as the optimizers' groups hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Union

import numpy as np

from clrfast import _check
from clrfast._range_test._rates import Rates, put

# Of the steps of a probe. At a rate that is held from the first step on, Adam leaves a pre-trained network at
# rates that any schedule with a warm-up bears.
_WARM_UP = 0.1

Candidate = Union[float, Mapping[str, Any]]
Group = dict[str, Any]


def check_candidates(candidates: Iterable[Candidate], rates: Rates) -> list[dict[str, Any]]:
    """Return each candidate as hyperparameters by name.

    Raises:
        TypeError, ValueError: There is none, a rate is not positive, or a group has no such hyperparameter.
    """
    if isinstance(candidates, (str, bytes, Mapping)) or not isinstance(candidates, Iterable):
        raise TypeError(f"candidates must be a list of rates or dictionaries, got {candidates!r}")
    found = []
    for i, candidate in enumerate(candidates):
        name = f"candidates[{i}]"
        if isinstance(candidate, Mapping):
            if not candidate:
                raise ValueError(f"{name} must hold a hyperparameter at least, got none")
            checked = {
                str(key): _checked(f"{name}[{key!r}]", key, candidate[key], rates) for key in candidate
            }
        else:
            checked = {"lr": _check.real(name, candidate, above=0.0)}
        found.append(checked)
    if not found:
        raise ValueError("candidates must be one or several, got none")
    return found


def _checked(name: str, key: Any, value: Any, rates: Rates) -> Any:
    if key == "lr":
        return _check.real(name, value, above=0.0)
    groups = [group for _, group in rates.named_groups if key in group]
    if not groups or key == "params":
        known = sorted({str(k) for _, group in rates.named_groups for k in group} - {"params"})
        raise ValueError(f"{name} must be a hyperparameter of the optimizer, {', '.join(known)}, got {key!r}")
    return _alike(name, value, groups[0][key])


def _alike(name: str, value: Any, now: Any) -> Any:
    """Return `value`, of the kind that the group holds now."""
    if isinstance(now, (tuple, list)):
        if not isinstance(value, (tuple, list)) or len(value) != len(now):
            raise ValueError(f"{name} must be {len(now)} numbers, got {value!r}")
        return type(now)(_alike(f"{name}[{i}]", one, part) for i, (one, part) in enumerate(zip(value, now)))
    if isinstance(now, (bool, str)) or now is None:
        return value
    return _check.real(name, value, least=0.0)


class HeldRates(Rates):
    """Hyperparameters that are the same in each step of a probe, but for a short warm-up of the rate.

    Args:
        ramps: Those of a range test on the same optimizers, which say how the groups' rates go together.
        candidate: Hyperparameters by name. Numbers that differ between groups keep their ratios to the
            largest, as rates do: what decays no biases goes on to.
        steps: Steps of the probe.

    Attributes:
        lr: The rate after the warm-up, that of the group whose rate is the highest.
    """

    def __init__(self, ramps: Rates, candidate: Mapping[str, Any], steps: int) -> None:
        """Set nothing."""
        self.named_groups, self._optimizers = ramps.named_groups, ramps._optimizers
        groups = [group for _, group in self.named_groups]
        now = [float(group["lr"]) for group in groups]
        self.lr: float = candidate.get("lr", max(now))
        if "lr" in candidate:
            now = ramps.of_groups(self.lr) if self.lr > 0 else [0.0] * len(groups)
        self._rates = list(zip(groups, now))
        self.held = [
            (group, key, value if ratio == 1 else value * ratio)
            for key, value in candidate.items()
            if key != "lr"
            for group, ratio in _ratios_of(key, groups)
        ]
        self._shares = np.minimum(1.0, np.arange(1, steps + 1) / max(1, round(_WARM_UP * steps))).tolist()
        self.recorded = self.lr * np.array(self._shares)

    def set(self, step: int) -> None:
        """Set all that the candidate says."""
        for group, rate in self._rates:
            put(group, "lr", rate * self._shares[step])
        for group, name, value in self.held:
            put(group, name, value)
        if step == 0:
            self._check_held()


def _ratios_of(key: str, groups: list[Group]) -> list[tuple[Group, float]]:
    """Return the groups that have a hyperparameter, and the ratio of theirs to the largest."""
    having = [group for group in groups if key in group]
    values = [group[key] for group in having]
    if any(isinstance(value, (bool, str, tuple, list)) or value is None for value in values):
        return [(group, 1.0) for group in having]
    numbers = [float(value) for value in values]
    return [(group, n / max(numbers) if max(numbers) > 0 else 1.0) for group, n in zip(having, numbers)]
