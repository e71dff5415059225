"""Which column of a search's records is what, by the names that tools give them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from clrfast._sweep._settings import plain_name

_VALIDATION = r"(val|valid|validation|eval|evaluation|dev|holdout)"
_GOOD = r"(acc|accuracy|bal_acc|balanced_accuracy|f1|f1_score|auc|auroc|roc_auc|r2|bleu|score|map|miou)"
# In order of preference, with whether high values are good. "(.*_)?" is for "metrics/val_loss" and the like.
_METRICS = (
    (rf"(.*_)?{_VALIDATION}_(.*_)?(loss|nll|bpb|perplexity|ppl)", "min"),
    (rf"(.*_)?loss_{_VALIDATION}(idation)?", "min"),
    (rf"(.*_)?{_VALIDATION}_(.*_)?(error|err|mse|rmse|mae|wer|cer)", "min"),
    (rf"(.*_)?{_VALIDATION}_(.*_)?{_GOOD}", "max"),
    (rf"(.*_)?{_GOOD}_{_VALIDATION}", "max"),
    (r"(.*_)?test_loss", "min"),
    (rf"(.*_)?test_{_GOOD}", "max"),
    (r"(final_|best_)?(loss|objective|value|error|mse)", "min"),
    (_GOOD, "max"),
    (r"(.*_)?train(ing)?_loss", "min"),
    (r"(.*_)?loss", "min"),
)
_LR = r"(lr|learning_?rate)"
_PEAK = (
    rf"(train(ing)?_)?{_LR}",
    rf"(.*_)?(max|peak)_{_LR}",
    rf"(.*_)?{_LR}_(max|peak)",
    rf"(.*_)?(init|initial|start|base)_{_LR}",
    rf"(.*_)?{_LR}_(init|initial|start|base)",
    rf"(?!.*(min|end|final)_lr).+_{_LR}",
    rf"{_LR}_(?!.*(schedule|scheduler|decay|warmup|gamma|min|end|step|policy|type)).+",
)
_RUN = (
    r"run(_?(id|name|number))?|sys_(custom_run_)?id",
    r"trial(_?(id|name|number))?",
    r"(experiment|job|config)_?(id|name|number)",
    r"name",
    r"id",
)
_STEP = (r"(trainer_)?global_step", r"steps?", r"iter(ation)?s?", r"epoch")
# What is measured of a run, or says when and where it ran, and is no setting of it.
_RESULT = (
    r"(.*_)?(loss|losses|acc|accuracy|err|error|auc|auroc|f1|precision|recall|perplexity|ppl|bleu|mse|rmse|mae|r2"
    r"|wer|cer|bpb|nll|reward|objective|score|norm|grad_norm)(_(epoch|step|min|max|best|final|std|mean))?",
    r"(.*_)?(runtime|timestamp|time|seconds|duration|created|updated|started|finished|date|hour)(_(ms|s|at|sec))?",
    r"(train|val|valid|validation|eval|test|dev|system|perf)_(?!.*(batch|size|steps|epochs|samples|fraction)).*",
    r"state|status|notes|user|tags|group|hostname|github|git_.*|sweep|epoch|step|global_step|iteration|done",
    r"samples_per_second|steps_per_second|flos|total_flos|unnamed_\d+|index|node_ip|pid",
)


class Metric(NamedTuple):
    """What runs are judged by: a name that was given, or the usual names of one kind; and what is good."""

    given: str | None
    pattern: str
    mode: str

    def name_in(self, names: Iterable[str]) -> str | None:
        """Return the name that it has there, or None."""
        if self.given is not None:
            return self.given if self.given in names else None
        matching = [name for name in names if re.fullmatch(self.pattern, plain_name(name))]
        return min(matching, key=len, default=None)  # "val_loss" before "val_loss_step"


def metric_of(sources: Sequence[Sequence[str]], given: str | None, mode: str | None) -> Metric:
    """Return what most of the sources, each with its names, can be judged by.

    Raises:
        ValueError: None of them has the given name, or one that is usual.
    """
    if given is not None:
        if not any(given in names for names in sources):
            raise ValueError(f"metric must be a name that runs have ({_listed(sources)}), got {given!r}")
        kinds = [good for pattern, good in _METRICS if re.fullmatch(pattern, plain_name(given))]
        return Metric(given, "", mode or (kinds[0] if kinds else "min"))
    found = [Metric(None, pattern, mode or good) for pattern, good in _METRICS]
    having = [sum(metric.name_in(names) is not None for names in sources) for metric in found]
    most = max(having)
    if not most:
        raise ValueError(
            f"metric must be given: no usual name of a validation loss is there, but {_listed(sources)}"
        )
    # The first that most runs have: one run with a better name must not leave all others without.
    return next(metric for metric, count in zip(found, having) if 2 * count > most)


def peak_lr_in(names: Iterable[str], given: str | None) -> str | None:
    """Return the name of the rate there, or None."""
    if given is not None:
        return given if given in names else None
    return _first(_PEAK, tuple(names))


def run_in(names: Iterable[str], given: str | None) -> str | None:
    """Return the name of the column that tells runs apart, or None."""
    return given if given is not None else _first(_RUN, tuple(names))


def may_repeat(name: str) -> bool:
    """Whether a column with such names may give one to several runs, as people do; numbers of runs differ."""
    return bool(re.fullmatch(r"(.*_)?name|id", plain_name(name)))


def step_in(names: Iterable[str], given: str | None) -> str | None:
    """Return the name of the column of steps, or None."""
    return given if given is not None else _first(_STEP, tuple(names))


def is_result(name: str) -> bool:
    """Whether a column is measured of a run rather than set."""
    return name.startswith("_") or any(re.fullmatch(pattern, plain_name(name)) for pattern in _RESULT)


@functools.lru_cache(maxsize=256)  # runs by the thousand have the same names
def _first(patterns: tuple[str, ...], names: tuple[str, ...]) -> str | None:
    for pattern in patterns:
        for name in names:
            if re.fullmatch(pattern, plain_name(name)):
                return name
    return None


def _listed(sources: Sequence[Sequence[str]]) -> str:
    names = list(dict.fromkeys(name for one in sources for name in one))
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(map(repr, names[:20])) or "nothing") + more
