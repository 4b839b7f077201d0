"""Record words, and cut them into chunks that can be decoded apart."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pixie_pipe.buffers import BufferPool
from pixie_pipe.pipeline.data import Kind, StreamKey, Words
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.parameters import Parameter, ParameterError
from pixie_pipe.pipeline.task import Task
from pixie_pipe.tasks._run_paths import output_path

if TYPE_CHECKING:
    from pixie_pipe.tasks._recording import Recording
    from pixie_pipe.tasks._stream_cutter import StreamCutter

_WORD_BYTES = 4
_MB = 1_000_000


class GatherData(Task):
    """Records the words as they come, then cuts them into chunks.

    The words are in the raw files before anything else happens to them. If they
    cannot be recorded, the run fails, and what was recorded stays readable. A disk
    that is slow is told before words have to wait for it.

    The statistics are ``words``, ``streams`` (words by stream), and if words are
    recorded ``directory``, ``files``, ``write_s`` (time spent in writing),
    ``slowest_write_s`` and ``slowest_sync_s``.
    """

    reads = (port(Kind.WORDS),)
    writes = (port(Kind.CHUNKS),)
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
    }

    def do_start(self) -> None:
        """Begin recording, if this run is to be recorded."""
        self._pool = BufferPool()
        self._cutters: dict[StreamKey, StreamCutter] = {}
        self._recording: Recording | None = None
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

    def do_work(self, datum: Words) -> None:
        """Record the words, then send the chunks that are full."""
        if self._recording is not None:
            self._record(self._recording, datum)
        cutter = self._cutter(datum)
        for chunk in cutter.feed(datum):
            self.send(chunk)
        self.statistics["words"] += datum.words.size
        self.statistics["streams"][str(datum.stream)] = cutter.words

    def _record(self, recording: Recording, words: Words) -> None:
        recording.write(words)
        self.ledger["words_recorded"] = recording.words
        self.statistics |= recording.times
        complaint = recording.complaint()
        if complaint:
            self.print(complaint)

    def _cutter(self, words: Words) -> StreamCutter:
        key = words.stream.key
        if key not in self._cutters:
            from pixie_pipe.tasks._stream_cutter import StreamCutter

            self._cutters[key] = StreamCutter(
                words.stream,
                max(1, int(self.config.chunk_mb * _MB) // _WORD_BYTES),
                pool=self._pool,
                clock=time.monotonic,
            )
        return self._cutters[key]

    def do_wait(self) -> None:
        """Send what has waited too long for a chunk to be full."""
        if self.status is not Status.RUNNING:
            return
        for cutter in self._cutters.values():
            for chunk in cutter.flush(self.config.chunk_s):
                self.send(chunk)

    def do_stop(self) -> None:
        """Send what is left of streams that did not end, and close the files."""
        try:
            for cutter in self._cutters.values():
                if not cutter.ended:
                    self.send(cutter.finish())
        finally:
            self._cutters = {}
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
