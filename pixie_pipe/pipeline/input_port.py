"""The receiving end of links: nothing twice, nothing missing, pools in order."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import zmq

from pixie_pipe.buffers import BufferPool
from pixie_pipe.pipeline.data import Counts
from pixie_pipe.pipeline.frames import (
    END,
    NOTHING,
    FrameError,
    Header,
    decode_header,
    end_of,
)
from pixie_pipe.pipeline.links import HERE, Ack, data_socket, encode_ack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pixie_pipe.pipeline.messages import InputEdge
    from pixie_pipe.pipeline.shared_memory import SharedViews


HELD_BYTES: Final = 32 << 20
"""Shared memory of one producer that a task may keep looking at: a few large frames, as
many as the sorter has to keep of a source at any rate."""


@dataclass(slots=True)
class Arrived:
    """A frame that has come: the header, and the memory of its arrays."""

    header: Header
    buffers: list[memoryview]
    link: InputLink
    # All of them, if they are in shared memory.
    shared: NDArray[np.uint8] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(self.header.sizes)

    def let_go(self) -> weakref.ref[NDArray[np.uint8]] | None:
        """Forget the arrays; return shared memory that others refer to, if any."""
        if self.shared is None:
            return None
        reference = weakref.ref(self.shared)
        self.shared, self.buffers = None, []
        return None if reference() is None else reference


@dataclass(slots=True)
class _Held:
    """Shared memory of a frame that is worked on, but still referred to."""

    link: InputLink
    run: int
    sequence: int
    nbytes: int
    memory: weakref.ref[NDArray[np.uint8]]


@dataclass(slots=True)
class InputLink:
    """The receiving end of a link from one process."""

    task: str
    group: InputGroup
    # None: it is in the same process, and needs none.
    acks: zmq.Socket[Any] | None
    # None: a process that replaces another takes up where the sender does.
    expected: int | None = 0
    partial: bool = False
    # Frames before this one have been handed out and worked on.
    done: int = 0
    queue: deque[Arrived] = field(default_factory=deque)
    ended: bool = False
    cut: bool = False
    counts: Counts = field(default_factory=Counts)
    # Shared memory that the task still looks at, of frames that are acknowledged.
    held_bytes: int = 0

    def accept(self, header: Header, run: int) -> bool:
        """Tell whether a frame is new, and count it.

        Raises
        ------
        FrameError
            If frames before it are missing.
        """
        if header.run != run:
            return False
        if self.expected is None:
            self.expected = self.done = header.sequence
        if header.sequence < self.expected:
            return False
        if header.sequence > self.expected:
            raise FrameError(
                f"frames {self.expected} to {header.sequence - 1} from {self.task} "
                f"are missing: the next one is number {header.sequence}"
            )
        self.expected += 1
        return True


@dataclass(slots=True)
class InputGroup:
    """One producer as its consumer sees it: one link, or those from all its workers.

    The frames of a pool are handed out in the order that the pool was fed in.
    """

    edge: InputEdge
    links: list[InputLink] = field(default_factory=list)
    # None: a process that replaces another goes on with the first one that comes.
    next_order: int | None = 0

    @property
    def ended(self) -> bool:
        """Whether no more data will come."""
        return all(link.ended or link.cut for link in self.links)

    def pop(self) -> Arrived | None:
        """Return the next frame in order, if it has come."""
        if len(self.links) == 1:
            queue = self.links[0].queue
            return queue.popleft() if queue else None
        heads = [link for link in self.links if link.queue]
        for link in heads:
            head = link.queue[0].header
            if head.kind == END or head.order == self.next_order:
                return self._take(link)
        # A worker that is gone leaves gaps: go on when nobody else can fill them.
        gone = self.next_order is None or any(link.cut for link in self.links)
        waiting = [
            link for link in self.links if not (link.queue or link.ended or link.cut)
        ]
        if gone and heads and not waiting:
            return self._take(min(heads, key=lambda link: link.queue[0].header.order))
        return None

    def _take(self, link: InputLink) -> Arrived:
        frame = link.queue.popleft()
        if frame.header.kind != END and frame.header.last:
            self.next_order = frame.header.order + 1
        return frame


class InputPort:
    """The receiving end of all links of one process.

    Parameters
    ----------
    context
        Where sockets are made.
    name
        Name of the process.
    socket
        The PULL socket for data, bound.
    memory
        The memory of the producers on this host.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        name: str,
        socket: zmq.Socket[Any],
        memory: SharedViews | None = None,
    ) -> None:
        self._context = context
        self._name = name
        self.socket = socket
        self._run = 0
        self.groups: list[InputGroup] = []
        self._links: dict[str, InputLink] = {}
        self._memory = memory
        self._pool = BufferPool()
        self._held: list[_Held] = []
        self.reasons: list[str] = []

    def connect(self, edges: Iterable[InputEdge]) -> None:
        """Take these producers."""
        self.close_links()
        if self._memory is not None:
            self._memory.forget()
        self.groups = []
        for edge in edges:
            group = InputGroup(edge)
            for task in edge.tasks:
                link = InputLink(task, group, self._acks_socket(edge.acks[task]))
                group.links.append(link)
                self._links[task] = link
            self.groups.append(group)

    def _acks_socket(self, address: str) -> zmq.Socket[Any] | None:
        if address == HERE:
            return None
        socket = data_socket(self._context, zmq.PUSH)
        socket.connect(address)
        return socket

    @property
    def is_fed_here(self) -> bool:
        """Whether all data come from tasks of the same process."""
        links = self._links.values()
        return bool(links) and all(link.acks is None for link in links)

    def begin(self, run: int, *, restarted: bool = False) -> None:
        """Begin a run."""
        self._run = run
        self.reasons = []
        for group in self.groups:
            group.next_order = None if restarted else 0
            for link in group.links:
                link.expected = None if restarted else 0
                link.partial = restarted
                link.done = 0
                link.queue.clear()
                link.ended = link.cut = False
                link.counts = Counts()

    @property
    def ended(self) -> bool:
        """Whether all data of the run have been handed out."""
        return bool(self.groups) and all(group.ended for group in self.groups)

    @property
    def queued_bytes(self) -> int:
        """Bytes that have come and wait."""
        return sum(
            frame.nbytes for link in self._links.values() for frame in link.queue
        )

    def drain(self) -> None:
        """Take what has come from the socket.

        Raises
        ------
        FrameError
            If a frame is no frame, or frames are missing.
        """
        while True:
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self._arrive(parts)

    def take(self, header: Header, buffers: list[memoryview]) -> Arrived:
        """Take a frame of a task in the same process.

        Raises
        ------
        FrameError
            If it is not the next one, or tells of data that did not come.
        """
        link = self._link_from(header)
        if not link.accept(header, self._run):
            raise FrameError(
                f"frame {header.sequence} of run {header.run} came from "
                f"{header.source}, expected {link.expected} of run {self._run}"
            )
        frame = Arrived(header, buffers, link)
        self._count(frame)
        return frame

    def _link_from(self, header: Header) -> InputLink:
        link = self._links.get(header.source)
        if link is None:
            raise FrameError(
                f"a frame of data came from {header.source!r}, which is no neighbour; "
                f"expected {', '.join(self._links) or 'none'}"
            )
        return link

    def _arrive(self, parts: list[zmq.Frame]) -> None:
        header = decode_header(parts[0].buffer)
        link = self._link_from(header)
        if not link.accept(header, self._run):
            # What still waits here is acknowledged when it is done with.
            if header.run == self._run and header.sequence < link.done:
                self._acknowledge(link, header.sequence)
            return
        if not header.memory:
            buffers = [part.buffer for part in parts[1:]]
            link.queue.append(Arrived(header, buffers, link))
            return
        if self._memory is None or len(parts) > 1:
            raise FrameError(
                f"frame {header.sequence} from {header.source} says that its arrays "
                f"are in shared memory, which is not used here"
            )
        shared, views = self._memory.views(header.memory, header.places, header.sizes)
        link.queue.append(Arrived(header, views, link, shared))

    def next(self) -> Arrived | None:
        """Return the next frame in order, if one has come.

        Raises
        ------
        FrameError
            If the last frame of a link tells of data that did not come.
        """
        for group in self.groups:
            frame = group.pop()
            if frame is None:
                continue
            # The producers take turns.
            self.groups.append(self.groups.pop(self.groups.index(group)))
            self._count(frame)
            return frame
        return None

    def _count(self, frame: Arrived) -> None:
        header, link = frame.header, frame.link
        if header.kind == END:
            self._end(frame)
        elif header.kind != NOTHING:
            link.counts.frames += 1
            link.counts.bytes += frame.nbytes
            link.counts.words += header.words
            link.counts.events += header.events

    def _end(self, frame: Arrived) -> None:
        link = frame.link
        link.ended = True
        body = end_of(frame.header)
        counts = link.counts
        sent = (body.frames, body.words, body.events)
        came = (counts.frames, counts.words, counts.events)
        self.reasons += [r for r in body.reasons if r not in self.reasons]
        if sent != came and not link.partial:
            raise FrameError(
                f"{link.task} says that it sent {sent} frames, words and events, but "
                f"{came} came"
            )

    def open(self, frame: Arrived) -> list[memoryview]:
        """Return the arrays of a frame; copies if the task keeps much of the data."""
        is_shared = frame.shared is not None
        if not is_shared or frame.link.held_bytes + frame.nbytes <= HELD_BYTES:
            return frame.buffers
        copies = self._pool.take_parts(frame.header.sizes)
        for copy, buffer in zip(copies, frame.buffers, strict=True):
            copy[:] = buffer
        return [copy.data for copy in copies]

    def acknowledge(self, frame: Arrived) -> None:
        """Tell the sender that a frame is done with.

        If its shared memory is still referred to, the task keeps what it gets: the
        sender learns that it must not use this memory again. If that becomes too
        much, the task is given copies.
        """
        self.acknowledge_all([frame])

    def acknowledge_all(self, frames: Iterable[Arrived]) -> None:
        """Tell the senders that frames are done with; see `acknowledge`.

        The last one of a sender stands for those before it, but for those of which the
        memory is still referred to.
        """
        self.release()
        told: dict[str, tuple[InputLink, int]] = {}
        for frame in frames:
            link, number, size = frame.link, frame.header.sequence, frame.nbytes
            link.done = number + 1
            held = frame.let_go()
            if held is None:
                told[link.task] = (link, number)
                continue
            link.held_bytes += size
            self._held.append(_Held(link, self._run, number, size, held))
            told.pop(link.task, None)
            self._acknowledge(link, number, is_held=True)
        for link, number in told.values():
            self._acknowledge(link, number)

    def _acknowledge(
        self, link: InputLink, sequence: int, *, is_held: bool = False
    ) -> None:
        if link.acks is not None:
            ack = Ack(self._name, self._run, sequence, is_held)
            link.acks.send(encode_ack(ack), zmq.NOBLOCK)

    def release(self) -> None:
        """Tell the senders what is not referred to any more."""
        if not self._held:
            return
        still = []
        for held in self._held:
            if held.memory() is not None:
                still.append(held)
                continue
            held.link.held_bytes -= held.nbytes
            link = self._links.get(held.link.task)
            if link is not None and link.acks is not None:
                ack = Ack(
                    self._name, held.run, -1, released=[(held.run, held.sequence)]
                )
                link.acks.send(encode_ack(ack), zmq.NOBLOCK)
        self._held = still

    def cut(self, task: str) -> None:
        """Expect nothing more from a process that is gone."""
        if task in self._links:
            self._links[task].cut = True
            self.reasons.append(f"{task} ended before its data were complete")

    def resume(self, task: str, acks: str) -> None:
        """Expect the data of a new process in place of the old one."""
        link = self._links.get(task)
        if link is None:
            return
        if link.acks is not None:
            link.acks.close()
        link.acks = self._acks_socket(acks)

    def close_links(self) -> None:
        """Close the sockets to the producers."""
        for link in self._links.values():
            if link.acks is not None:
                link.acks.close()
        self._links = {}

    def counts(self) -> dict[str, Counts]:
        """Return what came, by process."""
        return {link.task: link.counts for link in self._links.values()}
