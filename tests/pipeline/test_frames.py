"""Frames of data: what comes out is what went in, or an error; never anything else."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import COLUMNS, Events
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
from pixie_pipe.pipeline.frames import (
    END,
    FRAME_VERSION,
    MAX_HEADER_BYTES,
    NOTHING,
    EndBody,
    FrameError,
    Header,
    decode_header,
    encode_header,
    end_of,
    kind_of,
    pack,
    pack_end,
    pack_nothing,
    unpack,
)
from tests.support import wire
from tests.support.wire import body, buffers_of, header_of

STREAM = Stream("source", 1, "c0-s02", {"frequency": 500})
WORDS = np.arange(6, dtype=np.uint32)
EVENTS = Events(
    {
        "energy": np.arange(3, dtype=np.uint16),
        "qdc": np.ones((3, 8), np.uint32),
        "trace_offsets": np.array([0, 2, 2, 5]),
        "trace_samples": np.arange(5, dtype=np.uint16),
    }
)


def same(one: Any, other: Any) -> bool:
    """Tell whether two data are the same, bit for bit and type by type."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Events):
        return one.equals(other) and len(one) == len(other)
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and (
            one.tobytes() == other.tobytes()
        )
    if hasattr(one, "__dataclass_fields__"):
        names = one.__dataclass_fields__
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    return bool(one == other)


def arrays_in(datum: Any) -> list[np.ndarray[Any, Any]]:
    """Return the arrays of a datum."""
    if isinstance(datum, Events):
        return [datum[name] for name in datum.columns]
    if isinstance(datum, np.ndarray):
        return [datum]
    return [getattr(datum, name) for name in ("words", "rows") if hasattr(datum, name)]


def passed_on(datum: Any) -> Any:
    """Send a datum through the bytes of a frame and back."""
    packed = pack(datum)
    header = decode_header(encode_header(header_of(packed)))
    return unpack(header, buffers_of(packed))


# What is sent arrives


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (Kind.EVENTS, wire.event_batches()),
        (Kind.WORDS, wire.word_pieces),
        (Kind.CHUNKS, wire.chunks),
        (Kind.REJECTED, wire.rejected),
        (Kind.MARKS, wire.marks),
        (Kind.ARRAYS, wire.arrays()),
        (Kind.OBJECTS, wire.objects),
    ],
    ids=str,
)
@given(data=st.data())
def test_every_kind_arrives_as_it_was_sent(kind, what, data):
    datum = data.draw(what)
    packed = pack(datum)
    assert packed.kind == kind_of(datum) == kind
    assert packed.sizes == [buffer.nbytes for buffer in buffers_of(packed)]
    assert packed.nbytes == sum(packed.sizes)
    arrived = passed_on(datum)
    assert same(arrived, datum)
    assert not any(array.flags.writeable for array in arrays_in(arrived))


def test_derived_columns_arrive_as_they_were_sent():
    derived = {column.name: column.absent(3) for column in COLUMNS if column.is_derived}
    events = EVENTS.with_columns(**derived)
    assert same(passed_on(events), events)


def test_every_kind_is_tested():
    assert {kind.description for kind in Kind} == {
        kind_of(datum).description for datum in SAMPLES
    }


SAMPLES = [
    EVENTS,
    Words(WORDS, STREAM, 7),
    Chunk(WORDS, STREAM, 7, b"state", 2),
    Rejected(np.zeros(2, REJECTED), STREAM),
    StreamMark(STREAM, ended=True),
    np.arange(4.0),
    {"a": [1, 2]},
]
each_kind = pytest.mark.parametrize("datum", SAMPLES, ids=lambda d: str(kind_of(d)))


def test_the_header_counts_words_and_events():
    assert (pack(EVENTS).events, pack(EVENTS).words) == (3, 0)
    assert (pack(Words(WORDS, STREAM, 0)).events, pack(SAMPLES[1]).words) == (0, 6)
    # Words to look ahead come again in the next chunk, and are counted there.
    assert pack(Chunk(WORDS, STREAM, 0, b"", 2)).words == 4
    assert pack(np.arange(5)).words == pack(np.arange(5)).events == 0


def test_a_table_without_events_keeps_its_columns():
    for blocks in ([], ["trace"], ["qdc", "energy_sums", "external_time", "trace"]):
        empty = Events.empty(blocks)
        arrived = passed_on(empty)
        assert arrived.columns == empty.columns
        assert len(arrived) == 0
        assert arrived.equals(empty)


