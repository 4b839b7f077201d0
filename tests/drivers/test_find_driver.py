"""Finding drivers: built in, and in directories of the search path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pixie_pipe import drivers
from pixie_pipe.drivers import (
    DriverNotFoundError,
    add_search_path,
    class_name,
    find_driver,
    known_drivers,
)
from pixie_pipe.drivers.recorded import RecordedDigitizer

GOOD = """
class MyCrateDigitizer:
    modules = ()
    is_running = False
    def open(self): ...
    def close(self): ...
    def start_run(self): ...
    def stop_run(self): ...
    def read(self, module, max_words): ...
    def statistics(self, module): ...
"""


@pytest.fixture(autouse=True)
def _own_search_path(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drivers, "__path__", list(drivers.__path__))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("pixie_pipe.drivers."):
            del sys.modules[name]


def test_a_built_in_driver_is_found_by_the_name_of_its_module():
    assert find_driver("recorded") is RecordedDigitizer
    assert "recorded" in known_drivers()


def test_helpers_are_no_drivers():
    assert not any(name.startswith("_") for name in known_drivers())
    with pytest.raises(DriverNotFoundError, match="no driver 'digitizer'"):
        find_driver("digitizer")


def test_a_misspelled_name_gets_a_suggestion():
    with pytest.raises(DriverNotFoundError, match=r"did you mean 'recorded'\?"):
        find_driver("recoded")


def test_a_file_in_the_search_path_is_a_driver(tmp_path: Path):
    (tmp_path / "my_crate.py").write_text(GOOD)
    with pytest.raises(DriverNotFoundError, match="no driver 'my_crate'"):
        find_driver("my_crate")
    add_search_path([tmp_path])
    add_search_path([tmp_path])
    found = find_driver("my_crate")
    assert found.__name__ == class_name("my_crate") == "MyCrateDigitizer"
    assert drivers.__path__.count(str(tmp_path)) == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("1 / 0", "my_crate cannot be imported: ZeroDivisionError"),
        ("class MyCrate: ...", "has no class MyCrateDigitizer"),
        (GOOD.replace("def stop_run", "def stop"), "MyCrateDigitizer has no stop_run"),
    ],
)
def test_a_file_that_is_no_driver_is_refused(tmp_path: Path, content, text):
    (tmp_path / "my_crate.py").write_text(content)
    add_search_path([tmp_path])
    with pytest.raises(DriverNotFoundError, match=text):
        find_driver("my_crate")


def test_a_second_driver_of_the_same_name_is_refused(tmp_path: Path):
    (tmp_path / "recorded.py").write_text(GOOD)
    with pytest.raises(DriverNotFoundError, match="recorded exists twice"):
        add_search_path([tmp_path])


def test_a_search_path_must_be_a_directory(tmp_path: Path):
    with pytest.raises(DriverNotFoundError, match="is no directory"):
        add_search_path([tmp_path / "none"])
