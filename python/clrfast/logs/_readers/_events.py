"""TensorBoard's event files: each scalar is a row that gives one number at one step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from clrfast import _core
from clrfast.logs._readers._decoder import DecodedRows, Decoder, Numbers
from clrfast.logs._readers._run_files import RunFiles

_STEP = "step"


class Events(Decoder):
    """The scalars of a run's event files, a column for each tag, and their steps."""

    sparse = True

    def __init__(self, file: RunFiles) -> None:
        """Learn the tags, for which all of each file is read."""
        self._file = file
        reader = _core.EventReader([])
        for path in file.paths:
            for block in file.blocks(path, peek=True):
                reader.feed(block)
            reader.finish()
        if not reader.report()["records"]:
            raise ValueError(f"{file.path}: not an event file: no record in it is sound")
        self._tags = {tag.decode(errors="backslashreplace"): tag for tag in reader.tags()}
        self.names = list(dict.fromkeys([_STEP, *self._tags]))

    def rows(self, numbers: Sequence[str], label: str | None) -> Iterator[DecodedRows]:
        """Yield a row for each scalar with one of these tags, file after file."""
        if label is not None:
            raise ValueError(f"{self._file.path}: an event file has no column of runs: each folder is one")
        tags = [name for name in dict.fromkeys(numbers) if name != _STEP]
        for path in self._file.paths:
            reader = _core.EventReader([self._tags[tag] for tag in tags])
            for block in self._file.blocks(path):
                tag, step, value = reader.feed(block)
                columns = {_STEP: Numbers(step.astype(np.float64))}
                for number, name in enumerate(tags):
                    missing = tag != number
                    columns[name] = Numbers(np.where(missing, np.nan, value), missing)
                yield DecodedRows([columns[name] for name in numbers], None)
            reader.finish()
            _report(self._file, path, reader.report())


def _report(file: RunFiles, path: object, found: _core._EventReport) -> None:
    faults = []
    if found["damaged_records"]:
        faults.append(f"{found['damaged_records']:,} damaged records left out")
    if found["skipped_bytes"]:
        faults.append(f"{found['skipped_bytes']:,} bytes skipped that are no record")
    if found["cut_short_bytes"]:
        faults.append(f"the last record is cut short after {found['cut_short_bytes']:,} bytes")
    if found["too_long_records"]:
        faults.append(f"{found['too_long_records']:,} records of more than 16 MiB not searched for scalars")
    if faults:
        file.report(f"{path}: {', '.join(faults)}; the first at byte {found['first_position']:,}")
