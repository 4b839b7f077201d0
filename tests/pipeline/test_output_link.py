"""The sending end of links: the window, acknowledgements, resuming, pools, drops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.pipeline.data import Origin, Tally
from pixie_pipe.pipeline.frames import END, NOTHING, end_of, pack, unpack
from pixie_pipe.pipeline.links import Ack, address_of, encode_ack
from pixie_pipe.pipeline.messages import OutputAddress, OutputEdge
from pixie_pipe.pipeline.output_group import OutputGroup
from pixie_pipe.pipeline.output_link import OutputLink
from tests.support.wire import QUIET_MS, TRANSPORTS, WAIT_MS, Net, header_in

KIB = np.zeros(1024, np.uint8)


@pytest.fixture(params=TRANSPORTS)
def net(request, tmp_path_factory):
    made = Net(request.param, tmp_path_factory.mktemp("net"))
    yield made
    made.close()


def link_to(net: Net, window: int) -> tuple[OutputLink, zmq.Socket[bytes]]:
    socket = net.bound()
    target = OutputAddress("consumer", address_of(socket))
    link = net.keep(OutputLink(net.context, "producer", target, window))
    link.begin(1)
    return link, socket


def group_to(
    net: Net, workers: int = 1, **edge
) -> tuple[OutputGroup, list[zmq.Socket[bytes]]]:
    sockets = [net.bound() for _ in range(workers)]
    addresses = [
        OutputAddress(f"w-{number}", address_of(socket))
        for number, socket in enumerate(sockets)
    ]
    edge = {"window_bytes": 1 << 20} | edge
    links = [
        OutputLink(net.context, "producer", target, edge["window_bytes"])
        for target in addresses
    ]
    group = OutputGroup(OutputEdge("w", addresses, **edge), links)
    group.begin(1)
    for link in group.links.values():
        net.keep(link)
    return group, sockets


def offer(group, datum, order=-1, *, last=True, origin=None):
    group.offer(pack(datum), order=order, last=last, origin=origin)


def received(socket) -> list[bytes]:
    assert socket.poll(WAIT_MS), "no frame came"
    parts: list[bytes] = socket.recv_multipart()
    return parts


def numbers_received(socket, count) -> list[int]:
    return [header_in(received(socket)).sequence for _ in range(count)]


def ack(sequence, run=1):
    return Ack("consumer", run, sequence)


# One link


def test_frames_arrive_in_order_with_numbers_without_gaps(net):
    link, socket = link_to(net, 1 << 20)
    for number in range(20):
        link.post(pack(np.full(3, number)), origin=Origin("s", 2, number))
    for number in range(20):
        first, *rest = received(socket)
        header = header_in([first])
        assert (header.source, header.run, header.sequence) == ("producer", 1, number)
        assert header.origin == Origin("s", 2, number)
        datum = unpack(header, [memoryview(part) for part in rest])
        assert np.asarray(datum).tolist() == [number] * 3
    assert (link.counts.frames, link.counts.bytes) == (20, 20 * 24)


def test_the_window_is_full_at_its_last_byte(net):
    link, _ = link_to(net, 4096)
    for _ in range(4):
        assert link.has_room(1024)
        link.post(pack(KIB))
    assert link.outstanding_bytes == 4096
    assert not link.has_room(1)
    link.acknowledge(ack(0))
    assert link.outstanding_bytes == 3072
    assert link.has_room(1024)
    assert not link.has_room(1025)


def test_a_frame_larger_than_the_window_goes_alone(net):
    link, _ = link_to(net, 1000)
    assert link.has_room(1024)
    link.post(pack(KIB))
    assert not link.has_room(0)
    link.acknowledge(ack(0))
    assert link.has_room(1 << 40)
    link.post(pack(np.zeros(1, np.uint8)))
    assert not link.has_room(1024)


def test_an_acknowledgement_frees_everything_up_to_its_number(net):
    link, _ = link_to(net, 1 << 20)
    for _ in range(5):
        link.post(pack(KIB))
    link.acknowledge(ack(2))
    assert (link.outstanding, link.outstanding_bytes) == (2, 2048)
    link.acknowledge(ack(1))
    link.acknowledge(ack(2))
    assert link.outstanding == 2
    link.acknowledge(ack(4, run=0))
    assert link.outstanding == 2
    link.acknowledge(ack(4))
    assert (link.outstanding, link.outstanding_bytes) == (0, 0)
    link.acknowledge(ack(99))
    assert link.outstanding_bytes == 0


def test_what_is_not_acknowledged_is_sent_again_to_a_new_process(net):
    link, old = link_to(net, 1 << 20)
    for number in range(6):
        link.post(pack([number]))
    first = [received(old) for _ in range(6)]
    link.acknowledge(ack(1))
    new = net.bound()
    old.close()
    link.resume(address_of(new))
    assert [received(new) for _ in range(4)] == first[2:]
    link.post(pack([6]))
    assert header_in(received(new)).sequence == 6
    assert not new.poll(QUIET_MS)
    link.acknowledge(ack(6))
    assert link.outstanding == 0


def test_sending_again_counts_nothing_twice(net):
    link, _ = link_to(net, 1 << 20)
    link.post(pack(KIB))
    link.resume(address_of(net.bound()))
    assert (link.counts.frames, link.outstanding_bytes, link.sequence) == (1, 1024, 1)


def test_a_link_that_is_cut_keeps_nothing(net):
    link, _ = link_to(net, 1024)
    link.post(pack(KIB))
    link.cut()
    assert not link.alive
    assert (link.outstanding, link.outstanding_bytes) == (0, 0)
    link.begin(2)
    assert link.alive


def test_a_new_run_begins_at_zero_and_owes_nothing(net):
    link, socket = link_to(net, 1024)
    link.post(pack(KIB))
    link.begin(2)
    assert (link.outstanding, link.outstanding_bytes, link.counts.frames) == (0, 0, 0)
    link.post(pack(KIB))
    headers = [header_in(received(socket)) for _ in range(2)]
    assert [(header.run, header.sequence) for header in headers] == [(1, 0), (2, 0)]
    link.acknowledge(ack(0, run=1))
    assert link.outstanding == 1


def test_sending_does_not_wait_for_a_receiver_that_is_not_there(net):
    socket = net.bound()
    address = address_of(socket)
    socket.close()
    target = OutputAddress("gone", address)
    link = net.keep(OutputLink(net.context, "producer", target, 1 << 30))
    link.begin(1)
    for _ in range(2000):
        link.post(pack(KIB))
    assert link.outstanding == 2000


@given(
    window=st.integers(1, 4000),
    steps=st.lists(
        st.tuples(st.integers(0, 3000), st.floats(0, 1), st.booleans()), max_size=30
    ),
)
def test_never_more_is_under_way_than_the_window_or_one_frame(window, steps):
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    target = OutputAddress("consumer", "ipc:///nobody/listens/here")
    link = OutputLink(context, "producer", target, window)
    link.begin(1)
    kept: dict[int, int] = {}
    for size, share, acknowledges in steps:
        room = link.has_room(size)
        assert room == (not kept or sum(kept.values()) + size <= window)
        if room:
            kept[link.sequence] = size
            link.post(pack(np.zeros(size, np.uint8)))
        if acknowledges and kept:
            upto = sorted(kept)[int(share * (len(kept) - 1))]
            link.acknowledge(ack(upto))
            kept = {number: kept[number] for number in kept if number > upto}
        assert link.outstanding == len(kept)
        assert link.outstanding_bytes == sum(kept.values())
        assert len(kept) <= 1 or link.outstanding_bytes <= window
    link.close()
    context.term()


# A consumer: one process, or a pool


def test_a_pool_is_fed_where_the_least_is_under_way_with_ranks_without_gaps(net):
    group, sockets = group_to(net, 2)
    assert group.is_pool
    for size in (3000, 1000, 1000, 500, 1000):
        offer(group, np.zeros(size, np.uint8))
    links = list(group.links.values())
    # 3000 | 1000 1000 500, and then the second one again.
    assert [link.counts.frames for link in links] == [1, 4]
    assert [link.outstanding_bytes for link in links] == [3000, 3500]
    ranks = [header_in(received(sockets[0])).order]
    ranks += [header_in(received(sockets[1])).order for _ in range(4)]
    assert ranks == [0, 1, 2, 3, 4]
    links[0].acknowledge(ack(0))
    offer(group, KIB)
    header = header_in(received(sockets[0]))
    assert (header.order, header.sequence) == (5, 1)
    assert group.outstanding_bytes == 3500 + 1024
    assert (group.counts().frames, group.counts().bytes) == (6, 6500 + 1024)


def test_a_pool_has_room_as_long_as_one_worker_has(net):
    group, _ = group_to(net, 2, window_bytes=1024)
    offer(group, KIB)
    assert group.has_room(1024)
    offer(group, KIB)
    assert not group.has_room(1)
    list(group.links.values())[1].acknowledge(ack(0))
    assert group.has_room(1024)


def test_a_pool_goes_on_without_a_worker_that_is_cut(net):
    group, sockets = group_to(net, 2, window_bytes=1024)
    offer(group, KIB)
    offer(group, KIB)
    group.links["w-0"].cut()
    assert group.alive
    assert not group.has_room(1)
    group.links["w-1"].acknowledge(ack(0))
    offer(group, [1])
    assert numbers_received(sockets[1], 2) == [0, 1]
    assert numbers_received(sockets[0], 1) == [0]
    assert not sockets[0].poll(QUIET_MS)
    assert group.dropped.dropped_frames == 0


def test_a_consumer_that_is_cut_frees_the_producer_and_what_it_misses_is_counted(net):
    group, _ = group_to(net, window_bytes=1024)
    offer(group, KIB)
    assert not group.has_room(1)
    assert not group.is_done
    group.links["w-0"].cut()
    assert not group.alive
    assert group.is_done
    assert group.has_room(1 << 40)
    offer(group, KIB)
    assert group.counts().dropped_frames == 1
    group.finish([])
    assert group.is_done


def test_the_end_tells_each_process_what_it_was_sent(net):
    group, sockets = group_to(net, 2)
    for size in (100, 10, 10):
        offer(group, np.zeros(size, np.uint8))
    group.finish(["a module was lost"])
    for socket, frames in zip(sockets, (1, 2), strict=True):
        for _ in range(frames):
            assert header_in(received(socket)).kind == "arrays"
        header = header_in(received(socket))
        assert (header.kind, header.sequence) == (END, frames)
        told = end_of(header)
        assert (told.frames, told.words, told.events) == (frames, 0, 0)
        assert told.reasons == ["a module was lost"]
    # The end itself is no frame of data.
    assert group.counts().frames == 3


def test_tallies_ride_once_with_the_next_frame(net):
    group, sockets = group_to(net)
    group.add_tally(("source", 0), Tally(decoded=3, events=1))
    group.add_tally(("source", 0), Tally(decoded=4, rejected=1))
    group.add_tally(("source", 1), Tally(leftover=2))
    for number in range(2):
        offer(group, [number])
    group.add_tally(("source", 1), Tally(trailing_bytes=1))
    group.finish([])
    tallies = [header_in(received(sockets[0])).tallies for _ in range(3)]
    assert tallies == [
        [("source", 0, Tally(7, 1, 0, 0, 1)), ("source", 1, Tally(leftover=2))],
        [],
        [("source", 1, Tally(trailing_bytes=1))],
    ]


def test_a_tally_waits_while_frames_are_dropped(net):
    group, sockets = group_to(net, window_bytes=1024, lossy=True)
    offer(group, KIB)
    group.add_tally(("source", 0), Tally(decoded=3))
    offer(group, KIB)
    group.finish([])
    assert header_in(received(sockets[0])).tallies == []
    assert header_in(received(sockets[0])).tallies == [("source", 0, Tally(decoded=3))]


def test_a_lossy_link_drops_what_has_no_room_and_counts_it(net):
    group, sockets = group_to(net, window_bytes=2048, lossy=True)
    for number in range(5):
        offer(group, np.full(1024, number, np.uint8))
    group.links["w-0"].acknowledge(ack(1))
    offer(group, np.full(1024, 5, np.uint8))
    group.finish([])
    came = [received(sockets[0]) for _ in range(4)]
    headers = [header_in(parts) for parts in came]
    # To the consumer, nothing is missing: the numbers have no gap.
    assert [header.sequence for header in headers] == [0, 1, 2, 3]
    assert [parts[1][0] for parts in came[:3]] == [0, 1, 5]
    told = end_of(headers[-1])
    assert (told.frames, told.dropped_frames) == (3, 3)
    counts = group.counts()
    assert (counts.frames, counts.dropped_frames) == (3, 3)
    group.begin(2)
    assert group.counts().dropped_frames == 0


def test_dropped_words_and_events_are_counted(net):
    group, _ = group_to(net, window_bytes=1, lossy=True)
    offer(group, KIB)
    packed = replace(pack(KIB), words=7, events=5)
    group.offer(packed, order=-1, last=True, origin=None)
    counts = group.counts()
    assert (counts.dropped_frames, counts.dropped_words, counts.dropped_events) == (
        1,
        7,
        5,
    )


def test_a_worker_leaves_a_mark_in_the_place_of_what_is_dropped(net):
    group, sockets = group_to(net, window_bytes=1024, lossy=True)
    offer(group, KIB, order=4)
    offer(group, KIB, order=5, last=False)
    offer(group, KIB, order=5)
    headers = [header_in(received(sockets[0])) for _ in range(3)]
    assert [(h.kind, h.order, h.last) for h in headers] == [
        ("arrays", 4, True),
        (NOTHING, 5, False),
        (NOTHING, 5, True),
    ]
    assert group.dropped.dropped_frames == 2


def test_kinds_that_the_consumer_does_not_want_are_left_out(net):
    group, sockets = group_to(net, kinds=["arrays", "end"])
    offer(group, [1])
    offer(group, KIB)
    offer(group, [2], order=3)
    group.finish([])
    headers = [header_in(received(sockets[0])) for _ in range(3)]
    assert [(h.kind, h.order, h.sequence) for h in headers] == [
        ("arrays", -1, 0),
        (NOTHING, 3, 1),
        (END, -1, 2),
    ]
    # What nobody wants is not lost.
    assert group.counts().dropped_frames == 0
    assert end_of(headers[-1]).frames == 1


def test_acknowledgements_are_a_fixed_form():
    assert encode_ack(Ack("c", 1, 2)) == b"\x95\xa1c\x01\x02\xc2\x90"
