"""Settings of modules for tests, and what Hypothesis draws of them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from pixie_pipe.settings import (
    CHANNEL_PARAMETERS,
    CHANNEL_VARIABLES,
    MODULE_VARIABLES,
    Access,
    CrateSettings,
    ModuleKind,
    ModuleSettings,
    SettingsAccess,
)
from pixie_pipe.settings.channel_parameters import read_channel, write_channel

KINDS = (
    ModuleKind(100, 12, "C"),
    ModuleKind(100, 14, "D"),
    ModuleKind(250, 14, "F"),
    ModuleKind(250, 16, "F"),
    ModuleKind(500, 14, "F"),
    ModuleKind(250, 14, "H", channels=32),
    ModuleKind(500, 14, "H", channels=32, fpga_mhz=125),
)

kinds = st.sampled_from(KINDS)
words = st.integers(0, 2**32 - 1)


def crate_of(*slots: int, kind: ModuleKind = KINDS[2]) -> CrateSettings:
    return CrateSettings(
        ModuleSettings(slot=slot, kind=kind, serial=1000 + slot) for slot in slots
    )


def access_of(*slots: int, kind: ModuleKind = KINDS[2]) -> SettingsAccess:
    return SettingsAccess(crate_of(*slots, kind=kind))


def settle(crate: CrateSettings, *channels: int) -> CrateSettings:
    """Write every parameter of channels: the defaults are not all within limits."""
    for module in crate:
        for channel in channels:
            for name, parameter in CHANNEL_PARAMETERS.items():
                if parameter.access is Access.READ_WRITE:
                    value = read_channel(module, name, channel)
                    write_channel(module, name, value, channel)
    return crate


@st.composite
def random_modules(draw: st.DrawFn, slot: int = 2) -> ModuleSettings:
    """Draw settings in which every word can be anything."""
    kind = draw(kinds)
    generator = np.random.default_rng(draw(words))

    def fill(width: int) -> np.ndarray:
        few = generator.random() < 0.5  # small numbers are special more often
        return generator.integers(0, 100 if few else 2**32, width, np.uint32)

    module = {name: fill(width) for name, width in MODULE_VARIABLES.items()}
    module["SlowFilterRange"][:] = generator.integers(1, 7)
    module["FastFilterRange"][:] = 0
    module["CrateID"][:] = 0
    channel = {name: fill(kind.channels) for name in CHANNEL_VARIABLES}
    serial = draw(st.none() | st.integers(0, 9999))
    return ModuleSettings(slot, kind, serial=serial, module=module, channel=channel)


WRITABLE = [n for n, p in CHANNEL_PARAMETERS.items() if p.access is Access.READ_WRITE]
LARGE = 50.0  # µs or ADC units: more than the registers hold


@st.composite
def values_of_channels(draw: st.DrawFn) -> dict[str, float]:
    names = draw(st.lists(st.sampled_from(WRITABLE), unique=True))
    values: dict[str, float] = {}
    for name in names:
        parameter = CHANNEL_PARAMETERS[name]
        if parameter.whole:
            values[name] = draw(st.integers(int(parameter.low), int(parameter.high)))
        else:
            high = min(parameter.high, LARGE)
            values[name] = draw(st.floats(parameter.low, high, width=32))
    return values
