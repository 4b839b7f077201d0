"""Control messages: nothing is lost on the way, nothing foreign is believed."""

from __future__ import annotations

import types
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.pipeline import messages
from pixie_pipe.pipeline.messages import (
    MAX_CONTROL_BYTES,
    PROTOCOL_VERSION,
    Configure,
    Connect,
    Cut,
    Error,
    ErrorReport,
    Finished,
    FromTask,
    Hello,
    InputEdge,
    Message,
    OutputAddress,
    OutputEdge,
    Pause,
    Print,
    ProtocolError,
    Quit,
    Report,
    Resume,
    Start,
    Status,
    Stop,
    ToTask,
    decode_from_task,
    decode_to_task,
    encode_control,
)
from tests.support.wire import plain_values

encode = msgspec.msgpack.encode
MAGIC = b"pixie_pipe " + bytes([PROTOCOL_VERSION])

texts = st.text(max_size=8)
numbers = st.integers(-(2**63), 2**64 - 1)
flags = st.booleans()
tables = st.dictionaries(texts, plain_values, max_size=3)
output_edges = st.builds(
    OutputEdge,
    texts,
    st.lists(st.builds(OutputAddress, texts, texts), max_size=3),
    numbers,
    lossy=flags,
    kinds=st.none() | st.lists(texts, max_size=2),
)
input_edges = st.builds(
    InputEdge,
    texts,
    st.lists(texts, max_size=3),
    st.dictionaries(texts, texts, max_size=3),
)
to_task: dict[type, st.SearchStrategy[Any]] = {
    Configure: st.builds(Configure, numbers, tables),
    Connect: st.builds(
        Connect,
        numbers,
        st.lists(input_edges, max_size=2),
        st.lists(output_edges, max_size=2),
        flags,
        flags,
    ),
    Start: st.builds(
        Start,
        numbers,
        numbers,
        directory=texts,
        live=flags,
        checkpoint=texts,
        restarted=flags,
    ),
    Stop: st.builds(Stop, numbers, abandon=flags),
    Pause: st.builds(Pause, numbers, flags),
    Quit: st.builds(Quit, numbers),
    Cut: st.builds(Cut, texts),
    Resume: st.builds(Resume, texts, texts, texts),
}
from_task: dict[type, st.SearchStrategy[Any]] = {
    Hello: st.builds(Hello, numbers, texts, texts),
    Finished: st.builds(Finished, numbers, tables),
    Report: st.builds(
        Report,
        status=st.sampled_from(Status),
        done=numbers,
        refused=texts,
        progress=numbers,
        run=numbers,
        statistics=tables,
        report=st.none() | tables,
    ),
    Print: st.builds(Print, texts),
    ErrorReport: st.builds(
        ErrorReport, texts, origin=texts, traceback=texts, fatal=flags
    ),
}


def members(union: object) -> set[type[msgspec.Struct]]:
    """Return the structs of a union."""
    assert isinstance(union, types.UnionType)
    return set(get_args(union))


def test_the_tests_know_every_message():
    assert members(ToTask) == set(to_task)
    assert members(FromTask) == set(from_task)


@pytest.mark.parametrize(
    ("kind", "decode", "other"),
    [(kind, decode_to_task, decode_from_task) for kind in to_task]
    + [(kind, decode_from_task, decode_to_task) for kind in from_task],
)
@given(data=st.data())
def test_every_message_arrives_as_it_was_sent(kind, decode, other, data):
    message = data.draw((to_task | from_task)[kind])
    frames = encode_control(message)
    arrived = decode(frames)
    assert type(arrived) is kind
    assert arrived == message
    assert msgspec.structs.asdict(arrived) == msgspec.structs.asdict(message)
    # What goes the one way is not accepted on the other.
    with pytest.raises(ProtocolError, match="Invalid value"):
        other(frames)


@pytest.mark.parametrize("kind", [*to_task, *from_task])
def test_messages_cannot_be_changed(kind):
    message = (to_task | from_task)[kind]
    field = kind.__struct_fields__[0]

    @given(message)
    def cannot(value):
        with pytest.raises(AttributeError):
            setattr(value, field, None)

    cannot()


