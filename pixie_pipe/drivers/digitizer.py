"""What a driver must do: modules that are started, read and stopped.

The protocol is made of parts, each of which a caller can ask for alone: `Session`,
`Acquisition`, `Readout`, `Diagnostics`. `Digitizer` is all of them. Modules that can be
set up, looked at and read out as spectra have `Parameters`, `SettingsFiles`, `Signals`
and `Spectra`; a recorded run has not. `pixie_pipe.testing.digitizer_tests` holds the
tests that every driver must pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from numpy.typing import NDArray

from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    import os

    import numpy as np

    from pixie_pipe.listmode.layout import Layout


class DriverError(PixiePipeError, RuntimeError):
    """A driver cannot do what it was asked for."""


@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """One module, as its driver knows it.

    Attributes
    ----------
    crate, slot
        Where it is.
    frequency
        Sampling frequency in MSPS.
    revision
        Firmware revision, the number of the DSP code.
    hardware
        Letter of the hardware revision; empty if it is not known.
    layout
        The layout of its data.
    channels
        Number of channels.
    bits
        Bits of the ADC; 0 if it is not known.
    serial
        Serial number; 0 if it is not known.
    """

    crate: int
    slot: int
    frequency: int
    revision: int
    hardware: str
    layout: Layout
    channels: int = 16
    bits: int = 0
    serial: int = 0

    @property
    def name(self) -> str:
        """Short name, also that of its stream: ``c0-s02``."""
        return f"c{self.crate}-s{self.slot:02d}"


class Session(Protocol):
    """Access to the modules, from `open` to `close`; a context manager."""

    def open(self) -> None:
        """Find the modules and make them ready. Nothing happens if they are.

        Raises
        ------
        PixiePipeError
            If that fails; nothing is left open then.
        """

    def close(self) -> None:
        """End a run that goes on, and let go of the modules.

        May be called at any time, any number of times.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Acquisition(Protocol):
    """Starting and stopping runs."""

    @property
    def is_running(self) -> bool:
        """Whether a run goes on; one may end by itself."""

    def start_run(self) -> None:
        """Start a run in all modules. What the last run left in them is discarded.

        Raises
        ------
        DriverError
            If the session is not open, or a run goes on.
        """

    def stop_run(self) -> None:
        """End the run in all modules; nothing happens if none goes on.

        What the modules still hold stays to be read.
        """


@runtime_checkable
class Pausing(Protocol):
    """Pausing a list-mode run. A driver may do without."""

    def pause_run(self) -> None:
        """Let the modules take no events for now; their clocks go on.

        What they hold stays to be read. The run still goes on: it is ended by
        `Acquisition.stop_run`, or goes on taking events after `resume_run`. All that
        `Diagnostics.statistics` counts goes on over a pause; real and live time stand
        still in it. Nothing happens if no run goes on, or it is paused already.

        Raises
        ------
        DriverError
            If the session is not open, the run fills histograms, or the hardware
            fails.
        """

    def resume_run(self) -> None:
        """Let the modules take events again. Nothing happens if none is paused.

        Raises
        ------
        DriverError
            If the session is not open, or the hardware fails.
        """


class Readout(Protocol):
    """Reading list-mode words."""

    @property
    def modules(self) -> Sequence[ModuleInfo]:
        """The modules, in the order of their numbers; known once it is open."""

    def read(self, module: int, max_words: int) -> NDArray[np.uint32]:
        """Return words that are queued in a module, without waiting for any.

        Parameters
        ----------
        module
            Its number, the index in `modules`.
        max_words
            Most words to return, at least 1: a driver never asks hardware for none.

        Returns
        -------
        ndarray
            The next words, shape (n,), uint32; cut anywhere. Empty if none are
            queued; after `stop_run`, empty means that everything was read. The
            array is the caller's: it is never changed later.

        Raises
        ------
        DriverError
            If the session is not open, there is no such module, `max_words` is less
            than 1, or the hardware fails.
        """


class Diagnostics(Protocol):
    """Numbers that tell how a run goes."""

    def statistics(self, module: int) -> Mapping[str, Any]:
        """Return plain numbers and texts of a module, among them ``words_read``.

        These names are understood by what shows rates; a driver gives those that it
        knows, all counted since the start of the run:

        ``input_counts``
            Pulses that the fast filter has seen, a list with a value for each channel.
        ``output_counts``
            Events that were accepted, a list.
        ``live_time_s``
            Time in which the fast filter could see pulses, in s, a list.
        ``real_time_s``
            Time for which the run has gone on, without pauses, in s: a list, or one
            number for all.
        ``words_read``, ``words_dropped``
            Words that were read, and that were lost because nobody had read them.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        """


@runtime_checkable
class Parameters(Protocol):
    """Parameters by XIA's names, in physical units.

    What is written may be rounded or clipped; reading tells what is there.
    """

    def read_channel(self, name: str, module: int, channel: int) -> float:
        """Return a parameter of a channel.

        Raises
        ------
        DriverError
            If there is no such parameter, module or channel, or a run goes on.
        """

    def write_channel(self, name: str, value: float, module: int, channel: int) -> None:
        """Give a value to a parameter of a channel.

        Raises
        ------
        DriverError
            As for `read_channel`, or if the value is refused.
        """

    def read_module(self, name: str, module: int) -> int:
        """Return a parameter of a module, a word of 32 bits.

        As in XIA's library, ``HOST_RT_PRESET`` is the bits of a float. Errors as for
        `read_channel`.
        """

    def write_module(self, name: str, value: int, module: int) -> None:
        """Give a value to a parameter of a module; errors as for `write_channel`."""


@runtime_checkable
class SettingsFiles(Protocol):
    """All settings of all modules, as files of XIA's form (JSON)."""

    def save_settings(
        self, path: str | os.PathLike[str], *, force: bool = False
    ) -> None:
        """Write the settings of all modules to a file, in XIA's form (JSON).

        Raises
        ------
        PixiePipeError
            If the session is not open, a run goes on, or the file cannot be written;
            one that exists is replaced only if `force` says so.
        """

    def load_settings(
        self, path: str | os.PathLike[str], *, ignore_serials: bool = False
    ) -> None:
        """Set the modules to what a file has, by slot and serial number.

        Raises
        ------
        DriverError
            If the session is not open, a run goes on, the file is none, or it lacks a
            module; or if the serial numbers are others, unless they are ignored.
        """


@runtime_checkable
class Signals(Protocol):
    """What the ADCs see, while no run goes on."""

    def adc_traces(self, module: int) -> NDArray[np.uint16]:
        """Return a trace of each channel, shape (channels, samples).

        The time between two samples is the parameter ``XDT`` of the channel.
        """

    def baselines(self, module: int) -> NDArray[np.float64]:
        """Return baselines of each channel, shape (channels, values)."""

    def tau(self, module: int) -> NDArray[np.float64]:
        """Return the decay time of each channel in us, nan where none was found."""

    def adjust_offsets(self, module: int | None = None) -> None:
        """Bring the baselines of a module, or of all, to ``BASELINE_PERCENT``."""


@runtime_checkable
class Spectra(Protocol):
    """Energy spectra that the modules make themselves (MCA runs)."""

    def start_histogram_run(self, seconds: float) -> None:
        """Start a run that ends by itself; `Acquisition` tells and ends it."""

    def histogram(self, module: int, channel: int) -> NDArray[np.uint32]:
        """Return the spectrum of a channel, shape (bins,), also during a run."""


@runtime_checkable
class Digitizer(Session, Acquisition, Readout, Diagnostics, Protocol):
    """A crate of modules, or what stands for one."""
