"""Answers that other projects published, and recorded data with known answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pixie_pipe.listmode import Layout, decode

if TYPE_CHECKING:
    from pixie_pipe.events import Events


@pytest.fixture(scope="session")
def vectors(real_data: Path) -> Path:
    """Return the directory of published vectors, beside the recorded data."""
    directory = real_data.parent / "vectors"
    if not directory.is_dir():
        pytest.skip(f"published vectors are not there: {directory} is missing")
    return directory


def words_of(texts: list[str]) -> np.ndarray[Any, np.dtype[np.uint32]]:
    return np.array([int(text, 16) for text in texts], np.uint32)


def check_common(events: Events, expected: dict[str, Any]) -> None:
    """Check the fields that both projects publish under the same names."""
    for name in ("channel", "slot", "crate", "energy"):
        if name in expected:
            assert int(events[name][0]) == expected[name], name
    if "time_low" in expected:
        ticks = expected["time_high"] << 32 | expected["time_low"]
        assert int(events.timestamp[0]) == ticks
    if "trace" in expected:
        assert events.trace(0).tolist() == expected["trace"]
    if "qdc" in expected:
        assert events.qdc[0].tolist() == expected["qdc"]


def test_ddas(vectors: Path) -> None:
    """All seven. DDAS adds a CFD term even where the CFD was forced; we do not."""
    table = json.loads((vectors / "ddas_vectors.json").read_text())["vectors"]
    assert len(table) == 7
    for vector in table:
        body = words_of(vector["body_hex"])
        expected = vector["expected"]
        # The word before the event tells its module: frequency and board.
        layout = Layout.find(int(body[1]) & 0xFFFF, 34688)
        # Some of them are of slot 0, which no crate has.
        decoded = decode(body[2:], layout.override(slots=(0, 15)))
        assert decoded.balance.decoded == body.size - 2, vector["name"]
        events = decoded.events
        check_common(events, expected)
        if "external_ticks" in expected:
            assert int(events.external_timestamp[0]) == expected["external_ticks"]
        if "energy_sum_words" in expected:
            sums = [
                int(events[name][0])
                for name in ("esum_trailing", "esum_leading", "esum_gap")
            ]
            sums.append(int(events.baseline.view(np.uint32)[0]))
            assert sums == expected["energy_sum_words"]
        if "cfd_fail" in expected:
            assert int(events.cfd_forced[0]) == expected["cfd_fail"]
            source = int(events.cfd_source[0])
            assert source == expected["cfd_trigger_source"]
        if "time_ns" in expected:
            ours = int(events.time_ps[0])
            coarse = expected["coarse_time_ns"] * 1000
            term = 0 if expected["cfd_fail"] else round(expected["cfd_ns"] * 1000)
            assert ours == coarse + term
            fraction = int(events.cfd_fraction[0]) / (1 << layout.cfd_fraction.width)
            step, offset = layout.cfd_source_step, layout.cfd_source_offset
            kept = (fraction + step * source + offset) * layout.cfd_unit_ps / 1000
            assert kept == pytest.approx(expected["cfd_ns"], abs=1e-6)


def test_paass(vectors: Path) -> None:
    """All five; its times are in samples of 4 ns, and ours are exact."""
    data = json.loads((vectors / "paass_vectors.json").read_text())
    layout = Layout.find(250, 30474)
    assert len(data["decode_vectors"]) == 5
    for vector in data["decode_vectors"]:
        expected = vector["expected"]
        decoded = decode(words_of(vector["words_hex"]), layout)
        assert len(decoded.events) == 1
        assert decoded.balance.rejected == 0
        events = decoded.events
        check_common(events, expected)
        assert int(events.cfd_fraction[0]) == expected["cfd_fractional_raw"]
        assert bool(events.pileup[0]) == expected["pileup"]
        assert bool(events.out_of_range[0]) == expected["out_of_range"]
        assert bool(events.cfd_forced[0]) == expected["cfd_forced"]
        cfd_ps = round(expected.get("cfd_ns", 0) * 1000)
        assert int(events.time_ps[0]) == expected["filter_time_ns"] * 1000 + cfd_ps


def test_paass_errors(vectors: Path) -> None:
    """Bad events are rejected as a whole; two leading words are PAASS' own."""
    data = json.loads((vectors / "paass_vectors.json").read_text())
    layout = Layout.find(250, 30474)
    spills = {v["name"]: words_of(v["spill_hex"])[2:] for v in data["error_vectors"]}
    for name, reason in (("bad_header_length", 1), ("bad_event_length", 2)):
        decoded = decode(spills[name], layout)
        assert len(decoded.events) == 0
        assert decoded.rejected.tolist() == [(0, 4, reason)]
    assert decode(spills["empty_module_spill"], layout).balance.closes


def test_paass_cfd_sizes(vectors: Path) -> None:
    data = json.loads((vectors / "paass_vectors.json").read_text())
    checked = 0
    for frequency, sizes in data["mask_tests"]["cfd_size"].items():
        for revision, size in sizes.items():
            layout = Layout.find(int(frequency), int(revision[1:]))
            assert 1 << layout.cfd_fraction.width == size
            checked += 1
    assert checked == 15


def test_recorded_headers(real_data: Path) -> None:
    words = np.fromfile(real_data / "headers.bin", "<u4")
    decoded = decode(words, Layout.find(500, 34688))
    events = decoded.events
    assert len(events) == 24_598
    assert decoded.balance.closes
    assert decoded.rejected.size == 0
    assert decoded.leftover_words.size == 0
    assert sorted(set(events.channel.tolist())) == [9, 10]
    event = events[10]
    found = [
        int(event[name][0])
        for name in ("channel", "slot", "crate", "energy", "timestamp")
    ]
    assert found == [9, 2, 0, 26517, 117057614720]


def test_recorded_traces(real_data: Path) -> None:
    """The energy sums are sums of the trace's own samples, in this order."""
    words = np.fromfile(real_data / "traces.bin", "<u4")
    decoded = decode(words, Layout.find(500, 34688))
    events = decoded.events
    assert len(events) == 9
    assert decoded.rejected.size == 0
    assert events.trace_length.tolist() == [5000] * 9
    samples = events.trace(0).astype(np.int64)
    assert int(events.esum_trailing[0]) == samples[435:455].sum()
    assert int(events.esum_leading[0]) == samples[535:555].sum()
    assert int(events.esum_gap[0]) == samples[455:535].sum()


def test_recorded_energies_follow_from_their_sums(real_data: Path) -> None:
    """The energy filter's formula, with a decay of 30 ns, 20 samples long."""
    words = np.fromfile(real_data / "traces.bin", "<u4")
    events = decode(words, Layout.find(500, 34688)).events
    scale, samples, decay = 4.0, 20, np.exp(-2.0 / 30.0)
    power = decay**samples
    trailing = -scale * (1 - decay) * power / (1 - power)
    leading = scale * (1 - decay) / (1 - power)
    gap = scale * (1 - decay)
    energy = (
        trailing * events.esum_trailing
        + gap * events.esum_gap
        + leading * events.esum_leading
        - events.baseline
    )
    assert np.abs(energy - events.energy).max() < 0.5