def test_packing_copies_no_array_that_lies_in_order():
    words = np.arange(1000, dtype=np.uint32)
    for datum in (words, Words(words, STREAM, 0), words.reshape(10, 100), words[5:90]):
        (sent,) = pack(datum).buffers
        assert np.shares_memory(sent, words)
    columns = pack(EVENTS).buffers
    for column, buffer in zip(EVENTS.columns, columns, strict=True):
        assert np.shares_memory(buffer, EVENTS[column])


@each_kind
def test_unpacked_arrays_are_views_that_cannot_be_written_to(datum):
    packed = pack(datum)
    # As aligned as what libzmq makes for a large frame.
    memory = [np.frombuffer(bytearray(part), np.uint8) for part in buffers_of(packed)]
    arrived = unpack(header_of(packed), [part.data for part in memory])
    for array in arrays_in(arrived):
        assert any(np.shares_memory(array, part) for part in memory)
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


@pytest.mark.parametrize("shift", [1, 2, 3, 4, 5, 7])
def test_arrays_at_odd_addresses_arrive_aligned(shift):
    for datum in (np.arange(9.0), EVENTS, SAMPLES[1]):
        packed = pack(datum)
        shifted = [
            memoryview(bytes(shift) + part.tobytes())[shift:]
            for part in buffers_of(packed)
        ]
        arrived = unpack(header_of(packed), shifted)
        assert same(arrived, datum)
        for array in arrays_in(arrived):
            assert array.flags.aligned
            assert not array.flags.writeable


def test_a_list_comes_out_of_a_tuple():
    assert passed_on((1, "a", (2,))) == [1, "a", [2]]


@given(
    source=st.text(max_size=5),
    run=st.integers(0, 2**63),
    sequence=st.integers(0, 2**63),
    order=st.integers(-1, 2**62),
    last=st.booleans(),
    origin=st.none() | st.builds(Origin, st.text(max_size=5), wire.small, wire.small),
    tallies=st.lists(
        st.tuples(st.text(max_size=5), wire.small, st.builds(Tally, *[wire.small] * 5)),
        max_size=3,
    ),
    words=st.integers(0, 2**62),
)
def test_headers_arrive_as_they_were_sent(**fields):
    header = header_of(pack([1]), **fields)
    arrived = decode_header(encode_header(header))
    for name in set(Header.__struct_fields__) - {"body"}:
        assert getattr(arrived, name) == getattr(header, name)
    assert bytes(arrived.body) == bytes(header.body)


def test_frames_without_data_say_what_they_are():
    nothing = pack_nothing()
    assert (nothing.kind, nothing.nbytes, nothing.sizes) == (NOTHING, 0, [])
    told = EndBody(3, 40, 5, 2, ["a task died"])
    end = pack_end(told)
    assert (end.kind, end.nbytes) == (END, 0)
    assert end_of(decode_header(encode_header(header_of(end)))) == told
    # They are marks of the link, and no data of any kind.
    assert not {END, NOTHING} & set(Kind)


# What cannot be sent


@pytest.mark.parametrize(
    ("datum", "text"),
    [
        (None, "cannot send a NoneType: expected Events"),
        (object(), "cannot send a object: expected Events"),
        ({1, 2}, "cannot send a set"),
        (1j, "cannot send a complex"),
        (np.int64(3), "cannot send a int64"),
        (np.array([object()]), "holds Python objects"),
        (np.array(["a"], np.dtypes.StringDType()), "holds Python objects"),
        (np.zeros(2, [("a", "i4"), ("b", "f8")]), "fields a, b: send its fields one"),
        ({"a": object()}, "cannot send this dict: .*expected plain numbers"),
        ([1 << 64], "cannot send this list"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(datum, text):
    with pytest.raises(FrameError, match=text):
        pack(datum)


# What contradicts its header


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"", ["cannot be read"]),
        (b"GET / HTTP/1.1\r\n", ["cannot be read"]),
        (msgspec.msgpack.encode({"version": 1}), ["cannot be read", "`array`"]),
        (bytes(MAX_HEADER_BYTES + 1), ["1048577 bytes", "at most 1048576"]),
    ],
)
def test_what_is_no_header_is_refused_with_the_reason(data, texts):
    with pytest.raises(FrameError) as caught:
        decode_header(data)
    for text in ["header of a frame", *texts]:
        assert text in str(caught.value)


