"""The modules of a Pixie-16 crate, through XIA's own C library.

Not here: ways around what the library does. It owns the modules, boots them, moves
their words into the memory of the computer and knows what parameters mean; the driver
calls it so that its traps stay shut. See ``docs/xia.md``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from pixie_pipe.drivers._xia_controls import PARAMETER_GROUPS, XiaControls
from pixie_pipe.drivers._xia_errors import XiaError
from pixie_pipe.drivers._xia_fifo import ModuleFifo
from pixie_pipe.drivers._xia_library import LibraryError
from pixie_pipe.drivers._xia_measurements import XiaMeasurements
from pixie_pipe.drivers._xia_options import OptionError
from pixie_pipe.drivers._xia_runs import Runs
from pixie_pipe.drivers._xia_settings import SettingsError
from pixie_pipe.drivers._xia_statistics import identity_numbers, run_statistics
from pixie_pipe.drivers.digitizer import DriverError

if TYPE_CHECKING:
    import numpy as np

    from pixie_pipe.drivers._xia_crate import Crate

__all__ = [
    "PARAMETER_GROUPS",
    "LibraryError",
    "OptionError",
    "SettingsError",
    "XiaDigitizer",
    "XiaError",
]

_log = logging.getLogger(__name__)


class XiaDigitizer(XiaControls, XiaMeasurements):
    """The modules of one crate, used by this process alone.

    XIA's library is initialised by the first `open` in a process and stays so until the
    process ends: another session may be opened after `close`, but with the same
    `slots`, `offline`, `firmware` and `fifo`.

    Parameters
    ----------
    slots
        Slots of the modules, in the order that numbers them.
    library
        The file ``libPixie16Api.so``. Without it, that of the environment
        (``PIXIE_PIPE_XIA_LIBRARY``), or what the system finds by this name.
    firmware
        Directory with firmware, or single files as mappings with ``device`` (sys,
        fippi, dsp, var), ``path``, ``revision`` (letter of the hardware), ``frequency``
        (MSPS), ``bits`` and perhaps ``version``. Without it, what the library finds.
    settings
        Settings file of XIA's library (JSON), for each of the modules.
    ignore_serials
        Take the settings of a slot for whatever module is there.
    boot
        ``probe``: boot what is not booted yet. ``reset``: boot all modules.
        ``settings``: the modules are booted; load the settings, which is fast.
    offline
        Use the modules that the library simulates. They give no data.
    fifo
        How the library reads the modules: ``buffers`` (of 256 KiB for each module),
        ``run_wait_usecs``, ``dma_trigger_level_bytes``, ``hold_usecs``,
        ``idle_wait_usecs``, ``bandwidth_mb_per_sec``.
    crate
        Number of the crate, which the modules write into their events.
    revisions
        Firmware revisions, the numbers of the DSP code: one for all, or by slot. Needed
        where the file names of the firmware do not tell.
    overrides
        By slot: fields of the layout that differ, such as ``tick_ps``.
    synchronous
        Whether all modules start at once, their clocks at 0. Then the first module
        leads the runs, if none of them does. Without it, as the settings have it.
    log_directory
        Where the library writes its log, ``Pixie16Msg.log``; without it, the current
        directory.

    Raises
    ------
    OptionError
        If an option cannot be.
    """

    _fifos: tuple[ModuleFifo, ...] = ()
    _runs: Runs
    _has_started = False
    _is_list_mode = False

    @property
    def is_running(self) -> bool:
        """Whether a run goes on in any module, or is paused.

        The library may have ended it.

        Raises
        ------
        XiaError
            If a module does not answer any more.
        """
        if self._open_crate is None or not self._has_started:
            return False
        self._open_crate.refuse_other_process()
        return self._is_paused or any(self._runs.are_running())

    def start_run(self, *, resume: bool = False) -> None:
        """Start a list-mode run in all modules.

        Words of the last run that nobody has read are counted as ``words_discarded``.

        Parameters
        ----------
        resume
            Go on with the last run: its words stay to be read, and the modules keep
            their statistics and histograms.

        Raises
        ------
        DriverError
            If the session is not open, a run goes on, or not all modules start.
        XiaError
            If the library refuses it.
        """
        crate = self._crate
        with crate.lock:
            self._end_last_run()
            self._start_list_mode(crate, resume=resume)

    def pause_run(self) -> None:
        """End the run in all modules, so that `resume_run` can go on with it.

        The library takes up to 250 ms for it. What the modules hold can be read.
        Nothing happens if no run goes on, or it is paused already.

        Raises
        ------
        DriverError
            If the session is not open, or the run fills histograms.
        XiaError
            If a module does not end it; the others have.
        """
        crate = self._crate
        with crate.lock:
            if self._is_paused or not self.is_running:
                return
            if not self._is_list_mode:
                raise DriverError("a run that fills histograms cannot be paused")
            self._runs.end()
            self._is_paused = True

    def resume_run(self) -> None:
        """Go on with a run that is paused: clocks and statistics go on, too.

        Words that nobody has read in the pause stay to be read. Nothing happens if no
        run is paused.

        Raises
        ------
        DriverError
            If the session is not open, or not all modules start.
        XiaError
            If the library refuses it. The run is still paused then.
        """
        crate = self._crate
        with crate.lock:
            if self._is_paused:
                self._start_list_mode(crate, resume=True)

    def start_histogram_run(self, seconds: float) -> None:
        """Start a run that fills the histograms of the modules, and ends by itself.

        `is_running` tells when it is over; `stop_run` must be called all the same.

        Parameters
        ----------
        seconds
            How long it goes on, in s.

        Raises
        ------
        DriverError
            If the session is not open, or a run goes on, or this is no time.
        XiaError
            If the library refuses it.
        """
        crate = self._crate
        if not seconds > 0:
            raise DriverError(f"seconds is {seconds}, expected a positive number")
        with crate.lock:
            self._end_last_run()
            self._prepare_run(crate, resume=False)
            self._runs.start_histograms(seconds)
            self._has_started, self._is_list_mode = True, False

    def stop_run(self) -> None:
        """End the run in all modules; nothing happens if none was started.

        The library takes up to 250 ms for it. What the modules hold stays to be read,
        until the next start.

        Raises
        ------
        XiaError
            If a module does not end it; the others have.
        """
        if self._open_crate is None or not self._has_started:
            return
        crate = self._crate
        with crate.lock:
            self._runs.end()
            self._has_started = self._is_paused = False
            self._runs.restore_clocks()

    def read(self, module: int, max_words: int) -> NDArray[np.uint32]:
        """Return words that are queued for a module, without waiting for any.

        Parameters
        ----------
        module
            Its number, the index in `modules`.
        max_words
            Most words to return, at least 1.

        Returns
        -------
        ndarray
            Shape (n,), uint32; cut anywhere, empty if none are queued.

        Raises
        ------
        DriverError
            If the session is not open, there is no such module, or `max_words` is less
            than 1.
        XiaError
            If it fails.
        """
        self._check_module(module)
        if max_words < 1:
            raise DriverError(f"max_words is {max_words}, expected at least 1")
        return self._fifos[module].read(max_words)

    def fifo_level(self, module: int) -> int:
        """Return how many words wait on the computer; what the module holds is unknown.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        XiaError
            If it fails.
        """
        self._check_module(module)
        return self._fifos[module].level()

    def statistics(self, module: int) -> dict[str, Any]:
        """Return what is known about the run of a module, and which module it is.

        Returns
        -------
        dict
            ``words_read``, ``words_queued``, ``words_dropped`` (lost, because nobody
            read them in time), ``words_discarded`` (left over by an earlier run),
            ``hardware_overflows`` (how often the FIFO of the module was seen full),
            ``bytes_in``, ``bytes_out``; ``real_time_s``, and lists with a value for
            each channel: ``live_time_s``, ``input_counts``, ``output_counts``,
            ``input_rate_hz``, ``output_rate_hz``; ``serial_number``,
            ``hardware_revision``, ``adc_bits``, ``frequency_msps``, ``channels``,
            ``firmware``. All is counted since the start of the run, over pauses, in
            which the times stand still.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        XiaError
            If it fails.
        """
        crate = self._check_module(module)
        fifo = self._fifos[module]
        counted = fifo.statistics()
        identity = self._identities[module]
        return {
            "words_read": fifo.words_read,
            "words_queued": fifo.level(),
            "words_dropped": counted["dropped"],
            "words_discarded": fifo.words_discarded,
            "hardware_overflows": counted["hw_overflows"],
            "bytes_in": counted["in"],
            "bytes_out": counted["out"],
            **run_statistics(crate, module, identity.channels),
            **identity_numbers(identity),
        }

    def _start(self, crate: Crate) -> None:
        super()._start(crate)
        self._has_started = self._is_paused = False
        self._fifos = tuple(ModuleFifo(crate, module) for module in range(crate.count))
        self._runs = Runs(crate, has_backplane=not self._setup.is_offline)

    def _end_last_run(self) -> None:
        """Refuse a run within another, and end one that ended by itself."""
        if self._has_started:
            if self.is_running:
                raise DriverError(
                    "a run goes on: stop it before the next one is started"
                )
            # Its threads in the library still have to be parked.
            self.stop_run()

    def _start_list_mode(self, crate: Crate, *, resume: bool) -> None:
        self._prepare_run(crate, resume=resume)
        self._runs.start_list_mode(resume=resume)
        if resume:
            for fifo in self._fifos:
                fifo.go_on()
        self._has_started = self._is_list_mode = True
        self._is_paused = False

    def _prepare_run(self, crate: Crate, *, resume: bool) -> None:
        """Make the modules ready; get out of the queues what a start discards."""
        self._runs.set_synchronous(wanted=self._synchronous, resume=resume)
        for module, fifo in enumerate(self._fifos):
            fifo.begin(resume=resume)
            if fifo.words_discarded and not resume:
                _log.warning(
                    "slot %d: %d words of the last run were not read and are discarded",
                    crate.slots[module],
                    fifo.words_discarded,
                )
