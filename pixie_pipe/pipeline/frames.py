"""The form of data on a link: a header, then the bare memory of arrays.

The header is a MessagePack struct of fixed form. Arrays travel as they lie in memory
and are read in place: nothing is serialised, nothing can be executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pixie_pipe.events import Events
from pixie_pipe.events._validate import check_traces
from pixie_pipe.events.schema import COLUMN, TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.listmode.result import REJECTED
from pixie_pipe.pipeline.data import (
    Chunk,
    Kind,
    Origin,
    Rejected,
    Stream,
    StreamMark,
    Tally,
    Words,
)
from pixie_pipe.pipeline.messages import Error

FRAME_VERSION: Final = 2

MAX_HEADER_BYTES: Final = 1 << 20
"""Largest header: a stream with very many files and tallies of all streams."""

Buffer = NDArray[Any] | bytes | memoryview


class FrameError(Error):
    """A frame of data that contradicts its header."""


class Header(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What stands before the arrays of a frame.

    Attributes
    ----------
    version
        Version of this form.
    source
        Process that sends it.
    run
        Run of the pipeline that it belongs to.
    sequence
        Number of the frame on its link, from 0 without gaps.
    kind
        A `Kind`, or ``end`` or ``nothing`` for frames without data.
    sizes
        Bytes of each array.
    body
        What the kind needs to know of its arrays.
    order
        Rank of the datum in the order that a pool of workers must keep, or -1.
    last
        Whether no more frames of this rank follow.
    origin
        Where the data came from.
    tallies
        What became of words since the last frame, by source and stream number.
    words, events
        How many of them are inside.
    memory, places
        Name of the shared memory in which the arrays lie, and where; empty if they
        are behind the header.
    """

    version: int
    source: str
    run: int
    sequence: int
    kind: str
    sizes: list[int]
    body: msgspec.Raw
    order: int = -1
    last: bool = True
    origin: Origin | None = None
    tallies: list[tuple[str, int, Tally]] = []
    words: int = 0
    events: int = 0
    memory: str = ""
    places: list[int] = []


END: Final = "end"
"""Kind of the frame behind the last datum of a run."""

NOTHING: Final = "nothing"
"""Kind of a frame that only keeps the order of a pool: a datum gave no output."""


