"""Raw files of a run: which stream goes to which files."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixie_pipe.storage.raw_recorder import RawRecorder, RecordingError
from pixie_pipe.storage.recorded_words import RecordedWords
from pixie_pipe.tasks._slow_disk import SlowDiskWatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pixie_pipe.pipeline.data import Stream, StreamKey, Words


class Recording:
    """Records words as they come.

    Parameters
    ----------
    directory
        Directory for the raw files; it is made if it is missing.
    rotate_bytes, rotate_seconds
        As for `RawRecorder`.

    Raises
    ------
    RecordingError
        If the directory cannot be made, or has raw files already.
    """

    def __init__(
        self, directory: Path, *, rotate_bytes: int, rotate_seconds: float | None
    ) -> None:
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordingError(
                f"{directory}: cannot be made: {error.strerror}; name another directory"
            ) from error
        present = next(directory.glob("*.bin"), None)
        if present is not None:
            raise RecordingError(
                f"{directory}: has raw files already ({present.name}), which are left "
                f"as they are; name a new directory, such as one with {{run}} in it"
            )
        self._recorder = RawRecorder(
            directory, rotate_bytes=rotate_bytes, rotate_seconds=rotate_seconds
        )
        self._again = RecordedWords(self._recorder)
        self._watch = SlowDiskWatch()
        self._names: dict[StreamKey, str] = {}

    def write(self, words: Words) -> None:
        """Record words; when it returns, the system has them.

        Raises
        ------
        RecordingError
            If they could not be written.
        """
        name = self._name(words.stream)
        self._recorder.write(name, words.words)
        if words.final:
            self._recorder.write_trailing(name, words.trailing)

    def read(self, stream: Stream, offset: int, count: int) -> NDArray[np.uint32]:
        """Return words again that were recorded, as `RecordedWords.read` does."""
        return self._again.read(self._name(stream), offset, count)

    def _name(self, stream: Stream) -> str:
        if stream.key not in self._names:
            name = stream.name
            if name in self._names.values():
                # Two sources may give their streams the same names.
                name = f"{stream.source}-{name}"
            self._names[stream.key] = name
        return self._names[stream.key]

    @property
    def times(self) -> dict[str, float]:
        """How long the disk took, in seconds, for the statistics."""
        recorder = self._recorder
        return {
            "write_s": round(recorder.write_s, 3),
            "slowest_write_s": round(recorder.slowest_write_s, 3),
            "slowest_sync_s": round(recorder.slowest_sync_s, 3),
        }

    def complaint(self) -> str:
        """Return what is to be told of a disk that is slow; "" if nothing new is."""
        recorder = self._recorder
        return self._watch.look(
            time.monotonic(),
            write_s=recorder.write_s,
            slowest_write_s=recorder.slowest_write_s,
            slowest_sync_s=recorder.slowest_sync_s,
        )

    @property
    def words(self) -> int:
        """Words recorded, of all streams."""
        return self._recorder.total_words

    @property
    def files(self) -> list[dict[str, Any]]:
        """The files so far, with the attributes of `RecordedFile`."""
        return [asdict(file) for file in self._recorder.files]

    def close(self) -> None:
        """Close the files and wait until they are on the disk.

        Raises
        ------
        RecordingError
            If that failed.
        """
        self._again.close()
        self._recorder.close()
