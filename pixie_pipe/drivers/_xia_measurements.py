"""What modules measure besides events: traces, baselines, tau, histograms."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.drivers._xia_session import XiaSession

if TYPE_CHECKING:
    from pixie_pipe.drivers._xia_crate import Crate

_NOT_FOUND: Final = -1.0
"""What the library gives as the tau of a channel in which it found none."""


class XiaMeasurements(XiaSession):
    """Looking at what modules see."""

    def adc_traces(self, module: int) -> NDArray[np.uint16]:
        """Return what the ADCs of a module see now.

        Returns
        -------
        ndarray
            Shape (channels, samples), uint16, in ADC units. The time between samples
            is set by ``XDT``.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        XiaError
            If it fails, or a run goes on.
        """
        crate = self._check_module(module)
        channels = self._identities[module].channels
        # Another task between taking and reading them would spoil the traces.
        with self._between_runs(crate):
            samples = _length(crate, "PixieGetTraceLength", module)
            traces = np.zeros((channels, samples), np.uint16)
            crate.call("Pixie16AcquireADCTrace", module)
            for channel in range(channels):
                crate.library.call(
                    "Pixie16ReadSglChanADCTrace",
                    traces[channel],
                    samples,
                    module,
                    channel,
                    slot=crate.slots[module],
                    detail=f"channel {channel}",
                )
        return traces

    def baselines(self, module: int) -> NDArray[np.float64]:
        """Return baselines of a module in ADC units, shape (channels, n).

        Raises
        ------
        DriverError, XiaError
            As for `timed_baselines`.
        """
        values, _ = self.timed_baselines(module)
        return values

    def timed_baselines(
        self, module: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return baselines of a module and when they were taken.

        Returns
        -------
        tuple of ndarray
            Baselines in ADC units and times in s, both of shape (channels, n), float64.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        XiaError
            If it fails, a run goes on, or the module is of Rev H and cannot.
        """
        crate = self._check_module(module)
        channels = self._identities[module].channels
        with self._between_runs(crate):
            # The library does not check that it has so many.
            most = _length(crate, "PixieGetMaxNumBaselines", module)
            values = np.zeros((channels, most), np.float64)
            times = np.zeros((channels, most), np.float64)
            crate.call("Pixie16AcquireBaselines", module)
            for channel in range(channels):
                crate.library.call(
                    "Pixie16ReadSglChanBaselines",
                    values[channel],
                    times[channel],
                    most,
                    module,
                    channel,
                    slot=crate.slots[module],
                    detail=f"channel {channel}",
                )
        return values, times

    def baseline_cut(self, module: int, channel: int) -> int:
        """Let a module find the baseline cut of a channel, and return it.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module or channel.
        XiaError
            If it fails, a run goes on, or the module is of Rev H and cannot.
        """
        crate = self._check_channel(module, channel)
        found = ctypes.c_uint32()
        with self._between_runs(crate):
            crate.call(
                "Pixie16BLcutFinder",
                module,
                channel,
                ctypes.byref(found),
                detail=f"channel {channel}",
            )
        return found.value

    def tau(self, module: int) -> NDArray[np.float64]:
        """Let a module find the decay times of its signals.

        Returns
        -------
        ndarray
            In µs, shape (channels,), float64; NaN where none was found.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        XiaError
            If it fails, a run goes on, or the module is of Rev H and cannot.
        """
        crate = self._check_module(module)
        found = np.zeros(self._identities[module].channels, np.float64)
        with self._between_runs(crate):
            crate.call("Pixie16TauFinder", module, found)
        found[found == _NOT_FOUND] = np.nan
        return found

    def histogram(self, module: int, channel: int) -> NDArray[np.uint32]:
        """Return the histogram that a module keeps of a channel, also during a run.

        Returns
        -------
        ndarray
            Counts, shape (bins,), uint32.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module or channel.
        XiaError
            If it fails.
        """
        crate = self._check_channel(module, channel)
        # Never more: the library fills the rest with ones.
        bins = _length(crate, "PixieGetHistogramLength", module, channel)
        counts = np.zeros(bins, np.uint32)
        crate.library.call(
            "Pixie16ReadHistogramFromModule",
            counts,
            bins,
            module,
            channel,
            slot=crate.slots[module],
            detail=f"channel {channel}",
        )
        return counts


def _length(crate: Crate, function: str, module: int, channel: int = 0) -> int:
    """Return a length that the library knows for a channel."""
    found = ctypes.c_uint32()
    crate.call(function, module, channel, ctypes.byref(found))
    return found.value
