"""The list-mode format of XIA's Pixie-16: layouts, decoding, encoding."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pixie_pipe.listmode.errors import EncodeError, LayoutError, StreamFinishedError
from pixie_pipe.listmode.layout import BitField, Layout

if TYPE_CHECKING:
    from pixie_pipe.listmode.decoder import decode
    from pixie_pipe.listmode.encoder import encode
    from pixie_pipe.listmode.result import Balance, Decoded, RejectReason
    from pixie_pipe.listmode.stream import StreamDecoder

__all__ = [
    "Balance",
    "BitField",
    "Decoded",
    "EncodeError",
    "Layout",
    "LayoutError",
    "RejectReason",
    "StreamDecoder",
    "StreamFinishedError",
    "decode",
    "encode",
]

# Loaded when they are first used: they import numba, which takes long.
_LAZY = {
    "Balance": "result",
    "Decoded": "result",
    "RejectReason": "result",
    "StreamDecoder": "stream",
    "decode": "decoder",
    "encode": "encoder",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
