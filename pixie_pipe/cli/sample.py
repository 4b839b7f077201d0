"""``pixie-pipe sample``: a small simulated file to try things with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from pixie_pipe.cli import output


def sample(
    file: Path,
    *,
    events: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 50_000,
    seed: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 1,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Write a small simulated file to try things with.

    It looks as if a Co-60 source was measured, with two LaBr3 scintillators
    (channels 0 and 1, the latter with traces) and a germanium detector
    (channel 2), by a module of 500 MSPS with firmware 34688 in crate 0, slot 2.

    Example: pixie-pipe sample sample.bin

    Parameters
    ----------
    file
        The file to write.
    events
        Number of events.
    seed
        Start of the random numbers: the same one gives the same file.
    force
        Replace a file that exists.
    """
    from pixie_pipe._units import format_bytes, format_count
    from pixie_pipe.listmode import encode
    from pixie_pipe.storage import new_file
    from pixie_pipe.testing.sample import LAYOUT, sample_events

    # The name is checked before the work is done.
    with new_file(file, force=force) as opened:
        words = encode(sample_events(events, seed=seed), LAYOUT)
        opened.path.write_bytes(words.tobytes())
    plural = "" if events == 1 else "s"
    output.results().print(
        f"{file}: {format_count(events)} event{plural}, {format_bytes(words.nbytes)}\n"
        f"Next: pixie-pipe inspect {shlex.quote(str(file))} --frequency "
        f"{LAYOUT.frequency} --revision {LAYOUT.revision}",
        soft_wrap=True,
    )
