"""The examples in the docstrings, and the tables in the documentation."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import pixie_pipe.settings
from pixie_pipe.settings import CHANNEL_PARAMETERS, FIELDS, MODULE_PARAMETERS

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
MODULES = [found.name for found in pkgutil.iter_modules(pixie_pipe.settings.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = import_module(f"pixie_pipe.settings.{name}")
    assert doctest.testmod(module).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    modules = [import_module(f"pixie_pipe.settings.{name}") for name in MODULES]
    tests = [test for module in modules for test in finder.find(module)]
    assert sum(len(test.examples) for test in tests) > 10


def rows_of_the_page() -> list[tuple[str, ...]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in lines]


def test_the_tables_of_the_documentation_are_those_of_the_program():
    expected = [
        (f"`{p.name}`", p.unit, p.limits or p.access.value, p.meaning)
        for table in (CHANNEL_PARAMETERS, MODULE_PARAMETERS)
        for p in table.values()
    ]
    expected += [
        (
            f"`{field.name}`",
            f"{field.register} {', '.join(map(str, field.bits[:2]))}"
            + ("" if len(field.bits) <= 2 else f" to {field.bits[-1]}"),
            field.expected,
            field.meaning,
        )
        for field in FIELDS.values()
    ]
    assert rows_of_the_page() == expected
