"""Reading a raw file, beside pypixie16's reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pixie_pipe.bench.data import LAYOUT, SAMPLES
from pixie_pipe.bench.figures import Section, Table, figure, ratio
from pixie_pipe.bench.measuring import MILLION, timed
from pixie_pipe.bench.peers import peer_reader
from pixie_pipe.listmode import encode
from pixie_pipe.storage import read_events
from pixie_pipe.testing.generators import random_events

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

_CASES: Final[dict[str, tuple[int, dict[str, Any]]]] = {
    "header only": (200_000, {}),
    "every column (18 words)": (100_000, {"header_lengths": (18,)}),
    f"{SAMPLES}-sample traces": (40_000, {"trace_lengths": (SAMPLES,)}),
}
_REPEATS: Final = 9


def measure(settings: Settings) -> Section:
    """Measure three kinds of events."""
    raw = settings.directory / "raw.bin"
    rows = {}
    for name, (usual, kinds) in _CASES.items():
        events = settings.events(usual)
        table = random_events(LAYOUT, events, np.random.default_rng(1), **kinds)
        raw.write_bytes(encode(table, LAYOUT).tobytes())
        read = peer_reader(raw) if settings.peers else None
        ours, theirs = [], []
        for _ in range(settings.rounds):
            repeats = [timed(lambda: read_events(raw, LAYOUT)) for _ in range(_REPEATS)]
            ours.append(sorted(repeats)[_REPEATS // 2])
            if read is not None:
                theirs.append(timed(read))
        row = {"M events/s": figure([events / one / MILLION for one in ours])}
        if theirs:
            row["pypixie16, M events/s"] = figure(
                [events / one / MILLION for one in theirs]
            )
            row["times pypixie16"] = ratio(theirs, ours)
        rows[name] = row
    raw.unlink()
    return Section(
        "Reading a file",
        "`read_events` of a small raw file in the page cache, into fresh memory. "
        "pypixie16 makes a list of objects of it, pixie_pipe a table.",
        (Table("events", rows),),
    )
