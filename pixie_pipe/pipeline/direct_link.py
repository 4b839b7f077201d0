"""The sending end of a link whose receiver is in the same process: data go by a call.

There is nothing to wait for and nothing to keep: when the call returns, the receiver is
done with the frame, or keeps its arrays by referring to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pixie_pipe.pipeline.link_end import LinkEnd, bytes_of

if TYPE_CHECKING:
    from pixie_pipe.pipeline.data import Origin, Tallies
    from pixie_pipe.pipeline.frames import Header, Packed
    from pixie_pipe.pipeline.links import Ack
    from pixie_pipe.pipeline.messages import OutputAddress

Receive = Callable[["Header", list[memoryview]], bool]
"""Takes the header and the arrays of a frame; tells whether they could be taken."""


def no_receiver(name: str) -> Receive:
    """Refuse: no other task is in this process."""
    raise LookupError(f"there is no task {name} in this process")


class DirectLink(LinkEnd):
    """The sending end of a link to a task of the same process.

    Parameters
    ----------
    source, target
        As for `LinkEnd`.
    receive
        Takes the frames.
    """

    is_local = False
    outstanding = 0
    outstanding_bytes = 0

    def __init__(self, source: str, target: OutputAddress, receive: Receive) -> None:
        super().__init__(source, target)
        self._receive = receive

    def has_room(self, _nbytes: int) -> bool:
        """Tell that a frame may be sent."""
        return True

    def post(
        self,
        packed: Packed,
        *,
        order: int = -1,
        last: bool = True,
        origin: Origin | None = None,
        tallies: Tallies | None = None,
    ) -> None:
        """Let the receiver work on a frame. Its arrays must not change from now on.

        If the receiver does not take it, the link is not alive any more.
        """
        header = self._header(
            packed, order=order, last=last, origin=origin, tallies=tallies
        )
        views = [memoryview(bytes_of(buffer)) for buffer in packed.buffers]
        if self._receive(header, [view.toreadonly() for view in views]):
            self._count(packed)
        else:
            self.alive = False

    def acknowledge(self, ack: Ack) -> None:
        """Do nothing: nothing is acknowledged."""

    def resume(self, address: str) -> None:
        """Do nothing: who is in the same process is not replaced."""

    def cut(self) -> None:
        """Give the receiver up: it gets nothing more in this run."""
        self.alive = False

    def close(self) -> None:
        """Do nothing: there is no socket."""
