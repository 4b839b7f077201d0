"""Both ends of links in one process, and everything that a link may carry."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
import zmq
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixie_pipe.events import Events
from pixie_pipe.events.schema import (
    COLUMN,
    TRACE_OFFSETS,
    TRACE_SAMPLES,
    Block,
    columns_of,
)
from pixie_pipe.listmode.result import REJECTED
from pixie_pipe.pipeline.data import Chunk, Rejected, Stream, StreamMark, Words
from pixie_pipe.pipeline.frames import (
    FRAME_VERSION,
    Header,
    Packed,
    decode_header,
    encode_header,
    pack,
)
from pixie_pipe.pipeline.input_port import Arrived, InputPort
from pixie_pipe.pipeline.links import address_of, data_socket, decode_ack
from pixie_pipe.pipeline.messages import InputEdge, OutputAddress, OutputEdge
from pixie_pipe.pipeline.outbox import Outbox
from pixie_pipe.pipeline.shared_memory import SUFFIX, SharedMemory, SharedViews

WAIT_MS = 60_000
"""Time that something may take on a busy machine before a test gives up."""

QUIET_MS = 20
"""Time in which nothing must come. It may be too short, but never makes a test fail."""

UNBOUNDED = 1 << 40


TRANSPORTS = ("ipc", "tcp", "shared")
"""``shared`` is ipc with arrays in shared memory, the smallest ones, too."""


class Closable(Protocol):
    """A socket, or what has some."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Net:
    """Sockets in a directory, or on the loopback; all are closed with it."""

    def __init__(self, transport: str, directory: Path) -> None:
        self.context: zmq.Context[Any] = zmq.Context()
        self._transport = transport
        self._directory = directory
        self._number = itertools.count()
        self._open: list[Closable] = []

    def memory(self, name: str) -> SharedMemory | None:
        """Return memory that a sender shares, if data go that way."""
        if self._transport != "shared":
            return None
        path = self._directory / f"{name}.{next(self._number)}{SUFFIX}"
        return self.keep(SharedMemory(path))

    def views(self) -> SharedViews | None:
        """Return what a receiver reads shared memory with."""
        return SharedViews(self._directory) if self._transport == "shared" else None

    def bound(self, kind: int = zmq.PULL) -> zmq.Socket[Any]:
        """Return a socket with an address of its own."""
        socket = data_socket(self.context, kind)
        if self._transport == "tcp":
            socket.bind("tcp://127.0.0.1:*")
        else:
            socket.bind(f"ipc://{self._directory}/{next(self._number)}")
        return self.keep(socket)

    def keep(self, end: C) -> C:
        """Close this one, too."""
        self._open.append(end)
        return end

    def sender(self, name: str = "producer") -> Sender:
        return self.keep(Sender(self, name))

    def receiver(self, name: str = "consumer") -> Receiver:
        return self.keep(Receiver(self, name))

    def pair(self, run: int = 1, **edge: Any) -> tuple[Sender, Receiver]:
        """Return a sender and a receiver that are linked and in a run."""
        sender, receiver = self.sender(), self.receiver()
        sender.connect([receiver], **edge)
        receiver.connect([sender])
        sender.outbox.begin(run)
        receiver.port.begin(run)
        return sender, receiver

    def close(self) -> None:
        for end in self._open:
            end.close()
        self.context.term()


