"""What one process sends: to several consumers, and in the order of a pool."""

from __future__ import annotations

import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.pipeline.data import Tally
from pixie_pipe.pipeline.frames import END, NOTHING, FrameError
from pixie_pipe.pipeline.links import (
    Ack,
    address_of,
    data_socket,
    decode_ack,
    encode_ack,
)
from pixie_pipe.pipeline.messages import OutputAddress, OutputEdge
from tests.support.wire import TRANSPORTS, Net, Receiver, Sender

KIB = np.zeros(1024, np.uint8)


@pytest.fixture(params=TRANSPORTS)
def net(request, tmp_path_factory):
    made = Net(request.param, tmp_path_factory.mktemp("net"))
    yield made
    made.close()


def tee(net: Net, *windows: int, lossy: tuple[bool, ...] = ()):
    """Return a sender with several consumers, all in run 1."""
    sender = net.sender()
    receivers = [net.receiver(f"consumer{number}") for number in range(len(windows))]
    edges = []
    for number, window in enumerate(windows):
        receiver = receivers[number]
        address = OutputAddress(receiver.name, receiver.address)
        is_lossy = bool(lossy) and lossy[number]
        edges.append(OutputEdge(receiver.name, [address], window, lossy=is_lossy))
    sender.outbox.connect(edges)
    sender.outbox.begin(1)
    for receiver in receivers:
        receiver.connect([sender])
        receiver.port.begin(1)
    return sender, receivers


def kinds_taken(receiver: Receiver, count: int) -> list[tuple[str, int, bool]]:
    headers = [receiver.take().header for _ in range(count)]
    return [(header.kind, header.order, header.last) for header in headers]


def test_every_consumer_gets_everything(net):
    sender, receivers = tee(net, 1 << 20, 1 << 20, 1 << 20)
    for number in range(5):
        sender.send(np.full(4, number))
    sender.outbox.finish(["why"])
    for receiver in receivers:
        for number in range(5):
            frame = receiver.take()
            assert frame.header.sequence == number
            assert bytes(frame.buffers[0]) == np.full(4, number).tobytes()
            receiver.port.acknowledge(frame)
        end = receiver.take()
        assert end.header.kind == END
        receiver.port.acknowledge(end)
        assert receiver.port.ended
        assert receiver.port.reasons == ["why"]
    sender.await_done()
    # What was sent is counted once, however many want it.
    assert sender.outbox.counts.frames == 5


def test_one_full_consumer_holds_the_producer_but_not_a_lossy_one(net):
    sender, _ = tee(net, 1 << 20, 1024)
    sender.send(KIB)
    assert not sender.outbox.has_room(1)
    sender, (whole, partly) = tee(net, 1 << 20, 1024, lossy=(False, True))
    for _ in range(3):
        assert sender.outbox.has_room(1024)
        sender.send(KIB)
    sender.outbox.finish([])
    assert [frame[0] for frame in kinds_taken(whole, 4)] == ["arrays"] * 3 + [END]
    assert [frame[0] for frame in kinds_taken(partly, 2)] == ["arrays", END]
    assert [group.counts().dropped_frames for group in sender.outbox.groups] == [0, 2]


def test_acknowledgements_free_the_link_that_they_are_for(net):
    sender, receivers = tee(net, 1024, 1024)
    sender.send(KIB)
    for number, receiver in enumerate(receivers):
        receiver.port.acknowledge(receiver.take())
        sender.await_acks()
        outstanding = [group.outstanding_bytes for group in sender.outbox.groups]
        assert outstanding == [0, 1024 if number == 0 else 0]
        assert sender.outbox.has_room(1024) == (number == 1)
    assert sender.outbox.is_done
    assert sender.outbox.outstanding_bytes == 0


def send_ack(net: Net, sender: Sender, data: bytes) -> None:
    socket = data_socket(net.context, zmq.PUSH)
    socket.connect(address_of(sender.acks))
    socket.send(data)
    sender.await_acks()
    socket.close()


def test_an_acknowledgement_of_a_stranger_or_of_another_run_frees_nothing(net):
    sender, _ = tee(net, 1 << 20)
    sender.send(KIB)
    send_ack(net, sender, encode_ack(Ack("stranger", 1, 0)))
    send_ack(net, sender, encode_ack(Ack("consumer0", 2, 0)))
    assert sender.outbox.outstanding_bytes == 1024
    send_ack(net, sender, encode_ack(Ack("consumer0", 1, 0)))
    assert sender.outbox.outstanding_bytes == 0


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x93\xa1\xff\x01\x01", b"\x93\xa1c\x01", b"\x93\x01\x01\x01"],
)
def test_what_is_no_acknowledgement_is_refused_with_the_reason(data):
    with pytest.raises(FrameError, match="an acknowledgement cannot be read"):
        decode_ack(data)


@given(st.text(max_size=5), st.integers(0, 2**63), st.integers(-1, 2**63))
def test_acknowledgements_arrive_as_they_were_sent(consumer, run, sequence):
    sent = Ack(consumer, run, sequence)
    assert decode_ack(encode_ack(sent)) == sent


