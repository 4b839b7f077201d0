"""What must hold of a run on the disk, however it ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pixie_pipe.events import Events
from pixie_pipe.listmode import Layout
from pixie_pipe.storage import read_hdf5, read_raw

if TYPE_CHECKING:
    from pixie_pipe.storage.run_directory import RunDirectory

LAYOUT = Layout.find(500, 34688)


def raw_words(directory: Path) -> dict[str, np.ndarray]:
    """Return the words of each stream that are in raw files."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(directory.glob("*.bin")):
        found.setdefault(path.name.rsplit("-", 1)[0], []).append(path.read_bytes())
    return {
        name: np.frombuffer(b"".join(parts), "<u4") for name, parts in found.items()
    }


def check_raw(
    run: RunDirectory, layout: Layout | Mapping[str, Layout] = LAYOUT
) -> Events:
    """Decode all raw files; all words are there but those of the last event.

    The record of the run must tell the words that are there. The layout may differ by
    stream.
    """
    parts = []
    streams = {file.stream for file in run.files}
    assert set(raw_words(run.raw)) == streams
    for stream in sorted(streams):
        files = [file for file in run.files if file.stream == stream]
        for file in files:
            assert (run.raw / file.name).stat().st_size == file.bytes == 4 * file.words
        known = layout if isinstance(layout, Layout) else layout[stream]
        decoded = read_raw([run.raw / file.name for file in files], known)
        assert decoded.rejected.size == 0
        assert decoded.balance.read == sum(file.words for file in files)
        # Two samples of a trace are a word; a header has at most 18.
        lengths = getattr(decoded.events, "trace_length", np.zeros(0, int))
        longest = int(lengths.max(initial=0)) // 2
        assert decoded.balance.leftover < 18 + longest
        parts.append(decoded.events)
    return Events.concatenate(parts)


def check_written(run: RunDirectory, recorded: Events) -> int:
    """Read the file of events if there is one; all its events were recorded.

    Returns the number of events that were written.
    """
    paths = [
        run.path / name
        for name in ("events.h5", "events-incomplete.h5")
        if (run.path / name).exists()
    ]
    assert len(paths) <= 1
    if not paths:
        return 0
    written = read_hdf5(paths[0])
    assert np.isin(written.timestamp, recorded.timestamp).all()
    assert not list(run.path.rglob("*.part"))
    return len(written)