class EndBody(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What the last frame tells: what was sent before it, and whether it is all."""

    frames: int
    words: int
    events: int
    dropped_frames: int = 0
    reasons: list[str] = []


class _EventsBody(
    msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True
):
    count: int
    columns: list[str]
    samples: int = 0


class _WordsBody(
    msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True
):
    stream: Stream
    offset: int
    time_ns: int
    final: bool
    trailing: bytes
    state: bytes = b""
    look_ahead: int = 0


class _MarkBody(
    msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True
):
    stream: Stream
    ended: bool
    starts_ns: tuple[int, ...] = ()
    times: dict[str, Any] = {}


class _ArrayBody(
    msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True
):
    dtype: str
    shape: list[int]


@dataclass(frozen=True, slots=True)
class Packed:
    """A datum in the form of a frame, without the link's part of the header."""

    kind: str
    body: msgspec.Raw
    buffers: Sequence[Buffer]
    sizes: list[int]
    words: int = 0
    events: int = 0
    memory: str = ""
    places: Sequence[int] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(self.sizes)


_encoder = msgspec.msgpack.Encoder()
_header = msgspec.msgpack.Decoder(Header)
_NO_BODY = msgspec.Raw(_encoder.encode(None))


def _pack(
    kind: str,
    body: object,
    arrays: Sequence[NDArray[Any]] = (),
    *,
    words: int = 0,
    events: int = 0,
) -> Packed:
    raw = _NO_BODY if body is None else msgspec.Raw(_encoder.encode(body))
    contiguous = [np.ascontiguousarray(array) for array in arrays]
    sizes = [array.nbytes for array in contiguous]
    return Packed(kind, raw, contiguous, sizes, words, events)


def kind_of(datum: object) -> Kind:
    """Return the kind of a datum.

    Raises
    ------
    FrameError
        If it is none that can be sent.
    """
    for known, kind in _KINDS.items():
        if isinstance(datum, known):
            return kind
    raise FrameError(
        f"cannot send a {type(datum).__name__}: expected Events, Words, Chunk, "
        f"Rejected, StreamMark, a NumPy array, or plain numbers, texts, lists and "
        f"dictionaries"
    )


_KINDS: dict[type, Kind] = {
    Events: Kind.EVENTS,
    Chunk: Kind.CHUNKS,
    Words: Kind.WORDS,
    Rejected: Kind.REJECTED,
    StreamMark: Kind.MARKS,
    np.ndarray: Kind.ARRAYS,
    dict: Kind.OBJECTS,
    list: Kind.OBJECTS,
    tuple: Kind.OBJECTS,
    str: Kind.OBJECTS,
    bytes: Kind.OBJECTS,
    int: Kind.OBJECTS,
    float: Kind.OBJECTS,
}


def pack(datum: object) -> Packed:
    """Bring a datum into the form of a frame; arrays are not copied.

    Raises
    ------
    FrameError
        If it cannot be sent.
    """
    if isinstance(datum, Events):
        return _pack_events(datum)
    if isinstance(datum, (Words, Chunk)):
        state, look_ahead = b"", 0
        if isinstance(datum, Chunk):
            state, look_ahead = datum.state, datum.look_ahead
        body = _WordsBody(
            datum.stream,
            datum.offset,
            datum.time_ns,
            datum.final,
            datum.trailing,
            state,
            look_ahead,
        )
        count = datum.words.size - look_ahead
        return _pack(kind_of(datum), body, [datum.words], words=count)
    if isinstance(datum, Rejected):
        return _pack(Kind.REJECTED, datum.stream, [datum.rows])
    if isinstance(datum, StreamMark):
        times = dict(datum.times)
        mark = _MarkBody(datum.stream, datum.ended, datum.starts_ns, times)
        return _pack(Kind.MARKS, mark)
    if isinstance(datum, np.ndarray):
        return _pack_array(datum)
    return _pack_object(datum)


def pack_nothing() -> Packed:
    """Return the frame that only keeps the order."""
    return _pack(NOTHING, None)


def pack_end(body: EndBody) -> Packed:
    """Return the frame that ends a run."""
    return _pack(END, body)


def _pack_events(events: Events) -> Packed:
    arrays = {name: events[name] for name in events.columns}
    samples = len(events.trace_samples) if TRACE_SAMPLES.name in arrays else 0
    body = _EventsBody(len(events), list(arrays), samples)
    return _pack(Kind.EVENTS, body, list(arrays.values()), events=len(events))


def _pack_array(array: NDArray[Any]) -> Packed:
    if array.dtype.hasobject:
        raise FrameError(
            f"cannot send an array of dtype {array.dtype}: it holds Python objects, "
            f"expected numbers, flags or fixed-size texts"
        )
    if array.dtype.itemsize == 0:
        raise FrameError(f"cannot send an array of dtype {array.dtype}: it is empty")
    if array.dtype.names is not None:
        raise FrameError(
            f"cannot send a structured array with the fields "
            f"{', '.join(array.dtype.names)}: send its fields one by one, or as a "
            f"dictionary of lists"
        )
    return _pack(Kind.ARRAYS, _ArrayBody(array.dtype.str, list(array.shape)), [array])


def _pack_object(datum: object) -> Packed:
    kind_of(datum)
    try:
        content = _encoder.encode(datum)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise FrameError(
            f"cannot send this {type(datum).__name__}: {error}; expected plain "
            f"numbers, texts, lists and dictionaries"
        ) from error
    return _pack(Kind.OBJECTS, None, [np.frombuffer(content, np.uint8)])


def encode_header(header: Header) -> bytes:
    """Return the header as bytes."""
    return _encoder.encode(header)


def decode_header(data: memoryview | bytes) -> Header:
    """Read a header.

    Raises
    ------
    FrameError
        If it is none, or of another version.
    """
    if len(data) > MAX_HEADER_BYTES:
        raise FrameError(
            f"the header of a frame has {len(data)} bytes, expected at most "
            f"{MAX_HEADER_BYTES}"
        )
    try:
        header = _header.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise FrameError(f"the header of a frame cannot be read: {error}") from error
    if header.version != FRAME_VERSION:
        raise FrameError(
            f"a frame has version {header.version}, expected {FRAME_VERSION}; use the "
            f"same pixie_pipe everywhere"
        )
    return header


def unpack(header: Header, buffers: Sequence[memoryview]) -> object:
    """Return the datum of a frame; its arrays are read-only views of the buffers.

    Raises
    ------
    FrameError
        If the arrays are not what the header says.
    """
    sizes = [buffer.nbytes for buffer in buffers]
    if sizes != header.sizes:
        raise FrameError(
            f"frame {header.sequence} from {header.source} has arrays of {sizes} "
            f"bytes, but its header says {header.sizes}"
        )
    try:
        return _unpack(header, buffers)
    except _CONTRADICTIONS as error:
        raise _contradiction(header, error) from error


def end_of(header: Header) -> EndBody:
    """Return what the last frame of a run tells.

    Raises
    ------
    FrameError
        If it tells nothing of the kind.
    """
    try:
        body: EndBody = _body(header, EndBody)
    except _CONTRADICTIONS as error:
        raise _contradiction(header, error) from error
    return body


_CONTRADICTIONS = (
    msgspec.DecodeError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    RecursionError,
    SyntaxError,  # numpy reads the name of a structured dtype as Python
)


def _contradiction(header: Header, error: Exception) -> FrameError:
    return FrameError(
        f"frame {header.sequence} ({header.kind}) from {header.source} contradicts "
        f"its header: {error}"
    )


def _body(header: Header, kind: type[Any]) -> Any:  # noqa: ANN401 - typed by `kind`
    return msgspec.msgpack.decode(header.body, type=kind)


def _unpack(  # noqa: PLR0911 - one for each kind
    header: Header, buffers: Sequence[memoryview]
) -> object:
    kind = header.kind
    if kind == Kind.EVENTS:
        return _unpack_events(header, buffers)
    if kind in (Kind.WORDS, Kind.CHUNKS):
        body = _body(header, _WordsBody)
        (buffer,) = buffers
        words = _array(buffer, np.dtype("<u4"))
        if not 0 <= body.look_ahead <= words.size:
            raise ValueError(f"{body.look_ahead} of {words.size} words to look ahead")
        count = words.size - body.look_ahead
        if count != header.words:
            raise ValueError(f"{count} words, the header says {header.words}")
        plain = (words, body.stream, body.offset)
        late = (body.time_ns, body.final, body.trailing)
        if kind == Kind.CHUNKS:
            return Chunk(*plain, body.state, body.look_ahead, *late)
        return Words(*plain, *late)
    if kind == Kind.REJECTED:
        (buffer,) = buffers
        return Rejected(_array(buffer, REJECTED), _body(header, Stream))
    if kind == Kind.MARKS:
        if buffers:
            raise ValueError(f"{len(buffers)} arrays, expected none")
        mark = _body(header, _MarkBody)
        return StreamMark(mark.stream, mark.ended, mark.starts_ns, mark.times)
    if kind == Kind.ARRAYS:
        form = _body(header, _ArrayBody)
        (buffer,) = buffers
        if min(form.shape, default=0) < 0:
            raise ValueError(f"shape {form.shape}, expected no negative length")
        return _array(buffer, np.dtype(form.dtype)).reshape(form.shape)
    if kind == Kind.OBJECTS:
        (buffer,) = buffers
        return msgspec.msgpack.decode(buffer)
    raise ValueError(f"unknown kind {kind!r}")


def _unpack_events(header: Header, buffers: Sequence[memoryview]) -> Events:
    body = _body(header, _EventsBody)
    if body.count != header.events:
        raise ValueError(f"{body.count} events, the header says {header.events}")
    if body.count < 0 or body.samples < 0:
        raise ValueError(f"{body.count} events and {body.samples} samples")
    if len(set(body.columns)) != len(body.columns):
        raise ValueError(f"a column comes twice: {', '.join(body.columns)}")
    columns: dict[str, NDArray[Any]] = {}
    for name, buffer in zip(body.columns, buffers, strict=True):
        column = COLUMN[name]
        array = _array(buffer, column.dtype)
        count = body.count
        if name == TRACE_OFFSETS.name:
            count += 1
        elif name == TRACE_SAMPLES.name:
            count = body.samples
        columns[name] = array.reshape(column.shape(count))
    if body.count and not columns:
        raise ValueError(f"{body.count} events without columns")
    if TRACE_OFFSETS.name in columns or TRACE_SAMPLES.name in columns:
        if "trace_length" not in columns:
            return Events(columns)
        check_traces(columns)
    # Types and lengths are those of the schema already.
    return Events._trusted(columns, body.count)  # noqa: SLF001  # own package


def _array(buffer: memoryview, dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.hasobject:
        raise ValueError(f"dtype {dtype} holds Python objects")
    if dtype.itemsize == 0:
        raise ValueError(f"dtype {dtype} has items of no size")
    if buffer.nbytes % dtype.itemsize:
        raise ValueError(
            f"{buffer.nbytes} bytes are no whole number of items of {dtype.itemsize}"
        )
    array: NDArray[Any] = np.frombuffer(buffer, dtype)
    if not array.flags.aligned:
        # Small frames lie anywhere in libzmq's memory, and kernels are compiled for
        # aligned arrays only.
        array = array.copy()
    array.flags.writeable = False
    return array
