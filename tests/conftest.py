"""What all tests share."""

from __future__ import annotations

import os

import matplotlib as mpl
from hypothesis import settings

mpl.use("Agg")
# These machines are shared: threads that wait for each other take a hundred times as long, and a slow example
# is not a defect.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The default run is the same each time; HYPOTHESIS_PROFILE=thorough looks for what it misses.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=5000)
settings.register_profile("some", deadline=None, max_examples=1500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
