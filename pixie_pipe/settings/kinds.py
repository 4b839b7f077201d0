"""Kinds of modules: what their clocks and their sizes are."""

from __future__ import annotations

import dataclasses
from typing import Final

from pixie_pipe.settings.errors import SettingsError

REVISIONS: Final = "ABCDEFGH"
"""Hardware revisions. XIA's files number them too: A is 10, F is 15, H is 17."""

_FPGA_MHZ: Final = {100: 100, 125: 125, 250: 125, 500: 100}
"""The clock of the filters, by the rate of the ADC (PixieSDK 5.3.0)."""

_MOST_CHANNELS: Final = 32


@dataclasses.dataclass(frozen=True)
class ModuleKind:
    """What settings mean depends on it: a register counts its clocks.

    Attributes
    ----------
    frequency_msps
        Samples of the ADC in a microsecond: 100, 125 (boards of Rev H), 250 or 500.
    adc_bits
        Bits of a sample: 12, 14 or 16.
    revision
        Letter of the hardware revision.
    channels
        Number of channels: 16, or 32 with Rev H.
    fpga_mhz
        The clock of the filters. 0, the default, becomes what is usual for the
        frequency; Rev H with DB05 or DB10 boards has 125 in any case.

    Raises
    ------
    SettingsError
        If there is no such kind.

    Examples
    --------
    >>> ModuleKind(250, 16, "F")
    ModuleKind(frequency_msps=250, adc_bits=16, revision='F', channels=16, fpga_mhz=125)
    """

    frequency_msps: int
    adc_bits: int
    revision: str
    channels: int = 16
    fpga_mhz: int = 0

    def __post_init__(self) -> None:
        if self.frequency_msps not in _FPGA_MHZ:
            raise SettingsError(
                f"frequency_msps is {self.frequency_msps}: expected 100, 125, 250 or "
                f"500"
            )
        if self.adc_bits not in (12, 14, 16):
            raise SettingsError(f"adc_bits is {self.adc_bits}: expected 12, 14 or 16")
        if len(self.revision) != 1 or self.revision not in REVISIONS:
            raise SettingsError(
                f"revision is {self.revision!r}: expected one letter of {REVISIONS}"
            )
        if not 1 <= self.channels <= _MOST_CHANNELS:
            raise SettingsError(
                f"channels is {self.channels}: expected 1 to {_MOST_CHANNELS}"
            )
        if self.fpga_mhz == 0:
            object.__setattr__(self, "fpga_mhz", _FPGA_MHZ[self.frequency_msps])
        if self.fpga_mhz not in _FPGA_MHZ.values():
            raise SettingsError(f"fpga_mhz is {self.fpga_mhz}: expected 100 or 125")

    @property
    def samples_per_tick(self) -> float:
        """ADC samples in one clock of the filters: 1, 2 or 5 (DB10 boards: 4)."""
        ratio = self.frequency_msps / self.fpga_mhz
        return int(ratio) if ratio.is_integer() else ratio

    @property
    def revision_number(self) -> int:
        """The number that XIA's files give for the revision: 15 for F."""
        return 10 + REVISIONS.index(self.revision)

    @property
    def tag(self) -> str:
        """The name that XIA's firmware files give it: 15-250-16."""
        return f"{self.revision_number}-{self.frequency_msps}-{self.adc_bits}"

    def __str__(self) -> str:
        return (
            f"Rev {self.revision}, {self.frequency_msps} MSPS, {self.adc_bits} bits, "
            f"{self.channels} channels"
        )
