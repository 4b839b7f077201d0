"""Events of raw files, row by row as they are asked for, without a file of events.

Once, when the number of events is first asked for, all words are decoded: that tells
the number of events, the blocks, the limits of time, and places in the streams where
decoding can begin again. Rows are then decoded from the place before them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.buffers import BufferPool
from pixie_pipe.events import Block, Events
from pixie_pipe.listmode.result import Balance
from pixie_pipe.listmode.stream import StreamDecoder
from pixie_pipe.storage.notes import RejectionTally, stream_notes
from pixie_pipe.storage.probing import modules_of
from pixie_pipe.storage.provenance import Module, Provenance, SourceFile, StreamRecord
from pixie_pipe.storage.raw import (
    PIECE_BYTES,
    DataWarning,
    PieceReader,
    RawFileError,
    open_raw,
    read_into,
    size_of,
)
from pixie_pipe.storage.time_index import STRETCH
from pixie_pipe.storage.writer import only, with_traces

if TYPE_CHECKING:
    from pixie_pipe.listmode.words import ByteOrder
    from pixie_pipe.storage.streams import Stream

_WORD_BYTES = 4


@dataclass(slots=True)
class _Scanned:
    """What is known of one stream when it has been decoded once."""

    stream: Stream
    places: list[tuple[int, int]] = field(default_factory=list)
    """Row of the stream and byte at which decoding can begin, ascending."""
    events: int = 0
    balance: Balance = field(default_factory=Balance)
    modules: set[Module] = field(default_factory=set)
    sources: tuple[SourceFile, ...] = ()


class RawReader:
    """Reads events of raw files; an `EventReader`.

    The rows of a stream are in the order of its words, and streams follow each other.

    Parameters
    ----------
    streams
        From `assign_streams`, or made by hand.
    byte_order, max_event_length
        As for `StreamDecoder`.
    name
        What the events are read from, for people.

    Warns
    -----
    DataWarning
        When the files are first read: for rejected words, an incomplete last event,
        odd bytes at the end and empty files.
    """

    def __init__(
        self,
        streams: Iterable[Stream],
        *,
        byte_order: ByteOrder = "little",
        max_event_length: int | None = None,
        name: str | None = None,
    ) -> None:
        self._streams = tuple(streams)
        self._byte_order: ByteOrder = byte_order
        self._max_event_length = max_event_length
        self._name = name
        self._pool = BufferPool()
        self._blocks: set[Block] = {Block.CORE}
        self._index: list[tuple[int, int, int, int]] = []

    def __len__(self) -> int:
        return sum(scanned.events for scanned in self._scanned)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of all blocks that some event has."""
        assert self._scanned is not None
        return Events.empty(self._blocks).columns

    @property
    def name(self) -> str:
        """What the events are read from."""
        if self._name is not None:
            return self._name
        paths = [path for stream in self._streams for path in stream.paths]
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        return f"{paths[0]}{more}" if paths else "no files"

    @cached_property
    def size(self) -> int:
        """Size of all files in bytes."""
        return sum(size_of(path) for stream in self._streams for path in stream.paths)

    @property
    def provenance(self) -> Provenance:
        """Layouts, files and balance of the streams."""
        return Provenance(
            tuple(
                StreamRecord(
                    layout=scanned.stream.layout,
                    modules=tuple(sorted(scanned.modules)),
                    sources=scanned.sources,
                    balance=scanned.balance,
                    events=scanned.events,
                    byte_order=self._byte_order,
                )
                for scanned in self._scanned
            )
        )

    @property
    def time_index(self) -> NDArray[np.void]:
        """Limits of time of stretches of rows."""
        assert self._scanned is not None
        return np.array(self._index, STRETCH)

    def read(self, first: int, behind: int, columns: Iterable[str]) -> Events:
        """Return some rows; see `EventReader.read`.

        Raises
        ------
        RawFileError
            If a file cannot be read, or has changed.
        """
        wanted = with_traces(columns)
        # Has the blocks that these rows may not have.
        parts = [Events.empty(self._blocks if self._scanned else ())]
        start = 0
        for scanned in self._scanned:
            low, high = max(first - start, 0), min(behind - start, scanned.events)
            if low < high:
                parts += self._rows(scanned, low, high)
            start += scanned.events
        events = Events.concatenate(parts)
        if len(events) != behind - first:
            raise RawFileError(
                f"{self.name}: has {len(events)} of {behind - first} events that were "
                f"there before; the files have changed, open them again"
            )
        return only(events, wanted)

    def close(self) -> None:
        """Do nothing: files are open only while they are read."""

    def _decoder(self, stream: Stream) -> StreamDecoder:
        return StreamDecoder(
            stream.layout,
            modules=stream.modules,
            byte_order=self._byte_order,
            max_event_length=self._max_event_length,
            pool=self._pool,
        )

    @cached_property
    def _scanned(self) -> tuple[_Scanned, ...]:
        rows = 0
        found = []
        for stream in self._streams:
            scanned = self._scan(stream, rows)
            rows += scanned.events
            found.append(scanned)
        return tuple(found)

    def _scan(self, stream: Stream, first_row: int) -> _Scanned:
        scanned = _Scanned(stream, places=[(0, 0)])
        decoder = self._decoder(stream)
        reader = PieceReader(stream.paths)
        rejections = RejectionTally()
        listed = 0
        for piece in reader:
            decoder.feed(piece)
            decoded = decoder.take()
            rejections.add(decoded.rejected)
            listed += int(decoded.rejected["word_count"].sum())
            self._see(scanned, decoded.events, first_row)
            balance = decoded.balance
            # Not in the middle of words that are being rejected: what begins there
            # might be taken for an event.
            if balance.rejected == listed:
                done = balance.decoded + balance.rejected
                scanned.places.append((scanned.events, done * _WORD_BYTES))
        last = decoder.finish()
        rejections.add(last.rejected)
        self._see(scanned, last.events, first_row)
        scanned.balance = last.balance
        scanned.sources = reader.sources
        for note in stream_notes(reader.sources, last.balance, rejections):
            warnings.warn(note, DataWarning, stacklevel=2)
        return scanned

    def _see(self, scanned: _Scanned, events: Events, first_row: int) -> None:
        if not events:
            return
        row = first_row + scanned.events
        limits = int(events.time_ps.min()), int(events.time_ps.max())
        self._index.append((row, len(events), *limits))
        self._blocks.update(events.blocks)
        scanned.modules.update(modules_of(events))
        scanned.events += len(events)

    def _rows(self, scanned: _Scanned, first: int, behind: int) -> list[Events]:
        """Decode rows of one stream."""
        row, byte = max(place for place in scanned.places if place[0] <= first)
        decoder = self._decoder(scanned.stream)
        parts = []

        def keep(events: Events) -> int:
            low, high = max(first - row, 0), min(behind - row, len(events))
            if low < high:
                parts.append(events[low:high])
            return row + len(events)

        for piece in _pieces_from(scanned.stream.paths, byte):
            decoder.feed(piece)
            row = keep(decoder.take().events)
            if row >= behind:
                return parts
        keep(decoder.finish().events)
        return parts


def _pieces_from(paths: Sequence[Path], byte: int) -> Iterator[memoryview]:
    """Read files, one behind the other, from a byte on."""
    left = sum(map(size_of, paths)) - byte
    buffer = memoryview(bytearray(min(PIECE_BYTES, max(left, 1))))
    for path in paths:
        with open_raw(path) as file:
            size = size_of(path)
            if byte >= size:
                byte -= size
                continue
            file.seek(byte)
            byte = 0
            while count := read_into(path, file, buffer):
                yield buffer[:count].toreadonly()
