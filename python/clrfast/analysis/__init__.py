"""What a range test's log says: the loss against ln(lr), its phases, and a range of rates.

The method is a local linear regression of the raw loss on ln(lr), computed from statistics on a
fixed grid, so that the answer does not depend on how many rows a log has, on their spacing or on
their order. One log: :func:`analyze`. A log that grows, or comes in parts: :class:`State`. Many
logs: :func:`analyze_runs`. Repeats of one test: :func:`analyze_repeats`.
"""

from __future__ import annotations

from clrfast.analysis._analysis import Analysis as Analysis
from clrfast.analysis._analysis import Phases as Phases
from clrfast.analysis._analyze import analyze as analyze
from clrfast.analysis._probes import Probes as Probes
from clrfast.analysis._repeats import analyze_repeats as analyze_repeats
from clrfast.analysis._runs import analyze_runs as analyze_runs
from clrfast.analysis._state import State as State
from clrfast.analysis._suggestion import NoSuggestionError as NoSuggestionError
from clrfast.analysis._suggestion import Suggestion as Suggestion

__all__ = [
    "Analysis",
    "NoSuggestionError",
    "Phases",
    "Probes",
    "State",
    "Suggestion",
    "analyze",
    "analyze_repeats",
    "analyze_runs",
]


def __dir__() -> list[str]:
    return __all__
