"""Claim: importing clrfast costs less than 100 ms on top of importing NumPy.

Run: python benchmarks/import_time.py
"""

from __future__ import annotations

import subprocess
import sys

from timing import medians, report


def main() -> None:
    def starts(code: str) -> object:
        return subprocess.run([sys.executable, "-c", code], check=True)

    seconds = medians(
        {
            "import numpy": lambda: starts("import numpy"),
            "import clrfast": lambda: starts("import clrfast; clrfast.schedule"),
        }
    )
    report("whole process", seconds, "import numpy", "ms")
    print(f"  on top of NumPy: {(seconds['import clrfast'] - seconds['import numpy']) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
