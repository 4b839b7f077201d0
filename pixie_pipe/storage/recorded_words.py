"""Words that were recorded, read again while the recording goes on."""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.storage._sealing import RecordingError

if TYPE_CHECKING:
    from pathlib import Path

    from pixie_pipe.storage.raw_recorder import RawRecorder

_WORD_BYTES = 4


class RecordedWords:
    """Reads what a recorder has written; mostly the system has it in memory still.

    Parameters
    ----------
    recorder
        The recorder; it may go on, or be closed.
    """

    def __init__(self, recorder: RawRecorder) -> None:
        self._recorder = recorder
        # The file that was read last, of each stream: its path and its descriptor.
        self._open: dict[str, tuple[Path, int]] = {}

    def read(self, stream: str, offset: int, count: int) -> NDArray[np.uint32]:
        """Return words of a stream.

        Parameters
        ----------
        stream
            Its name, as it was given to the recorder.
        offset, count
            Its words from this one on, and how many; they must have been recorded.

        Returns
        -------
        ndarray
            Shape (count,), uint32.

        Raises
        ------
        RecordingError
            If they cannot be read.
        """
        words = np.empty(count, "<u4")
        files = self._recorder.files_of(stream)
        at = bisect_right([first for first, _ in files], offset) - 1
        done = 0
        while done < count:
            first, path = files[at]
            behind = files[at + 1][0] if at + 1 < len(files) else offset + count
            part = words[done : behind - offset]
            self._fill(stream, path, part, offset + done - first)
            done += part.size
            at += 1
        return words.astype(np.uint32, copy=False)

    def _fill(
        self, stream: str, path: Path, words: NDArray[np.uint32], place: int
    ) -> None:
        data = words.view(np.uint8).data
        done = 0
        try:
            descriptor = self._descriptor(stream, path)
            while done < len(data):
                came = os.preadv(descriptor, [data[done:]], place * _WORD_BYTES + done)
                if not came:
                    raise RecordingError(
                        f"{path}: has no byte {place * _WORD_BYTES + done}, which was "
                        f"recorded; somebody has changed the file"
                    )
                done += came
        except RecordingError:
            raise
        except OSError as error:
            raise RecordingError(
                f"{path}: cannot be read at byte {place * _WORD_BYTES + done}: "
                f"{error.strerror}; check the disk, then decode the raw files with "
                f"pixie-pipe convert"
            ) from error

    def _descriptor(self, stream: str, path: Path) -> int:
        known = self._open.get(stream)
        if known is not None and known[0] == path:
            return known[1]
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if known is not None:
            os.close(known[1])
        self._open[stream] = path, descriptor
        return descriptor

    def close(self) -> None:
        """Close the files."""
        for _, descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
