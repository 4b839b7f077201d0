"""Settings of the analysis of traces, from the settings of modules."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from pixie_pipe.settings.bits import names_of
from pixie_pipe.settings.channel_parameters import read_channel
from pixie_pipe.traces import ChannelSettings, TraceSettings

if TYPE_CHECKING:
    from pixie_pipe.settings.modules import CrateSettings, ModuleSettings

_MOST_TICK: Final = 5
"""Samples of the longest tick, of 500 MSPS."""


def trace_settings(settings: CrateSettings, **changes: Any) -> ChannelSettings:
    """Return how the traces of modules are to be analysed, by channel.

    Filters, thresholds and delays are those of the modules. The baseline is taken of
    what is in the trace before the trigger filter sees the pulse; the pulse is looked
    for from there to the flat top of the energy filter behind the trigger. The CFD is
    that of the module, and the energy's baseline that of the header where events have
    their sums.

    Parameters
    ----------
    settings
        Of the modules.
    **changes
        Fields of `TraceSettings` that all channels have instead.

    Raises
    ------
    TraceSettingsError
        If a value makes no sense for an analysis.
    """
    channels = {}
    for module in settings:
        for number in range(module.kind.channels):
            found = dataclasses.replace(_channel(module, number), **changes)
            channels[module.crate, module.slot, number] = found
    return ChannelSettings(channels=channels)


def _channel(module: ModuleSettings, number: int) -> TraceSettings:
    kind = module.kind_of(number)

    def value(name: str) -> float:
        return read_channel(module, name, number)

    def known(name: str) -> float | None:
        found = value(name)
        return found if found > 0 else None

    delay_us, rise_us = value("TRACE_DELAY"), value("TRIGGER_RISETIME")
    flat_us, energy_us = value("TRIGGER_FLATTOP"), value("ENERGY_FLATTOP")
    quiet_us = max(delay_us - 2 * rise_us - flat_us, delay_us / 2)
    slow_range = int(module.module["SlowFilterRange"][0])
    step_us = (1 << slow_range) / kind.fpga_mhz
    tick = kind.samples_per_tick
    named = names_of("CHANNEL_CSRA", int(value("CHANNEL_CSRA")))
    is_whole = float(tick).is_integer() and tick <= _MOST_TICK
    return TraceSettings(
        frequency_msps=kind.frequency_msps,
        adc_bits=kind.adc_bits,
        samples_per_tick=int(tick) if is_whole else 0,
        trace_delay_us=max(delay_us, 0.0),
        baseline_us=max(quiet_us, 1 / kind.frequency_msps),
        pulse_from_us=max(quiet_us, 0.0),
        pulse_to_us=max(delay_us + energy_us, 1 / kind.frequency_msps),
        trigger_rise_us=known("TRIGGER_RISETIME"),
        trigger_flat_us=flat_us,
        trigger_threshold=known("TRIGGER_THRESHOLD"),
        energy_rise_us=known("ENERGY_RISETIME"),
        energy_flat_us=energy_us,
        tau_us=known("TAU"),
        # In recorded traces, windows end PeakSep less one step behind the trigger.
        energy_delay_us=max(value("ENERGY_RISETIME") + energy_us - step_us, 0.0),
        slow_filter_range=slow_range if slow_range <= 6 else None,
        energy_baseline="header" if named["CaptureSums"] else "mean",
        cfd="module",
        cfd_fraction=1 - value("CFDScale") / 8,
        cfd_delay_us=value("CFDDelay"),
        cfd_threshold=value("CFDThresh"),
    )
