"""The error of a configuration."""

from __future__ import annotations

from pixie_pipe.errors import PixiePipeError


class ConfigError(PixiePipeError, ValueError):
    """A configuration that is wrong; the text says where (file and line) and why."""
