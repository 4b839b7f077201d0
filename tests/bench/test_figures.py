"""Figures, tables and pages of what was measured."""

from __future__ import annotations

import json

import pytest

from pixie_pipe.bench.figures import Section, Table, figure, ratio
from pixie_pipe.bench.report import BEGIN, END, PageError, Report

TABLE = Table(
    "events",
    {"few": {"M/s": figure([3.0, 1.0, 2.0])}, "many": {"GB": figure(0.01234)}},
)
REPORT = Report(
    {
        "date": "2020-01-02 03:04 UTC",
        "machine": "a machine",
        "system": "a system",
        "versions": "python 3",
        "command": "pixie-pipe bench it",
    },
    {"it": Section("It", "How it was done.", (TABLE,), seconds=1.5)},
)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([3.0, 1.0, 2.0], "2.00 (1.00–3.00)"),
        ([0.123456], "0.12"),
        ([0.00123], "0.0012"),
        ([12.34, 1234.5], "623 (12.3–1234)"),
        (7.0, "7.00"),
        ([0.0], "0"),
    ],
)
def test_a_figure_has_three_digits_and_its_spread(values, text):
    assert str(figure(values)) == text


def test_ratios_are_those_of_the_same_rounds():
    one = ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0])
    assert one.values == (2.0, 3.0, 1.0)
    assert (one.median, one.low, one.high) == (2.0, 1.0, 3.0)
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0], [1.0, 2.0])


def test_the_page_has_the_figures_in_its_place(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    REPORT.update(page)
    text = page.read_text()
    assert text.startswith("# Before\n\n")
    assert text.endswith(f"{END}\n\nafter\n")
    assert "old" not in text
    assert (
        "| events | M/s              | GB    |\n"
        "| ------ | ---------------- | ----- |\n"
        "| few    | 2.00 (1.00–3.00) |       |\n"
        "| many   |                  | 0.012 |\n"
    ) in text
    assert "```sh\npixie-pipe bench it\n```" in text
    assert "## It\n\nHow it was done." in text
    REPORT.update(page)
    assert page.read_text() == text


@pytest.mark.parametrize("text", ["", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_page_without_a_place_stays_as_it_is(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(PageError, match="there is no place for figures"):
        REPORT.update(page)
    assert page.read_text() == text


def test_json_has_every_value():
    document = json.loads(json.dumps(REPORT.to_dict()))
    assert document["command"] == "pixie-pipe bench it"
    assert document["benchmarks"]["it"]["seconds"] == 1.5
    assert document["benchmarks"]["it"]["figures"][0] == {
        "events": "few",
        "quantity": "M/s",
        "median": 2.0,
        "low": 1.0,
        "high": 3.0,
        "values": [3.0, 1.0, 2.0],
    }
