"""Where the runs of a search are kept: one module a tracker, each giving the same kind of source.

`_find` makes sources of the paths that are given. A source knows the names of what it holds, and gives a
`FoundRun` for each of its runs once it is told, in a `Question`, which name is the metric.
"""

from __future__ import annotations

from clrfast._sweep._sources._source import FoundRun as FoundRun
from clrfast._sweep._sources._source import Question as Question
from clrfast._sweep._sources._source import Source as Source
