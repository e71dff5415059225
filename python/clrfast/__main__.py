"""``python -m clrfast`` and the command ``clrfast``."""

from __future__ import annotations

import sys

from clrfast._cli import main

if __name__ == "__main__":
    sys.exit(main())