def test_a_consumer_that_is_cut_holds_the_producer_no_more(net):
    sender, (dead, alive) = tee(net, 1024, 1 << 20)
    sender.send(KIB)
    assert not sender.outbox.has_room(1)
    sender.outbox.cut("consumer0")
    assert sender.outbox.has_room(1024)
    sender.send(KIB)
    sender.outbox.finish([])
    for _ in range(3):
        alive.port.acknowledge(alive.take())
    sender.await_done()
    counts = [group.counts() for group in sender.outbox.groups]
    assert [count.dropped_frames for count in counts] == [1, 0]
    sender.outbox.cut("nobody")
    assert dead.take().header.sequence == 0


def test_all_consumers_cut_at_once_leave_nothing_to_wait_for(net):
    sender, _ = tee(net, 1024, 1024)
    sender.send(KIB)
    sender.outbox.cut_all()
    assert sender.outbox.is_done
    assert sender.outbox.has_room(1 << 40)
    sender.outbox.finish([])
    assert sender.outbox.is_done


def test_only_the_link_of_a_new_process_is_sent_again(net):
    sender, (old, other) = tee(net, 1 << 20, 1 << 20)
    for _ in range(3):
        sender.send(KIB)
    old.port.acknowledge(old.take())
    sender.await_acks()
    old.close()
    new = net.receiver("consumer0")
    new.connect([sender])
    new.port.begin(1, restarted=True)
    sender.outbox.resume("consumer0", new.address)
    assert [new.take().header.sequence for _ in range(2)] == [1, 2]
    new.take_nothing()
    assert [other.take().header.sequence for _ in range(3)] == [0, 1, 2]
    other.take_nothing()


# What a worker of a pool tells of its data


def worker(net: Net) -> tuple[Sender, Receiver]:
    return net.pair(window=1 << 20)


def test_the_outputs_of_a_datum_carry_its_rank_and_the_last_one_says_so(net):
    sender, receiver = worker(net)
    for order, outputs in ((7, 3), (9, 1), (10, 0)):
        sender.outbox.begin_datum(order)
        for number in range(outputs):
            sender.send([number])
        sender.outbox.end_datum()
    assert kinds_taken(receiver, 5) == [
        ("objects", 7, False),
        ("objects", 7, False),
        ("objects", 7, True),
        ("objects", 9, True),
        (NOTHING, 10, True),
    ]


def test_the_last_output_is_held_back_until_the_datum_is_done(net):
    sender, receiver = worker(net)
    sender.outbox.begin_datum(0)
    sender.send([1])
    receiver.take_nothing()
    assert sender.outbox.outstanding_bytes == 0
    sender.send([2])
    assert kinds_taken(receiver, 1) == [("objects", 0, False)]
    sender.outbox.end_datum()
    assert kinds_taken(receiver, 1) == [("objects", 0, True)]


def test_without_a_rank_nothing_is_held_back_or_added(net):
    sender, receiver = worker(net)
    sender.outbox.begin_datum(-1)
    sender.send([1])
    assert kinds_taken(receiver, 1) == [("objects", -1, True)]
    sender.outbox.end_datum()
    receiver.take_nothing()
    # Nor behind a datum with a rank: what is sent at the end of a run has none.
    sender.outbox.begin_datum(3)
    sender.outbox.end_datum()
    sender.send([2])
    assert kinds_taken(receiver, 2) == [(NOTHING, 3, True), ("objects", -1, True)]


def test_a_new_run_forgets_what_was_held_back(net):
    sender, receiver = worker(net)
    sender.outbox.begin_datum(4)
    sender.send(["old"])
    sender.outbox.begin(2)
    receiver.port.begin(2)
    sender.outbox.end_datum()
    sender.send(["new"])
    frame = receiver.take()
    assert (frame.header.run, frame.header.sequence, frame.header.order) == (2, 0, -1)
    assert bytes(frame.buffers[0]).endswith(b"new")
    receiver.take_nothing()
    sender.outbox.begin_datum(0)
    sender.outbox.end_datum()
    assert kinds_taken(receiver, 1) == [(NOTHING, 0, True)]
    assert sender.outbox.counts.frames == 1


def test_tallies_go_to_every_consumer(net):
    sender, receivers = tee(net, 1 << 20, 1 << 20)
    sender.outbox.add_tally(("source", 0), Tally(decoded=2))
    sender.send([1])
    for receiver in receivers:
        assert receiver.take().header.tallies == [("source", 0, Tally(decoded=2))]


@pytest.mark.parametrize("window", [1, 3000, 10_000])
def test_a_worker_exceeds_the_window_by_one_frame_at_most(net, window):
    rng = np.random.default_rng(5)
    sender, receiver = net.pair(window=window)
    highest = 0
    for order in range(60):
        sender.outbox.begin_datum(order)
        for _ in range(rng.integers(0, 4)):
            size = int(rng.integers(1, 3000))
            # As a task sends.
            while not sender.outbox.has_room(size):
                receiver.port.acknowledge(receiver.take())
                sender.await_acks()
            sender.send(np.zeros(size, np.uint8))
            highest = max(highest, sender.outbox.outstanding_bytes)
        sender.outbox.end_datum()
        highest = max(highest, sender.outbox.outstanding_bytes)
    # A frame that is larger than the window goes alone.
    assert 0 < highest <= max(window, 3000) + 3000