@pytest.mark.parametrize("version", [0, FRAME_VERSION - 1, FRAME_VERSION + 1, 99])
def test_another_version_is_refused(version):
    with pytest.raises(
        FrameError, match=f"version {version}, expected {FRAME_VERSION}; use the same"
    ):
        decode_header(encode_header(header_of(pack([1]), version=version)))


@pytest.mark.parametrize("extra", [0, 1])
def test_a_header_with_a_field_more_or_less_is_refused(extra):
    fields = msgspec.msgpack.decode(encode_header(header_of(pack([1]))))
    fields = [*fields, 1] if extra else fields[:5]
    with pytest.raises(FrameError, match="cannot be read"):
        decode_header(msgspec.msgpack.encode(fields))


@each_kind
def test_sizes_that_differ_from_the_buffers_are_refused(datum):
    packed = pack(datum)
    buffers = buffers_of(packed)
    wrong = [
        (packed.sizes, [*buffers, memoryview(b"")]),
        ([*packed.sizes, 0], buffers),
    ]
    if buffers:
        shorter = memoryview(bytes(buffers[-1])[:-1])
        wrong += [
            (packed.sizes, buffers[:-1]),
            (packed.sizes[:-1], buffers),
            (packed.sizes, [*buffers[:-1], shorter]),
            ([*packed.sizes[:-1], packed.sizes[-1] + 1], buffers),
        ]
    for sizes, given_buffers in wrong:
        header = header_of(packed, sizes=sizes, sequence=17, source="Sender")
        with pytest.raises(
            FrameError, match=r"frame 17 from Sender .* its header says"
        ):
            unpack(header, given_buffers)


def refused(kind: str, content: msgspec.Raw, *buffers: bytes, **counts: int) -> str:
    """Return why a frame is refused whose sizes agree with its buffers."""
    packed = pack([1])
    header = header_of(
        packed,
        kind=kind,
        body=content,
        sizes=[len(buffer) for buffer in buffers],
        **{"words": 0, "events": 0} | counts,
    )
    header = decode_header(encode_header(header))
    with pytest.raises(FrameError) as caught:
        unpack(header, [memoryview(buffer) for buffer in buffers])
    return str(caught.value)


def words_body(
    look_ahead: Any = 0, stream: Any = STREAM, **changes: Any
) -> msgspec.Raw:
    """Return the body of words or chunks."""
    fields = {"offset": 0, "time_ns": 0, "final": False, "trailing": b"", "state": b""}
    return body(stream, *(fields | changes).values(), look_ahead)