class Sender:
    """A process that sends: an outbox with its socket for acknowledgements."""

    def __init__(self, net: Net, name: str) -> None:
        self.name = name
        self.acks = net.bound()
        self.outbox = Outbox(
            net.context, name, self.acks, net.memory(name), shared_bytes=1
        )

    def connect(
        self,
        receivers: Sequence[Receiver],
        window: int = UNBOUNDED,
        *,
        lossy: bool = False,
        kinds: list[str] | None = None,
    ) -> None:
        """Take one consumer, of which the receivers are the processes."""
        addresses = [OutputAddress(r.name, r.address) for r in receivers]
        consumer = receivers[0].name.split("-")[0]
        self.outbox.connect(
            [OutputEdge(consumer, addresses, window, lossy=lossy, kinds=kinds)]
        )

    def send(self, datum: object) -> None:
        self.outbox.post(pack(datum), None)

    def await_acks(self) -> None:
        """Wait until an acknowledgement has come, and take what is there."""
        assert self.acks.poll(WAIT_MS), "no acknowledgement came"
        self.outbox.take_acks()

    def await_done(self) -> None:
        """Wait until everything is acknowledged."""
        while not self.outbox.is_done:
            self.await_acks()

    def close(self) -> None:
        self.outbox.close_links()
        self.acks.close()


class Receiver:
    """A process that receives: an input port with its socket for data."""

    def __init__(self, net: Net, name: str) -> None:
        self.name = name
        self.data = net.bound()
        self.address = address_of(self.data)
        self.port = InputPort(net.context, name, self.data, net.views())

    def connect(self, senders: Iterable[Sender], *, is_pool: bool = False) -> None:
        """Take these producers, or the workers of one."""
        edges = [
            InputEdge(
                sender.name, [sender.name], {sender.name: address_of(sender.acks)}
            )
            for sender in senders
        ]
        if is_pool:
            tasks = [edge.producer for edge in edges]
            acks = {edge.producer: edge.acks[edge.producer] for edge in edges}
            edges = [InputEdge("pool", tasks, acks)]
        self.port.connect(edges)

    def take(self) -> Arrived:
        """Return the next frame in order; wait for it."""
        while (frame := self.port.next()) is None:
            assert self.data.poll(WAIT_MS), "no frame came"
            self.port.drain()
        return frame

    def take_nothing(self) -> None:
        """Check that no frame can be handed out."""
        if self.data.poll(QUIET_MS):
            self.port.drain()
        assert self.port.next() is None

    def close(self) -> None:
        self.port.close_links()
        self.data.close()


def line_to(net: Net, receiver: Receiver) -> zmq.Socket[Any]:
    """Return a socket that anything can be sent to a receiver with."""
    socket = net.keep(data_socket(net.context, zmq.PUSH))
    socket.connect(receiver.address)
    return socket


def drained(receiver: Receiver) -> None:
    assert receiver.data.poll(WAIT_MS), "no frame came"
    receiver.port.drain()


def come(receiver: Receiver, count: int) -> None:
    """Wait until as many frames have come and wait to be taken."""
    links = [link for group in receiver.port.groups for link in group.links]
    while sum(len(link.queue) for link in links) < count:
        drained(receiver)


def acks_at(sender: Sender, count: int) -> list[int]:
    """Return the numbers of the next acknowledgements, without letting go."""
    found = []
    for _ in range(count):
        assert sender.acks.poll(WAIT_MS), "no acknowledgement came"
        found.append(decode_ack(sender.acks.recv()).sequence)
    return found


def taken(receiver: Receiver, count: int) -> list[int]:
    """Take frames, and acknowledge them."""
    numbers = []
    for _ in range(count):
        frame = receiver.take()
        receiver.port.acknowledge(frame)
        numbers.append(frame.header.sequence)
    return numbers


def header_of(packed: Packed, **changes: Any) -> Header:
    """Return a header that fits the datum but for the changes."""
    fields: dict[str, Any] = {
        "version": FRAME_VERSION,
        "source": "producer",
        "run": 1,
        "sequence": 0,
        "kind": packed.kind,
        "sizes": packed.sizes,
        "body": packed.body,
        "words": packed.words,
        "events": packed.events,
    }
    return Header(**fields | changes)


def buffers_of(packed: Packed) -> list[memoryview]:
    """Return the memory of a datum as it arrives: bare bytes."""
    return [memoryview(np.asarray(part).tobytes()) for part in packed.buffers]


