"""What decoding gives: events, rejections, the rest, and the balance of words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.listmode import _constants
from pixie_pipe.listmode._constants import WORD

if TYPE_CHECKING:
    from pixie_pipe.events import Events

REJECTED = np.dtype([("word_offset", "i8"), ("word_count", "i8"), ("reason", "u1")])
"""Type of the table of rejected words; `reason` is a `RejectReason`."""


class RejectReason(IntEnum):
    """Why words were rejected: the first thing wrong where they begin."""

    HEADER_LENGTH = _constants.HEADER_LENGTH
    EVENT_LENGTH = _constants.EVENT_LENGTH
    TOO_LONG = _constants.TOO_LONG
    MODULE = _constants.MODULE
    CUT = _constants.CUT

    @property
    def description(self) -> str:
        """One line for people."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    RejectReason.HEADER_LENGTH: "header length is not one that the firmware writes",
    RejectReason.EVENT_LENGTH: "event length is not that of header and trace",
    RejectReason.TOO_LONG: "event is longer than the limit",
    RejectReason.MODULE: "slot or module is not one that can be here",
    RejectReason.CUT: "event is cut short: other events begin inside it",
}


@dataclass(frozen=True, slots=True)
class Balance:
    """Where the words of a stream went, in words.

    Attributes
    ----------
    read
        Whole words that were fed.
    decoded
        Words of events.
    rejected
        Words that belong to no event.
    leftover
        Words of an incomplete last event, or, before the end of the stream,
        words that wait for those behind them.
    trailing_bytes
        Bytes behind the last whole word, 0 to 3.
    """

    read: int = 0
    decoded: int = 0
    rejected: int = 0
    leftover: int = 0
    trailing_bytes: int = 0

    @property
    def closes(self) -> bool:
        """Whether every word is accounted for."""
        return self.read == self.decoded + self.rejected + self.leftover

    def __add__(self, other: Balance) -> Balance:
        """Return the balance of two streams together."""
        return Balance(
            self.read + other.read,
            self.decoded + other.decoded,
            self.rejected + other.rejected,
            self.leftover + other.leftover,
            self.trailing_bytes + other.trailing_bytes,
        )

    def __str__(self) -> str:
        """Return one line for people."""
        text = (
            f"{self.read} words read = {self.decoded} decoded + "
            f"{self.rejected} rejected + {self.leftover} left over"
        )
        if self.trailing_bytes:
            text += f", and {self.trailing_bytes} bytes behind the last word"
        return text if self.closes else f"{text} (DOES NOT CLOSE)"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Events and what became of all other words.

    Attributes
    ----------
    events
        The events, in the order of the stream.
    rejected
        Words that belong to no event: one row for each stretch, of type
        `REJECTED`. Offsets count words from the start of the stream.
    leftover_words
        Words of an incomplete last event, shape (n,), uint32. Put before the
        words that come next, they decode.
    leftover_bytes
        Bytes behind the last whole word, at most 3.
    balance
        Where the words went. For a part of a stream, that of the stream so far.
    """

    events: Events
    rejected: NDArray[np.void]
    leftover_words: NDArray[np.uint32]
    leftover_bytes: bytes
    balance: Balance

    def __repr__(self) -> str:
        """Return the number of events and the balance."""
        return f"<Decoded: {len(self.events)} events; {self.balance}>"


def rejected_table(rows: NDArray[np.int64]) -> NDArray[np.void]:
    """Make the table of rejections from rows of (offset, count, reason)."""
    table = np.zeros(len(rows), REJECTED)
    table["word_offset"] = rows[:, 0]
    table["word_count"] = rows[:, 1]
    table["reason"] = rows[:, 2]
    return table


def join_rejected(tables: Iterable[NDArray[np.void]]) -> NDArray[np.void]:
    """Join tables of rejections."""
    return np.concatenate([np.zeros(0, REJECTED), *tables])


NO_WORDS = np.zeros(0, WORD)
