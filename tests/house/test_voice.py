"""One voice: errors say what must be and what came, and a word names one thing."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = sorted((ROOT / "python").rglob("*.py"))
CPP = sorted(path for path in (ROOT / "src" / "cpp").rglob("*") if path.suffix in (".cpp", ".hpp", ".inl"))


def messages(path: Path) -> list[str]:
    """The texts of all errors that a file raises, with {} for what is filled in."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            texts = []
            for argument in node.exc.args:
                for part in ast.walk(argument):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        texts.append(part.value)
            found.append("{}".join(texts))
    return found


def test_errors_say_what_must_be_and_what_came() -> None:
    """An error that says "must be X" goes on with ", got Y", not with ", not Y"."""
    found = [(path, text) for path in PYTHON for text in messages(path)]
    assert len(found) > 100
    assert [(str(path), text) for path, text in found if re.search(r"must .*, not (\{|$)", text)] == []
    for path in CPP:
        assert not re.search(r'must [^"]*, not "', path.read_text(encoding="utf-8")), path


def test_a_type_has_a_name_of_its_own() -> None:
    """No two classes of the package, and no two types of the core, have one name."""
    for paths, pattern in (
        (PYTHON, r"^class (\w+)"),
        (CPP, r"^ *(?:class|struct|enum class) (\w+)(?: final)?(?: :[^:;]*)? \{"),
    ):
        places = defaultdict(set)
        for path in paths:
            for name in re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE):
                places[name].add(str(path.relative_to(ROOT)))
        assert len(places) > 30
        places.pop("CyclicLR", None)  # torch's, and Kenstler's for Keras
        assert {name: sorted(files) for name, files in places.items() if len(files) > 1} == {}