WRONG: list[tuple[str, msgspec.Raw, list[bytes], dict[str, int], str]] = [
    # Events: counts, columns, shapes, traces
    ("events", body(2, ["energy"]), [bytes(4)], {"events": 3}, "2 events, the header"),
    ("events", body(3, ["energy"]), [bytes(4)], {"events": 3}, "reshape"),
    ("events", body(2, ["energy"]), [bytes(3)], {"events": 2}, "3 bytes are no whole"),
    ("events", body(2, ["enrgy"]), [bytes(4)], {"events": 2}, "enrgy"),
    ("events", body(2, ["energy"]), [], {"events": 2}, "zip"),
    ("events", body(2, ["energy"]), [bytes(4)] * 2, {"events": 2}, "zip"),
    ("events", body(2, ["qdc"]), [bytes(32)], {"events": 2}, "reshape"),
    ("events", body(1, ["trace_offsets"]), [bytes(16)], {"events": 1}, "trace_samples"),
    (
        "events",
        body(1, ["trace_offsets", "trace_samples"], 1),
        [bytes(16), bytes(2)],
        {"events": 1},
        "end at 0, expected the number of samples",
    ),
    (
        "events",
        body(1, ["trace_offsets", "trace_samples"], 1),
        [np.array([0, -1]).tobytes(), bytes(2)],
        {"events": 1},
        "trace_offsets",
    ),
    (
        "events",
        body(1, ["trace_offsets", "trace_samples"], 2),
        [np.array([0, 1]).tobytes(), bytes(2)],
        {"events": 1},
        "reshape",
    ),
    ("events", body("2", ["energy"]), [bytes(4)], {"events": 2}, "Expected `int`"),
    ("events", msgspec.Raw(b"\xc0"), [bytes(4)], {"events": 2}, "Expected `array`"),
    # Words and chunks
    ("words", words_body(), [bytes(7)], {"words": 1}, "7 bytes are no whole number"),
    ("words", words_body(), [bytes(8)], {"words": 3}, "2 words, the header says 3"),
    ("words", words_body(), [], {}, "unpack"),
    ("words", words_body(), [b"", b""], {}, "unpack"),
    ("words", words_body(stream=None), [b""], {}, "Expected `object`"),
    ("words", words_body(trailing=3), [b""], {}, "Expected `bytes`"),
    ("chunks", words_body(3), [bytes(8)], {"words": -1}, "3 of 2 words to look ahead"),
    ("chunks", words_body(-1), [bytes(8)], {"words": 3}, "-1 of 2 words to look ahead"),
    ("chunks", words_body(1), [bytes(8)], {"words": 2}, "1 words, the header says 2"),
    # Rejected words and marks
    ("rejected", body(), [bytes(17)], {}, "Expected `object`"),
    ("marks", body(None, True), [], {}, "Expected `object`"),
    ("marks", body(STREAM, 1), [], {}, "Expected `bool`"),
    # Arrays
    ("arrays", body("<i4", [3]), [bytes(8)], {}, "reshape"),
    ("arrays", body("<i4", [2]), [bytes(7)], {}, "7 bytes are no whole number"),
    ("arrays", body("nonsense", [2]), [bytes(8)], {}, "nonsense"),
    ("arrays", body("|O", [1]), [bytes(8)], {}, "holds Python objects"),
    ("arrays", body("i4,O", [1]), [bytes(12)], {}, "holds Python objects"),
    ("arrays", body("<i4", [1 << 63]), [bytes(4)], {}, "dimension"),
    ("arrays", body("<i4", [1] * 70), [bytes(4)], {}, "dimension"),
    ("arrays", body("<i4", ["1"]), [bytes(4)], {}, "Expected `int`"),
    ("arrays", body(None, [1]), [bytes(8)], {}, "Expected `str`"),
    ("arrays", body("<i4", [0]), [], {}, "frame 0"),
    # Plain values
    ("objects", body(), [], {}, "frame 0"),
    ("objects", body(), [b"\xc1"], {}, "malformed"),
    ("objects", body(), [b"\xa1\xff"], {}, "utf-8"),
    ("objects", body(), [b"\x01\x01"], {}, "trailing"),
    # Kinds
    ("pickles", body(), [b""], {}, "unknown kind 'pickles'"),
    ("end", body(0, 0, 0), [], {}, "unknown kind 'end'"),
]


@pytest.mark.parametrize(("kind", "content", "buffers", "counts", "text"), WRONG)
def test_a_contradiction_is_refused_with_its_place(
    kind, content, buffers, counts, text
):
    reason = refused(kind, content, *buffers, **counts)
    assert f"frame 0 ({kind}) from producer contradicts its header" in reason
    assert text in reason


def agrees(header: Header, buffers: list[memoryview], datum: Any) -> None:
    """Check that a datum is what its header and its buffers say."""
    assert header.sizes == [buffer.nbytes for buffer in buffers]
    assert kind_of(datum if datum is not None else []) == header.kind
    if isinstance(datum, Events):
        assert len(datum) == header.events
        columns = msgspec.msgpack.decode(header.body)[1]
        assert set(datum.columns) - {"trace_length"} <= set(columns)
    if isinstance(datum, (Words, Chunk)):
        assert datum.words.size - getattr(datum, "look_ahead", 0) == header.words
    if isinstance(datum, np.ndarray):
        form = msgspec.msgpack.decode(header.body)
        assert list(datum.shape) == form[1]
        assert datum.nbytes == sum(header.sizes)
    for array in arrays_in(datum):
        assert not array.flags.writeable
    if not isinstance(datum, np.ndarray) or datum.dtype.names is None:
        # What was taken in can be passed on.
        assert pack(datum if datum is not None else []).kind == header.kind


def is_datum_or_refused(data: bytes, buffers: list[bytes]) -> None:
    views = [memoryview(buffer) for buffer in buffers]
    try:
        header = decode_header(data)
        datum = unpack(header, views)
    except FrameError:
        return
    agrees(header, views, datum)


@given(data=st.binary(max_size=60), buffers=st.lists(st.binary(max_size=9), max_size=3))
def test_any_bytes_are_a_datum_or_refused(data, buffers):
    is_datum_or_refused(data, buffers)
    with pytest.raises(FrameError):
        decode_header(b"\xff" + data)


