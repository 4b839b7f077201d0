"""A pipeline that writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pixie_pipe.bench.chain import TO_SORTED
from pixie_pipe.bench.figures import Section
from pixie_pipe.bench.replay import measure_chain

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings


def measure(settings: Settings) -> Section:
    """Measure the pipeline that ends with sorted events."""
    return Section(
        "Streaming to sorted events",
        f"{', '.join(TO_SORTED)}, each a process, and nothing written. The bare loop "
        "does the same with the same kernels in one thread, in the same round.",
        measure_chain(settings, TO_SORTED, writes=False),
    )
