"""Values, numbers and ranges as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.scanning import (
    ChoiceError,
    parse_bins,
    parse_numbers,
    parse_span,
    parse_values,
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5", (5,)),
        ("1:3:1", (1, 2, 3)),
        ("1:3.9:1", (1, 2, 3)),
        ("3:1:-1", (3, 2, 1)),
        ("-1.5:-0.5:0.5", (-1.5, -1, -0.5)),
        ("0:0.3:0.1", (0, 0.1, 0.2, 0.3)),
        ("10:30:10, 50,1e2", (10, 20, 30, 50, 100)),
        ("2:2:1", (2,)),
    ],
)
def test_values(text, values):
    assert parse_values(text) == values


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is no number"),
        ("1:2", "no range"),
        ("1:2:3:4", "no range"),
        ("1:2:0", "does not lead"),
        ("1:2:-1", "does not lead"),
        ("a", "'a' is no number"),
        ("nan", "not finite"),
        ("1,,2", "'' is no number"),
        ("1,2,1", "twice"),
        ("0:1:0.00001", "more than 10000"),
        ("0:1e30:1e-30", "more than 10000"),
    ],
)
def test_texts_that_are_no_values(text, part):
    with pytest.raises(ChoiceError, match=part):
        parse_values(text)


@given(
    st.integers(-1000, 1000),
    st.integers(1, 50),
    st.integers(1, 100),
    st.integers(0, 4),
)
def test_a_range_holds_exactly_its_decimal_steps(start, count, step, digits):
    scale = 10**digits
    stop = start + (count - 1) * step
    text = ":".join(f"{number / scale:.{digits}f}" for number in (start, stop, step))
    expected = [(start + number * step) / scale for number in range(count)]
    assert list(parse_values(text)) == pytest.approx(expected, rel=1e-15, abs=1e-15)


def test_numbers():
    assert parse_numbers("3") == (3,)
    assert parse_numbers("0, 4-7,2") == (0, 4, 5, 6, 7, 2)
    for text in ("", "a", "1-", "-1", "3-1", "1--2", "0-99999"):
        with pytest.raises(ChoiceError):
            parse_numbers(text)


def test_bins():
    assert parse_bins("10:20") == (10, 20)
    for text in ("10", "10:", "20:10", "10:10", "-1:5", "a:b", "1:2:3"):
        with pytest.raises(ChoiceError):
            parse_bins(text)


def test_spans():
    assert parse_span("-2:20.5") == (-2, 20.5)
    for text in ("1", "1:2:3", "a:b", "2:1", "1:1", "0:inf", "nan:1"):
        with pytest.raises(ChoiceError):
            parse_span(text)
