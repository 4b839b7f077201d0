"""What a simulation cannot be asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pixie_pipe.errors import PixiePipeError


class SimulationError(PixiePipeError, ValueError):
    """A source, detector, setting or size that cannot be simulated."""


def unknown(what: str, name: str, known: Iterable[str]) -> SimulationError:
    """Return the error for a name that does not exist, with the nearest one."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return SimulationError(
        f"there is no {what} {name!r}{hint} (known: {', '.join(names)})"
    )
