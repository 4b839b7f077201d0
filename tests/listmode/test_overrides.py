"""Every field of a layout that can be overridden is honoured."""

from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.listmode import Layout, decode, encode
from pixie_pipe.testing.generators import random_events


@pytest.mark.parametrize(
    "fields",
    [
        {"channel": (0, 4, 8), "slot": (0, 0, 4), "crate": (0, 0, 0)},
        {"slot": (0, 8, 4), "crate": (0, 4, 4)},
        {"energy": (3, 3, 9)},
        {"out_of_range": (3, 5, 1), "energy": (3, 0, 5)},
        {"out_of_range": (0, 0, 1), "channel": (0, 1, 3)},
        {
            "cfd_forced": (2, 16, 1),
            "cfd_source": (2, 17, 2),
            "cfd_fraction": (2, 19, 12),
        },
        {"cfd_failed_source": 3, "cfd_source": (2, 30, 2), "cfd_fraction": (2, 16, 14)},
        {"cfd_source_step": 2, "cfd_source_offset": -3, "cfd_unit_ps": 65535},
        {"tick_ps": 32767},
    ],
    ids=",".join,
)
def test_every_field_can_be_overridden(fields: dict[str, object]) -> None:
    base = {"cfd_failed_source": None} | fields
    layout = Layout.find(500, 34688).override(**base)
    rng = np.random.default_rng(1)
    for header_lengths in ((4,), (4, 18)):  # the fast way and the other
        events = random_events(
            layout,
            500,
            rng,
            header_lengths=header_lengths,
            channels=layout.channel.mask + 1,
            modules=((0, 2),) if layout.crate.width == 0 else ((3, 13), (0, 2)),
        )
        decoded = decode(encode(events, layout), layout)
        assert decoded.events.equals(events)
