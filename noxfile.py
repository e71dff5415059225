"""The checks, part by part: `nox -l` lists them, `nox -s lint` runs one, `--` precedes its arguments."""

from __future__ import annotations

import nox

nox.needs_version = ">=2024.3.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "typing", "tests"]

TESTS = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]["test"]


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests as README does, or some: `nox -s tests -- tests/schedules -k cosine`."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the form of all files, as before a commit; nothing is built."""
    tools = [tool for tool in TESTS if tool.startswith(("clang-format", "ruff"))]
    session.install("pre-commit", *tools)
    session.run("pre-commit", "run", "--all-files", *session.posargs, env={"SKIP": "mypy"})


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types of the package, those of what users write, and the stub of the core."""
    session.install(".[test]")
    session.run("python", "-m", "mypy")
    session.run("python", "-m", "pytest", "tests/house/test_typing.py", *session.posargs)


@nox.session(python=False)
def oldest(session: nox.Session) -> None:
    """Run the tests with the oldest releases that pyproject.toml states."""
    session.run(".ci/versions", "oldest", "older-torch", external=True)


@nox.session(python=False)
def newest(session: nox.Session) -> None:
    """Run the tests on the newest Pythons with the newest releases, and without the GIL."""
    session.run(".ci/versions", "newest", "next", "free-threaded", external=True)


@nox.session
def cpp(session: nox.Session) -> None:
    """Run the C++ tests, and the Python tests of what they cover, under the sanitizers."""
    session.install(".[test]")
    session.run(".ci/sanitize", "python", external=True)


@nox.session(python=False)
def fuzz(session: nox.Session) -> None:
    """Fuzz the analysis and the event reader: `nox -s fuzz -- SECONDS SEED`. Needs clang."""
    session.run(".ci/fuzz", *session.posargs, external=True)
