"""The command ``clrfast``."""

from __future__ import annotations

from clrfast._cli._main import main as main
