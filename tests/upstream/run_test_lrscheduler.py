"""Run PyTorch's own tests of its schedulers with the classes of clrfast in the place of torch's.

Run: python tests/upstream/run_test_lrscheduler.py PATH [--torch]
PATH is ``test/optim/test_lrscheduler.py`` of a PyTorch source tree, which is not part of this project; it
needs the package expecttest. The result is given class by class; --torch runs torch's own classes.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
import unittest
from pathlib import Path

import torch

CLASSES = ("CyclicLR", "OneCycleLR", "CosineAnnealingWarmRestarts")


def load(path: Path) -> type[unittest.TestCase]:
    """The test class of the file, whose imports see what torch.optim.lr_scheduler holds now."""
    spec = importlib.util.spec_from_file_location("test_lrscheduler", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["test_lrscheduler"] = module
    spec.loader.exec_module(module)
    case: type[unittest.TestCase] = module.TestLRScheduler
    return case


def subject(name: str) -> str:
    """The class that a test is about, as its name tells."""
    words = name.lower()
    if re.search(r"onecycle|cycle_lr_with_adam", words):
        return "OneCycleLR"
    if re.search(r"cycle_?lr|cyclic_?lr|then_cyclic|cyclelr", words):
        return "CyclicLR"
    if "warmrestarts" in words:
        return "CosineAnnealingWarmRestarts"
    return "others"


class Result(unittest.TestResult):
    """Counts the tests of each class."""

    def __init__(self) -> None:
        """No test has run."""
        super().__init__()
        self.counts: dict[str, list[int]] = {}

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """Note how the test ended."""
        bad = [t for t, _ in (*self.failures, *self.errors)]
        text = f"{test.id()} {getattr(test, test._testMethodName).__doc__ or ''}"
        counts = self.counts.setdefault(subject(text), [0, 0])
        counts[test in bad] += 1
        super().stopTest(test)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--torch", action="store_true", help="run torch's own classes")
    arguments = parser.parse_args()
    if not arguments.torch:
        from clrfast import lr_scheduler

        for name in CLASSES:
            setattr(torch.optim.lr_scheduler, name, getattr(lr_scheduler, name))
    sys.argv = sys.argv[:1]  # torch's test utilities read it too
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(load(arguments.path))
    result = Result()
    suite.run(result)
    for test, text in (*result.failures, *result.errors):
        print(f"{test.id()}\n{text}")
    for name in (*CLASSES, "others"):
        passed, failed = result.counts.get(name, [0, 0])
        print(f"{name:30} {passed:4} passed {failed:4} failed")
    print(f"{'all':30} {result.testsRun:4} run, {len(result.skipped)} skipped")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
