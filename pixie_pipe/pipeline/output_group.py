"""A consumer as its producer sees it: the links to its processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pixie_pipe.pipeline.data import Counts, Origin, Tallies, Tally
from pixie_pipe.pipeline.frames import (
    NOTHING,
    EndBody,
    Packed,
    pack_end,
    pack_nothing,
)

if TYPE_CHECKING:
    from pixie_pipe.pipeline.direct_link import DirectLink
    from pixie_pipe.pipeline.messages import OutputEdge
    from pixie_pipe.pipeline.output_link import OutputLink


class OutputGroup:
    """One consumer as its producer sees it: one link, or those to all its workers.

    Parameters
    ----------
    edge
        The consumer.
    links
        The links to its processes.
    """

    def __init__(
        self, edge: OutputEdge, links: Iterable[OutputLink | DirectLink]
    ) -> None:
        self.edge = edge
        self.links = {link.target.task: link for link in links}
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
        if not link.alive:
            self._drop(packed)

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
