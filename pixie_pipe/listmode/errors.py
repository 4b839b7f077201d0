"""Errors of the list-mode format."""

from __future__ import annotations

from pixie_pipe.errors import PixiePipeError


class LayoutError(PixiePipeError, ValueError):
    """No layout fits, or a layout contradicts itself."""


class EncodeError(PixiePipeError, ValueError):
    """An event cannot be written in a layout: a value does not fit its field."""


class StreamFinishedError(PixiePipeError, RuntimeError):
    """Data were fed to a decoder whose stream had been finished."""


class ChunkError(PixiePipeError, ValueError):
    """The words or the state of a chunk are not those that a cutter gave."""
