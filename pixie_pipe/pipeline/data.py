"""What travels between tasks: words, chunks, events, and the marks between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from numpy.typing import NDArray

from pixie_pipe.listmode.layout import Layout

if TYPE_CHECKING:
    import numpy as np

Module = tuple[int, int]
"""(crate, slot) of a module."""


class Kind(StrEnum):
    """Kinds of data. A task says which it reads and writes."""

    WORDS = "words"
    CHUNKS = "chunks"
    EVENTS = "events"
    REJECTED = "rejected"
    MARKS = "marks"
    ARRAYS = "arrays"
    OBJECTS = "objects"

    @property
    def description(self) -> str:
        """One line for people."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    Kind.WORDS: "list-mode words of one stream, as read, cut anywhere",
    Kind.CHUNKS: "list-mode words of one stream, cut at event boundaries",
    Kind.EVENTS: "batches of events",
    Kind.REJECTED: "rows of rejected words",
    Kind.MARKS: "begin and end of streams",
    Kind.ARRAYS: "NumPy arrays",
    Kind.OBJECTS: "numbers, texts, lists and dictionaries",
}


class Stream(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One stream of words: who sends it and how to decode it.

    Attributes
    ----------
    source
        Name of the task that sends it.
    number
        Its number among those of the source, from 0.
    name
        Short name, also of its raw files, such as ``c0-s02``.
    layout
        The layout as `Layout.to_dict` gives it.
    modules
        (crate, slot) of the modules that can appear; None accepts any.
    files
        The raw files that it is read from, if it is.
    max_event_length
        Longest event that can appear, in words; None: the layout's limit.
    """

    source: str
    number: int
    name: str
    layout: dict[str, Any]
    modules: tuple[Module, ...] | None = None
    files: tuple[str, ...] = ()
    max_event_length: int | None = None

    @property
    def key(self) -> StreamKey:
        """(source, number): unique in a pipeline."""
        return self.source, self.number

    @cached_property
    def decoding(self) -> Layout:
        """The layout of its modules."""
        return Layout.from_dict(self.layout)

    def __str__(self) -> str:
        return f"{self.source}/{self.name}"


StreamKey = tuple[str, int]
"""(source, number) of a stream."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words of one stream as they were read; they may be cut anywhere.

    Attributes
    ----------
    words
        Shape (n,), uint32.
    stream
        The stream that they belong to.
    offset
        Position of the first word in the stream.
    time_ns
        Host's clock when they were read, in ns since the epoch.
    final
        Whether the stream ends with them.
    trailing
        Bytes behind the last whole word, at most 3; only where the stream ends.
    """

    words: NDArray[np.uint32]
    stream: Stream
    offset: int
    time_ns: int = 0
    final: bool = False
    trailing: bytes = b""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Words of one stream, cut at event boundaries: it can be decoded by itself.

    Attributes
    ----------
    words
        Shape (n,), uint32; the last `look_ahead` of them come again in the next chunk.
    stream, offset, time_ns, final, trailing
        As for `Words`.
    state, look_ahead
        What a decoder must know of the stream before and behind; see `Cut`.
    """

    words: NDArray[np.uint32]
    stream: Stream
    offset: int
    state: bytes
    look_ahead: int = 0
    time_ns: int = 0
    final: bool = False
    trailing: bytes = b""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Words of one stream that belong to no event: rows of type `REJECTED`."""

    rows: NDArray[np.void]
    stream: Stream


@dataclass(frozen=True, slots=True)
class StreamMark:
    """Tells that a stream begins, when its modules were started, or that it has ended.

    Attributes
    ----------
    stream
        The stream.
    ended
        Whether it has ended.
    starts_ns
        Host's clock when the modules of each of its runs were started, in ns since the
        epoch; empty if that is not known, or not yet.
    times
        At its end: what became of its times on the way, plain data, for the files.
    """

    stream: Stream
    ended: bool = False
    starts_ns: tuple[int, ...] = ()
    times: Mapping[str, Any] = field(default_factory=dict)


class Origin(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Where data came from: shown in errors, and kept along the way."""

    source: str
    stream: int
    offset: int = 0
    time_ns: int = 0
    name: str = ""

    def __str__(self) -> str:
        name = f" ({self.name})" if self.name else ""
        return f"{self.source}, stream {self.stream}{name}, word {self.offset}"


class Tally(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What became of words of one stream: rides along with the frames.

    Every word that a converter was given is in one of the four counts.
    """

    decoded: int = 0
    rejected: int = 0
    leftover: int = 0
    trailing_bytes: int = 0
    events: int = 0

    def add(self, other: Tally) -> None:
        """Add what `other` counts."""
        self.decoded += other.decoded
        self.rejected += other.rejected
        self.leftover += other.leftover
        self.trailing_bytes += other.trailing_bytes
        self.events += other.events

    @property
    def words(self) -> int:
        """Whole words that are accounted for."""
        return self.decoded + self.rejected + self.leftover


Tallies = dict[StreamKey, Tally]


@dataclass(slots=True)
class Counts:
    """How much data passed: frames, bytes, words and events."""

    frames: int = 0
    bytes: int = 0
    words: int = 0
    events: int = 0
    dropped_frames: int = 0
    dropped_events: int = 0
    dropped_words: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a report; what is zero is left out."""
        numbers = {
            name: getattr(self, name)
            for name in (
                "frames",
                "bytes",
                "words",
                "events",
                "dropped_frames",
                "dropped_events",
                "dropped_words",
            )
        }
        return {name: value for name, value in numbers.items() if value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Counts:
        """Make the counts that `to_dict` described."""
        return cls(**values)
