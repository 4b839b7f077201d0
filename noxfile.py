#!/usr/bin/env -S uv run --script

# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2025.2.9"]
# ///

"""The checks of the project, one session each; `.ci/run` runs them all in one go."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"

PROJECT = nox.project.load_toml("pyproject.toml")
ROOT = Path(__file__).parent


def install(session: nox.Session, *groups: str) -> None:
    """Install the package, editable, with some dependency groups."""
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff, codespell, and the checks of the Scientific Python guide."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
    session.run("codespell")
    session.run("sp-repo-review", ".")


@nox.session
def typecheck(session: nox.Session) -> None:
    """Mypy, strict."""
    install(session, "test", "lint")
    session.run("mypy", *session.posargs)


@nox.session
def imports(session: nox.Session) -> None:
    """The layers: imports point down."""
    install(session, "lint")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite; arguments after `--` go to pytest."""
    install(session, "test")
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def boundscheck(session: nox.Session) -> None:
    """The tests of the format, with kernels that check the bounds of arrays."""
    install(session, "test")
    session.run(
        "pytest",
        *(session.posargs or ["tests/listmode"]),
        env={"PIXIE_PIPE_BOUNDSCHECK": "1"},
    )


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Source distribution and wheel, and the wheel's list of files."""
    session.install("build")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("python", "-m", "build")
    session.run("python", "scripts/check_wheel.py", *map(str, ROOT.glob("dist/*.whl")))


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """One benchmark: `nox -s bench -- benchmarks/NAME.py [ARGUMENTS]`."""
    install(session, "bench")
    if not session.posargs:
        names = sorted(
            str(path.relative_to(ROOT)) for path in ROOT.glob("benchmarks/*.py")
        )
        session.error(f"name one of: {', '.join(names) or 'there are none'}")
    session.run("python", *session.posargs)


if __name__ == "__main__":
    nox.main()
