"""Which files are read: links in circles end, no FIFO is waited for, patterns match as in glob."""

from __future__ import annotations

import glob
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clrfast import logs
from clrfast.logs._readers._walk import matches

posix = pytest.mark.skipif(os.name != "posix", reason="links, FIFOs and sockets as POSIX has them")
ROW = "lr,loss\n0.1,2\n"


@posix
def test_links_in_circles_end(tmp_path: Path) -> None:
    """Without care there are two to the power of forty ways through them."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log.csv").write_text(ROW)
    for folder in (tmp_path, tmp_path / "deep"):
        for name in "abc":
            (folder / name).symlink_to(tmp_path)
    for where in (tmp_path, tmp_path / "**" / "*.csv", tmp_path / "**", tmp_path / "**" / "**" / "l*"):
        assert logs.read(where).lr.tolist() == [0.1]
    assert logs.read(tmp_path / "a" / "*" / "*.csv").lr.tolist() == [0.1]  # a pattern names its way
    (tmp_path / "self.csv").symlink_to("self.csv")
    assert logs.read(tmp_path).lr.tolist() == [0.1]
    with pytest.warns(logs.ReadWarning, match=r"self\.csv"):
        assert logs.read(tmp_path / "**" / "*.csv").lr.tolist() == [0.1]


@given(parts=st.lists(st.sampled_from(["**", "*", "a", "b*", "?", "*.csv", "[ab]"]), min_size=1, max_size=4))
def test_patterns_match_as_glob_does(parts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    top = tmp_path_factory.getbasetemp() / "walk[1]"
    if not top.exists():
        for folder in (".", "a", "a/b", "b", "a/b/a", ".h"):
            (top / folder).mkdir() if folder != "." else top.mkdir()
            for name in ("a.csv", "b.csv", ".hidden.csv"):
                (top / folder / name).write_text(ROW)
    pattern = Path(glob.escape(str(top)), *parts)
    expected = {Path(path) for path in glob.glob(str(pattern), recursive=True)}  # noqa: PTH207
    found = matches(pattern)
    assert len(found) == len(set(found))
    if parts[-1] != "**":
        assert set(found) == expected
    else:  # folders, which stand for all that is below them
        assert set(found) <= expected
        assert all(any(top in (path, *path.parents) for top in found) for path in expected)
    before = Path.cwd()
    os.chdir(top)
    try:
        assert {top / path for path in matches(Path(*parts))} == set(found)
    finally:
        os.chdir(before)


def special(folder: Path) -> dict[str, Path]:
    fifo, bound, device = (folder / f"{name}.csv" for name in ("fifo", "socket", "device"))
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(folder)  # the path of a socket must be short
        server.bind(bound.name)
        os.chdir(before)
    device.symlink_to("/dev/zero")
    return {"a FIFO": fifo, "a socket": bound, "a device": device}


@posix
def test_what_would_be_waited_for_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(ROW)
    kinds = special(tmp_path)
    for kind, path in kinds.items():
        with pytest.raises(ValueError, match=rf"{path.name}: must be a regular file, got {kind}"):
            logs.read(path)
        with pytest.raises(ValueError, match=rf"got {kind}"):
            logs.read([tmp_path / "log.csv", path])
    assert logs.read(tmp_path).lr.tolist() == [0.1]
    with pytest.warns(logs.ReadWarning, match="must be a regular file, got") as told:
        assert logs.read(tmp_path / "*.csv").lr.tolist() == [0.1]
    assert len(told) == 3


@posix
@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.npy", "log.parquet", "a.tfevents"])
def test_no_format_waits_for_a_fifo(name: str, tmp_path: Path) -> None:
    """Nor where it takes the place of a file after that was found."""
    os.mkfifo(tmp_path / name)
    code = f"""
import clrfast
from clrfast.logs._readers import _find_runs, _files
for checked in (True, False):
    try:
        if not checked:
            _find_runs.refuse_special = lambda path: None
        clrfast.logs.read({str(tmp_path / name)!r})
    except ValueError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout.count("must be a regular file, got a FIFO") == 2, done.stdout
