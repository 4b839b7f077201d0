"""The table of a run: against plain sums, channel by channel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.scanning.run_statistics import statistics_table

channels = st.tuples(
    st.integers(0, 3) | st.integers(0, 10**12),
    st.integers(0, 3) | st.integers(0, 10**12),
    st.just(0.0) | st.floats(1e-3, 1e6),
)


@given(st.lists(channels, max_size=32), st.floats(1e-3, 1e6), st.booleans())
def test_it_has_what_was_counted(found, real_s, is_one):
    told = {
        "words_read": 12,
        "input_counts": [one[0] for one in found],
        "output_counts": [one[1] for one in found],
        "live_time_s": [one[2] for one in found],
        "real_time_s": real_s if is_one else [real_s] * len(found),
    }
    table = statistics_table("c0-s02", told, len(found))
    assert (table["module"], table["words_read"]) == ("c0-s02", 12)
    assert "words_lost" not in table
    rows = [n for n, one in enumerate(found) if one[0] or one[1]]
    assert table["channels"] == rows
    for place, row in enumerate(rows):
        inputs, outputs, live_s = found[row]
        assert table["input_counts"][place] == inputs
        assert table["output_counts"][place] == outputs
        assert table["live_time_s"][place] == pytest.approx(live_s, abs=1e-6)
        assert table["real_time_s"][place] == pytest.approx(real_s, abs=1e-6)
        output_hz = outputs / real_s
        assert table["output_rate_hz"][place] == pytest.approx(output_hz, rel=1e-5)
        if not live_s:
            assert (table.get("input_rate_hz") or [None] * len(rows))[place] is None
            continue
        input_hz = inputs / live_s
        assert table["input_rate_hz"][place] == pytest.approx(input_hz, rel=1e-5)
        if inputs:
            dead = 100 * (1 - output_hz / input_hz)
            assert table["dead_percent"][place] == pytest.approx(dead, rel=1e-5)


def test_what_a_driver_does_not_tell_is_left_out():
    table = statistics_table("c0-s02", {"words_read": 7, "words_dropped": 2}, 16)
    assert table == {
        "module": "c0-s02",
        "words_read": 7,
        "words_lost": 2,
        "channels": [],
    }
    assert statistics_table("c0-s02", {}, 16) == {"module": "c0-s02", "channels": []}
    with pytest.raises(DriverError, match="input_counts"):
        statistics_table("c0-s02", {"input_counts": [1, 2]}, 16)
