"""What tasks can be called."""

from __future__ import annotations

from typing import Final

TASK_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"
"""Names of tasks are names of sockets, too, and those must be short."""
