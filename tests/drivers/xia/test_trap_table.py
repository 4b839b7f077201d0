"""The table of traps in docs/xia.md names places and tests that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

_ROW = re.compile(r"\| .+ \| .+ \| `([\w.]+)` \| (\w+): `(\w+)` \|")


def rows() -> list[tuple[str, str, str]]:
    text = (ROOT / "docs" / "xia.md").read_text(encoding="utf-8")
    table = text.partition("## Traps that are shut")[2].partition("Not done:")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    found = [_ROW.fullmatch(line) for line in lines]
    return [(match[1], match[2], match[3]) for match in found if match]


def test_every_line_of_the_table_is_read():
    text = (ROOT / "docs" / "xia.md").read_text(encoding="utf-8")
    table = text.partition("## Traps that are shut")[2].partition("Not done:")[0]
    # Without the heading and the line below it.
    assert len(rows()) == table.count("\n| ") - 2 > 50


@pytest.mark.parametrize(("place", "file", "test"), rows())
def test_place_and_test_of_a_trap_exist(place, file, test):
    module, _, name = place.partition(".")
    assert hasattr(importlib.import_module(f"pixie_pipe.drivers.{module}"), name)
    text = (Path(__file__).parent / f"test_{file}.py").read_text(encoding="utf-8")
    assert f"\ndef test_{test}(" in text