lengths = st.integers(-2, 5)
event_bodies = st.builds(
    body,
    lengths,
    st.lists(st.sampled_from(["energy", "slot", "qdc", "trace_offsets"]), max_size=3),
    lengths,
)
array_bodies = st.builds(
    body,
    st.sampled_from(["<i4", "|b1", "S0", "V0", "O", "i4,i4", "(2,)i4", "f8,(", ","]),
    st.lists(lengths | st.integers(0, (1 << 64) - 1), max_size=3),
)
no_bodies = st.binary(min_size=1, max_size=8).map(msgspec.Raw)
kinds_and_bodies = st.one_of(
    st.tuples(st.just("events"), event_bodies),
    st.tuples(st.just("arrays"), array_bodies),
    st.tuples(st.sampled_from(["words", "chunks"]), st.builds(words_body, lengths)),
    st.tuples(
        st.sampled_from([*map(str, Kind), END, NOTHING]) | st.text(max_size=4),
        no_bodies | event_bodies | array_bodies,
    ),
)


@given(
    form=kinds_and_bodies,
    buffers=st.lists(st.sampled_from([b"", bytes(4), bytes(8), bytes(7)]), max_size=3),
    words=lengths,
    events=lengths,
)
def test_any_frame_is_a_datum_or_refused(form, buffers, words, events):
    kind, content = form
    header = header_of(
        pack([1]),
        kind=kind,
        body=content,
        sizes=[len(buffer) for buffer in buffers],
        words=words,
        events=events,
    )
    # A body that is no MessagePack spoils the header around it; either is refused.
    is_datum_or_refused(encode_header(header), buffers)


@given(
    datum=wire.data,
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=3)), max_size=4),
    resized=st.none() | st.tuples(st.floats(0, 1), st.binary(max_size=9)),
)
def test_a_damaged_frame_is_a_datum_or_refused(datum, changes, resized):
    packed = pack(datum)
    data = bytearray(encode_header(header_of(packed)))
    for place, put in changes:
        at = int(place * len(data))
        data[at : at + len(put)] = put
    buffers = [bytes(part) for part in buffers_of(packed)]
    if resized and buffers:
        place, put = resized
        buffers[int(place * (len(buffers) - 1))] = put
    is_datum_or_refused(bytes(data), buffers)


NEGATIVE = [
    ("events", body(2, []), [], {"events": 2}, "2 events without columns"),
    ("events", body(-1, ["energy"]), [bytes(4)], {"events": -1}, "-1 events"),
    ("events", body(1, ["energy"], -1), [bytes(2)], {"events": 1}, "-1 samples"),
    ("events", body(1, ["slot"] * 2), [b"1", b"2"], {"events": 1}, "comes twice"),
    ("rejected", msgspec.Raw(b"\xc0"), [b"", b""], {}, "unpack"),
    ("marks", body(STREAM, True), [b""], {}, "expected none"),
    ("arrays", body("<i4", [-1]), [bytes(8)], {}, "no negative length"),
    ("arrays", body("<i4", [0]), [b"", b""], {}, "unpack"),
    ("arrays", body("V0", [0]), [b""], {}, "no size"),
    ("arrays", body("f8,(", [0]), [b""], {}, "never closed"),
    ("objects", body(), [b"\x01", b"\x02"], {}, "unpack"),
    ("objects", body(), [b"\x91" * 200_000 + b"\0"], {}, "recursion"),
]


@pytest.mark.parametrize(("kind", "content", "buffers", "counts", "text"), NEGATIVE)
def test_what_numpy_would_read_otherwise_is_refused(
    kind, content, buffers, counts, text
):
    reason = refused(kind, content, *buffers, **counts)
    assert f"frame 0 ({kind}) from producer contradicts its header" in reason
    assert text in reason


def test_a_header_that_is_no_unicode_is_refused():
    data = encode_header(header_of(pack([1]), source="abc")).replace(b"abc", b"\xff--")
    with pytest.raises(FrameError, match="cannot be read"):
        decode_header(data)


@pytest.mark.parametrize("content", [b"\xc0", b"\x01", b"\x93\x01\x02\xa1a"])
def test_an_end_that_tells_nothing_is_refused(content):
    header = header_of(pack_end(EndBody(0, 0, 0)), body=msgspec.Raw(content))
    with pytest.raises(FrameError, match=r"frame 0 \(end\) from producer contradicts"):
        end_of(header)


@pytest.mark.parametrize("datum", ["\ud800", np.zeros(2, "V0")], ids=["text", "array"])
def test_what_has_no_form_is_refused(datum):
    with pytest.raises(FrameError, match="cannot send"):
        pack(datum)
