"""Find a learning-rate range, turn it into a schedule, drive a PyTorch optimizer with it."""

from __future__ import annotations

from clrfast import _core as _core
