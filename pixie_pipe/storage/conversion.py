"""Convert raw files to a file of events, in memory that does not grow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pixie_pipe.listmode.result import Balance, Decoded
from pixie_pipe.listmode.stream import StreamDecoder
from pixie_pipe.storage.notes import RejectionTally, stream_notes
from pixie_pipe.storage.probing import modules_of
from pixie_pipe.storage.provenance import (
    Module,
    Provenance,
    SourceFile,
    StreamRecord,
)
from pixie_pipe.storage.raw import PathLike, PieceReader, size_of
from pixie_pipe.storage.writer import EventWriter, OutputError, open_writer

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.listmode.words import ByteOrder
    from pixie_pipe.storage.streams import Stream

Progress = Callable[[int, int, int], None]
"""Called with the bytes read so far, those of all files, and the events so far."""

_PROGRESS_PERIOD = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What became of one stream.

    Attributes
    ----------
    stream
        The stream.
    events
        Number of events.
    balance
        Where its words went.
    modules
        (crate, slot) of the modules that have events.
    sources
        Its files with sizes and checksums.
    """

    stream: Stream
    events: int
    balance: Balance
    modules: tuple[Module, ...]
    sources: tuple[SourceFile, ...]


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """What a conversion did.

    Attributes
    ----------
    output
        The file that was written.
    events
        Number of events in it.
    input_bytes, output_bytes
        Sizes of all raw files and of the output.
    streams
        What became of each stream.
    rejected_stretches
        How many stretches of words belong to no event; `balance` counts the words.
    notes
        One sentence for each thing that was lost or is odd; none for complete runs.
    seconds
        How long it took.
    """

    output: Path
    events: int
    input_bytes: int
    output_bytes: int
    streams: tuple[StreamReport, ...]
    rejected_stretches: int
    notes: tuple[str, ...]
    seconds: float

    @property
    def balance(self) -> Balance:
        """Where the words of all streams went."""
        return sum((report.balance for report in self.streams), Balance())


