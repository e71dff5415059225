"""Whole searches: what their runs say about the rate.

The way of a run: `_sources` finds it in the form that its tracker left, `_histories` keeps a few numbers of
its rows, `_collect` makes a `SweptRun` of it or says what it lacks, `_settings` turns what else was set into
columns, `_valley` fits the loss over the rate (by `_spline` and `_penalized`), and `_judge` says what that
means, in a `Sweep`.
"""

from __future__ import annotations

from clrfast._sweep._findings import Move as Move
from clrfast._sweep._result import Sweep as Sweep
from clrfast._sweep._run import SweptRun as SweptRun
from clrfast._sweep._sweep import sweep as sweep
