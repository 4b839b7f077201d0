"""A pipeline that writes nothing."""

from __future__ import annotations

from pixie_pipe.bench.replay import measure_stream as measure

__all__ = ["measure"]
