"""Where the events of a stream begin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.listmode._constants import CORE_WORDS
from pixie_pipe.listmode._engine import Engine, Module
from pixie_pipe.listmode.words import Data, whole_words

if TYPE_CHECKING:
    from pixie_pipe.listmode.layout import Layout


def event_positions(
    words: Data,
    layout: Layout,
    *,
    modules: Iterable[Module] | None = None,
    max_event_length: int | None = None,
) -> NDArray[np.int64]:
    """Return where each event of a stream begins, without decoding it.

    Parameters
    ----------
    words
        The stream from its first word to its last.
    layout, modules, max_event_length
        As for `decode`: the events are those that it gives.

    Returns
    -------
    ndarray
        Index of the first word of each event, shape (number of events,), int64.

    Raises
    ------
    TypeError
        If `words` are neither words nor bytes.
    ChunkError
        If they are bytes that do not end with a whole word.
    LayoutError
        If `modules` or `max_event_length` are impossible in the layout.
    """
    stream = whole_words(words)
    engine = Engine(layout, modules, max_event_length)
    # Never empty: that would mean that no positions are wanted.
    positions = np.empty(stream.size // CORE_WORDS + 1, np.int64)
    engine.scan(stream, 0, positions, final=True)
    return positions[: engine.event_count].copy()
