"""The LR range test, from the loop of the experiment to the record of it."""

from __future__ import annotations

from clrfast._range_test._checkpoint import recover as recover
from clrfast._range_test._context import RangeTest as RangeTest
from clrfast._range_test._loop import range_test as range_test
from clrfast._range_test._probe import probe as probe
from clrfast._range_test._progress import Progress as Progress
