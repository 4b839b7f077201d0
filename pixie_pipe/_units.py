"""Numbers for people: durations, rates, counts and sizes as short text."""

from __future__ import annotations

import math

# One decimal is shown; a value that would round up to the next unit's size is
# written in that unit ("1.0 ms", never "1000.0 µs").
_ROUNDS_TO_NEXT_UNIT = 999.95

_DURATIONS = ((1, "ps"), (10**3, "ns"), (10**6, "µs"), (10**9, "ms"), (10**12, "s"))
_RATES = ((1, "Hz"), (10**3, "kHz"), (10**6, "MHz"), (10**9, "GHz"))
_SIZES = ((1, "B"), (10**3, "kB"), (10**6, "MB"), (10**9, "GB"), (10**12, "TB"))


def format_count(count: int) -> str:
    """Return `count` with spaces between groups of three digits: ``24 598``."""
    return f"{count:,}".replace(",", " ")


def format_duration_ps(duration_ps: int) -> str:
    """Return a duration given in picoseconds in ps, ns, µs, ms or s: ``12.3 s``."""
    return "0 s" if duration_ps == 0 else _scaled(duration_ps, _DURATIONS)


def format_rate_hz(rate_hz: float) -> str:
    """Return a rate given in hertz in Hz, kHz, MHz or GHz: ``2.0 kHz``.

    A rate that is not a finite number is ``n/a``.
    """
    return _scaled(rate_hz, _RATES) if math.isfinite(rate_hz) else "n/a"


def format_bytes(size: int) -> str:
    """Return a size given in bytes in B, kB, MB, GB or TB (powers of 1000)."""
    return _scaled(size, _SIZES)


def format_measured(value: float, error: float) -> str:
    """Return a value and the error of its last digits: ``1332.51(24)``."""
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f}({error * 10**digits:.0f})"


def _scaled(value: float, units: tuple[tuple[int, str], ...]) -> str:
    factor, unit = next(
        (item for item in units if abs(value) < _ROUNDS_TO_NEXT_UNIT * item[0]),
        units[-1],
    )
    if factor == 1 and isinstance(value, int):
        return f"{value} {unit}"
    return f"{value / factor:,.1f} {unit}".replace(",", " ")