def encoded(**fields: object) -> list[bytes]:
    """Return the frames of a message with any fields."""
    return [MAGIC, encode(fields)]


@pytest.mark.parametrize(
    ("frames", "texts"),
    [
        ([], ["0 frames", "expected 2"]),
        ([MAGIC], ["1 frames", "expected 2"]),
        ([MAGIC, b"", b""], ["3 frames", "expected 2"]),
        ([b"", encode({})], ["b''", "another program"]),
        ([b"pixie_pipe", encode({})], ["b'pixie_pipe'", "another program"]),
        ([b"HTTP/1.1 400 Bad Request", encode({})], ["HTTP/1.1", "another program"]),
        ([b"x" * 5000, encode({})], ["another program"]),
        ([b"pixie_pipe \x00", encode({})], ["version 0", "expected 1", "the same"]),
        ([b"pixie_pipe \x02", encode({})], ["version 2", "expected 1", "the same"]),
        ([MAGIC, b"\xc0" * (MAX_CONTROL_BYTES + 1)], ["1048577 bytes", "1048576"]),
        ([MAGIC, b""], ["cannot be read"]),
        ([MAGIC, b"\xc1"], ["cannot be read"]),
        ([MAGIC, encode(None)], ["cannot be read", "Expected `object`"]),
        (encoded(), ["missing required field `type`"]),
        (encoded(type="LAUNCH"), ["Invalid value 'LAUNCH'", "`$.type`"]),
        (encoded(type=3), ["`str`", "`$.type`"]),
        (encoded(type="PRINT"), ["missing required field `text`"]),
        (encoded(type="PRINT", text=5), ["Expected `str`", "`$.text`"]),
        (encoded(type="PRINT", text="a", size=2), ["unknown field `size`"]),
        (encoded(type="REPORT", status="dead"), ["'dead'", "`$.status`"]),
        (encoded(type="REPORT", status="⏸️", done="1"), ["`int`", "`$.done`"]),
        (encoded(type="REPORT", status="⏸️", statistics=[]), ["`$.statistics`"]),
        (encoded(type="HELLO", pid=1.5, address="", acks=""), ["`$.pid`"]),
        ([MAGIC, encode({"type": "PRINT", "text": "a"}) + b"\0"], ["trailing"]),
        ([MAGIC, encode({"type": "PRINT", "text": "a"})[:-1]], ["truncated"]),
        (
            [MAGIC, encode({"type": "PRINT", "text": "a"})[:-1] + b"\xff"],
            ["cannot be read", "utf-8"],
        ),
        (
            [
                MAGIC,
                encode({"type": "REPORT", "status": "⏸️", "statistics": {"a": 0}})[:-1]
                + b"\x91" * 200_000
                + b"\0",
            ],
            ["cannot be read", "recursion"],
        ),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(frames, texts):
    with pytest.raises(ProtocolError) as caught:
        decode_from_task(frames)
    for text in ["control message", *texts]:
        assert text in str(caught.value)
    # However much came, the text stays readable.
    assert len(str(caught.value)) < 300


def test_the_largest_message_passes():
    room = MAX_CONTROL_BYTES - len(encode_control(Print(""))[1]) - 4
    frames = encode_control(Print("x" * room))
    assert len(frames[1]) == MAX_CONTROL_BYTES
    assert decode_from_task(frames) == Print("x" * room)


def test_size_and_version_are_looked_at_before_anything_is_decoded(monkeypatch):
    class Untouchable:
        def decode(self, _payload):
            pytest.fail("decoded before it was checked")

    monkeypatch.setattr(messages, "_from_task", Untouchable())
    for frames in (
        [MAGIC, bytes(MAX_CONTROL_BYTES + 1)],
        [b"pixie_pipe \x07", b""],
        [b"something", b""],
        [MAGIC],
    ):
        with pytest.raises(ProtocolError):
            decode_from_task(frames)


def endless() -> list[object]:
    """Return a list that contains itself."""
    values: list[object] = []
    values.append(values)
    return values


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        (Print("x" * MAX_CONTROL_BYTES), ["Print", "1048", "large things as data"]),
        (Configure(1, {"a": object()}), ["Configure", "object", "expected numbers"]),
        (Configure(1, {"a": 1 << 70}), ["Configure", "expected numbers"]),
        (Configure(1, {"a": endless()}), ["Configure", "expected numbers"]),
        (Print("\udcff"), ["Print", "surrogates", "expected numbers"]),
    ],
    ids=["large", "object", "number", "endless", "no Unicode"],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(message, texts):
    with pytest.raises(ProtocolError) as caught:
        encode_control(message)
    for text in texts:
        assert text in str(caught.value)


def is_message_or_refused(frames: list[bytes]) -> None:
    for decode, known in ((decode_to_task, to_task), (decode_from_task, from_task)):
        try:
            message = decode(frames)
        except ProtocolError:
            continue
        else:
            assert type(message) in known
            # By the bytes: what is drawn may hold NaN, which equals nothing.
            again = encode_control(message)
            assert encode_control(decode(again)) == again


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_frames_are_a_message_or_refused(frames):
    is_message_or_refused(frames)


@given(st.binary(max_size=60))
def test_any_content_is_a_message_or_refused(content):
    is_message_or_refused([MAGIC, content])


@given(
    st.dictionaries(
        st.sampled_from(["type", "text", "number", "status", "config", "statistics"])
        | texts,
        st.sampled_from(["⏸️", "🏁", "PRINT", "QUIT", "REPORT", "CONFIGURE"])
        | plain_values,
        max_size=5,
    )
)
def test_any_fields_are_a_message_or_refused(fields):
    is_message_or_refused(encoded(**{str(key): fields[key] for key in fields}))


@given(
    message=st.one_of(*to_task.values(), *from_task.values()),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=3)), max_size=4),
    kept=st.floats(0, 1),
)
def test_a_damaged_message_is_a_message_or_refused(message, changes, kept):
    content = bytearray(encode_control(message)[1])
    for place, put in changes:
        at = int(place * len(content))
        content[at : at + len(put)] = put
    is_message_or_refused([MAGIC, bytes(content)])
    is_message_or_refused([MAGIC, bytes(content[: int(kept * len(content))])])


