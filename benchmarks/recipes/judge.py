"""What the ways reached, against the best corner of the grid."""

from __future__ import annotations

import dataclasses

import numpy as np
from choosers import Proposal
from grid import MOMENTA, Corner, Grid
from lent import Case, Outcome
from numpy.typing import NDArray
from trainings import Trainings


@dataclasses.dataclass
class Verdict:
    """One problem's ways, whose steps are counted on top of the training, or within it.

    Attributes:
        case: The outcomes, and what they are judged by.
        proposals: Of each way, for each seed.
        grid: The corners.
        trainings: The problem.
    """

    case: Case
    proposals: dict[str, list[Proposal]]
    grid: Grid
    trainings: Trainings

    @property
    def best(self) -> str:
        """The best corner, and the best one whose momentum and decay are the optimizer's own."""
        return (
            f"{self._described(self.grid.best)} (of the rate alone: {10 ** (self.grid.usual.rate / 2):.2g})"
        )

    def random_search(self, trials: int) -> float:
        """The mean regret of the best of some corners at random, with the first seed.

        The best one is told by the half that does not judge.
        """
        ends, start = list(self.grid.first.values()), self.case.starts[0].loss
        seen, judged = np.array([(end.seen.loss, min(end.judged.loss, start)) for end in ends]).T
        best = self.grid.every[self.grid.best][0].judged.loss
        drawn = np.random.default_rng(0).integers(0, len(ends), (10_000, trials))
        chosen = np.take_along_axis(drawn, seen[drawn].argmin(axis=1)[:, None], 1)
        return float((judged[chosen].mean() - best) / (start - best))

    def _described(self, corner: Corner) -> str:
        decay = self.trainings.task.decays[corner.decay]
        return f"{10 ** (corner.rate / 2):.2g}, {MOMENTA[corner.momentum]}, {decay:g}"


def judged(
    name: str, trainings: Trainings, grid: Grid, proposals: dict[str, list[Proposal]], within: bool
) -> Verdict:
    """Train as proposed, and compare.

    Args:
        name: Of the problem.
        trainings: The problem.
        grid: Its corners.
        proposals: Of each way, for each seed.
        within: Whether the training is shorter by the steps of the search, so that all have the same number.
    """
    outcomes: dict[str, list[Outcome]] = {}
    for way, each in proposals.items():
        outcomes[way] = []
        for seed, proposal in enumerate(each):
            steps = trainings.total_steps - (proposal.search if within else 0)
            reached = trainings.reach(proposal.setting(steps), steps, seed).judged
            outcomes[way].append(Outcome(reached, proposal.max_lr, proposal.search, proposal.confidence))
    seeds = range(len(each))
    judges = [[end.judged for end in ends] for ends in grid.every.values()]
    case = Case(
        name,
        np.array([10 ** (corner.rate / 2) for corner in grid.every]),
        [trainings.start(seed) for seed in seeds],
        judges,
        outcomes,
    )
    return Verdict(case, proposals, grid, trainings)


def table(on_top: list[Verdict], within: list[Verdict]) -> str:
    """A row for each way: its steps, regret, and error, with its steps on top and within."""
    heads = ["mean regret", "median", "worst", "error"] * 2
    heads[0], heads[4] = f"on top: {heads[0]}", f"within: {heads[4]}"
    rows = [
        f"| way to choose | steps of the search | {' | '.join(heads)} |",
        "| --- |" + " ---: |" * (1 + len(heads)),
    ]
    for way in on_top[0].proposals:
        shares = [
            proposal.search / verdict.trainings.total_steps
            for verdict in on_top
            for proposal in verdict.proposals[way]
        ]
        cells = [f"{np.mean(shares):.0%}", *_cells(on_top, way), *_cells(within, way)]
        rows.append(f"| {way} | {' | '.join(cells)} |")
    for trials in (5, 10):
        regrets = [verdict.random_search(trials) for verdict in on_top]
        cells = [f"{trials - 1:.0%}", *_summary(np.array(regrets)), *[""] * 5]
        rows.append(f"| random search in the grid, {trials} whole trainings | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cells(verdicts: list[Verdict], way: str) -> list[str]:
    regrets = np.array([verdict.case.regrets(way).mean() for verdict in verdicts])
    ratio = np.exp(np.mean([np.log(verdict.case.error_ratio(way)) for verdict in verdicts]))
    return [*_summary(regrets), f"{ratio:.2f} x"]


def _summary(regrets: NDArray[np.float64]) -> list[str]:
    """Mean, median and worst of one number for each problem."""
    return [f"{regrets.mean():.1%}", f"{np.median(regrets):.1%}", f"{regrets.max():.0%}"]


def by_problem(verdicts: list[Verdict]) -> str:
    """A column for each problem: the best corner, and each way's mean regret."""
    names = [verdict.case.problem for verdict in verdicts]
    rows = [f"| | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    rows.append(f"| best rate, momentum, decay | {' | '.join(verdict.best for verdict in verdicts)} |")
    for way in verdicts[0].proposals:
        cells = (_cell(verdict.case.regrets(way)) for verdict in verdicts)
        rows.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(regrets: NDArray[np.float64]) -> str:
    """The mean over the seeds, and its standard error."""
    error = regrets.std(ddof=1) / len(regrets) ** 0.5 if len(regrets) > 1 else 0.0
    return f"{regrets.mean():.1%} ± {error:.1%}"


def choices(verdicts: list[Verdict], way: str) -> str:
    """What a way chose with each seed, and the loss that it reached."""
    rows = [
        "| problem | seed | rate | confidence | momentum | decay | steps | loss | best corner's |",
        "| --- |" + " ---: |" * 8,
    ]
    for verdict in verdicts:
        for seed, (proposal, outcome) in enumerate(zip(verdict.proposals[way], verdict.case.outcomes[way])):
            best = verdict.grid.every[verdict.grid.best][seed].judged.loss
            cells = [
                f"{proposal.max_lr:.2g}",
                proposal.confidence,
                _number(proposal.momentum),
                _number(proposal.weight_decay),
                str(proposal.search),
                f"{outcome.reached.loss:.4f}",
                f"{best:.4f}",
            ]
            rows.append(f"| {verdict.case.problem} | {seed} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _number(value: float | tuple[float, float] | None) -> str:
    if value is None:
        return "its own"
    return f"{value[1]:g} to {value[0]:g}" if isinstance(value, tuple) else f"{value:.2g}"
