"""The sending end of links: what is kept until it is acknowledged, and the window."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zmq

from pixie_pipe.pipeline.data import Counts, Origin, Tallies, Tally
from pixie_pipe.pipeline.frames import (
    END,
    FRAME_VERSION,
    NOTHING,
    Buffer,
    EndBody,
    Header,
    Packed,
    encode_header,
    pack_end,
    pack_nothing,
)
from pixie_pipe.pipeline.links import data_socket
from pixie_pipe.pipeline.messages import OutputAddress

if TYPE_CHECKING:
    from pixie_pipe.pipeline.links import Ack
    from pixie_pipe.pipeline.messages import OutputEdge


@dataclass(slots=True)
class _Kept:
    """A frame that is not acknowledged."""

    sequence: int
    parts: list[Any]
    nbytes: int
    shared: Sequence[Buffer] = ()


Lent = dict[tuple[str, int, int], Sequence[Any]]
"""Arrays in shared memory that must not be used again, by consumer, run and number."""


class OutputLink:
    """The sending end of a link to one process.

    Parameters
    ----------
    context
        Where the socket is made.
    source
        Name of the sending process.
    target
        The receiving process.
    window_bytes
        Bytes that may be unacknowledged. A larger frame goes alone.
    lent
        Where to note what the receiver looks at although it has acknowledged it.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        source: str,
        target: OutputAddress,
        window_bytes: int,
        lent: Lent | None = None,
    ) -> None:
        self._context = context
        self._source = source
        self.target = target
        self._window = window_bytes
        self._socket = self._connect()
        self._kept: deque[_Kept] = deque()
        # Given up, but perhaps looked at: not used again before the next run.
        self._abandoned: list[_Kept] = []
        self._lent: Lent = {} if lent is None else lent
        self._run = 0
        self.alive = True
        self.sequence = 0
        self.outstanding_bytes = 0
        self.counts = Counts()

    def _connect(self) -> zmq.Socket[Any]:
        socket = data_socket(self._context, zmq.PUSH)
        socket.connect(self.target.address)
        return socket

    def begin(self, run: int) -> None:
        """Begin a run: numbers start at 0. The receivers have begun it before."""
        self._run = run
        self._kept.clear()
        self._abandoned.clear()
        self.alive = True
        self.sequence = 0
        self.outstanding_bytes = 0
        self.counts = Counts()

    @property
    def is_local(self) -> bool:
        """Whether the receiver is on this host."""
        return self.target.address.startswith("ipc:")

    @property
    def outstanding(self) -> int:
        """Frames that are not acknowledged."""
        return len(self._kept)

    def has_room(self, nbytes: int) -> bool:
        """Tell whether a frame of this size may be sent now."""
        return not self._kept or self.outstanding_bytes + nbytes <= self._window

    def post(
        self,
        packed: Packed,
        *,
        order: int = -1,
        last: bool = True,
        origin: Origin | None = None,
        tallies: Tallies | None = None,
    ) -> None:
        """Send a frame. Its arrays must not change from now on."""
        is_shared = bool(packed.memory) and self.is_local
        header = Header(
            version=FRAME_VERSION,
            source=self._source,
            run=self._run,
            sequence=self.sequence,
            kind=packed.kind,
            sizes=packed.sizes,
            body=packed.body,
            order=order,
            last=last,
            origin=origin,
            tallies=[(*key, tally) for key, tally in (tallies or {}).items()],
            words=packed.words,
            events=packed.events,
            memory=packed.memory if is_shared else "",
            places=list(packed.places) if is_shared else [],
        )
        parts: list[Any] = [encode_header(header)]
        kept = _Kept(self.sequence, parts, packed.nbytes)
        if is_shared:
            kept.shared = packed.buffers
        else:
            parts += map(_bytes_of, packed.buffers)
        self.sequence += 1
        self._kept.append(kept)
        self.outstanding_bytes += kept.nbytes
        self._transmit(kept)
        if packed.kind not in (END, NOTHING):
            self.counts.frames += 1
            self.counts.bytes += packed.nbytes
            self.counts.words += packed.words
            self.counts.events += packed.events

    def _transmit(self, kept: _Kept) -> None:
        # Never blocks: there is no limit but the window.
        self._socket.send_multipart(kept.parts, zmq.NOBLOCK, copy=False)

    def acknowledge(self, ack: Ack) -> None:
        """Let go of all frames up to the acknowledged one."""
        for run, number in ack.released:
            self._lent.pop((ack.consumer, run, number), None)
        if ack.run != self._run:
            return
        while self._kept and self._kept[0].sequence <= ack.sequence:
            kept = self._kept.popleft()
            self.outstanding_bytes -= kept.nbytes
            if ack.is_held and kept.sequence == ack.sequence:
                self._lent[ack.consumer, ack.run, ack.sequence] = kept.shared

    def resume(self, address: str) -> None:
        """Connect to a new process in place of the old one and send again."""
        self._socket.close()
        self.target = OutputAddress(self.target.task, address)
        self._socket = self._connect()
        for kept in self._kept:
            self._transmit(kept)

    def cut(self) -> None:
        """Give the receiver up: it gets nothing more in this run."""
        self.alive = False
        self._abandoned += self._kept
        self._kept.clear()
        self.outstanding_bytes = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _bytes_of(buffer: Any) -> Any:  # noqa: ANN401 - arrays, or bytes
    if isinstance(buffer, np.ndarray):
        return buffer.reshape(-1).view(np.uint8).data
    return buffer


