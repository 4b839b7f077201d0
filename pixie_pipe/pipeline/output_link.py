"""The sending end of links: what is kept until it is acknowledged, and the window."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import zmq

from pixie_pipe.pipeline.frames import Buffer, encode_header
from pixie_pipe.pipeline.link_end import LinkEnd, bytes_of
from pixie_pipe.pipeline.links import data_socket
from pixie_pipe.pipeline.messages import OutputAddress

if TYPE_CHECKING:
    from pixie_pipe.pipeline.data import Origin, Tallies
    from pixie_pipe.pipeline.frames import Packed
    from pixie_pipe.pipeline.links import Ack


@dataclass(slots=True)
class _Kept:
    """A frame that is not acknowledged."""

    sequence: int
    parts: list[Any]
    nbytes: int
    shared: Sequence[Buffer] = ()


Lent = dict[tuple[str, int, int], Sequence[Any]]
"""Arrays in shared memory that must not be used again, by consumer, run and number."""


class OutputLink(LinkEnd):
    """The sending end of a link to another process.

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
        super().__init__(source, target)
        self._context = context
        self._window = window_bytes
        self._socket = self._connect()
        self._kept: deque[_Kept] = deque()
        # Given up, but perhaps looked at: not used again before the next run.
        self._abandoned: list[_Kept] = []
        self._lent: Lent = {} if lent is None else lent
        self.outstanding_bytes = 0

    def _connect(self) -> zmq.Socket[Any]:
        socket = data_socket(self._context, zmq.PUSH)
        socket.connect(self.target.address)
        return socket

    def begin(self, run: int) -> None:
        """Begin a run: numbers start at 0. The receivers have begun it before."""
        super().begin(run)
        self._kept.clear()
        self._abandoned.clear()
        self.outstanding_bytes = 0

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
        header = self._header(
            packed,
            order=order,
            last=last,
            origin=origin,
            tallies=tallies,
            is_shared=is_shared,
        )
        parts: list[Any] = [encode_header(header)]
        kept = _Kept(self.sequence, parts, packed.nbytes)
        if is_shared:
            kept.shared = packed.buffers
        else:
            parts += map(bytes_of, packed.buffers)
        self._kept.append(kept)
        self.outstanding_bytes += kept.nbytes
        self._transmit(kept)
        self._count(packed)

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
