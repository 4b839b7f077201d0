"""A pipeline that writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pixie_pipe.bench.chain import TO_SORTED, in_one_process
from pixie_pipe.bench.figures import Section
from pixie_pipe.bench.replay import Arrangement, measure_chains

if TYPE_CHECKING:
    from pixie_pipe.bench.settings import Settings

ARRANGEMENTS: Final = (
    Arrangement("each a process", TO_SORTED),
    Arrangement("one process", TO_SORTED, in_one_process(TO_SORTED)),
)


def measure(settings: Settings) -> Section:
    """Measure the pipeline that ends with sorted events."""
    return Section(
        "Streaming to sorted events",
        f"{', '.join(TO_SORTED)}, and nothing written: each a process, or all in one. "
        "The bare loop does the same with the same kernels in one thread, in the same "
        "round.",
        measure_chains(settings, ARRANGEMENTS, writes=False),
    )
