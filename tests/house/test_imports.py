"""The chain that the folders show holds in the imports, those in functions and for type checkers too."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from clrfast import schedules

PACKAGE = Path(schedules.__file__).parents[1]

# The way of a loss from where it is recorded to a schedule: each room imports at most from those that follow.
CHAIN = ("clrfast._range_test", "clrfast.logs", "clrfast.analysis", "clrfast.schedules")
# What drives an optimizer with a schedule, and knows nothing of where that came from.
ENDS = ("clrfast.lr_scheduler",)
# What stands before the chain: it runs the experiment in somebody's framework, or many of them in one search.
FRONT = (
    "clrfast.keras",
    "clrfast.frameworks",
    "clrfast.compat",
    "clrfast._batch_size",
    "clrfast._sweep",
    "clrfast._tune",
)


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for suffix in ("py", "pyi") for path in sorted(PACKAGE.rglob(f"*.{suffix}"))}


def imported(source: str) -> Iterator[str]:
    """The modules of the package that a source file imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            if node.module in MODULES:
                for alias in node.names:  # either a submodule or a name that the module has
                    whole = f"{node.module}.{alias.name}"
                    yield whole if whole in MODULES else node.module


IMPORTS = {name: set(imported(path.read_text(encoding="utf-8"))) for name, path in MODULES.items()}


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """One way from a node back to itself, or none."""
    done: set[str] = set()

    def walk(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node not in done:
            for following in sorted(graph[node]):
                if found := walk(following, [*way, node]):
                    return found
            done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := walk(node, []))), [])


def rooms() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {room_of(name): set() for name in MODULES}
    for name, others in IMPORTS.items():
        graph[room_of(name)] |= {room_of(other) for other in others} - {room_of(name)}
    return graph


def test_imports_are_found_wherever_they_are() -> None:
    source = """
import clrfast.rules
from clrfast import _core, analyze
if TYPE_CHECKING:
    from clrfast.logs import Log
def later():
    from clrfast.schedules import _curve
    import numpy
"""
    names = ["", ".rules", "._core", ".logs", ".schedules._curve"]
    assert set(imported(source)) == {f"clrfast{name}" for name in names}
    assert len(MODULES) > 50
    assert IMPORTS["clrfast.schedules"] > {"clrfast.schedules._cyclic", "clrfast.schedules._decays"}


def test_a_circle_would_be_found() -> None:
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("graph", [IMPORTS, rooms()], ids=["modules", "rooms"])
def test_no_circle(graph: Mapping[str, set[str]]) -> None:
    assert circle(graph) == []


@pytest.mark.parametrize("room", [*CHAIN, *ENDS, *FRONT, "clrfast._core", "clrfast._pictures"])
def test_the_chain_has_one_direction(room: str) -> None:
    """Nothing imports from what comes before it; pictures are drawn without knowing of what."""
    if room in CHAIN:
        others = {*CHAIN[: CHAIN.index(room)], *ENDS, *FRONT}
    elif room in ENDS:
        others = {*CHAIN[:-1], *ENDS, *FRONT} - {room}
    elif room in FRONT:
        others = {*FRONT} - {room}
    else:
        others = {*CHAIN, *ENDS, *FRONT, "clrfast.rules"}
    assert room in rooms()
    assert rooms()[room] & others == set()


def test_only_programs_import_the_root() -> None:
    """Inside the package, imports name where things are: the root imports everything and closes circles."""
    users = {name for name, others in IMPORTS.items() if "clrfast" in others}
    assert {name for name in users if room_of(name) not in ("clrfast.__main__", "clrfast._cli")} == set()
