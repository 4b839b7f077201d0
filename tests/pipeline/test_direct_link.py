"""Links within a process: the same frames, without sockets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pixie_pipe.pipeline.data import Tally
from pixie_pipe.pipeline.direct_link import DirectLink, no_receiver
from pixie_pipe.pipeline.frames import EndBody, FrameError, pack, pack_end, unpack
from pixie_pipe.pipeline.links import HERE
from pixie_pipe.pipeline.messages import InputEdge, OutputAddress, OutputEdge
from pixie_pipe.pipeline.outbox import Outbox
from tests.support.wire import Net


@pytest.fixture
def net(tmp_path):
    net = Net("ipc", tmp_path)
    yield net
    net.close()


class Ends:
    """An outbox and an input port in one process."""

    def __init__(self, net, *, takes=True, **edge):
        self.takes = takes
        self.frames = []
        receiver = net.receiver("consumer")
        self.port = receiver.port
        self.port.connect([InputEdge("producer", ["producer"], {"producer": HERE})])
        self.outbox = Outbox(
            net.context, "producer", net.bound(), receiver=lambda _name: self.receive
        )
        target = OutputAddress("consumer", HERE)
        self.outbox.connect([OutputEdge("consumer", [target], 1, **edge)])
        self.port.begin(1)
        self.outbox.begin(1)

    def receive(self, header, buffers):
        if self.takes:
            self.frames.append(self.port.take(header, buffers))
        return self.takes

    @property
    def link(self):
        return self.outbox.groups[0].links["consumer"]


def test_frames_arrive_at_once_in_order_and_cannot_be_written_to(net):
    ends = Ends(net)
    arrays = [np.arange(n) for n in (1, 0, 100_000)]
    for n, array in enumerate(arrays):
        ends.outbox.post(pack(array), None)
        assert len(ends.frames) == n + 1
    for n, (frame, array) in enumerate(zip(ends.frames, arrays, strict=True)):
        assert frame.header.sequence == n
        came: Any = unpack(frame.header, ends.port.open(frame))
        np.testing.assert_array_equal(came, array)
        if array.size:
            assert np.shares_memory(came, array)
        assert not came.flags.writeable
        ends.port.acknowledge(frame)
    assert ends.port.counts()["producer"].frames == 3
    assert ends.outbox.counts.to_dict() == ends.outbox.groups[0].counts().to_dict()
    assert ends.outbox.is_done
    assert ends.outbox.outstanding_bytes == 0


def test_there_is_always_room_and_nothing_is_held(net):
    ends = Ends(net)
    for _ in range(5):
        assert ends.outbox.has_room(1 << 40)
        ends.outbox.post(pack(np.zeros(10_000)), None)
    assert ends.outbox.is_done
    assert ends.port.is_fed_here


def test_the_end_tells_what_came_before_and_tallies_ride_along(net):
    ends = Ends(net)
    ends.outbox.add_tally(("s", 0), Tally(decoded=5))
    ends.outbox.post(pack(np.zeros(3)), None)
    ends.outbox.add_tally(("s", 0), Tally(decoded=7))
    ends.outbox.finish(["something is missing"])
    decoded = [t.decoded for f in ends.frames for *_, t in f.header.tallies]
    assert decoded == [5, 7]
    assert ends.port.ended
    assert ends.port.reasons == ["something is missing"]


def test_an_end_that_counts_more_is_an_error(net):
    ends = Ends(net)
    with pytest.raises(FrameError, match="says that it sent"):
        ends.link.post(pack_end(EndBody(1, 0, 0, 0, [])))


def test_a_receiver_that_takes_nothing_is_given_up_and_what_is_lost_is_counted(net):
    ends = Ends(net)
    ends.outbox.post(pack(np.zeros(3)), None)
    ends.takes = False
    for _ in range(3):
        ends.outbox.post(pack(np.zeros(3)), None)
    counts = ends.outbox.groups[0].counts()
    assert (counts.frames, counts.dropped_frames) == (1, 3)
    assert not ends.link.alive
    ends.outbox.finish([])
    assert len(ends.frames) == 1
    # And in the next run it is there again.
    ends.takes = True
    ends.port.begin(2)
    ends.outbox.begin(2)
    ends.outbox.post(pack(np.zeros(3)), None)
    assert len(ends.frames) == 2


def test_a_kind_that_is_not_wanted_is_left_out(net):
    ends = Ends(net, kinds=["objects"])
    ends.outbox.post(pack(np.zeros(3)), None)
    ends.outbox.post(pack({"a": 1}), None)
    assert [frame.header.kind for frame in ends.frames] == ["objects"]


def test_a_frame_out_of_turn_is_an_error(net):
    ends = Ends(net)
    ends.outbox.post(pack(np.zeros(3)), None)
    (frame,) = ends.frames
    with pytest.raises(FrameError, match="expected 1 of run 1"):
        ends.port.take(frame.header, frame.buffers)


def test_nobody_else_is_in_a_process_of_its_own():
    with pytest.raises(LookupError, match="no task other"):
        no_receiver("other")
    link = DirectLink("a", OutputAddress("b", HERE), lambda _header, _buffers: True)
    link.cut()
    assert not link.alive
