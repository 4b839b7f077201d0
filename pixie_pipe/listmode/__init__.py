"""The list-mode format of XIA's Pixie-16: layouts, decoding, encoding."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pixie_pipe.listmode.errors import (
    ChunkError,
    EncodeError,
    LayoutError,
    StreamFinishedError,
)
from pixie_pipe.listmode.layout import BitField, Layout

if TYPE_CHECKING:
    from pixie_pipe.listmode.chunk_decoder import ChunkDecoder, join_touching
    from pixie_pipe.listmode.cutter import ChunkCutter, Cut
    from pixie_pipe.listmode.decoder import decode
    from pixie_pipe.listmode.encoder import encode
    from pixie_pipe.listmode.positions import event_positions
    from pixie_pipe.listmode.result import Balance, Decoded, RejectReason
    from pixie_pipe.listmode.stream import StreamDecoder

__all__ = [
    "Balance",
    "BitField",
    "ChunkCutter",
    "ChunkDecoder",
    "ChunkError",
    "Cut",
    "Decoded",
    "EncodeError",
    "Layout",
    "LayoutError",
    "RejectReason",
    "StreamDecoder",
    "StreamFinishedError",
    "decode",
    "encode",
    "event_positions",
    "join_touching",
]

# Loaded when they are first used: they import numba, which takes long.
_LAZY = {
    "Balance": "result",
    "ChunkCutter": "cutter",
    "ChunkDecoder": "chunk_decoder",
    "Cut": "cutter",
    "Decoded": "result",
    "RejectReason": "result",
    "StreamDecoder": "stream",
    "decode": "decoder",
    "encode": "encoder",
    "event_positions": "positions",
    "join_touching": "chunk_decoder",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