class OutputGroup:
    """One consumer as its producer sees it: one link, or those to all its workers.

    Parameters
    ----------
    context, source
        As for `OutputLink`.
    edge
        The consumer.
    lent
        As for `OutputLink`.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        source: str,
        edge: OutputEdge,
        lent: Lent | None = None,
    ) -> None:
        self.edge = edge
        self.links = {
            target.task: OutputLink(context, source, target, edge.window_bytes, lent)
            for target in edge.addresses
        }
        self._order = 0
        self.pending: Tallies = {}
        self.dropped = Counts()

    def begin(self, run: int) -> None:
        """Begin a run."""
        self._order = 0
        self.pending = {}
        self.dropped = Counts()
        for link in self.links.values():
            link.begin(run)

    @property
    def is_local(self) -> bool:
        """Whether any of the receivers is on this host."""
        return any(link.is_local for link in self.links.values())

    @property
    def is_pool(self) -> bool:
        """Whether several workers share the work."""
        return len(self.links) > 1

    @property
    def alive(self) -> bool:
        """Whether anybody is left to send to."""
        return any(link.alive for link in self.links.values())

    def wants(self, kind: str) -> bool:
        """Tell whether the consumer is to be sent frames of this kind."""
        kinds = self.edge.kinds
        return kinds is None or kind in kinds or kind == NOTHING

    def has_room(self, nbytes: int) -> bool:
        """Tell whether a frame of this size may be sent now."""
        links = [link for link in self.links.values() if link.alive]
        return not links or any(link.has_room(nbytes) for link in links)

    def offer(
        self, packed: Packed, *, order: int, last: bool, origin: Origin | None
    ) -> None:
        """Send a frame, or what must stand in its place.

        A kind that the consumer does not want is left out; where the link may lose
        data and is full, the frame is dropped and counted.
        """
        wanted = self.wants(packed.kind)
        if wanted and self.edge.lossy and not self.has_room(packed.nbytes):
            self._drop(packed)
            wanted = False
        if wanted:
            self.post(packed, order=order, last=last, origin=origin)
        elif order >= 0:
            self.post(pack_nothing(), order=order, last=last, origin=None)

    def post(
        self,
        packed: Packed,
        *,
        order: int,
        last: bool,
        origin: Origin | None,
    ) -> None:
        """Send a frame to the process that has the least to do."""
        links = [link for link in self.links.values() if link.alive]
        if not links:
            self._drop(packed)
            return
        free = [link for link in links if link.has_room(packed.nbytes)] or links
        link = min(free, key=lambda link: link.outstanding_bytes)
        if self.is_pool:
            order = self._order
            self._order += 1
        tallies, self.pending = self.pending, {}
        link.post(packed, order=order, last=last, origin=origin, tallies=tallies)

    def _drop(self, packed: Packed) -> None:
        self.dropped.dropped_frames += 1
        self.dropped.dropped_events += packed.events
        self.dropped.dropped_words += packed.words

    def finish(self, reasons: Iterable[str]) -> None:
        """Send the frame that ends the run to every process."""
        listed = list(reasons)
        for link in self.links.values():
            if not link.alive:
                continue
            counts = link.counts
            body = EndBody(
                counts.frames,
                counts.words,
                counts.events,
                self.dropped.dropped_frames,
                listed,
            )
            tallies, self.pending = self.pending, {}
            link.post(pack_end(body), tallies=tallies)

    def add_tally(self, key: tuple[str, int], tally: Tally) -> None:
        """Let the next frame tell what became of words."""
        self.pending.setdefault(key, Tally()).add(tally)

    @property
    def is_done(self) -> bool:
        """Whether everything is acknowledged."""
        return not any(link.outstanding for link in self.links.values())

    def counts(self) -> Counts:
        """Return what was sent to the consumer, and what was dropped."""
        total = Counts(
            dropped_frames=self.dropped.dropped_frames,
            dropped_events=self.dropped.dropped_events,
            dropped_words=self.dropped.dropped_words,
        )
        for link in self.links.values():
            total.frames += link.counts.frames
            total.bytes += link.counts.bytes
            total.words += link.counts.words
            total.events += link.counts.events
        return total

    @property
    def outstanding_bytes(self) -> int:
        """Bytes that are sent and not acknowledged."""
        return sum(link.outstanding_bytes for link in self.links.values())
