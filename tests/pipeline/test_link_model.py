"""Anything may happen on a link, in any order: against a simple model."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from pixie_pipe.pipeline.frames import (
    END,
    FrameError,
)
from pixie_pipe.pipeline.links import address_of, decode_ack
from tests.support.wire import (
    WAIT_MS,
    Net,
    Receiver,
    drained,
    header_in,
    line_to,
)

if TYPE_CHECKING:
    import zmq

    from pixie_pipe.pipeline.input_port import Arrived

WINDOW = 4096


class Wire(RuleBasedStateMachine):
    """A producer and a consumer, and a wire between them that the test holds.

    The model: what was sent is worked on in order and once, whatever comes twice, is
    lost with a process, or is acknowledged late. The consumer saves what it has done
    before it acknowledges, as one with checkpoints does.
    """

    transport = "ipc"

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.net = Net(self.transport, self.directory)
        self.sender = self.net.sender()
        self.acks = self.net.bound()
        self.sent: list[int] = []
        self.worked: list[int] = []
        self.ended = False
        self.finished = False
        self.saved = 0
        self.proxy: zmq.Socket[Any] | None = None
        self.receiver: Receiver | None = None
        self.start(restarted=False)
        self.sender.outbox.begin(1)

    def start(self, *, restarted: bool) -> None:
        """Let a new process consume."""
        self.flying: list[list[bytes]] = []
        self.delivered: list[list[bytes]] = []
        self.frames: list[Arrived] = []
        self.unheard: list[bytes] = []
        self.broken = False
        self.arrived = self.saved
        self.proxy = self.net.bound()
        self.receiver = self.net.receiver()
        self.line = line_to(self.net, self.receiver)
        # What it acknowledges comes to the test first.
        stand_in = SimpleNamespace(name="producer", acks=self.acks)
        self.receiver.connect([stand_in])  # type: ignore[list-item]
        self.receiver.port.begin(1, restarted=restarted)
        if restarted:
            (link,) = self.receiver.port.groups[0].links
            link.expected = link.done = self.saved
            self.sender.outbox.resume("consumer", address_of(self.proxy))
            self.fetch(self.link.outstanding)
        else:
            edge = SimpleNamespace(name="consumer", address=address_of(self.proxy))
            self.sender.connect([edge], WINDOW)  # type: ignore[list-item]

    @property
    def link(self):
        return self.sender.outbox.groups[0].links["consumer"]

    def fetch(self, count: int) -> None:
        """Take frames off the wire."""
        for _ in range(count):
            assert self.proxy is not None
            assert self.proxy.poll(WAIT_MS)
            self.flying.append(self.proxy.recv_multipart())

    def push(self, parts: list[bytes]) -> None:
        assert self.receiver is not None
        self.line.send_multipart(parts)
        drained(self.receiver)
        self.arrived = max(self.arrived, header_in(parts).sequence + 1)

    @precondition(lambda self: not self.finished)
    @rule(size=st.integers(0, 3000))
    def send(self, size):
        room = self.sender.outbox.has_room(size)
        full = self.link.outstanding_bytes + size > WINDOW
        assert room == (not full or self.link.outstanding == 0)
        if room:
            self.sender.send(np.full(size, len(self.sent) % 256, np.uint8))
            self.sent.append(size)
            self.fetch(1)

    @precondition(lambda self: not self.finished)
    @rule()
    def finish(self):
        self.sender.outbox.finish([])
        self.finished = True
        self.fetch(1)

    @precondition(lambda self: self.flying and not self.broken)
    @rule()
    def deliver(self):
        parts = self.flying.pop(0)
        self.delivered.append(parts)
        self.push(parts)

    @precondition(lambda self: self.delivered and not self.broken)
    @rule(share=st.floats(0, 1))
    def deliver_again(self, share):
        self.push(self.delivered[int(share * (len(self.delivered) - 1))])

    @precondition(lambda self: len(self.flying) > 1 and not self.broken)
    @rule()
    def lose(self):
        """A frame is lost: the next one tells, and the consumer is at its end."""
        lost, parts = header_in(self.flying.pop(0)).sequence, self.flying.pop(0)
        if lost < self.arrived:
            # It has had that one, before or in the process that it replaces.
            self.delivered.append(parts)
            self.push(parts)
            return
        with pytest.raises(FrameError, match=f"frames {lost} to {lost} from producer"):
            self.push(parts)
        self.broken = True

    @rule()
    def work(self):
        assert self.receiver is not None
        frame = self.receiver.port.next()
        if frame is not None:
            self.frames.append(frame)

    @precondition(lambda self: self.frames)
    @rule()
    def save_and_acknowledge(self):
        """What was worked on lasts from now on, and only that."""
        assert self.receiver is not None
        for frame in self.frames:
            if frame.header.kind == END:
                self.ended = True
            else:
                self.worked.append(len(frame.buffers[0]))
            self.saved = frame.header.sequence + 1
            self.receiver.port.acknowledge(frame)
        self.frames = []

    def hear(self) -> None:
        """Take acknowledgements off the wire."""
        while self.acks.poll(0):
            self.unheard.append(self.acks.recv())

    @rule(times=st.integers(1, 2))
    def acknowledgement_comes(self, times):
        self.hear()
        if self.unheard:
            data = self.unheard.pop(0)
            # The newest one may come before the oldest, too.
            for _ in range(times):
                self.link.acknowledge(decode_ack(data))

    @rule()
    def restart(self):
        """The consumer dies, and what was under way to it and from it."""
        assert self.receiver is not None
        self.hear()
        self.receiver.port.close_links()
        self.receiver.close()
        self.start(restarted=True)

    @invariant()
    def what_was_worked_on_is_what_was_sent_in_order_and_once(self):
        assert self.worked == self.sent[: len(self.worked)]
        assert self.ended <= (self.worked == self.sent)

    @invariant()
    def the_sender_keeps_what_does_not_last_yet(self):
        total = len(self.sent) + self.finished
        assert total - self.link.outstanding <= self.saved

    @invariant()
    def no_more_is_under_way_than_the_window_or_one_frame(self):
        assert self.link.outstanding_bytes <= WINDOW or self.link.outstanding == 1

    def teardown(self):
        try:
            self.settle()
        finally:
            self.net.close()
            shutil.rmtree(self.directory)

    def settle(self):
        """In the end everything has come once, and nobody owes anything."""
        assert self.receiver is not None
        if not self.finished:
            self.finish()
        if self.broken:
            self.restart()
        while self.flying:
            self.deliver()
        while (frame := self.receiver.port.next()) is not None:
            self.frames.append(frame)
        if self.frames:
            self.save_and_acknowledge()
        assert self.worked == self.sent
        assert self.ended
        while self.link.outstanding:
            if not self.unheard:
                assert self.acks.poll(WAIT_MS), "no acknowledgement came"
            self.acknowledgement_comes(1)
        assert self.sender.outbox.outstanding_bytes == 0


class SharedWire(Wire):
    """The same with arrays in shared memory."""

    transport = "shared"


for machine in (Wire, SharedWire):
    machine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestWire = Wire.TestCase
TestSharedWire = SharedWire.TestCase
