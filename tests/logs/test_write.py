"""What is written is whole or not there: whichever step fails, the old file is as it was, and alone."""

from __future__ import annotations

import errno
import io
import os
import pickle
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clrfast import Log, logs
from clrfast._cli import main
from clrfast._write import write_file

DATA = Path(__file__).parents[1] / "data" / "logs"
posix = pytest.mark.skipif(os.name != "posix", reason="modes, links and FIFOs as POSIX has them")


class Failing:
    """Counts the calls of functions that write, and lets one of them fail."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, error: BaseException) -> None:
        self.calls = 0
        self.at, self.error = at, error
        for owner, name in (
            (os, "fsync"),
            (Path, "chmod"),
            (Path, "replace"),
            (Path, "open"),
        ):
            patch.setattr(owner, name, self.counted(getattr(owner, name), name))

    def counted(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name != "open":
                self.step()
                return function(*arguments, **options)
            if not {"w", "x"} & set("".join(map(str, arguments[1:]))):
                return function(*arguments, **options)
            self.step()
            return FailingFile(function(*arguments, **options), self)

        return call

    def step(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise self.error


class FailingFile(io.BufferedWriter):
    def __init__(self, file: Any, failing: Failing) -> None:
        super().__init__(file.detach())
        self.failing = failing

    def write(self, data: Any) -> int:
        self.failing.step()
        return super().write(data)


def write_log(path: Path) -> None:
    Log([0.1, 0.2], [1, 2]).to_csv(path)


def write_page(path: Path) -> None:
    assert main(["analyze", str(path.parent.parent / "log.csv"), "--html", str(path)]) == 0


def write_plot(path: Path) -> None:
    assert main(["analyze", str(path.parent.parent / "log.csv"), "--plot", str(path)]) == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lr = np.geomspace(1e-5, 1, 100)
    Log(lr, 2 - np.exp(-(np.log(lr / 0.03) ** 2))).to_csv(tmp_path / "log.csv")
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


FULL = OSError(errno.ENOSPC, "No space left")


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize(
    ("name", "write", "error"),
    [
        ("log.csv", write_log, FULL),
        ("log.csv", write_log, OSError(errno.EIO, "Input/output error")),
        ("log.csv", write_log, KeyboardInterrupt()),
        ("page.html", write_page, FULL),
        ("plot.svg", write_plot, FULL),
    ],
)
def test_each_step_of_writing_may_fail(
    name: str, write: Callable[[Path], None], error: BaseException, old: bytes | None, folder: Path
) -> None:
    path = folder / name
    for at in range(1, 20):
        if old is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(old)
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(patch, at, error)
            try:
                write(path)
            except (OSError, KeyboardInterrupt, AssertionError) as raised:
                failed = True
                if isinstance(raised, OSError):
                    assert raised.filename == str(path)  # noqa: PT017
            else:
                failed = False
        assert failed == (failing.calls >= at)
        if not failed:
            break
        assert (path.read_bytes() if path.exists() else None) == old
        assert list(folder.iterdir()) == ([path] if old else [])
    assert at >= 5  # to open, to write, to force to the disk, to move
    assert list(folder.iterdir()) == [path]
    assert path.read_bytes() != old


def test_the_error_is_one_line_that_names_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Failing(monkeypatch, 2, OSError(errno.ENOSPC, "No space left on device"))
    assert main(["analyze", str(folder.parent / "log.csv"), "--html", str(folder / "a.html")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "No space left on device" in err.splitlines()[-1]
    assert str(folder / "a.html") in err.splitlines()[-1]


@posix
def test_mode_and_links_are_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "a", tmp_path / "link"
    link.symlink_to("a")
    umask = os.umask(0o027)
    try:
        write_file(link, b"1")
    finally:
        os.umask(umask)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640  # as any new file
    path.chmod(0o604)
    write_file(str(link), b"2")
    assert link.is_symlink()
    assert path.read_bytes() == b"2"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is always full")
def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    write_file("/dev/null", b"x")
    assert not Path("/dev/null").is_file()
    with pytest.raises(OSError, match="No space left") as raised:
        Log([0.1], [1]).to_csv("/dev/full")
    assert raised.value.filename == "/dev/full"


@posix
@pytest.mark.parametrize("how", ["link", "hard link", "spelling", "archive", "each other"])
def test_an_output_that_is_an_input_is_refused_before_reading(
    how: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = folder.parent / "log.csv", folder / "page.html"
    arguments = ["--html", str(out)]
    if how == "link":
        out.symlink_to(source)
    elif how == "hard link":
        out.hardlink_to(source) if sys.version_info >= (3, 10) else source.link_to(out)
    elif how == "spelling":
        text = source.read_bytes()
        source = folder / "tfevents.html"
        source.write_bytes(text)
        arguments[1] = f"{folder}/../out/./tfevents.html"
    elif how == "archive":
        import log_files

        packed = folder / "logs.zip"
        packed.write_bytes(log_files.zipped({"log.csv": source.read_bytes()}))
        source = packed
        out.symlink_to(packed)
    else:
        out.touch()
        (folder / "a.svg").symlink_to(out)
        arguments += ["--plot", str(folder / "a.svg")]
    before = source.read_bytes()
    assert main(["analyze", str(source), *arguments]) == 1
    shown, err = capsys.readouterr()
    assert shown == ""
    assert "--html must be another file than " in err
    assert len(err.splitlines()) == 1  # nothing had been read
    assert source.read_bytes() == before


def test_pickles_of_the_first_version_are_read() -> None:
    log = pickle.loads((DATA / "log-0.1.pickle").read_bytes())
    assert type(log) is Log
    assert log.lr.tolist() == [1e-5, 0.1, 10.0]
    np.testing.assert_array_equal(log.loss, [2.5, float("nan"), float("-inf")])
    assert (log.step.tolist(), log.offsets.tolist(), log.runs) == ([0, 5, 7], [0, 1, 3], ("a", "b"))
    assert (log.status, log.problems) == ("Done.", ("c: cut short",))
    for column in (log.lr, log.loss, log.step, log.offsets):
        assert not column.flags.writeable
    assert repr(pickle.loads(pickle.dumps(log))) == repr(log)


def test_csv_of_the_first_version_is_read() -> None:
    expected = Log([1e-5, 0.1, 10.0], [2.5, float("nan"), float("-inf")], [0, 5, 2**53 - 1])
    found = logs.read(DATA / "log-0.1.csv")
    np.testing.assert_array_equal(found.lr, expected.lr)
    np.testing.assert_array_equal(found.loss, expected.loss)
    assert found.step is not None
    assert found.step.tolist() == [0, 5, 2**53 - 1]