def convert(
    streams: Iterable[Stream],
    output: PathLike,
    *,
    compression: str | None = None,
    force: bool = False,
    byte_order: ByteOrder = "little",
    max_event_length: int | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> ConversionReport:
    """Decode streams of raw files into one file of events.

    The events of a stream are consecutive rows, in the order of its words. Memory
    does not grow with the size of the files.

    Parameters
    ----------
    streams
        From `assign_streams`, or made by hand.
    output
        The file to write; its ending chooses the format: ``.h5``, ``.hdf5`` or
        ``.parquet``. It appears when it is complete.
    compression
        For HDF5 ``"bitshuffle-lz4"`` (default), ``"gzip"`` or ``"none"``; for
        Parquet ``"zstd"`` (default), ``"gzip"`` or ``"none"``.
    force
        Replace an output that exists.
    byte_order, max_event_length
        As for `StreamDecoder`.
    command
        The command line or call, kept in the output.
    progress
        Called at most ten times a second, and once at the end.

    Returns
    -------
    ConversionReport
        Events, balance, notes.

    Raises
    ------
    OutputError
        If the ending or the compression is unknown, or the output is an input.
    OutputExistsError, OutputPathError
        If the output exists and `force` is not set, or cannot be written.
    RawFileError
        If a raw file cannot be read.
    LayoutError
        If a module or the longest event is impossible in the layout.
    """
    started = time.monotonic()
    work = list(streams)
    path = Path(output)
    _refuse_inputs(path, work)
    total = sum(size_of(file) for stream in work for file in stream.paths)
    meter = _Meter(progress, total)
    notes: list[str] = []
    reports: list[StreamReport] = []
    stretches = 0
    with (
        open_writer(path, compression=compression, force=force) as writer,
        ThreadPoolExecutor(1, "writer") as executor,
    ):
        for number, stream in enumerate(work):
            conversion = _StreamConversion(
                number, sum(len(report.sources) for report in reports), stream
            )
            decoder = StreamDecoder(
                stream.layout,
                modules=stream.modules,
                byte_order=byte_order,
                max_event_length=max_event_length,
            )
            reports.append(conversion.run(decoder, writer, executor, meter))
            notes += conversion.notes()
            stretches += conversion.rejections.stretches
        writer.describe(_provenance(reports, byte_order, command))
    meter.finish()
    return ConversionReport(
        output=path,
        events=meter.events,
        input_bytes=meter.done,
        output_bytes=path.stat().st_size,
        streams=tuple(reports),
        rejected_stretches=stretches,
        notes=tuple(notes),
        seconds=time.monotonic() - started,
    )


class _StreamConversion:
    """The conversion of one stream."""

    def __init__(self, number: int, first_source: int, stream: Stream) -> None:
        self._number = number
        self._first_source = first_source
        self._stream = stream
        self._reader = PieceReader(stream.paths, checksums=True)
        self._modules: set[Module] = set()
        self._balance = Balance()
        self.rejections = RejectionTally()

    def run(
        self,
        decoder: StreamDecoder,
        writer: EventWriter,
        executor: ThreadPoolExecutor,
        meter: _Meter,
    ) -> StreamReport:
        before = meter.events
        behind = _OneBehind(executor)
        for piece in self._reader:
            decoder.feed(piece)
            decoded = decoder.take()
            self._hand_over(decoded, writer, behind)
            meter.advance(len(piece), len(decoded.events))
            # The memory of the batch goes back to the decoder when it is written.
            del decoded
        last = decoder.finish()
        self._hand_over(last, writer, behind)
        meter.advance(0, len(last.events))
        behind.wait()
        self._balance = last.balance
        return StreamReport(
            stream=self._stream,
            events=meter.events - before,
            balance=last.balance,
            modules=tuple(sorted(self._modules)),
            sources=self._reader.sources,
        )

    def notes(self) -> Iterable[str]:
        return stream_notes(self._reader.sources, self._balance, self.rejections)

    def _hand_over(
        self, decoded: Decoded, writer: EventWriter, behind: _OneBehind
    ) -> None:
        if len(decoded.events):
            self._modules.update(modules_of(decoded.events))
            behind.submit(writer.write, decoded.events)
        if decoded.rejected.size:
            behind.wait()
            self.rejections.add(decoded.rejected)
            source = self._reader.source_of(decoded.rejected["word_offset"])
            writer.write_rejected(
                decoded.rejected,
                stream=self._number,
                source=source + self._first_source,
            )


class _OneBehind:
    """Runs the writer in a second thread, one batch behind the decoder."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor
        self._future: Future[None] | None = None

    def submit(self, write: Callable[[Events], None], events: Events) -> None:
        self.wait()
        self._future = self._executor.submit(write, events)

    def wait(self) -> None:
        """Wait for the last batch; raises what the writer raised."""
        if self._future is not None:
            self._future.result()
            self._future = None


class _Meter:
    """Counts, and tells how far the conversion is, not too often."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._next = time.monotonic()
        self.done = 0
        self.events = 0

    def advance(self, size: int, events: int) -> None:
        self.done += size
        self.events += events
        now = time.monotonic()
        if self._progress is not None and now >= self._next:
            self._next = now + _PROGRESS_PERIOD
            self._progress(self.done, self._total, self.events)

    def finish(self) -> None:
        if self._progress is not None:
            self._progress(self.done, self._total, self.events)


def _refuse_inputs(output: Path, streams: Sequence[Stream]) -> None:
    if not output.exists():
        return
    for stream in streams:
        for path in stream.paths:
            if path.exists() and output.samefile(path):
                raise OutputError(
                    f"{output}: is one of the raw files, expected another name for "
                    f"the output"
                )


def _provenance(
    reports: Sequence[StreamReport], byte_order: ByteOrder, command: str
) -> Provenance:
    return Provenance(
        streams=tuple(
            StreamRecord(
                layout=report.stream.layout,
                modules=report.modules,
                sources=report.sources,
                balance=report.balance,
                events=report.events,
                byte_order=byte_order,
            )
            for report in reports
        ),
        command=command,
    )
