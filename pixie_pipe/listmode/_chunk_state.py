"""What goes with a chunk, so that it can be decoded without those before it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from pixie_pipe.listmode._constants import MODULE
from pixie_pipe.listmode._engine import Memory
from pixie_pipe.listmode.errors import ChunkError

_MAGIC = b"PXC\x01"
_FORMAT = struct.Struct("<4s8sQQBB32s")


@dataclass(frozen=True, slots=True)
class ChunkState:
    """The state of a chunk.

    Attributes
    ----------
    memory
        What decoding must know of the words before the chunk.
    size
        Words that the chunk has, with those to look ahead.
    look_ahead
        Words at its end that belong to the next chunk.
    final
        Whether the stream ends with the chunk.
    """

    memory: Memory
    size: int
    look_ahead: int
    final: bool

    def pack(self, fingerprint: bytes) -> bytes:
        """Return the state as bytes; `fingerprint` is that of the engine."""
        return _FORMAT.pack(
            _MAGIC,
            fingerprint,
            self.size,
            self.look_ahead,
            self.memory.lost_reason,
            self.final,
            self.memory.trusted,
        )

    @classmethod
    def unpack(cls, data: bytes, fingerprint: bytes) -> Self:
        """Read what `pack` wrote.

        Raises
        ------
        ChunkError
            If a cutter did not write this, or one with other settings.
        """
        if len(data) != _FORMAT.size or not bytes(data).startswith(_MAGIC):
            raise ChunkError(
                f"the state of a chunk is {len(data)} bytes that begin with "
                f"{bytes(data[:4])!r}, expected {_FORMAT.size} that begin with "
                f"{_MAGIC!r}: hand on the state of the Cut as it is, and use the same "
                f"version of pixie_pipe everywhere"
            )
        _, written, size, look_ahead, lost_reason, final, trusted = _FORMAT.unpack(data)
        if written != fingerprint:
            raise ChunkError(
                "the chunk was cut with another layout, other modules or another "
                "max_event_length than this decoder has: give both the same"
            )
        if lost_reason > MODULE or final > 1 or look_ahead > (0 if final else size):
            raise ChunkError(
                f"the state of a chunk is damaged: reason {lost_reason}, {size} words, "
                f"{look_ahead} to look ahead, final {final}; expected reasons 0 to "
                f"{MODULE}, and no look-ahead in a final chunk: hand on the state of "
                f"the Cut as it is"
            )
        return cls(Memory(trusted, lost_reason), size, look_ahead, bool(final))
