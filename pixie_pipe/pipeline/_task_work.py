"""The work of a task: data that come in, and what it sends on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.pipeline._task_reports import TaskReports
from pixie_pipe.pipeline.data import Chunk, Kind, Origin, Tallies, Tally, Words
from pixie_pipe.pipeline.frames import END, NOTHING, Packed, pack, unpack

if TYPE_CHECKING:
    from pixie_pipe.pipeline.checkpoint import Checkpoint
    from pixie_pipe.pipeline.frames import Header
    from pixie_pipe.pipeline.input_port import Arrived

WAIT_SECONDS: Final = 0.1
"""Period of `Task.do_wait`: a slow stream shows up within a second with ease."""


class TaskWork(TaskReports):
    """The part of a task that handles data."""

    is_worker: bool

    _checkpoint: Checkpoint | None

    if TYPE_CHECKING:

        def poll(self, timeout: float = 0.0, *, data: bool = False) -> bool: ...

    @property
    def tallies(self) -> Tallies:
        """What became of words, by stream, as far as the data that came tell."""
        return self._tallies

    def send(self, data: Any) -> None:  # noqa: ANN401 - any kind of data
        """Send data to all neighbours; wait while one of them has too much to do.

        Parameters
        ----------
        data
            Events, Words, Chunk, Rejected, StreamMark, a NumPy array, or plain
            numbers, texts, lists and dictionaries; None is nothing. Arrays are not
            copied and must not be changed afterwards.

        Raises
        ------
        FrameError
            If it cannot be sent.
        """
        if data is not None:
            self.send_data(pack(data), _origin_of(data) or self.origin)

    def try_send(self, data: Any) -> bool:  # noqa: ANN401 - any kind of data
        """Send data if nobody needs to be waited for; tell whether they were sent.

        Parameters
        ----------
        data
            As for `send`.

        Raises
        ------
        FrameError
            If it cannot be sent.
        """
        packed = pack(data)
        outbox = self._endpoint.outbox
        if not outbox.has_room(packed.nbytes):
            return False
        outbox.post(packed, _origin_of(data) or self.origin)
        return True

    @property
    def has_receivers(self) -> bool:
        """Whether anybody is left to send to; nobody is when a run is given up."""
        return self._endpoint.outbox.alive

    def send_data(self, packed: Packed, origin: Origin | None) -> None:
        """Send a datum that has the form of a frame already."""
        outbox = self._endpoint.outbox
        while not outbox.has_room(packed.nbytes):
            self.poll(WAIT_SECONDS)
        outbox.post(packed, origin)

    def settle(self, seconds: float) -> bool:
        """Wait until the neighbours have worked on all that was sent.

        Parameters
        ----------
        seconds
            Longest time to wait.

        Returns
        -------
        bool
            Whether they have.
        """
        until = time.monotonic() + seconds
        while not self._endpoint.outbox.is_done and time.monotonic() < until:
            self.poll(WAIT_SECONDS)
        return self._endpoint.outbox.is_done

    def send_finished(self) -> None:
        """Tell all neighbours that the run is over, and wait until they know."""
        outbox = self._endpoint.outbox
        outbox.finish(self.incomplete)
        while not outbox.is_done:
            self.poll(WAIT_SECONDS)

    def account(self, key: tuple[str, int], tally: Tally) -> None:
        """Tell what became of words of a stream; the consumers get to know, too."""
        self._tallies.setdefault(key, Tally()).add(tally)
        self._endpoint.outbox.add_tally(key, tally)

    def _process(self, frame: Arrived) -> None:
        """Work on one frame, and acknowledge it."""
        header = frame.header
        for source, number, tally in header.tallies:
            self.account((source, number), tally)
        if header.kind not in (END, NOTHING):
            self.origin = header.origin
            datum = unpack(header, self._endpoint.inbox.open(frame))
            if self._is_read(header.kind):
                self._call_do_work(datum, header.order)
            else:
                self._pass_on(datum, header)
            # What is referred to after this, the task keeps.
            del datum
            self.origin = None
        elif header.kind == NOTHING:
            self._endpoint.outbox.begin_datum(self._pool_order(header.order))
            self._endpoint.outbox.end_datum()
        if self._checkpoint is not None:
            self._checkpoint.note(frame)
        else:
            self._endpoint.inbox.acknowledge(frame)

    def _is_read(self, kind: str) -> bool:
        if self.reads is None:
            return kind not in (Kind.MARKS, Kind.REJECTED)
        return any(port.kind == kind for port in self.reads)

    def _pool_order(self, order: int) -> int:
        return order if self.is_worker else -1

    def _call_do_work(self, datum: Any, order: int) -> None:  # noqa: ANN401
        outbox = self._endpoint.outbox
        outbox.begin_datum(self._pool_order(order))
        result = self.do_work(datum)
        if isinstance(result, Iterator):
            for item in result:
                self.send(item)
        else:
            self.send(result)
        outbox.end_datum()
        self._progress += 1

    def _pass_on(self, datum: object, header: Header) -> None:
        outbox = self._endpoint.outbox
        outbox.begin_datum(self._pool_order(header.order))
        self.send_data(pack(datum), header.origin)
        outbox.end_datum()


def _origin_of(data: object) -> Origin | None:
    """Return where words begin; other data are where they came from."""
    if not isinstance(data, Words | Chunk):
        return None
    stream = data.stream
    return Origin(stream.source, stream.number, data.offset, data.time_ns, stream.name)
