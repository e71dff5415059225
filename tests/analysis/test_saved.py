"""What version 0.1.0 saved, later versions read: tests/data/analysis, which only new formats may add to.

The files were written by `python tests/analysis/test_saved.py FOLDER`, with the tests on the path.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from clrfast.analysis import Analysis, State, Suggestion, analyze
from states import log

SAVED = Path(__file__).parents[1] / "data" / "analysis"
PLAIN = json.loads((SAVED / "analysis.json").read_text())
# Arrays pickled by NumPy 2, as those here are, are opened by 1.26 and later.
reads_arrays = pytest.mark.skipif(importlib.util.find_spec("numpy._core") is None, reason="NumPy < 1.26")


def save(folder: Path) -> None:
    """Write each kind of file; the state's steps do not begin at 0."""
    lr, loss = log(rows=300, bad=(17, 299))
    state = State(first_step=1000)
    state.add(lr, loss)
    analysis = analyze(lr, loss)
    (folder / "state.bin").write_bytes(state.to_bytes())
    (folder / "analysis.json").write_text(json.dumps(analysis.to_dict(curve=True), allow_nan=False))
    for name, value in {"state": state, "analysis": analysis, "suggestion": analysis.suggestion}.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(value, protocol=4))


def test_bytes_and_pickle_of_a_state():
    for state in (
        State.from_bytes((SAVED / "state.bin").read_bytes()),
        pickle.loads((SAVED / "state.pkl").read_bytes()),
    ):
        assert type(state) is State
        found = state.analyze()
        assert (found.n, found.n_nonfinite) == (PLAIN["n"], PLAIN["n_nonfinite"]) == (300, 2)
        assert found.lr_range == tuple(PLAIN["lr_range"])
        np.testing.assert_allclose(found.grid_lr, PLAIN["grid_lr"], rtol=1e-12)
        follows, given = pickle.loads(pickle.dumps(state)), state
        follows.add(0.1, 2.0)
        given.add(0.1, 2.0, step=1300)
        assert follows.to_bytes() == given.to_bytes()


@reads_arrays
def test_pickle_of_an_analysis():
    analysis = pickle.loads((SAVED / "analysis.pkl").read_bytes())
    assert type(analysis) is Analysis
    np.testing.assert_allclose(analysis.lr, log(rows=300)[0], rtol=1e-12)
    plain = analysis.to_dict(curve=True)
    plain["suggestion"] = {key: plain["suggestion"][key] for key in PLAIN["suggestion"]}
    assert {key: plain[key] for key in PLAIN} == PLAIN
    assert analysis.suggestion.max_lr == PLAIN["suggestion"]["max_lr"]
    assert repr(analysis).startswith("<Analysis of 300 rows: ")
    assert len(analysis.smoothed) == 300


def test_pickle_of_a_suggestion():
    found = pickle.loads((SAVED / "suggestion.pkl").read_bytes())
    assert type(found) is Suggestion
    plain = json.loads(json.dumps(found.to_dict()))
    assert {key: plain[key] for key in PLAIN["suggestion"]} == PLAIN["suggestion"]
    assert found.one_cycle(100)(29) == found.max_lr


def test_json_has_the_names_and_kinds_that_it_had():
    assert PLAIN["format"] == 1
    today = json.loads(json.dumps(analyze(*log(rows=300, bad=(17, 299))).to_dict(curve=True)))

    def kinds(value):
        if isinstance(value, dict):
            return {key: kinds(item) for key, item in value.items()}
        return type(value)

    def covered(old, new):
        if isinstance(old, dict):
            return all(key in new and covered(item, new[key]) for key, item in old.items())
        return old is new

    assert covered(kinds(PLAIN), kinds(today))


def test_files_can_be_written_again(tmp_path):
    save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in SAVED.iterdir()}


if __name__ == "__main__":
    save(Path(sys.argv[1]))
