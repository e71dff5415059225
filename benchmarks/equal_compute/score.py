"""What the ways reached, against the best of the recorded peaks."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from train import Outcome, Reached


@dataclasses.dataclass
class Case:
    """What one problem's trainings reached.

    Attributes:
        problem: Its name.
        peaks: The peaks of one-cycle that others are judged by.
        starts: What training improves on, for each seed: see `Trainer.start`.
        judges: At each peak, for each seed.
        outcomes: Of each way, for each seed.
    """

    problem: str
    peaks: NDArray[np.float64]
    starts: list[Reached]
    judges: list[list[Reached]]
    outcomes: dict[str, list[Outcome]]

    def __post_init__(self) -> None:
        """Find the best peak, that of the lowest loss in the mean over the seeds."""
        losses = np.array([self._losses(row) for row in self.judges])
        self._best = int(losses.mean(axis=1).argmin())
        self._reference = losses[self._best]

    @property
    def best(self) -> float:
        """The best peak."""
        return float(self.peaks[self._best])

    def regrets(self, way: str) -> NDArray[np.float64]:
        """For each seed the share lost of the fall that the best peak reaches; negative beyond it."""
        fall = (np.array([start.loss for start in self.starts]) - self._reference).mean()
        lost = self._losses([outcome.reached for outcome in self.outcomes[way]]) - self._reference
        return lost / fall

    def error_ratio(self, way: str) -> float:
        """The error in the mean over the seeds, as a multiple of the best peak's."""
        ours = self._errors([outcome.reached for outcome in self.outcomes[way]])
        return float(ours.mean() / self._errors(self.judges[self._best]).mean())

    def _losses(self, reached: list[Reached]) -> NDArray[np.float64]:
        """Losses, where a training that fails or ends above the start improves nothing."""
        return np.array([min(end.loss, start.loss) for end, start in zip(reached, self.starts)])

    def _errors(self, reached: list[Reached]) -> NDArray[np.float64]:
        return np.array(
            [(end if end.loss < start.loss else start).error for end, start in zip(reached, self.starts)]
        )


def table(cases: list[Case]) -> str:
    """A row for each way: mean and worst regret, and the error as a multiple of the best peak's."""
    rows = [
        "| way to choose | mean regret | worst | error against the best peak's |",
        "| --- | --- | --- | --- |",
    ]
    for way in cases[0].outcomes:
        regrets = np.array([case.regrets(way) for case in cases])
        ratio = np.exp(np.mean([np.log(case.error_ratio(way)) for case in cases]))
        rows.append(f"| {way} | {regrets.mean():.1%} | {regrets.max():.0%} | {ratio:.2f} x |")
    return "\n".join(rows)


def by_problem(cases: list[Case], ways: list[str]) -> str:
    """The mean regret of some ways on each problem."""
    rows = ["| problem | best peak | " + " | ".join(ways) + " |", "| --- | --- |" + " --- |" * len(ways)]
    for case in cases:
        regrets = " | ".join(f"{case.regrets(way).mean():.1%}" for way in ways)
        rows.append(f"| {case.problem} | {case.best:.2g} | {regrets} |")
    return "\n".join(rows)


def worst(cases: list[Case], way: str, count: int = 5) -> str:
    """The cases in which a way lost most: what it chose, what was best, and what it said of its choice."""
    found = [
        (regret, case, seed, outcome)
        for case in cases
        for seed, (regret, outcome) in enumerate(zip(case.regrets(way), case.outcomes[way]))
    ]
    found.sort(key=lambda row: -row[0])
    return "\n".join(
        f"{regret:6.1%} {case.problem}, seed {seed}: {outcome.lr:.2g} after {outcome.search} steps, "
        f"best {case.best:.2g}; {outcome.note}"
        for regret, case, seed, outcome in found[:count]
    )
