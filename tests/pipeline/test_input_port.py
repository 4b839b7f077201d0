"""The receiving end of links: nothing twice, and nothing missing."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pixie_pipe.pipeline.checkpoint import Checkpoint
from pixie_pipe.pipeline.frames import (
    EndBody,
    FrameError,
    pack,
    pack_end,
    pack_nothing,
)
from pixie_pipe.pipeline.links import DEFAULT_WINDOW, address_of, decode_ack
from tests.support.wire import (
    QUIET_MS,
    TRANSPORTS,
    WAIT_MS,
    Net,
    Receiver,
    Sender,
    acks_at,
    come,
    drained,
    frame_of,
    line_to,
    taken,
)


@pytest.fixture(params=TRANSPORTS)
def net(request, tmp_path_factory):
    made = Net(request.param, tmp_path_factory.mktemp("net"))
    yield made
    made.close()


# One link


def test_frames_are_handed_out_in_order_and_acknowledged_when_done_with(net):
    sender, receiver = net.pair(window=1 << 20)
    for number in range(4):
        sender.send(np.full(128, number))
    frames = [receiver.take() for _ in range(4)]
    assert [frame.header.sequence for frame in frames] == [0, 1, 2, 3]
    assert [frame.nbytes for frame in frames] == [1024] * 4
    # Handed out is not done with.
    assert not sender.acks.poll(QUIET_MS)
    for number, frame in enumerate(frames):
        receiver.port.acknowledge(frame)
        sender.await_acks()
        assert sender.outbox.outstanding_bytes == 1024 * (3 - number)
    assert receiver.port.counts()["producer"].to_dict() == {"frames": 4, "bytes": 4096}


def test_what_waits_is_counted_in_bytes(net):
    sender, receiver = net.pair()
    sender.send(np.zeros(128))
    come(receiver, 1)
    assert receiver.port.queued_bytes == 1024
    receiver.take()
    assert receiver.port.queued_bytes == 0


def test_a_frame_that_comes_twice_is_handed_out_once(net):
    sender, receiver = net.pair()
    line = line_to(net, receiver)
    sender.send([0])
    assert taken(receiver, 1) == [0]
    line.send_multipart(frame_of(pack([0]), sequence=0))
    sender.send([1])
    assert taken(receiver, 1) == [1]
    receiver.take_nothing()
    # It was done with, and the sender may not know: it is told again.
    assert sorted(acks_at(sender, 3)) == [0, 0, 1]
    assert receiver.port.counts()["producer"].frames == 2


def test_a_frame_that_comes_twice_and_still_waits_is_not_acknowledged(net):
    sender, receiver = net.pair()
    line = line_to(net, receiver)
    for sequence in (0, 1, 1, 0):
        line.send_multipart(frame_of(pack([0]), sequence=sequence))
    frames = [receiver.take() for _ in range(2)]
    receiver.take_nothing()
    assert not sender.acks.poll(QUIET_MS)
    receiver.port.acknowledge(frames[0])
    assert acks_at(sender, 1) == [0]
    line.send_multipart(frame_of(pack([0]), sequence=1))
    receiver.take_nothing()
    assert not sender.acks.poll(QUIET_MS)


@pytest.mark.parametrize("missing", [1, 3])
def test_missing_frames_are_noticed_and_named(net, missing):
    _, receiver = net.pair()
    line = line_to(net, receiver)
    line.send_multipart(frame_of(pack([0]), sequence=0))
    assert taken(receiver, 1) == [0]
    line.send_multipart(frame_of(pack([0]), sequence=1 + missing))
    expected = f"frames 1 to {missing} from producer are missing: the next one is"
    with pytest.raises(FrameError, match=f"{expected} number {missing + 1}"):
        drained(receiver)
    # The next ones that come do not stand for those.
    line.send_multipart(frame_of(pack([0]), sequence=2 + missing))
    with pytest.raises(FrameError, match="frames 1 to"):
        drained(receiver)


def test_a_frame_of_another_run_is_ignored(net):
    sender, receiver = net.pair(run=5)
    line = line_to(net, receiver)
    for run in (4, 6):
        line.send_multipart(frame_of(pack([0]), run=run))
    receiver.take_nothing()
    sender.send([1])
    assert taken(receiver, 1) == [0]
    assert acks_at(sender, 1) == [0]
    assert not sender.acks.poll(QUIET_MS)


def test_a_frame_of_a_stranger_is_refused_and_the_neighbours_are_named(net):
    _, receiver = net.pair()
    line = line_to(net, receiver)
    line.send_multipart(frame_of(pack([0]), source="stranger"))
    with pytest.raises(
        FrameError, match=r"'stranger', which is no neighbour; .*producer"
    ):
        drained(receiver)
    assert receiver.port.next() is None


@pytest.mark.parametrize("parts", [[b""], [b"\xc1"], [b"GET /", b"Host: me"]])
def test_what_is_no_frame_is_refused_and_the_proper_ones_still_come(net, parts):
    sender, receiver = net.pair()
    line = line_to(net, receiver)
    line.send_multipart(parts)
    with pytest.raises(FrameError, match="the header of a frame cannot be read"):
        drained(receiver)
    sender.send([1])
    assert taken(receiver, 1) == [0]


def test_the_end_is_reached_when_all_of_it_was_handed_out(net):
    sender, receiver = net.pair()
    sender.send([1])
    sender.outbox.finish(["a module was lost"])
    assert not receiver.port.ended
    assert taken(receiver, 1) == [0]
    come(receiver, 1)
    assert not receiver.port.ended
    assert taken(receiver, 1) == [1]
    assert receiver.port.ended
    assert receiver.port.reasons == ["a module was lost"]
    sender.await_done()
    assert receiver.port.counts()["producer"].frames == 1


@pytest.mark.parametrize(
    "told", [EndBody(2, 0, 0), EndBody(0, 0, 0), EndBody(1, 1, 0), EndBody(1, 0, 1)]
)
def test_an_end_that_tells_of_other_data_is_noticed(net, told):
    _, receiver = net.pair()
    line = line_to(net, receiver)
    line.send_multipart(frame_of(pack([0])))
    line.send_multipart(frame_of(pack_end(told), sequence=1))
    assert taken(receiver, 1) == [0]
    sent = f"({told.frames}, {told.words}, {told.events})"
    with pytest.raises(FrameError) as caught:
        receiver.take()
    assert f"producer says that it sent {sent} frames" in str(caught.value)
    assert "(1, 0, 0) came" in str(caught.value)


def test_an_end_counts_neither_itself_nor_what_only_keeps_the_order(net):
    _, receiver = net.pair()
    line = line_to(net, receiver)
    line.send_multipart(frame_of(pack_nothing(), order=0))
    line.send_multipart(frame_of(pack([0]), sequence=1, order=1))
    line.send_multipart(frame_of(pack_end(EndBody(1, 0, 0)), sequence=2))
    assert taken(receiver, 3) == [0, 1, 2]
    assert receiver.port.ended


def test_a_producer_that_is_cut_ends_the_data_with_a_reason(net):
    sender, receiver = net.pair()
    sender.send([1])
    come(receiver, 1)
    receiver.port.cut("nobody")
    assert not receiver.port.ended
    receiver.port.cut("producer")
    assert receiver.port.ended
    assert receiver.port.reasons == ["producer ended before its data were complete"]
    # What had come is still there.
    assert taken(receiver, 1) == [0]


def test_a_new_run_forgets_the_old_one(net):
    sender, receiver = net.pair()
    sender.send([1])
    sender.send([2])
    assert taken(receiver, 1) == [0]
    come(receiver, 1)
    receiver.port.cut("producer")
    receiver.port.begin(2)
    assert not receiver.port.ended
    assert receiver.port.reasons == []
    assert receiver.port.queued_bytes == 0
    assert receiver.port.counts()["producer"].to_dict() == {}
    sender.outbox.begin(2)
    sender.send([3])
    assert taken(receiver, 1) == [0]


def test_a_port_without_producers_never_ends(net):
    receiver = net.receiver()
    receiver.connect([])
    receiver.port.begin(1)
    assert not receiver.port.ended
    assert receiver.port.next() is None


def test_several_producers_take_turns(net):
    senders = [net.sender(name) for name in "abc"]
    receiver = net.receiver()
    receiver.connect(senders)
    receiver.port.begin(1)
    for sender in senders:
        sender.connect([receiver])
        sender.outbox.begin(1)
        for number in range(3):
            sender.send([number])
    come(receiver, 9)
    came = [receiver.take().header for _ in range(9)]
    assert [(h.source, h.sequence) for h in came] == [
        (name, number) for number in range(3) for name in "abc"
    ]


def test_acknowledgements_go_to_the_process_that_replaces_a_producer(net):
    sender, receiver = net.pair()
    sender.send([1])
    frame = receiver.take()
    new = net.bound()
    receiver.port.resume("producer", address_of(new))
    receiver.port.resume("nobody", address_of(new))
    receiver.port.acknowledge(frame)
    assert new.poll(WAIT_MS)
    assert decode_ack(new.recv()).sequence == 0
    assert not sender.acks.poll(QUIET_MS)


def test_several_frames_are_acknowledged_at_once_but_for_those_that_are_kept(net):
    sender, receiver = net.pair()
    for number in range(4):
        sender.send(np.full(1 << 14, number))
    frames = [receiver.take() for _ in range(4)]
    acks = net.bound()
    receiver.port.resume("producer", address_of(acks))
    second = np.frombuffer(frames[1].buffers[0], np.int64)
    is_shared = frames[1].shared is not None
    receiver.port.acknowledge_all(frames)
    told = []
    while acks.poll(QUIET_MS):
        ack = decode_ack(acks.recv())
        told.append((ack.sequence, ack.is_held))
    assert told == ([(1, True), (3, False)] if is_shared else [(3, False)])
    assert second[0] == 1
    del second, frames
    receiver.port.release()
    if is_shared:
        assert acks.poll(WAIT_MS)
        assert list(map(tuple, decode_ack(acks.recv()).released)) == [(1, 1)]


# A process that replaces another


def replaced(net: Net, sender: Sender, old: Receiver) -> Receiver:
    """Return a new process in place of the old one; the sender does not know yet."""
    old.close()
    new = net.receiver(old.name)
    new.connect([sender])
    new.port.begin(1, restarted=True)
    return new


@pytest.mark.parametrize("done", [0, 2, 5])
def test_a_new_process_gets_exactly_what_the_old_one_was_not_done_with(net, done):
    sender, old = net.pair()
    for number in range(5):
        sender.send([number])
    assert taken(old, done) == list(range(done))
    while sender.outbox.groups[0].links["consumer"].outstanding > 5 - done:
        sender.await_acks()
    new = replaced(net, sender, old)
    sender.send([5])
    sender.outbox.resume("consumer", new.address)
    sender.send([6])
    sender.outbox.finish([])
    assert taken(new, 8 - done) == list(range(done, 8))
    # It has not seen all, and the end is no contradiction to that.
    assert new.port.ended
    sender.await_done()


def test_a_new_process_drops_what_its_checkpoint_has_and_acknowledges_it(net):
    sender, old = net.pair()
    for number in range(4):
        sender.send([number])
    # Three are in the checkpoint; the sender knows of none.
    new = replaced(net, sender, old)
    (link,) = new.port.groups[0].links
    link.expected = link.done = 3
    sender.outbox.resume("consumer", new.address)
    assert taken(new, 1) == [3]
    sender.await_done()
    assert new.port.counts()["producer"].frames == 1


def test_a_new_process_without_a_checkpoint_takes_up_where_the_sender_does(net):
    sender, old = net.pair()
    new = replaced(net, sender, old)
    line = line_to(net, new)
    for sequence in (3, 1, 4):
        line.send_multipart(frame_of(pack([0]), sequence=sequence))
    come(new, 2)
    # What was before is not its business, and nobody must wait for it.
    assert acks_at(sender, 1) == [1]
    assert taken(new, 2) == [3, 4]


def test_a_checkpoint_knows_of_producers_that_sent_nothing_since_the_last_one(
    net, tmp_path
):
    """Two restarts, and one of two producers is silent between them."""
    senders = [net.sender(name) for name in "ab"]
    line = net.receiver()
    line.connect(senders)
    line.port.begin(1)
    for sender in senders:
        sender.connect([line])
        sender.outbox.begin(1)
        for number in range(2):
            sender.send([number])

    def checkpoint(receiver: Receiver) -> Checkpoint:
        task = SimpleNamespace(run_number=1, serialize=bytes, restore=bytes)
        return Checkpoint(task, receiver.port, str(tmp_path / "state"))  # type: ignore[arg-type]

    def note(receiver: Receiver, kept: Checkpoint, count: int) -> list[tuple[str, int]]:
        frames = [receiver.take() for _ in range(count)]
        for frame in frames:
            kept.note(frame)
        kept.save()
        return sorted((frame.header.source, frame.header.sequence) for frame in frames)

    assert note(line, checkpoint(line), 4) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    for sender in senders:
        sender.await_done()
    for restart in range(2):
        line.close()
        line = net.receiver()
        line.connect(senders)
        line.port.begin(1, restarted=True)
        kept = checkpoint(line)
        kept.restore()
        for sender in senders:
            sender.outbox.resume("consumer", line.address)
        senders[0].send(["more"])
        assert note(line, kept, 1) == [("a", 2 + restart)]
    senders[1].send(["at last"])
    assert note(line, kept, 1) == [("b", 2)]


def test_a_checkpoint_does_not_let_a_window_fill_with_large_frames(net, tmp_path):
    """As of a tap whose frames are half as large as the window."""
    sender, receiver = net.pair()
    task = SimpleNamespace(run_number=1, serialize=bytes, restore=bytes)
    kept = Checkpoint(task, receiver.port, str(tmp_path / "state"))  # type: ignore[arg-type]
    frame = np.zeros(DEFAULT_WINDOW // 2, np.uint8)
    for _ in range(6):
        assert sender.outbox.has_room(frame.nbytes)
        sender.send(frame)
        kept.note(receiver.take())
        # Nobody waits for the time at which a checkpoint is due.
        sender.await_done()
