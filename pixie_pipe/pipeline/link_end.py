"""What the sending ends of all links have in common: numbers, counts, headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pixie_pipe.pipeline.data import Counts
from pixie_pipe.pipeline.frames import END, FRAME_VERSION, NOTHING, Header, Packed

if TYPE_CHECKING:
    from pixie_pipe.pipeline.data import Origin, Tallies
    from pixie_pipe.pipeline.messages import OutputAddress


class LinkEnd:
    """The sending end of a link to one task, or to one worker of a pool.

    Parameters
    ----------
    source
        The sending task.
    target
        The receiving one.
    """

    def __init__(self, source: str, target: OutputAddress) -> None:
        self._source = source
        self.target = target
        self._run = 0
        self.alive = True
        self.sequence = 0
        self.counts = Counts()

    def begin(self, run: int) -> None:
        """Begin a run: numbers start at 0. The receivers have begun it before."""
        self._run = run
        self.alive = True
        self.sequence = 0
        self.counts = Counts()

    def _header(
        self,
        packed: Packed,
        *,
        order: int,
        last: bool,
        origin: Origin | None,
        tallies: Tallies | None,
        is_shared: bool = False,
    ) -> Header:
        """Return the header of the next frame."""
        return Header(
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

    def _count(self, packed: Packed) -> None:
        """Count a frame that was sent."""
        self.sequence += 1
        if packed.kind not in (END, NOTHING):
            self.counts.frames += 1
            self.counts.bytes += packed.nbytes
            self.counts.words += packed.words
            self.counts.events += packed.events


def bytes_of(buffer: Any) -> Any:  # noqa: ANN401 - arrays, or bytes
    """Return the memory of an array, or bytes as they are."""
    if isinstance(buffer, np.ndarray):
        return buffer.reshape(-1).view(np.uint8).data
    return buffer
