"""The decoder beside pypixie16, which users have today.

It knows one layout (500 MSPS, firmware from 34688 on). Excused are its documented
faults only: with the CFD off it corrects by -2 ns, and a stream in pieces loses its
step.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pixie_pipe.listmode import Layout, StreamDecoder, decode, encode
from pixie_pipe.testing.generators import random_events
from tests.support.peer import load_reader

if TYPE_CHECKING:
    from pixie_pipe.events import Events

NEWEST = Layout.find(500, 34688)


@pytest.fixture(scope="module")
def reader() -> ModuleType:
    """Return pypixie16's reader."""
    return load_reader()


def peer_events(
    reader: ModuleType, pieces: Iterable[np.ndarray[Any, Any]]
) -> list[Any]:
    """Return the events that pypixie16 finds in a stream that comes in pieces."""
    stream = reader.StreamReader(initial_buffer_size=200_000)
    decoder = reader.ListModeDataReader(stream)
    found: list[Any] = []
    for piece in pieces:
        stream.put(piece)
        found += decoder.pop_all()
    return found


def check(events: Events, theirs: list[Any]) -> None:
    """Compare every field that the peer has."""
    assert len(events) == len(theirs)
    for i, peer in enumerate(theirs):
        assert peer.channel == events.channel[i]
        assert peer.slot == events.slot[i]
        assert peer.crate == events.crate[i]
        assert peer.pileup == events.pileup[i]
        assert peer.trace_flag == events.out_of_range[i]
        assert peer.energy == events.energy[i]
        assert peer.timestamp == 10 * int(events.timestamp[i])
        assert peer.CFD_error == events.cfd_forced[i]
        correction_ps = int(events.time_ps[i]) - int(events.timestamp[i]) * 10_000
        if events.cfd_valid[i] or events.cfd_forced[i]:
            assert correction_ps == pytest.approx(1000 * peer.CFD_fraction, abs=0.5)
        else:
            # The excused fault.
            assert (peer.CFD_fraction, correction_ps) == (-2.0, 0)
        check_blocks(events, i, peer)


def check_blocks(events: Events, i: int, peer: Any) -> None:
    """Compare the optional blocks of event `i`; -1 is the peer's "not there"."""
    columns = events.columns
    if "esum_valid" in columns and events.esum_valid[i]:
        assert peer.Esum_trailing == events.esum_trailing[i]
        assert peer.Esum_leading == events.esum_leading[i]
        assert peer.Esum_gap == events.esum_gap[i]
        assert peer.baseline == events.baseline[i]
    else:
        assert peer.Esum_trailing == -1
    if "qdc_valid" in columns and events.qdc_valid[i]:
        sums = [getattr(peer, f"QDCSum{k}") for k in range(8)]
        assert sums == events.qdc[i].tolist()
    else:
        assert peer.QDCSum0 == -1
    if "external_timestamp_valid" in columns and events.external_timestamp_valid[i]:
        # The peer keeps 48 of the 64 bits.
        assert peer.ext_timestamp == int(events.external_timestamp[i]) & (1 << 48) - 1
    else:
        assert peer.ext_timestamp == -1
    ours = events.trace(i).tolist() if "trace_samples" in columns else []
    assert list(peer.trace) == ours


@pytest.mark.parametrize("name", ["headers.bin", "traces.bin"])
def test_recorded_data(reader: ModuleType, real_data: Path, name: str) -> None:
    words = np.fromfile(real_data / name, "<u4")
    check(decode(words, NEWEST).events, peer_events(reader, [words]))


@pytest.mark.parametrize("seed", range(5))
def test_random_streams(reader: ModuleType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(
        NEWEST,
        400,
        rng,
        header_lengths=(4, 8, 12, 16, 18),
        trace_lengths=(0, 0, 2, 100),
        modules=((0, 2), (5, 14)),
    )
    words = encode(events, NEWEST)
    check(decode(words, NEWEST).events, peer_events(reader, [words]))


def test_cutting_breaks_the_peer_and_not_us(reader: ModuleType) -> None:
    """Why the streams above come in one piece; ours may be cut anywhere."""
    rng = np.random.default_rng(1)
    events = random_events(NEWEST, 9, rng, header_lengths=(8,), trace_lengths=(200,))
    words = encode(events, NEWEST)
    pieces = [words[:150], words[150:]]
    assert len(peer_events(reader, pieces)) != len(events)
    decoder = StreamDecoder(NEWEST)
    for piece in pieces:
        decoder.feed(piece)
    assert decoder.finish().events.equals(events)
