"""What modules count in a run: times, rates, and words that were lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pixie_pipe.drivers._xia_crate import Crate, ModuleIdentity

_PER_CHANNEL: Final[Mapping[str, tuple[str, type[float]]]] = {
    "live_time_s": ("Pixie16ComputeLiveTime", float),
    "input_counts": ("Pixie16ComputeRawInputCount", int),
    "output_counts": ("Pixie16ComputeRawOutputCount", int),
    "input_rate_hz": ("Pixie16ComputeInputCountRate", float),
    "output_rate_hz": ("Pixie16ComputeOutputCountRate", float),
}


def run_statistics(crate: Crate, module: int, channels: int) -> dict[str, Any]:
    """Return the times and rates of a module; values of channels as lists.

    Raises
    ------
    XiaError
        If they cannot be read, or the library does not know what it has read.
    """
    slot = crate.slots[module]
    blob = _blob(crate)
    crate.library.call("Pixie16ReadStatisticsFromModule", blob, module, slot=slot)
    compute = crate.library.compute
    found: dict[str, Any] = {
        "real_time_s": compute("Pixie16ComputeRealTime", blob, module, slot=slot)
    }
    for name, (function, kind) in _PER_CHANNEL.items():
        found[name] = [
            kind(compute(function, blob, module, channel, slot=slot))
            for channel in range(channels)
        ]
    return found


def identity_numbers(identity: ModuleIdentity) -> dict[str, Any]:
    """Return which module it is."""
    return {
        "serial_number": identity.serial_number,
        "hardware_revision": identity.hardware_revision,
        "adc_bits": identity.bits,
        "frequency_msps": identity.frequency,
        "channels": identity.channels,
        "firmware": identity.firmware,
    }


def _blob(crate: Crate) -> NDArray[np.uint32]:
    """Return room for the statistics: the size is told in bytes, not in words."""
    size: int = crate.library.raw("Pixie16GetStatisticsSize")
    # The library reads numbers of 64 bits in it.
    whole = np.zeros(-(-size // 8), np.uint64)
    return whole.view(np.uint32)
