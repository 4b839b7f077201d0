"""The decoder's kernel with its state: what `decode` and `StreamDecoder` share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import read_only
from pixie_pipe.listmode import _state as entry
from pixie_pipe.listmode._column_kernels import Fields
from pixie_pipe.listmode._columns import ColumnBuffers
from pixie_pipe.listmode._constants import (
    ENERGY_SUMS,
    EXTERNAL_TIME,
    EXTERNAL_TIME_LENGTHS,
    HEADER_LENGTHS,
    MAX_EVENT_LENGTH,
    QDC,
    TRACE,
)
from pixie_pipe.listmode._decode_kernel import decode_words
from pixie_pipe.listmode._header_kernels import Geometry
from pixie_pipe.listmode._scan_kernels import scan_words
from pixie_pipe.listmode.errors import ChunkError, LayoutError
from pixie_pipe.listmode.result import rejected_table

if TYPE_CHECKING:
    from pixie_pipe.buffers import BufferPool
    from pixie_pipe.events import Events
    from pixie_pipe.listmode.layout import Layout

Module = tuple[int, int]
"""(crate, slot) of a module."""

# The bits of a source that no word 2 has: the layout knows no source for a failed
# CFD. (The lowest bit of word 2 belongs to the timestamp in every layout.)
_NEVER = 1

_FIRST_REJECTION_SPACE = 64

_ALL_BLOCKS = ENERGY_SUMS | QDC | EXTERNAL_TIME | TRACE


class Memory(NamedTuple):
    """All that decoding must know of the words before a place in the stream.

    Attributes
    ----------
    trusted
        32 bytes, a bit for each module: whether it has been seen.
    lost_reason
        The reason if the words before that place are being rejected, or 0.
    """

    trusted: bytes
    lost_reason: int


class Engine:
    """Decodes words from one stream, in pieces that the caller joins.

    Parameters
    ----------
    layout
        Layout of the module.
    modules
        (crate, slot) of all modules that can appear; by default any crate, and
        the legal slots of the layout.
    max_event_length
        Longest event that can appear, in words; by default the longest that the
        layout can state.

    Raises
    ------
    LayoutError
        If a module or the length is not possible in the layout.
    """

    def __init__(
        self,
        layout: Layout,
        modules: Iterable[Module] | None,
        max_event_length: int | None,
    ) -> None:
        self._geometry = _geometry(layout, max_event_length)
        self._fields = _fields(layout)
        self._allowed = _allowed(layout, modules)
        # Modules given by the user are trusted from the start.
        self._trusted = np.zeros(256, np.uint8)
        self._state = np.zeros(entry.STATE_SIZE, np.int64)
        self._state[entry.LOST_FROM] = -1
        self._state[entry.ID_BITS] = entry.NO_MODULE
        if modules is not None:
            self._trusted[:] = self._allowed
            # No bits in common are assumed; the kernel then checks all lengths.
            self._state[entry.ID_BITS] = 0
        self._group = entry.new_group()
        self._rejected = np.zeros((_FIRST_REJECTION_SPACE, 3), np.int64)

    def run(
        self,
        words: NDArray[np.uint32],
        base: int,
        columns: ColumnBuffers,
        *,
        final: bool,
    ) -> int:
        """Decode `words`, the first of which is word `base` of the stream.

        Returns
        -------
        int
            How many of the words are decided. The rest must begin the next call.
        """
        words = read_only(words)
        state = self._state
        state[entry.POSITION] = 0
        while True:
            answer = decode_words(
                words,
                base,
                final,
                self._geometry,
                self._fields,
                self._allowed,
                self._trusted,
                state,
                self._rejected,
                self._group,
                columns.for_kernel(),
            )
            if answer == entry.NEED_BLOCKS:
                needed = int(state[entry.NEEDED])
                columns.add_blocks(needed, int(state[entry.EVENTS]))
                state[entry.BLOCKS] |= needed
            elif answer == entry.NEED_REJECTION_SPACE:
                self._rejected = np.concatenate(
                    [self._rejected, np.zeros_like(self._rejected)]
                )
            else:
                return int(state[entry.POSITION])

    def scan(
        self,
        words: NDArray[np.uint32],
        base: int,
        positions: NDArray[np.int64],
        *,
        final: bool,
    ) -> int:
        """Walk over `words` like `run`, without columns and rejections.

        In `positions`, unless it is empty, it writes where in `words` each event
        begins; `event_count` tells how many. An engine scans or decodes, not both.
        """
        state = self._state
        state[entry.POSITION] = 0
        state[entry.EVENTS] = 0
        state[entry.BLOCKS] = _ALL_BLOCKS
        scan_words(
            read_only(words),
            base,
            final,
            self._geometry,
            self._allowed,
            self._trusted,
            state,
            self._group,
            positions,
        )
        return int(state[entry.POSITION])

    def new_columns(self, word_count: int, pool: BufferPool | None) -> ColumnBuffers:
        """Begin new columns: the next events go to their first rows.

        The optional blocks of the last ones are expected again.
        """
        expected = int(self._state[entry.SEEN_BLOCKS])
        self._state[entry.BLOCKS] = expected
        for count in (entry.EVENTS, entry.SAMPLES, entry.SEEN_BLOCKS):
            self._state[count] = 0
        return ColumnBuffers(word_count, pool, expected)

    def events(self, columns: ColumnBuffers) -> Events:
        """Return the events in the columns begun last."""
        state = self._state
        return columns.events(
            int(state[entry.EVENTS]),
            int(state[entry.SAMPLES]),
            int(state[entry.SEEN_BLOCKS]),
        )

    def take_rejected(self) -> NDArray[np.void]:
        """Return the rejections since the last call."""
        count = int(self._state[entry.REJECTIONS])
        self._state[entry.REJECTIONS] = 0
        return rejected_table(self._rejected[:count])

    @property
    def memory(self) -> Memory:
        """What decoding must know to go on from here."""
        lost = self.lost_from is not None
        return Memory(
            np.packbits(self._trusted).tobytes(),
            int(self._state[entry.LOST_REASON]) if lost else 0,
        )

    def restart(self, memory: Memory, base: int) -> None:
        """Forget the stream so far, and go on at word `base` with this memory.

        Raises
        ------
        ChunkError
            If the memory has a module that cannot appear.
        """
        trusted = np.unpackbits(np.frombuffer(memory.trusted, np.uint8))
        if np.any(trusted > self._allowed):
            raise ChunkError(
                "the state of a chunk is damaged: modules have been seen that cannot "
                "appear; hand on the state of the Cut as it is"
            )
        self._trusted[:] = trusted
        state = self._state
        for count in (entry.EVENTS, entry.REJECTIONS, entry.DECODED_WORDS):
            state[count] = 0
        state[entry.LOST_FROM] = base if memory.lost_reason else -1
        state[entry.LOST_REASON] = memory.lost_reason
        state[entry.ID_MASK], state[entry.ID_BITS] = _common_id_bits(
            np.flatnonzero(trusted), self._geometry
        )

    @property
    def fingerprint(self) -> bytes:
        """Eight bytes that are the same for the same layout, modules and limit."""
        digest = hashlib.blake2b(digest_size=8)
        digest.update(np.array([*self._geometry, *self._fields], "<u4").tobytes())
        digest.update(self._allowed.tobytes())
        return digest.digest()

    @property
    def event_count(self) -> int:
        """Events in the columns begun last."""
        return int(self._state[entry.EVENTS])

    @property
    def decoded_words(self) -> int:
        """Words of all events so far."""
        return int(self._state[entry.DECODED_WORDS])

    @property
    def lost_from(self) -> int | None:
        """First word of the stretch that is being rejected, or None if in step."""
        position = int(self._state[entry.LOST_FROM])
        return None if position < 0 else position


def _common_id_bits(modules: NDArray[np.intp], geometry: Geometry) -> tuple[int, int]:
    """Return which id bits of word 0 all these modules share, and their values."""
    if modules.size == 0:
        return 0, entry.NO_MODULE
    slot_shift, crate_shift = int(geometry.slot_shift), int(geometry.crate_shift)
    bits = (modules % 16) << slot_shift | (modules // 16) << crate_shift
    everywhere = int(np.bitwise_and.reduce(bits))
    anywhere = int(np.bitwise_or.reduce(bits))
    slot_mask, crate_mask = int(geometry.slot_mask), int(geometry.crate_mask)
    ids = slot_mask << slot_shift | crate_mask << crate_shift
    return ids & ~(everywhere ^ anywhere), everywhere


def _geometry(layout: Layout, max_event_length: int | None) -> Geometry:
    longest = min(layout.event_length.mask, MAX_EVENT_LENGTH)
    limit = longest if max_event_length is None else max_event_length
    if not HEADER_LENGTHS[0] <= limit <= longest:
        raise LayoutError(
            f"max_event_length is {limit} words, expected {HEADER_LENGTHS[0]} to "
            f"{longest} for layout {layout.name}"
        )
    legal = sum(
        1 << length
        for length in HEADER_LENGTHS
        if layout.external_timestamps or length not in EXTERNAL_TIME_LENGTHS
    )
    numbers = (
        legal,
        layout.event_length.shift,
        layout.event_length.mask,
        layout.trace_length.shift,
        layout.trace_length.mask,
        layout.slot.shift,
        layout.slot.mask,
        layout.crate.shift,
        layout.crate.mask,
        limit,
    )
    return Geometry(*(np.uint32(number) for number in numbers))


def _fields(layout: Layout) -> Fields:
    source, failed = layout.cfd_source, layout.cfd_failed_source
    numbers = (
        layout.channel.shift,
        layout.channel.mask,
        layout.slot.shift,
        layout.slot.mask,
        layout.crate.shift,
        layout.crate.mask,
        layout.out_of_range.word,
        layout.out_of_range.shift,
        layout.energy.shift,
        layout.energy.mask,
        layout.trace_length.shift,
        layout.trace_length.mask,
        layout.cfd_fraction.shift,
        layout.cfd_fraction.mask,
        layout.cfd_fraction.width,
        source.shift,
        source.mask,
        layout.cfd_forced.mask << layout.cfd_forced.shift,
        source.mask << source.shift,
        _NEVER if failed is None else failed << source.shift,
        layout.tick_ps,
        layout.cfd_unit_ps,
        # Negative steps as the kernel's 32-bit arithmetic has them.
        layout.cfd_source_step * layout.cfd_unit_ps % 2**32,
        layout.cfd_source_offset * layout.cfd_unit_ps % 2**32,
    )
    return Fields(*(np.uint32(number) for number in numbers))


def _allowed(layout: Layout, modules: Iterable[Module] | None) -> NDArray[np.uint8]:
    allowed = np.zeros((16, 16), np.uint8)
    if modules is None:
        first, last = layout.slots
        allowed[:, first : last + 1] = 1
    else:
        for crate, slot in modules:
            if not (0 <= crate <= layout.crate.mask and 0 <= slot <= layout.slot.mask):
                raise LayoutError(
                    f"module {crate}/{slot} (crate/slot) cannot be in layout "
                    f"{layout.name}: crates are 0 to {layout.crate.mask}, slots 0 "
                    f"to {layout.slot.mask}"
                )
            allowed[crate, slot] = 1
        if not allowed.any():
            raise LayoutError("the list of modules is empty: no event could be there")
    return allowed.ravel()
