"""Take, stream and decode data of XIA Pixie-16 digitizers.

Everything here is loaded when it is first used, so that importing the package
costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pixie_pipe._version import __version__

if TYPE_CHECKING:
    from pixie_pipe.buffers import BufferPool
    from pixie_pipe.errors import PixiePipeError
    from pixie_pipe.events import Events
    from pixie_pipe.kernels.time_offsets import TimeOffsets, shift_and_sort
    from pixie_pipe.listmode import Layout, StreamDecoder, decode, encode
    from pixie_pipe.runs import open_run
    from pixie_pipe.storage import open_events, read_events

__all__ = [
    "BufferPool",
    "Events",
    "Layout",
    "PixiePipeError",
    "StreamDecoder",
    "TimeOffsets",
    "__version__",
    "decode",
    "encode",
    "open_events",
    "open_run",
    "read_events",
    "shift_and_sort",
]

_HOMES = {
    "BufferPool": "buffers",
    "Events": "events",
    "Layout": "listmode",
    "PixiePipeError": "errors",
    "StreamDecoder": "listmode",
    "TimeOffsets": "kernels.time_offsets",
    "decode": "listmode",
    "encode": "listmode",
    "open_events": "storage",
    "open_run": "runs",
    "read_events": "storage",
    "shift_and_sort": "kernels.time_offsets",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
