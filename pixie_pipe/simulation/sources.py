"""Sources: the quanta that they emit, and how often.

Energies and intensities are those of the Evaluated Nuclear Structure Data File (ENSDF)
as NuDat 3 of the National Nuclear Data Center shows them. Lines of less than 0.05
quanta in a hundred decays and X rays below 20 keV are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pixie_pipe.simulation.errors import SimulationError, unknown

ELECTRON_KEV: Final = 510.99895
"""Rest energy of the electron (CODATA 2018)."""


@dataclass(frozen=True, slots=True)
class Line:
    """Quanta of one energy.

    Attributes
    ----------
    kev
        Their energy in keV.
    per_decay
        How many decays emit one, as a fraction.
    is_pair
        Whether two are emitted, back to back: the annihilation of a positron.
    """

    kev: float
    per_decay: float
    is_pair: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A radioactive source; everything that a decay emits comes at once.

    Attributes
    ----------
    name
        Its name, such as Na-22.
    steps
        Steps of the decay, independent of each other; each emits one of its lines, or
        nothing.
    """

    name: str
    steps: tuple[tuple[Line, ...], ...]


SOURCES: Final[Mapping[str, Source]] = {
    source.name: source
    for source in (
        Source(
            "Na-22",
            # Positrons in 90.38 % of the decays, else electron capture.
            ((Line(1274.537, 0.99940),), (Line(ELECTRON_KEV, 0.9038, is_pair=True),)),
        ),
        Source("Co-60", ((Line(1173.228, 0.9985),), (Line(1332.492, 0.999826),))),
        Source(
            "Cs-137",
            # Where Ba-137m sends an electron instead of its quantum, X rays follow.
            (
                (
                    Line(661.657, 0.8510),
                    Line(31.817, 0.0199),
                    Line(32.194, 0.0364),
                    Line(36.378, 0.0067),
                ),
            ),
        ),
        Source(
            "Am-241",
            (
                (
                    Line(59.5409, 0.359),
                    Line(26.3446, 0.0227),
                    Line(33.1963, 0.00126),
                    Line(43.420, 0.00073),
                ),
            ),
        ),
    )
}

ROOM: Final = (
    # K-40, Tl-208, Bi-214 (ENSDF): the lines that show in every room. The numbers are
    # parts of all that a detector sees of the room; they vary from room to room.
    Line(1460.820, 0.10),
    Line(2614.511, 0.04),
    Line(609.312, 0.04),
)


def find_sources(
    wanted: str | Mapping[str, float],
) -> list[tuple[Source, float]]:
    """Return sources and their parts of all decays.

    Parameters
    ----------
    wanted
        The name of a source, such as ``Na-22`` or ``na22``, or several with their
        relative activities.

    Raises
    ------
    SimulationError
        If there is no such source, or an activity is not positive.
    """
    shares = {wanted: 1.0} if isinstance(wanted, str) else dict(wanted)
    if not shares or not all(share > 0 for share in shares.values()):
        raise SimulationError(
            f"source is {wanted!r}, expected a name or names with positive activities"
        )
    total = sum(shares.values())
    return [(_find(name), share / total) for name, share in shares.items()]


def _find(name: str) -> Source:
    wanted = name.replace("-", "").lower()
    for source in SOURCES.values():
        if source.name.replace("-", "").lower() == wanted:
            return source
    raise unknown("source", name, SOURCES)
