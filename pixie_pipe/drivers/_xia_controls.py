"""Settings of the modules: parameters, files, offsets, copies."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from pixie_pipe.drivers._xia_parameters import Parameters
from pixie_pipe.drivers._xia_session import XiaSession
from pixie_pipe.drivers._xia_settings import check_saved, settings_for
from pixie_pipe.drivers.digitizer import DriverError

if TYPE_CHECKING:
    from pixie_pipe.drivers._xia_crate import Crate

PARAMETER_GROUPS: Final = {
    "filters": 0,
    "analog": 1,
    "histogram": 2,
    "tau": 3,
    "trace": 4,
    "baseline": 5,
    "csra": 7,
    "cfd": 8,
    "stretches": 9,
    "delays": 10,
    "multiplicity": 11,
    "qdc": 12,
}
"""Groups of parameters of a channel that can be copied, with the library's bits."""

_ALL_GROUPS: Final = 0xFFF
"""What the library copies everything for."""


class XiaControls(XiaSession):
    """Setting what modules do; nothing of this is possible while a run goes on."""

    def read_channel(self, name: str, module: int, channel: int) -> float:
        """Return a parameter of a channel.

        Parameters
        ----------
        name
            As XIA's library calls it, such as ``ENERGY_RISETIME``.
        module, channel
            Number of the module, the index in `modules`, and of its channel.

        Returns
        -------
        float
            In XIA's units: times in µs, ``VOFFSET`` in V.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module or channel.
        XiaError
            If there is no such parameter, or a run goes on.
        """
        crate = self._check_channel(module, channel)
        with self._between_runs(crate):
            return Parameters(crate).read_channel(name, module, channel)

    def write_channel(self, name: str, value: float, module: int, channel: int) -> None:
        """Set a parameter of a channel; the library rounds and clips many.

        What became of it tells `read_channel`.

        Parameters
        ----------
        name, value, module, channel
            As `read_channel` has them.

        Raises
        ------
        DriverError
            As with `read_channel`; if the value cannot be (``VOFFSET`` outside of
            -1.5 to 1.5 V would wrap), or bits that were written are not there.
        XiaError
            If the library refuses it, or a run goes on.
        """
        crate = self._check_channel(module, channel)
        with self._between_runs(crate):
            Parameters(crate).write_channel(name, value, module, channel)

    def read_module(self, name: str, module: int) -> int:
        """Return a parameter of a module, a word of 32 bits.

        Parameters
        ----------
        name
            As XIA's library calls it. ``HOST_RT_PRESET`` is the bits of a float.
        module
            Its number, the index in `modules`.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        XiaError
            If there is no such parameter, or a run goes on.
        """
        crate = self._check_module(module)
        with self._between_runs(crate):
            return Parameters(crate).read_module(name, module)

    def write_module(self, name: str, value: int, module: int) -> None:
        """Set a parameter of a module.

        ``SYNCH_WAIT``, ``IN_SYNCH`` and ``HOST_RT_PRESET`` are set in all modules,
        whichever is named.

        Parameters
        ----------
        name, value, module
            As `read_module` has them.

        Raises
        ------
        DriverError
            As with `read_module`; if the value does not fit, is not there afterwards,
            or would change the slot that the module writes into its events.
        XiaError
            If the library refuses it, or a run goes on.
        """
        crate = self._check_module(module)
        with self._between_runs(crate):
            Parameters(crate).write_module(name, value, module)

    def adjust_offsets(self, module: int | None = None) -> None:
        """Let the modules, or one of them, move their baselines to where they shall be.

        This takes seconds; with modules of Rev H up to 14 s each.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        XiaError
            If it fails, or a run goes on.
        """
        self._task("Pixie16AdjustOffsets", module)

    def set_dacs(self, module: int | None = None) -> None:
        """Set the DACs of the modules, or of one of them, to their offsets.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module.
        XiaError
            If it fails, or a run goes on.
        """
        self._task("Pixie16SetDACs", module)

    def copy_parameters(
        self,
        source: tuple[int, int],
        destinations: Iterable[tuple[int, int]],
        groups: Iterable[str] | None = None,
    ) -> None:
        """Copy parameters of one channel to others.

        Parameters
        ----------
        source
            (module, channel) to copy from.
        destinations
            (module, channel) to copy to.
        groups
            Which ones: names of `PARAMETER_GROUPS`. Without it, all.

        Raises
        ------
        DriverError
            If the session is not open, or there is no such module, channel or group.
        XiaError
            If the library refuses it, or a run goes on.
        """
        crate = self._check_channel(*source)
        bits = _ALL_GROUPS if groups is None else _bits_of(groups)
        # One entry for each channel of all modules: the library does not ask how long.
        firsts = np.cumsum([0, *(found.channels for found in self._identities)])
        mask = np.zeros(int(firsts[-1]), np.uint16)
        for module, channel in destinations:
            self._check_channel(module, channel)
            mask[firsts[module] + channel] = 1
        with self._between_runs(crate):
            crate.library.call("Pixie16CopyDSPParameters", bits, *source, mask)

    def save_settings(
        self, path: str | os.PathLike[str], *, force: bool = False
    ) -> None:
        """Write the settings of all modules to a file, in XIA's form (JSON).

        The file gets its name when it is complete.

        Parameters
        ----------
        path
            The file.
        force
            Replace a file that exists.

        Raises
        ------
        DriverError
            If the session is not open, or the library left out a module.
        XiaError
            If the library refuses it, or a run goes on.
        OutputExistsError, OutputPathError
            If there is such a file, or none can be written there.
        """
        from pixie_pipe.storage.atomic import new_file

        # Before the boot the library would write `null`, and say that it succeeded.
        crate = self._crate
        with self._between_runs(crate), new_file(Path(path), force=force) as file:
            crate.library.call(
                "Pixie16SaveDSPParametersToFile",
                os.fsencode(file.path.absolute()),
                detail=str(path),
            )
            check_saved(file.path, self._identities)

    def load_settings(
        self, path: str | os.PathLike[str], *, ignore_serials: bool = False
    ) -> None:
        """Set the modules to what a file has, by slot and serial number.

        Parameters
        ----------
        path
            A settings file of XIA's library. The modules in it may be in any order,
            and there may be others among them.
        ignore_serials
            Take the settings of a slot for whatever module is there now.

        Raises
        ------
        DriverError
            If the session is not open, or the file lacks a module, or is none.
        XiaError
            If the library refuses it, or a run goes on.
        """
        crate = self._crate
        given = Path(path).expanduser()
        with (
            self._between_runs(crate),
            settings_for(
                given, self._identities, ignore_serials=ignore_serials
            ) as ordered,
        ):
            crate.library.call(
                "Pixie16LoadDSPParametersFromFile",
                os.fsencode(ordered),
                detail=str(path),
            )
            # A file may have been saved in another crate.
            self._number_modules(crate)

    def _task(self, function: str, module: int | None) -> None:
        """Let one module or all of them do something."""
        crate: Crate = self._crate if module is None else self._check_module(module)
        with self._between_runs(crate):
            crate.call(function, crate.count if module is None else module)


def _bits_of(groups: Iterable[str]) -> int:
    bits = 0
    for group in groups:
        if group not in PARAMETER_GROUPS:
            near = difflib.get_close_matches(group, PARAMETER_GROUPS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DriverError(
                f"there is no group of parameters {group!r}; {hint}Known: "
                f"{', '.join(PARAMETER_GROUPS)}"
            )
        bits |= 1 << PARAMETER_GROUPS[group]
    if not bits:
        raise DriverError("no group of parameters was given, expected at least one")
    return bits
