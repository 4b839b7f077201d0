"""Record words, and cut them into chunks that can be decoded apart."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from pixie_pipe.buffers import BufferPool
from pixie_pipe.pipeline.data import Kind, Stream, StreamMark, Words
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.parameters import Parameter, ParameterError
from pixie_pipe.pipeline.task import Task
from pixie_pipe.tasks._run_paths import output_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pixie_pipe.pipeline.data import Chunk
    from pixie_pipe.tasks._recording import Recording
    from pixie_pipe.tasks._stream_cutter import StreamCutter

_WORD_BYTES: Final = 4
_MB: Final = 1_000_000

# What waits is told of from here on, and again whenever it has doubled.
_TOLD_BYTES: Final = 64 * _MB

_NO_LIMIT: Final = 1 << 80


class GatherData(Task):
    """Records the words as they come, then cuts them into chunks.

    The words are in the raw files before anything else happens to them. If they
    cannot be recorded, the run fails, and what was recorded stays readable. A disk
    that is slow is told before words have to wait for it.

    Recording goes on if the tasks behind it are slow, or stand still: words of live
    data that there is no room for are read again from the raw files when there is.

    The statistics are ``words``, ``streams`` (words by stream), and if words are
    recorded ``directory``, ``files``, ``write_s`` (time spent in writing),
    ``slowest_write_s``, ``slowest_sync_s``, and ``waiting_mb`` and
    ``most_waiting_mb``: recorded words that wait to be sent on.
    """

    reads = (port(Kind.WORDS), port(Kind.MARKS, optional=True))
    writes = (port(Kind.CHUNKS), port(Kind.MARKS))
    category = Category.TRANSFORM
    label = "Record words, then cut them into chunks at event boundaries"
    parameters: ClassVar = {
        "record": Parameter(
            "live",
            "when to record: live data of a run with a directory, any data, or none",
            choices=("live", "always", "never"),
        ),
        "directory": Parameter(
            None,
            "where to record, instead of raw/ in the run's directory; {run} stands for "
            "the run's name",
            type=str,
        ),
        "chunk_mb": Parameter(4.0, "size of a chunk", unit="MB", min=0.0001, max=64),
        "chunk_s": Parameter(0.5, "longest time that words wait", unit="s", min=0),
        "rotate_mb": Parameter(1024.0, "size of a raw file", unit="MB", min=0.001),
        "rotate_s": Parameter(
            None, "longest age of a raw file", type=float, unit="s", min=0.1
        ),
        "waiting_mb": Parameter(
            None,
            "live words that may be recorded and wait for the tasks behind; if more "
            "do, the source waits, too. None: any number; 0: none",
            type=float,
            unit="MB",
            min=0,
        ),
    }

    def do_start(self) -> None:
        """Begin recording, if this run is to be recorded."""
        from pixie_pipe.tasks._cutting import Cutting

        self._pool = BufferPool()
        self._cutting = Cutting(self._new_cutter, self._offer, self._read_again)
        self._recording: Recording | None = None
        self._is_ending = False
        self._most_waiting = 0
        self._told_waiting = _TOLD_BYTES
        self.statistics |= {"words": 0, "streams": {}}
        directory = self._directory()
        if directory is not None:
            from pixie_pipe.tasks._recording import Recording

            self._recording = Recording(
                directory,
                rotate_bytes=int(self.config.rotate_mb * _MB),
                rotate_seconds=self.config.rotate_s,
            )
            self.ledger["words_recorded"] = 0
            self.statistics["directory"] = str(directory)

    def _directory(self) -> Path | None:
        """Return where to record, or None if this run is not recorded."""
        record, directory = self.config.record, self.config.directory
        if record == "never" or (record == "live" and not self.is_live):
            return None
        if directory:
            return output_path(directory, self.run_directory, self.run_number)
        if self.run_directory:
            return Path(self.run_directory) / "raw"
        if record == "always":
            raise ParameterError(
                f"{self.name}.record is 'always', but the run has no directory; give "
                f"the pipeline one (runs=...), or set {self.name}.directory"
            )
        return None

    def do_work(self, datum: Words | StreamMark) -> None:
        """Record the words, then send the chunks that are full."""
        if isinstance(datum, Words):
            if self._recording is not None:
                self._record(self._recording, datum)
            words = datum.words.size
            streams = self.statistics["streams"]
            name = str(datum.stream)
            self.statistics["words"] += words
            streams[name] = streams.get(name, 0) + words
        self._cutting.advance()
        self._cutting.take(datum)
        self._note_waiting()

    def _record(self, recording: Recording, words: Words) -> None:
        recording.write(words)
        self.ledger["words_recorded"] = recording.words
        self.statistics |= recording.times
        complaint = recording.complaint()
        if complaint:
            self.print(complaint)

    def _new_cutter(self, stream: Stream) -> StreamCutter:
        from pixie_pipe.tasks._stream_cutter import StreamCutter

        return StreamCutter(
            stream,
            max(1, int(self.config.chunk_mb * _MB) // _WORD_BYTES),
            pool=self._pool,
            clock=time.monotonic,
        )

    def _offer(self, datum: Chunk | StreamMark) -> bool:
        """Send a datum; leave it if others would have to wait, and need not."""
        if self._may_wait:
            return self.try_send(datum)
        self.send(datum)
        if self._is_ending:
            # Much may be left; commands and signs of life must not wait for that.
            self._note_waiting()
            self.poll()
        return True

    @property
    def _may_wait(self) -> bool:
        """Whether words may wait in the raw files."""
        if self._recording is None or not self.is_live or self._is_ending:
            return False
        limit = self.config.waiting_mb
        most = _NO_LIMIT if limit is None else int(limit * _MB)
        return self._cutting.waiting_words * _WORD_BYTES < most

    def _read_again(
        self, stream: Stream, offset: int, count: int
    ) -> NDArray[np.uint32]:
        assert self._recording is not None, "nothing else may wait"
        return self._recording.read(stream, offset, count)

    def _note_waiting(self) -> None:
        """Tell how much waits, if it has become much more."""
        if self._recording is None:
            return
        waiting = self._cutting.waiting_words * _WORD_BYTES
        self._most_waiting = max(self._most_waiting, waiting)
        self.statistics["waiting_mb"] = round(waiting / _MB, 1)
        self.statistics["most_waiting_mb"] = round(self._most_waiting / _MB, 1)
        if waiting >= self._told_waiting:
            self._told_waiting = 2 * waiting
            self.print(
                f"{waiting / _MB:.0f} MB are recorded and not decoded yet: the tasks "
                f"behind {self.name} are slower than the modules. Recording goes on; "
                f"nothing is lost, but the run will end later"
            )

    def do_wait(self) -> None:
        """Send what there is room for, and what has waited too long to be more."""
        if self.status is not Status.RUNNING:
            return
        self._cutting.flush(self.config.chunk_s)
        self._note_waiting()

    def do_stop(self) -> None:
        """Send what is left, end the streams that did not end, and close the files."""
        self._is_ending = True
        try:
            # Nobody is left if the run was given up: the raw files have everything.
            if self.has_receivers:
                self._cutting.advance()
                self._cutting.finish()
        finally:
            self._note_waiting()
            self._close()

    def _close(self) -> None:
        if self._recording is None:
            return
        from pixie_pipe.storage.raw_recorder import RecordingError

        try:
            self._recording.close()
        except RecordingError as error:
            if self.status is not Status.PANICKING:
                raise
            # What came first has been told.
            self.give_up(str(error))
        finally:
            self.ledger["words_recorded"] = self._recording.words
            self.statistics["files"] = self._recording.files
            self._recording = None
