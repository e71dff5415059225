"""The names of the root: public ones only, those of the extras among them, loaded when they are touched."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

import clrfast

# Each module that is loaded when it is touched, and what it needs.
EXTRAS = {"dask": "dask", "frameworks": "torch", "keras": "keras", "lr_scheduler": "torch"}


def run(code: str) -> str:
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)


def test_dir_shows_public_names_only() -> None:
    assert set(dir(clrfast)) == {*clrfast.__all__, *EXTRAS, "__version__"}
    assert not any(name.startswith("_") for name in clrfast.__all__)
    assert {"TYPE_CHECKING", "Any", "annotations"}.isdisjoint(dir(clrfast))


@pytest.mark.parametrize("name", EXTRAS)
def test_modules_of_extras_are_loaded_when_they_are_touched(name: str) -> None:
    if find_spec(EXTRAS[name]) is None:
        pytest.skip(f"{EXTRAS[name]} is not installed")
    code = f"""
import sys, clrfast
before = '{EXTRAS[name]}' in sys.modules
module = clrfast.{name}
print(before, module.__name__, sys.modules['clrfast.{name}'] is module is clrfast.{name})
"""
    assert run(code) == f"False clrfast.{name} True\n"


@pytest.mark.parametrize("name", EXTRAS)
def test_a_missing_extra_is_named(name: str) -> None:
    extra = {"lr_scheduler": "torch"}.get(name, name)
    code = f"""
import sys, clrfast
sys.modules['{EXTRAS[name]}'] = None
for _ in range(2):  # the second time as the first
    try:
        clrfast.{name}
    except ImportError as error:
        print(error)
"""
    message = f"clrfast.{name} needs {EXTRAS[name]}, which is not installed: pip install 'clrfast[{extra}]'\n"
    assert run(code) == 2 * message


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'clrfast' has no attribute 'anything'"):
        clrfast.anything  # noqa: B018
    assert not hasattr(clrfast, "schedulers")
