"""Sentences on what was lost, or is not as a complete run leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._units import format_count
from pixie_pipe.listmode.result import Balance, RejectReason
from pixie_pipe.storage.raw import containing_file

if TYPE_CHECKING:
    from pixie_pipe.storage.provenance import SourceFile

_WORD_BYTES = 4


class RejectionTally:
    """Counts the rejections of a stream, in memory that does not grow.

    Attributes
    ----------
    stretches
        How many stretches of words were rejected.
    """

    def __init__(self) -> None:
        self.stretches = 0
        self._first: tuple[int, RejectReason] | None = None

    def add(self, rejected: NDArray[np.void]) -> None:
        """Count a table of rejections, of type `REJECTED`."""
        if rejected.size and self._first is None:
            first = rejected[0]
            reason = RejectReason(int(first["reason"]))
            self._first = (int(first["word_offset"]), reason)
        self.stretches += rejected.size

    @property
    def first(self) -> tuple[int, RejectReason] | None:
        """Word of the stream where the first rejection begins, and its reason."""
        return self._first


def stream_notes(
    sources: Sequence[SourceFile], balance: Balance, rejections: RejectionTally
) -> Iterator[str]:
    """Tell in sentences what of a stream was lost, and where.

    Parameters
    ----------
    sources
        The files of the stream, in order.
    balance
        Where its words went.
    rejections
        Its rejections.

    Yields
    ------
    str
        One sentence for each finding; none for a complete run.
    """
    for source in sources:
        if source.size == 0:
            yield f"{source.path}: the file is empty"
    if rejections.first is not None:
        offset, reason = rejections.first
        percent = 100 * balance.rejected / balance.read
        yield (
            f"{place(sources, offset)}: {reason.description}; "
            f"{_count(balance.rejected, 'word')} in "
            f"{_count(rejections.stretches, 'stretch', 'stretches')} from here on "
            f"({_percent(percent)} of the stream) belong to no event and are left out, "
            f"the events behind them are kept"
        )
    if balance.leftover:
        offset = balance.read - balance.leftover
        yield (
            f"{place(sources, offset)}: the last event is incomplete, its "
            f"{_count(balance.leftover, 'word')} are left out; the run was stopped "
            f"in the middle of an event, or the next file is missing"
        )
    if balance.trailing_bytes:
        size = balance.read * _WORD_BYTES + balance.trailing_bytes
        yield (
            f"{place(sources, balance.read)}: {_count(balance.trailing_bytes, 'byte')} "
            f"behind the last whole word, {format_count(size)} bytes are no multiple "
            f"of 4; the end of the stream is cut off"
        )


def place(sources: Sequence[SourceFile], word_offset: int) -> str:
    """Return file and position in it of a word of the stream, for people.

    A word that is cut by the end of a file begins at a byte: ``byte 7``.
    """
    starts = np.cumsum([0, *(source.size for source in sources[:-1])]).tolist()
    index = int(containing_file(starts, np.array([word_offset]))[0])
    position = word_offset * _WORD_BYTES - starts[index]
    if position % _WORD_BYTES:
        return f"{sources[index].path}: byte {position}"
    return f"{sources[index].path}: word {position // _WORD_BYTES}"


def _percent(percent: float) -> str:
    return "< 0.01 %" if percent < 0.01 else f"{percent:.2g} %"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{format_count(number)} {one if number == 1 else many or one + 's'}"
