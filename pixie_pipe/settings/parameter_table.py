"""XIA's parameters: name, unit, limits and meaning of each. Data only.

One table for the checks, the documentation and the program texts. The limits here are
those that a checked value must keep, because XIA's library would wrap or ignore it
silently beyond them. Values that the library clips to what the hardware can do, which
depends on other settings, are not refused: they are read back and shown as clipped.

Sources: PixieSDK 5.3.0 for names, limits and registers; XIA's manual for the meaning.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pixie_pipe.settings.variables import WORD_LIMIT


class Access(enum.Enum):
    """What can be done with a parameter."""

    READ_WRITE = "read and write"
    READ_ONLY = "read only"
    AT_BOOT = "read; written by the library when it boots a module"
    DISABLED = "disabled in the library"


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One of XIA's parameters.

    Attributes
    ----------
    name
        XIA's name.
    variable
        The variable of the DSP that holds it.
    unit
        Unit of its values; empty if it is a number or a register.
    meaning
        What it does, in a sentence.
    low, high
        Limits of a checked value, both allowed.
    step
        The largest distance between neighbouring values that any module has. For the
        energy filter it is to be multiplied by 2 to the power of SLOW_FILTER_RANGE.
    whole
        Whether it must be a whole number.
    truncated
        Whether the library cuts the decimals of the register where it should round.
    access
        What can be done with it.
    whole_crate
        Whether writing it to one module sets it in every module of the crate.
    limits
        Limits in words, with those that the hardware sets.
    """

    name: str
    variable: str
    unit: str
    meaning: str
    low: float = 0.0
    high: float = float("inf")
    step: float = 1.0
    whole: bool = False
    truncated: bool = False
    access: Access = Access.READ_WRITE
    whole_crate: bool = False
    limits: str = ""

    @property
    def is_register(self) -> bool:
        """Whether it is a register: 32 bits, of which each has its own meaning."""
        return self.step == 0


def _ticks(name: str, meaning: str, limits: str, variable: str = "") -> Parameter:
    """Return a parameter that counts clocks of the filters, of 8 or 10 ns."""
    return Parameter(name, variable or name, "µs", meaning, step=0.01, limits=limits)


def _register(name: str, variable: str, meaning: str) -> Parameter:
    """Return a parameter that is a register of 32 bits."""
    limit = WORD_LIMIT - 1
    return Parameter(name, variable, "", meaning, high=limit, step=0, whole=True)


def _number(
    name: str, variable: str, meaning: str, limits: tuple[int, int], *, unit: str = ""
) -> Parameter:
    low, high = limits
    text = f"{low} to {high}"
    return Parameter(name, variable, unit, meaning, low, high, whole=True, limits=text)


def _disabled(name: str, variable: str) -> Parameter:
    meaning = "Not used by today's firmware."
    return Parameter(name, variable, "", meaning, access=Access.DISABLED)


def _by_name(*parameters: Parameter) -> Mapping[str, Parameter]:
    return MappingProxyType({parameter.name: parameter for parameter in parameters})