def frame_of(packed: Packed, **changes: Any) -> list[bytes]:
    """Return the parts of a frame that fits the datum but for the changes."""
    return [
        encode_header(header_of(packed, **changes)),
        *map(bytes, buffers_of(packed)),
    ]


def header_in(parts: Sequence[bytes]) -> Header:
    """Return the header of a frame."""
    return decode_header(parts[0])


def body(*values: object) -> msgspec.Raw:
    """Return what the body of a header looks like with these fields."""
    return msgspec.Raw(msgspec.msgpack.encode(values))


# What may be in a frame

small = st.integers(0, 2**16 - 1)
names = st.text(max_size=8)

streams = st.builds(
    Stream,
    source=names,
    number=small,
    name=names,
    layout=st.dictionaries(names, st.integers(0, 2**32), max_size=3),
    modules=st.none()
    | st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=3).map(
        tuple
    ),
    files=st.lists(names, max_size=2).map(tuple),
    max_event_length=st.none() | small,
)
words = hnp.arrays(np.uint32, st.integers(0, 40))
late = {
    "offset": st.integers(0, 2**62),
    "time_ns": st.integers(0, 2**62),
    "final": st.booleans(),
    "trailing": st.binary(max_size=3),
}
word_pieces = st.builds(Words, words=words, stream=streams, **late)
chunks = words.flatmap(
    lambda array: st.builds(
        Chunk,
        words=st.just(array),
        stream=streams,
        state=st.binary(max_size=20),
        look_ahead=st.integers(0, array.size),
        **late,
    )
)
rejected = st.builds(
    Rejected, rows=hnp.arrays(REJECTED, st.integers(0, 5)), stream=streams
)
marks = st.builds(StreamMark, stream=streams, ended=st.booleans())


@st.composite
def event_batches(draw: st.DrawFn) -> Events:
    """Draw tables with any set of columns, of any length, with values of all bits."""
    count = draw(st.integers(0, 6))
    plain = [column for block in Block for column in columns_of(block)]
    chosen = draw(st.lists(st.sampled_from(plain), unique=True, min_size=1))
    columns: dict[str, Any] = {
        column.name: draw(hnp.arrays(column.dtype, column.shape(count)))
        for column in chosen
    }
    if draw(st.booleans()):
        lengths = draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
        offsets = np.cumsum([0, *lengths]).astype(TRACE_OFFSETS.dtype)
        columns[TRACE_OFFSETS.name] = offsets
        columns[TRACE_SAMPLES.name] = draw(
            hnp.arrays(TRACE_SAMPLES.dtype, int(offsets[-1]))
        )
    return Events({name: columns[name] for name in COLUMN if name in columns})


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Draw arrays of plain types, of 0 to 3 dimensions, in any order in memory."""
    dtype = draw(
        st.one_of(
            hnp.boolean_dtypes(),
            hnp.integer_dtypes(endianness="="),
            hnp.integer_dtypes(endianness=">"),
            hnp.floating_dtypes(),
            hnp.complex_number_dtypes(),
            hnp.datetime64_dtypes(),
            hnp.timedelta64_dtypes(),
            hnp.byte_string_dtypes(max_len=4),
            hnp.unicode_string_dtypes(max_len=4),
        )
    )
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    array = draw(hnp.arrays(dtype, shape))
    turned = draw(st.sampled_from(["as it is", "transposed", "reversed", "Fortran"]))
    if turned == "transposed":
        return array.T
    if turned == "reversed" and array.ndim:
        return array[::-1]
    return np.asfortranarray(array) if turned == "Fortran" and array.ndim else array


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.lists(plain_values, max_size=4),
    st.dictionaries(st.text(max_size=4), plain_values, max_size=4),
)
data: st.SearchStrategy[Any] = st.one_of(
    event_batches(), word_pieces, chunks, rejected, marks, arrays(), objects
)
