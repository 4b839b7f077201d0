"""Lines of sources: known energies.

Those of the sources that can be simulated are the simulation's. The others, as those,
are of the Evaluated Nuclear Structure Data File (ENSDF) as NuDat 3 of the National
Nuclear Data Center shows them; only the strong lines are here, those that a calibration
is made with.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pixie_pipe.calibration.errors import CalibrationError
from pixie_pipe.simulation.sources import SOURCES


@dataclass(frozen=True, slots=True)
class KnownLine:
    """Quanta of a source.

    Attributes
    ----------
    source
        Its name, such as Na-22.
    kev
        Energy in keV.
    per_decay
        How many are emitted in a decay.
    """

    source: str
    kev: float
    per_decay: float


def _simulated() -> dict[str, tuple[KnownLine, ...]]:
    return {
        name: tuple(
            KnownLine(name, line.kev, line.per_decay * (2 if line.is_pair else 1))
            for step in source.steps
            for line in step
        )
        for name, source in SOURCES.items()
    }


_OTHERS: Final = {
    "Ba-133": (
        (80.9979, 0.329),
        (276.3989, 0.0716),
        (302.8508, 0.1834),
        (356.0129, 0.6205),
        (383.8485, 0.0894),
    ),
    "Eu-152": (
        (121.7817, 0.2853),
        (244.6974, 0.0755),
        (344.2785, 0.2659),
        (778.9045, 0.1293),
        (964.057, 0.1451),
        (1085.837, 0.1011),
        (1112.076, 0.1367),
        (1408.013, 0.2087),
    ),
    "K-40": ((1460.820, 0.1066),),
}

LINES: Final[dict[str, tuple[KnownLine, ...]]] = _simulated() | {
    name: tuple(KnownLine(name, *line) for line in lines)
    for name, lines in _OTHERS.items()
}
"""Lines by the name of the source."""


def find_lines(sources: Iterable[str]) -> list[KnownLine]:
    """Return the lines of sources, by energy.

    Parameters
    ----------
    sources
        Names such as ``Na-22`` or ``na22``, or energies in keV such as ``661.657``.

    Raises
    ------
    CalibrationError
        If there is no such source, or none at all.
    """
    found: list[KnownLine] = []
    for wanted in sources:
        found += _of(wanted)
    if not found:
        raise CalibrationError("there is no line, expected at least one source")
    return sorted(found, key=lambda line: line.kev)


def _of(wanted: str) -> tuple[KnownLine, ...]:
    key = wanted.replace("-", "").lower()
    for name, lines in LINES.items():
        if name.replace("-", "").lower() == key:
            return lines
    try:
        kev = float(wanted)
    except ValueError:
        kev = -1.0
    if kev > 0:
        return (KnownLine(f"{kev:g} keV", kev, 1.0),)
    near = difflib.get_close_matches(wanted, LINES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise CalibrationError(
        f"there is no source {wanted!r}{hint} (known: {', '.join(LINES)}; or an energy "
        f"in keV)"
    )