CHANNEL_PARAMETERS: Final = _by_name(
    _ticks(
        "TRIGGER_RISETIME",
        "Length of each of the two sums of the trigger (fast) filter.",
        "at least 2 clocks; with TRIGGER_FLATTOP at most 127 clocks",
        "FastLength",
    ),
    _ticks(
        "TRIGGER_FLATTOP",
        "Gap between the two sums of the trigger filter.",
        "with TRIGGER_RISETIME at most 127 clocks",
        "FastGap",
    ),
    Parameter(
        "TRIGGER_THRESHOLD",
        "FastThresh",
        "ADC units",
        "What the trigger filter must exceed. The register also depends on "
        "TRIGGER_RISETIME, which is to be set first.",
        step=1.0,
        truncated=True,
        limits="threshold × TRIGGER_RISETIME in samples at most 65535",
    ),
    _ticks(
        "ENERGY_RISETIME",
        "Length of each of the two sums of the energy (slow) filter.",
        "at least 2 steps; with ENERGY_FLATTOP at most 127 steps of "
        "2^SLOW_FILTER_RANGE clocks",
        "SlowLength",
    ),
    _ticks(
        "ENERGY_FLATTOP",
        "Gap between the two sums of the energy filter.",
        "at least 3 steps; with ENERGY_RISETIME at most 127 steps",
        "SlowGap",
    ),
    Parameter(
        "TAU",
        "PreampTau",
        "µs",
        "Decay time of the preamplifier's pulses. Before Rev H, the library looks for "
        "a new BLCUT when it is written.",
        high=3.4e38,  # the largest 32-bit float
        step=1e-3,
        limits="a 32-bit float",
    ),
    Parameter(
        "TRACE_LENGTH",
        "TraceLength",
        "µs",
        "Length of recorded traces.",
        step=0.128,  # Rev H, 250 MSPS: 32 samples
        truncated=True,
        limits="FIFOLength samples; Rev H 4000; multiples of 2 samples, at 500 MSPS of "
        "10, with Rev H of 32",
    ),
    Parameter(
        "TRACE_DELAY",
        "PAFlength",
        "µs",
        "Length of the trace before the trigger.",
        step=0.01,
        truncated=True,
        limits="1023 clocks; longer than the trace becomes half of it",
    ),
    Parameter(
        "VOFFSET",
        "OffsetDAC",
        "V",
        "Offset that is added to the input. Below -1.5 V the library wraps to +1.5 V.",
        low=-1.5,
        high=1.5,
        step=3 / 65536,
        truncated=True,
        limits="-1.5 to +1.5",
    ),
    Parameter(
        "XDT",
        "Xwait",
        "µs",
        "Spacing of the samples of ADC traces that are read outside of runs.",
        step=0.08,
        limits="multiples of 0.06, at 250 MSPS of 0.08",
    ),
    _number(
        "BASELINE_PERCENT",
        "BaselinePercent",
        "Where the adjustment of offsets puts the baseline in the ADC's range.",
        (1, 99),
        unit="%",
    ),
    _number("EMIN", "EnergyLow", "Smallest energy in the MCA.", (0, WORD_LIMIT - 1)),
    _number(
        "BINFACTOR",
        "Log2Ebin",
        "MCA bins are energies divided by 2 to this power.",
        (1, 6),
    ),
    _number(
        "BASELINE_AVERAGE",
        "Log2Bweight",
        "Baselines are averaged with a weight of 2 to the power of minus this.",
        (0, 16),
    ),
    _register("CHANNEL_CSRA", "ChanCSRa", "Switches of a channel; see the named bits."),
    _disabled("CHANNEL_CSRB", "ChanCSRb"),
    _number(
        "BLCUT",
        "BLcut",
        "Largest change between baselines that still enters the average.",
        (0, WORD_LIMIT - 1),
    ),
    _number("INTEGRATOR", "Integrator", "Mode of the energy filter.", (0, 7)),
    _ticks(
        "FASTTRIGBACKLEN",
        "Length of the channel's fast trigger on the backplane. Below 2 clocks at "
        "125 MHz events can be lost.",
        "1 (100 MHz) or 2 (125 MHz) to 4095 clocks",
        "FastTrigBackLen",
    ),
    _ticks("CFDDelay", "Delay of the CFD.", "1 to 63 clocks"),
    _number("CFDScale", "CFDScale", "Weight of the CFD is 1 - CFDScale/8.", (0, 7)),
    _number("CFDThresh", "CFDThresh", "What the CFD must exceed.", (1, 65535)),
    *(
        Parameter(
            f"QDCLen{number}",
            f"QDCLen{number}",
            "µs",
            f"Length of the QDC sum number {number}.",
            step=0.01,
            limits="1 to 32767 samples, at 500 MSPS of 10 ns",
        )
        for number in range(8)
    ),
    _ticks("ExtTrigStretch", "Length of the external trigger.", "1 to 4095 clocks"),
    _ticks("VetoStretch", "Length of a veto.", "1 to 4095 clocks"),
    _register(
        "MultiplicityMaskL",
        "MultiplicityMaskL",
        "Channels of this and the left module that take part in coincidences.",
    ),
    _register(
        "MultiplicityMaskH",
        "MultiplicityMaskH",
        "Channels of the right module, and the numbers that coincidences need.",
    ),
    _ticks(
        "ExternDelayLen",
        "Delay of the signals of the channel before validation.",
        "255 clocks with Rev B to D, 511 with Rev F and H",
    ),
    _ticks(
        "FtrigoutDelay",
        "Delay of the fast trigger that leaves the channel.",
        "255 clocks with Rev B to D, 511 with Rev F and H",
    ),
    _ticks("ChanTrigStretch", "Length of the channel's trigger.", "1 to 4095 clocks"),
    _ticks(
        "RESET_DELAY", "Delay after a reset of the input.", "255 clocks", "ResetDelay"
    ),
)
"""The 38 parameters of a channel, by XIA's names."""


MODULE_PARAMETERS: Final = _by_name(
    Parameter("MODULE_NUMBER", "ModNum", "", "Number.", access=Access.READ_ONLY),
    _disabled("MODULE_CSRA", "ModCSRA"),
    _register("MODULE_CSRB", "ModCSRB", "Switches of a module; see the named bits."),
    _disabled("MODULE_FORMAT", "ModFormat"),
    _disabled("MAX_EVENTS", "MaxEvents"),
    Parameter(
        "SYNCH_WAIT",
        "SynchWait",
        "",
        "1: the modules of the crate start a run together.",
        high=1,
        whole=True,
        whole_crate=True,
        limits="0 or 1",
    ),
    Parameter(
        "IN_SYNCH",
        "InSynch",
        "",
        "0: the clocks are set to zero when a run starts; 1: they go on.",
        high=1,
        whole=True,
        whole_crate=True,
        limits="0 or 1",
    ),
    Parameter(
        "SLOW_FILTER_RANGE",
        "SlowFilterRange",
        "",
        "The steps of the energy filter are 2 to this power clocks.",
        low=1,
        high=6,
        whole=True,
        limits="1 to 6",
    ),
    _number(
        "FAST_FILTER_RANGE",
        "FastFilterRange",
        "The same of the trigger filter.",
        (0, 0),
    ),
    _register(
        "FastTrigBackplaneEna",
        "FastTrigBackplaneEna",
        "Lines of the backplane that carry fast triggers.",
    ),
    Parameter("CrateID", "CrateID", "", "Number of the crate.", access=Access.AT_BOOT),
    Parameter("SlotID", "SlotID", "", "Slot of the module.", access=Access.AT_BOOT),
    _disabled("ModID", "ModID"),
    *(
        _register(
            f"TrigConfig{number}",
            "TrigConfig",
            f"Sources and routes of triggers, word {number}.",
        )
        for number in range(4)
    ),
    Parameter(
        "HOST_RT_PRESET",
        "HostRunTimePreset",
        "s",
        "Length of a histogram run. The library takes and gives the bits of a 32-bit "
        "float.",
        high=3.4e38,  # the largest 32-bit float
        step=1e-3,
        whole_crate=True,
        limits="a 32-bit float",
    ),
)
"""The 18 parameters of a module, by XIA's names."""
