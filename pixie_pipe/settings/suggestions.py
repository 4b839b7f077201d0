"""What was meant by a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the nearest of known names as the end of an error, or nothing.

    Examples
    --------
    >>> suggestion("polarty", ["Polarity", "TAU"])
    '; did you mean Polarity?'
    >>> suggestion("xyz", ["Polarity", "TAU"])
    ''
    """
    lower = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"; did you mean {lower[near[0]]}?" if near else ""