def test_messages_and_states_are_their_glyphs():
    assert {name: str(value) for name, value in Message.__members__.items()} == {
        "CONFIGURE": "⚙️",
        "CONNECT": "🔗",
        "START": "▶️",
        "STOP": "⏹️",
        "QUIT": "⏏️",
        "DATA": "📦",
        "FINISHED": "🏁",
        "REPORT": "📊",
        "PRINT": "💬",
        "ERROR": "❌",
    }
    assert {name: str(value) for name, value in Status.__members__.items()} == {
        "WAITING": "⏸️",
        "RUNNING": "▶️",
        "FINISHED": "🏁",
        "DYING": "⏏️",
        "PANICKING": "🆘",
    }
    assert f"{Status.RUNNING}" == Status.RUNNING == "▶️"
    assert Status("🏁") is Status.FINISHED
    assert isinstance(Message.DATA, str)


def test_each_tag_is_the_name_of_a_message_or_one_of_the_additions():
    tags = {kind.__struct_config__.tag for kind in members(ToTask) | members(FromTask)}
    # Data are frames of their own form; the rest goes between processes only.
    assert tags - {"HELLO", "CUT", "RESUME", "PAUSE"} == set(Message.__members__) - {
        "DATA"
    }


def test_an_error_says_whose_it_is_and_where():
    error = Error("no room", task="Write", origin="Take, word 7", traceback="File ...")
    assert isinstance(error, PixiePipeError)
    assert isinstance(error, RuntimeError)
    assert str(error) == "Write: no room (at Take, word 7)"
    assert str(Error("no room", task="Write")) == "Write: no room"
    assert str(Error("no room")) == "no room"
    assert (error.msg, error.task) == ("no room", "Write")
    assert (error.origin, error.traceback) == ("Take, word 7", "File ...")
    assert issubclass(ProtocolError, Error)
