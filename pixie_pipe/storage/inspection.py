"""Read raw files to tell what is in them, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.listmode.decoder import decode
from pixie_pipe.listmode.layout import Layout
from pixie_pipe.listmode.result import Balance, Decoded, RejectReason
from pixie_pipe.listmode.stream import StreamDecoder
from pixie_pipe.storage.notes import RejectionTally, stream_notes
from pixie_pipe.storage.raw import PieceReader, open_raw, read_into, size_of
from pixie_pipe.storage.survey import Survey, SurveyResult

if TYPE_CHECKING:
    from pixie_pipe.listmode.words import ByteOrder
    from pixie_pipe.storage.provenance import SourceFile
    from pixie_pipe.storage.streams import Stream

_WORD_BYTES = 4

_TRIED_BYTES = 1 << 20

Progress = Callable[[int, int, int], None]
"""Called with the bytes read, the bytes of all files, and the events so far."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A stretch of words that belongs to no event.

    Attributes
    ----------
    path
        File in which it begins.
    byte_offset
        Where in this file, in bytes. A multiple of four unless an earlier file of
        the stream ends within a word.
    word_count
        Its length in words.
    reason
        What is wrong where it begins.
    """

    path: Path
    byte_offset: int
    word_count: int
    reason: RejectReason


@dataclass(frozen=True, slots=True)
class RejectionCount:
    """How much was rejected for one reason, in stretches and words."""

    reason: RejectReason
    stretches: int
    words: int


@dataclass(frozen=True, slots=True)
class StreamInspection:
    """What became of one stream: its files as they were read, and its words."""

    stream: Stream
    sources: tuple[SourceFile, ...]
    events: int
    balance: Balance


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is in some streams.

    Attributes
    ----------
    streams
        Files and balance of each stream.
    survey
        Modules and channels.
    rejections
        The first stretches of rejected words.
    rejection_counts
        All rejected words, by reason.
    notes
        One sentence for each thing that is not as a complete run leaves it.
    """

    streams: tuple[StreamInspection, ...]
    survey: SurveyResult
    rejections: tuple[Rejection, ...]
    rejection_counts: tuple[RejectionCount, ...]
    notes: tuple[str, ...]

    @property
    def balance(self) -> Balance:
        """Where the words of all streams went."""
        return sum((stream.balance for stream in self.streams), Balance())

    @property
    def rejected_stretches(self) -> int:
        """Number of stretches of rejected words."""
        return sum(count.stretches for count in self.rejection_counts)


def inspect_streams(
    streams: Sequence[Stream],
    *,
    byte_order: ByteOrder = "little",
    max_event_length: int | None = None,
    keep_rejections: int = 1000,
    progress: Progress | None = None,
) -> Inspection:
    """Read all files once and tell what is in them.

    Parameters
    ----------
    streams
        The streams, from `assign_streams`.
    byte_order, max_event_length
        As for `decode`.
    keep_rejections
        How many rejections are kept with their place; all are counted.
    progress
        Called after each piece of a file.

    Returns
    -------
    Inspection
        Counts, times, spectra and rejections.

    Raises
    ------
    RawFileError
        If a file cannot be read.
    LayoutError
        If the modules or `max_event_length` are impossible in a layout.
    """
    total = sum(size_of(path) for stream in streams for path in stream.paths)
    scan = _Scan(byte_order, max_event_length, keep_rejections, total, progress)
    inspected = tuple(map(scan.read, streams))
    counts = tuple(
        RejectionCount(reason, *scan.counts[reason]) for reason in sorted(scan.counts)
    )
    return Inspection(
        streams=inspected,
        survey=scan.survey.result(),
        rejections=tuple(scan.rejections),
        rejection_counts=counts,
        notes=tuple(scan.notes),
    )


class _Scan:
    """Reads streams one after the other and adds up what is in them."""

    def __init__(
        self,
        byte_order: ByteOrder,
        max_event_length: int | None,
        keep_rejections: int,
        total_bytes: int,
        progress: Progress | None,
    ) -> None:
        self._byte_order = byte_order
        self._max_event_length = max_event_length
        self._keep = keep_rejections
        self._total_bytes = total_bytes
        self._progress = progress
        self._bytes_before = 0
        self._events = 0
        self.survey = Survey()
        self.rejections: list[Rejection] = []
        self.counts: dict[RejectReason, tuple[int, int]] = {}
        self.notes: list[str] = []

    def read(self, stream: Stream) -> StreamInspection:
        decoder = StreamDecoder(
            stream.layout,
            modules=stream.modules,
            max_event_length=self._max_event_length,
            byte_order=self._byte_order,
        )
        reader = PieceReader(stream.paths)
        tally = RejectionTally()
        kept: list[np.void] = []
        events_before = self._events
        for part in _decoded(decoder, reader):
            self.survey.add(part.events)
            self._events += len(part.events)
            tally.add(part.rejected)
            self._count(part.rejected)
            if part.rejected.size and len(kept) < self._keep:
                kept += list(part.rejected[: self._keep - len(kept)])
            if self._progress is not None:
                done = self._bytes_before + reader.bytes_read
                self._progress(done, max(self._total_bytes, done), self._events)
        self._bytes_before += reader.bytes_read
        sources = reader.sources
        room = max(self._keep - len(self.rejections), 0)
        self.rejections += [_located(row, reader) for row in kept[:room]]
        self.notes += stream_notes(sources, decoder.balance, tally)
        return StreamInspection(
            stream, sources, self._events - events_before, decoder.balance
        )

    def _count(self, rejected: NDArray[np.void]) -> None:
        for number in np.unique(rejected["reason"]).tolist():
            reason = RejectReason(number)
            words = rejected["word_count"][rejected["reason"] == number]
            before = self.counts.get(reason, (0, 0))
            self.counts[reason] = (before[0] + words.size, before[1] + int(words.sum()))


def _decoded(decoder: StreamDecoder, reader: PieceReader) -> Iterator[Decoded]:
    for piece in reader:
        decoder.feed(piece)
        yield decoder.take()
    yield decoder.finish()


def _located(row: np.void, reader: PieceReader) -> Rejection:
    """Return a rejection with its place in a file instead of the stream."""
    word_offset = int(row["word_offset"])
    index = int(reader.source_of(np.array([word_offset]))[0])
    before = sum(source.size for source in reader.sources[:index])
    return Rejection(
        path=reader.sources[index].path,
        byte_offset=word_offset * _WORD_BYTES - before,
        word_count=int(row["word_count"]),
        reason=RejectReason(int(row["reason"])),
    )


def fitting_layouts(path: Path) -> dict[Layout, ByteOrder]:
    """Return the known layouts in which the start of a file decodes.

    Several do, as a rule: the generations differ in few bits.

    Parameters
    ----------
    path
        A raw file.

    Returns
    -------
    dict
        Layouts with which more words decode than are rejected, and the byte
        order; those that decode the most words first.

    Raises
    ------
    RawFileError
        If the file cannot be read.
    """
    buffer = bytearray(_TRIED_BYTES)
    with open_raw(path) as file:
        data = memoryview(buffer)[: read_into(path, file, memoryview(buffer))]
    orders: tuple[ByteOrder, ...] = ("little", "big")
    found: list[tuple[int, Layout, ByteOrder]] = []
    for layout in Layout.known():
        for order in orders:
            balance = decode(data, layout, byte_order=order).balance
            if balance.decoded > balance.rejected:
                found.append((balance.decoded, layout, order))
    found.sort(key=lambda item: item[0], reverse=True)
    return {layout: order for _, layout, order in found}
