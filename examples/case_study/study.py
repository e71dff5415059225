"""What all parts of the study share: where things are, and how results become tables."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from kept import Kept

Plan = TypeVar("Plan")  # a data class that has `seeds`


@dataclasses.dataclass(frozen=True)
class Study:
    """Where results are kept and data lie, and whether it is the short form.

    Attributes:
        out: The folder of results, tables and pictures.
        data_dir: Where files of MNIST and Fashion-MNIST are; None looks in the usual places.
        quick: Whether everything is small: it shows that all runs, no more.
        seeds: Trainings of each kind; None leaves it to each part.
        frameworks: The modules that train the tutorial's network.
        images: The data set that stands for MNIST: that itself, or what there is.
        digits: The second one, smaller; None where there is none.
        harder: The one for the networks that MNIST is too easy for.
    """

    out: Path
    data_dir: Path | None
    quick: bool
    seeds: int | None
    frameworks: tuple[str, ...]
    images: str
    digits: str | None
    harder: str

    @property
    def kept(self) -> Kept:
        """The results."""
        return Kept(self.out / "results")

    def repeated(self, plan: Plan) -> Plan:
        """A plan with the seeds that are asked for."""
        return plan if self.seeds is None else dataclasses.replace(plan, seeds=self.seeds)


@dataclasses.dataclass(frozen=True)
class Job:
    """A piece of work for one process: ``function(study, *arguments)``, which keeps what it finds."""

    title: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def run(self, study: Study) -> str:
        """Do it, and return the title."""
        self.function(study, *self.arguments)
        return self.title


def settings(plan: Any, **others: Any) -> dict[str, Any]:
    """What a training depends on: its plan, but for how often and at how many rates it is repeated."""
    repeated = ("seeds", "peaks", "images")
    return {**{k: v for k, v in dataclasses.asdict(plan).items() if k not in repeated}, **others}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def mean_sd(values: Sequence[float]) -> str:
    """The mean of some percentages, and the standard deviation where there is one."""
    mean = f"{statistics.fmean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


def against(values: Sequence[float], others: Sequence[float]) -> str:
    """The mean difference of paired percentages, and how often it is one for the better."""
    if values is others:
        return "-"
    differences = [value - other for value, other in zip(values, others)]
    better = sum(difference < 0 for difference in differences)
    return f"{statistics.fmean(differences):+.2f} ({better} of {len(differences)})"
