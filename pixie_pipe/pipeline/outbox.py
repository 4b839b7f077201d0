"""Everything that one process sends: its consumers, and the order of a pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zmq

from pixie_pipe.buffers import BufferPool
from pixie_pipe.pipeline.data import Counts, Origin, Tally
from pixie_pipe.pipeline.direct_link import DirectLink, Receive, no_receiver
from pixie_pipe.pipeline.frames import Packed, pack_nothing
from pixie_pipe.pipeline.links import HERE, decode_ack
from pixie_pipe.pipeline.output_group import OutputGroup
from pixie_pipe.pipeline.output_link import Lent, OutputLink

if TYPE_CHECKING:
    from pixie_pipe.pipeline.frames import Buffer
    from pixie_pipe.pipeline.messages import OutputAddress, OutputEdge
    from pixie_pipe.pipeline.shared_memory import SharedMemory

SHARED_BYTES: Final = 1 << 15
"""Smaller frames travel behind their header: that costs less than sharing them."""


class Outbox:
    """Hands each datum to all consumers.

    A worker of a pool tells for every datum that it was given which outputs belong to
    it, so that the consumers can restore the order. The last output is known only when
    the work on the datum is done: one is held back until then.

    Parameters
    ----------
    context
        Where sockets are made.
    name
        Name of the process.
    socket
        The PULL socket for acknowledgements, bound.
    memory
        Memory that consumers on this host can read; None: all data travel.
    shared_bytes
        Size of a frame from which on it is shared.
    receiver
        Returns what takes frames for a task of the same process, by its name.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        name: str,
        socket: zmq.Socket[Any],
        memory: SharedMemory | None = None,
        *,
        shared_bytes: int = SHARED_BYTES,
        receiver: Callable[[str], Receive] = no_receiver,
    ) -> None:
        self._context = context
        self._name = name
        self.socket = socket
        self.groups: list[OutputGroup] = []
        self._memory = memory
        self._shared_bytes = shared_bytes
        self._receiver = receiver
        self._pool = BufferPool(memory.allocate if memory is not None else None)
        self._lent: Lent = {}
        self._order = -1
        self._held: tuple[Packed, Origin | None] | None = None
        self.counts = Counts()

    def connect(self, edges: Iterable[OutputEdge]) -> None:
        """Take these consumers."""
        self.close_links()
        self.groups = [
            OutputGroup(edge, [self._link(edge, target) for target in edge.addresses])
            for edge in edges
        ]

    def _link(self, edge: OutputEdge, target: OutputAddress) -> OutputLink | DirectLink:
        if target.address == HERE:
            return DirectLink(self._name, target, self._receiver(target.task))
        return OutputLink(
            self._context, self._name, target, edge.window_bytes, self._lent
        )

    def begin(self, run: int) -> None:
        """Begin a run."""
        self._order = -1
        self._held = None
        self.counts = Counts()
        for group in self.groups:
            group.begin(run)

    def has_room(self, nbytes: int) -> bool:
        """Tell whether nobody needs to be waited for to send this many bytes."""
        return all(group.edge.lossy or group.has_room(nbytes) for group in self.groups)

    def begin_datum(self, order: int) -> None:
        """Note which datum the next outputs belong to; -1 if no order is to be kept."""
        self._order = order

    def end_datum(self) -> None:
        """Tell the consumers that no more outputs belong to the datum."""
        if self._order < 0:
            return
        packed, origin = self._held or (pack_nothing(), None)
        self._held = None
        self._offer(packed, origin, order=self._order, last=True)
        self._order = -1

    def post(self, packed: Packed, origin: Origin | None) -> None:
        """Hand a frame to all consumers, who have room for it."""
        self.counts.frames += 1
        self.counts.bytes += packed.nbytes
        self.counts.words += packed.words
        self.counts.events += packed.events
        packed = self._placed(packed)
        if self._order < 0:
            self._offer(packed, origin, order=-1, last=True)
            return
        if self._held is not None:
            self._offer(*self._held, order=self._order, last=False)
        self._held = (packed, origin)

    def _placed(self, packed: Packed) -> Packed:
        """Note where the arrays lie in shared memory; copy there what does not."""
        memory = self._memory
        if (
            memory is None
            or packed.nbytes < self._shared_bytes
            or not any(group.is_local for group in self.groups)
        ):
            return packed
        arrays = [np.asarray(buffer) for buffer in packed.buffers]
        places = [memory.place_of(array) if array.size else 0 for array in arrays]
        strangers = [n for n, place in enumerate(places) if place is None]
        if strangers:
            parts = self._pool.take_parts([arrays[n].nbytes for n in strangers])
            if memory.place_of(parts[0]) is None:
                return packed
            for n, part in zip(strangers, parts, strict=True):
                part[:] = arrays[n].reshape(-1).view(np.uint8)
                arrays[n], places[n] = part, memory.place_of(part)
        buffers: list[Buffer] = list(arrays)
        return replace(
            packed,
            buffers=buffers,
            memory=memory.name,
            places=[place for place in places if place is not None],
        )

    def _offer(
        self, packed: Packed, origin: Origin | None, *, order: int, last: bool
    ) -> None:
        for group in self.groups:
            group.offer(packed, order=order, last=last, origin=origin)

    def add_tally(self, key: tuple[str, int], tally: Tally) -> None:
        """Let the next frames tell what became of words."""
        for group in self.groups:
            group.add_tally(key, tally)

    def finish(self, reasons: Iterable[str]) -> None:
        """Tell all consumers that nothing more comes in this run."""
        listed = list(reasons)
        for group in self.groups:
            group.finish(listed)

    def take_acks(self) -> None:
        """Let go of what was acknowledged."""
        links = {
            name: link for group in self.groups for name, link in group.links.items()
        }
        while True:
            try:
                data = self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            ack = decode_ack(data)
            if ack.consumer in links:
                links[ack.consumer].acknowledge(ack)
            else:
                for run, number in ack.released:
                    self._lent.pop((ack.consumer, run, number), None)

    def cut(self, task: str) -> None:
        """Give a process up that is gone."""
        self._forget(task)
        for group in self.groups:
            if task in group.links:
                group.links[task].cut()

    def cut_all(self) -> None:
        """Give all consumers up."""
        for group in self.groups:
            for link in group.links.values():
                link.cut()

    def resume(self, task: str, address: str) -> None:
        """Send to a new process what the old one had not acknowledged."""
        self._forget(task)
        for group in self.groups:
            if task in group.links:
                group.links[task].resume(address)

    def _forget(self, task: str) -> None:
        """Take back what a process looked at that is gone."""
        for key in [key for key in self._lent if key[0] == task]:
            del self._lent[key]

    @property
    def alive(self) -> bool:
        """Whether anybody is left to send to."""
        return any(group.alive for group in self.groups)

    @property
    def is_done(self) -> bool:
        """Whether everything is acknowledged."""
        return all(group.is_done for group in self.groups)

    @property
    def outstanding_bytes(self) -> int:
        """Bytes that are sent and not acknowledged."""
        return sum(group.outstanding_bytes for group in self.groups)

    def close_links(self) -> None:
        """Close the sockets to the consumers."""
        for group in self.groups:
            for link in group.links.values():
                link.close()
        self.groups = []
