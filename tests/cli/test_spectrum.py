"""Spectra as text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.cli.spectrum import draw_spectrum, plot_lines


def test_a_line_spectrum():
    counts = np.zeros(64, "i8")
    counts[[0, 10, 20, 40]] = [1, 10, 100, 1000]
    plot = draw_spectrum(
        counts, 4, width=41 + 9, height=4, scale="log", energies=(0, 164)
    )
    assert plot.energy_per_column == 4
    assert (plot.peak_count, plot.peak_energy) == (1000, 162)
    assert [bar[40] for bar in plot.bars] == ["█"] * 4
    assert [bar[0] for bar in plot.bars[:3]] == [" "] * 3
    assert plot.bars[3][0] != " "
    assert [label for label in plot.labels if label] == ["1 000", "100", "10", "1"]


def test_linear_counts():
    counts = np.array([0, 50, 100], "i8")
    plot = draw_spectrum(
        counts, 4, width=19, height=2, scale="linear", energies=(0, 12)
    )
    assert plot.bars == ("  █       ", " ██       ")
    assert plot.labels == ("100", "0")


def test_a_few_overflows_do_not_press_the_rest_aside():
    counts = np.zeros(16384, "i8")
    counts[:1000] = 100
    counts[-1] = 50
    plot = draw_spectrum(counts, 4, width=80, height=5)
    assert plot.last_energy < 4500
    assert plot.above == 50


def test_no_events_in_the_range():
    counts = np.zeros(16384, "i8")
    counts[5] = 3
    plot = draw_spectrum(counts, 4, width=80, height=5, energies=(1000, 2000))
    assert set("".join(plot.bars)) == {" "}
    assert plot.peak_count == 0


@given(
    st.dictionaries(st.integers(0, 16383), st.integers(1, 10**7), min_size=1),
    st.integers(20, 200),
    st.integers(1, 12),
    st.sampled_from(["log", "linear"]),
    st.booleans(),
    st.one_of(st.none(), st.tuples(st.integers(0, 60000), st.integers(1, 5000))),
)
def test_every_plot_is_a_rectangle(contents, width, height, scale, ascii_only, window):
    counts = np.zeros(16384, "i8")
    counts[list(contents)] = list(contents.values())
    energies = None if window is None else (window[0], window[0] + window[1])
    plot = draw_spectrum(
        counts,
        4,
        width=width,
        height=height,
        scale=scale,
        energies=energies,
        ascii_only=ascii_only,
    )
    lines = ["".join(line) for line in plot_lines(plot, ascii_only=ascii_only)]
    assert len(lines) == height + 2
    assert {len(line) for line in lines[:-1]} == {width}
    assert len(lines[-1]) <= width
    assert plot.first_energy < plot.last_energy
    if energies is not None:
        assert plot.first_energy <= energies[0] < energies[1] <= plot.last_energy
    if ascii_only:
        "".join(lines).encode("ascii")
    # A column is empty where, and only where, there are no events.
    shown = np.zeros((plot.last_energy - plot.first_energy) // 4, "i8")
    inside = counts[plot.first_energy // 4 : plot.last_energy // 4]
    shown[: inside.size] = inside
    filled = shown.reshape(-1, plot.energy_per_column // 4).sum(axis=1) > 0
    assert [cell != " " for cell in plot.bars[-1]] == filled.tolist()


@pytest.mark.parametrize("highest", [1, 2, 3, 9, 10, 999_999, 1_000_000, 87_654_321])
def test_labels_fit(highest):
    counts = np.zeros(16384, "i8")
    counts[100] = highest
    for scale in ("log", "linear"):
        plot = draw_spectrum(counts, 4, width=60, height=6, scale=scale)
        assert max(map(len, plot.labels)) <= 7
        assert any(plot.labels)
