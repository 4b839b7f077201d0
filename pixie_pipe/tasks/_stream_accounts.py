"""What a file of events says about the streams that its events come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.listmode.chunk_decoder import join_touching
from pixie_pipe.listmode.result import Balance
from pixie_pipe.pipeline.data import Module, Stream, StreamKey, Tally
from pixie_pipe.storage.provenance import SourceFile, StreamRecord
from pixie_pipe.storage.raw import containing_file
from pixie_pipe.storage.raw_recorder import CHECKSUMS, split_file_name

if TYPE_CHECKING:
    from pixie_pipe.events import Events

MOST_REJECTIONS = 1 << 20
"""Stretches of rejected words that are listed in the file; all words are counted."""

_WORD_BYTES = 4
_SLOTS = 256


class StreamAccounts:
    """Collects what is known of each stream while its events are written.

    Attributes
    ----------
    unlisted
        Stretches of rejected words beyond those that are kept.
    """

    def __init__(self) -> None:
        self._streams: dict[StreamKey, Stream] = {}
        self._times: dict[StreamKey, Mapping[str, Any]] = {}
        self._seen = np.zeros(1 << 16, np.bool_)
        self._seen_of: dict[StreamKey, set[Module]] = {}
        self._rejected: dict[StreamKey, list[NDArray[np.void]]] = {}
        self._kept = 0
        self.unlisted = 0

    @property
    def are_empty(self) -> bool:
        """Whether nothing has come of any stream."""
        return not self._streams

    def note(self, stream: Stream, times: Mapping[str, Any] | None = None) -> None:
        """Note a stream, or what its last mark tells of it and of its times."""
        self._streams[stream.key] = stream
        self._times[stream.key] = times or {}

    def see(self, events: Events, key: StreamKey | None) -> None:
        """Note the modules of a batch; `key` is its stream, if it has only one."""
        modules = _modules(events)
        self._seen[modules] = True
        if key is not None:
            known = self._seen_of.setdefault(key, set())
            known.update((number // _SLOTS, number % _SLOTS) for number in modules)

    def reject(self, rows: NDArray[np.void], stream: Stream) -> None:
        """Keep rejected words, as far as there is room."""
        self._streams.setdefault(stream.key, stream)
        room = MOST_REJECTIONS - self._kept
        self.unlisted += max(0, rows.size - room)
        rows = rows[:room].copy()
        self._kept += rows.size
        self._rejected.setdefault(stream.key, []).append(rows)

    def records(
        self, tallies: Mapping[StreamKey, Tally], directory: Path | None
    ) -> list[StreamRecord]:
        """Return what became of each stream, in the order of their announcement.

        Parameters
        ----------
        tallies
            What became of the words.
        directory
            The run's directory, where its raw files may be.
        """
        recorded = {} if directory is None else recorded_files(directory)
        return [
            self._record(stream, tallies.get(key, Tally()), recorded)
            for key, stream in self._streams.items()
        ]

    def _record(
        self, stream: Stream, tally: Tally, recorded: Mapping[str, list[SourceFile]]
    ) -> StreamRecord:
        size = tally.words * _WORD_BYTES + tally.trailing_bytes
        if stream.files:
            sources = files_read(stream.files, size)
        else:
            own = f"{stream.source}-{stream.name}"
            sources = recorded.get(own) or recorded.get(stream.name) or []
        return StreamRecord(
            layout=stream.decoding,
            modules=self._modules_of(stream),
            sources=tuple(sources),
            balance=Balance(
                read=tally.words,
                decoded=tally.decoded,
                rejected=tally.rejected,
                leftover=tally.leftover,
                trailing_bytes=tally.trailing_bytes,
            ),
            events=tally.events,
            times=self._times.get(stream.key, {}),
        )

    def _modules_of(self, stream: Stream) -> tuple[Module, ...]:
        if stream.modules is None:
            return tuple(sorted(self._seen_of.get(stream.key, ())))
        return tuple(
            (crate, slot)
            for crate, slot in sorted(stream.modules)
            if self._seen[crate * _SLOTS + slot]
        )

    def rejected(
        self, records: Sequence[StreamRecord]
    ) -> Iterator[tuple[NDArray[np.void], int, NDArray[np.int64]]]:
        """Yield the rejected words of each stream, its number, and their files.

        Parameters
        ----------
        records
            From `records`.
        """
        first = 0
        for number, (key, record) in enumerate(
            zip(self._streams, records, strict=True)
        ):
            if key in self._rejected:
                rows = join_touching(np.concatenate(self._rejected[key]))
                yield rows, number, first + _files_of(rows, record.sources)
            first += len(record.sources)


def _modules(events: Events) -> Any:  # noqa: ANN401 - one index, or an array
    """Return the modules of a batch as ``crate * 256 + slot``, as an array."""
    crate, slot = events.crate, events.slot
    if (crate == crate[0]).all():
        first = int(crate[0]) * _SLOTS
        if (slot == slot[0]).all():
            return np.array([first + int(slot[0])])
        return first + np.flatnonzero(np.bincount(slot))
    return np.flatnonzero(np.bincount(crate.astype(np.intp) * _SLOTS + slot))


def _files_of(
    rows: NDArray[np.void], sources: Sequence[SourceFile]
) -> NDArray[np.int64]:
    if not sources:
        return np.zeros(rows.size, np.int64)
    starts = np.cumsum([0, *(source.size for source in sources[:-1])]).tolist()
    return containing_file(starts, rows["word_offset"])


def files_read(paths: Sequence[str], size: int) -> list[SourceFile]:
    """Return the files that a stream of `size` bytes was read from.

    The last of them may have been read in part.
    """
    files: list[SourceFile] = []
    for path in map(Path, paths):
        try:
            there = path.stat().st_size
        except OSError:
            # It was read, and is gone: nobody can tell where the next one begins.
            there = size
        read = min(there, size)
        if read or not there:
            files.append(SourceFile(path, read))
        size -= read
    return files


def recorded_files(directory: Path) -> dict[str, list[SourceFile]]:
    """Return the raw files of a run by stream; paths begin at the run's directory."""
    raw = directory / "raw"
    try:
        lines = (raw / CHECKSUMS).read_text().splitlines()
    except OSError:
        lines = []
    checksums = {name: digits for digits, _, name in (s.partition("  ") for s in lines)}
    found: dict[str, list[tuple[int, SourceFile]]] = {}
    for path in raw.glob("*.bin"):
        stream, number = split_file_name(path.name)
        file = SourceFile(
            path.relative_to(directory),
            path.stat().st_size,
            checksums.get(path.name, ""),
        )
        found.setdefault(stream, []).append((number, file))
    return {
        stream: [file for _, file in sorted(files, key=lambda item: item[0])]
        for stream, files in found.items()
    }
