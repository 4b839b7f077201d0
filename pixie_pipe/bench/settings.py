"""How thoroughly to measure, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What all benchmarks are told.

    Attributes
    ----------
    directory
        Where raw files and results go; they are removed.
    rounds
        How often to measure.
    scale
        Part of the usual number of events.
    peers
        Whether to measure other packages beside.
    full
        Whether to measure what takes many minutes, too.
    """

    directory: Path
    rounds: int = 5
    scale: float = 1.0
    peers: bool = False
    full: bool = False

    def events(self, usual: int) -> int:
        """Return how many events to take."""
        return max(1, round(usual * self.scale))
