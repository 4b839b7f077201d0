"""The library that stands for XIA's, a fresh one for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pixie_pipe.drivers.xia import XiaDigitizer
from tests.support.xia_crate import XiaCrate, build, compiler


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the compiled library, which no test loads itself."""
    if compiler() is None:
        pytest.skip("no C compiler is installed (cc or gcc): nothing to test with")
    path = tmp_path_factory.mktemp("xia") / "libPixie16Api.so"
    build(path)
    return path


@pytest.fixture
def library_path(compiled: Path, tmp_path: Path) -> Path:
    """Return a copy of the library: loaded from another file, it knows of no other."""
    path = tmp_path / "xia" / compiled.name
    path.parent.mkdir()
    shutil.copy(compiled, path)
    return path


@pytest.fixture
def xia(library_path: Path) -> Iterator[XiaCrate]:
    """Return the loaded library; in the end, nothing must have gone wrong in it."""
    crate = XiaCrate(library_path)
    yield crate
    assert crate.violations == ""


@pytest.fixture
def make(xia: XiaCrate, tmp_path: Path) -> Iterator[Callable[..., XiaDigitizer]]:
    """Return a function that makes digitizers, with three modules unless told."""
    made: list[XiaDigitizer] = []

    def make(slots: Any = (2, 3, 4), **options: Any) -> XiaDigitizer:
        options = {
            "library": xia.path,
            "log_directory": tmp_path,
            "revisions": {4: 42950} if 4 in slots else None,
            **options,
        }
        made.append(XiaDigitizer(slots, **options))
        return made[-1]

    yield make
    for digitizer in made:
        digitizer.close()
    # Some tests leave runs behind, which the end of the process would tell of.
    for module in range(4):
        xia.call.Pixie16EndRun(module)
