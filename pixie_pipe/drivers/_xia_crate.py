"""The modules in this process: initialised once, then booted, configured and closed.

XIA's library can be initialised once in a process. A second time does not only fail: it
shuts the modules down that are running. So the state is kept here, one for each loaded
library, and outlives the sessions; the modules are let go when the process ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pixie_pipe.drivers._xia_errors import (
    NEW_PROCESS,
    NO_MODULES,
    NOT_INITIALISED,
    XiaError,
)
from pixie_pipe.drivers._xia_functions import (
    BOOT_PROBE,
    BOOT_RESET,
    BOOT_SETTINGS,
    VERSION,
    FifoConfig,
    ModuleConfig,
)
from pixie_pipe.drivers._xia_library import LibraryError
from pixie_pipe.drivers._xia_options import Boot, Setup
from pixie_pipe.drivers.digitizer import DriverError

if TYPE_CHECKING:
    from pixie_pipe.drivers._xia_library import XiaLibrary

_log = logging.getLogger(__name__)

LOG_NAME: Final = "Pixie16Msg.log"
"""File that the library writes its log to, in what is the current directory then."""

_MODES: Final[Mapping[Boot, int]] = {
    "probe": BOOT_PROBE,
    "reset": BOOT_RESET,
    "settings": BOOT_SETTINGS,
}

_UNTOUCHED: Final = 0xA5

# Late enough for sessions to be closed, early enough for the library to be there.
_EXIT_PRIORITY: Final = 0


@dataclass(frozen=True, slots=True)
class ModuleIdentity:
    """What a module tells about itself.

    Attributes
    ----------
    slot, serial_number
        Where it is and which one it is.
    hardware_revision
        Number of the hardware revision: 15 is F, 17 is H.
    bits, frequency
        Of its ADC; MSPS.
    channels
        How many it has.
    firmware
        Release of the firmware; empty before the boot.
    files
        Names of the files of firmware by device; empty before the boot.
    """

    slot: int
    serial_number: int
    hardware_revision: int
    bits: int
    frequency: int
    channels: int
    firmware: str
    files: Mapping[str, str]


class Crate:
    """The modules of one loaded library, as long as the process lives.

    Attributes
    ----------
    library
        The library.
    lock
        Held by whatever must not be mixed up with another call: tasks of the modules,
        parameters, starts and stops.
    """

    def __init__(self, library: XiaLibrary) -> None:
        self.library = library
        self.lock = threading.RLock()
        self.setup: Setup | None = None
        self._process = os.getpid()
        self._dead = ""
        self._is_prepared = False
        self._is_released = False
        self._owner: weakref.ref[object] | None = None

    @property
    def slots(self) -> tuple[int, ...]:
        """Slots of the modules, by their numbers."""
        assert self.setup is not None, "there are modules once it is initialised"
        return self.setup.slots

    @property
    def count(self) -> int:
        """How many modules there are; as the number of one, it means all of them."""
        return len(self.slots)

    def call(
        self, function: str, module: int, *arguments: Any, detail: str = ""
    ) -> int:
        """Call a function that has the number of a module as its first argument.

        Raises
        ------
        XiaError
            If it fails.
        """
        return self.library.call(
            function, module, *arguments, slot=self.slot_of(module), detail=detail
        )

    def slot_of(self, module: int) -> int | None:
        """Return the slot of a module; None for the number that means all."""
        return self.slots[module] if module < self.count else None

    def claim(self, owner: object, setup: Setup, log_directory: Path | None) -> None:
        """Give the modules to a session, and initialise the library if none did yet.

        Raises
        ------
        DriverError
            If another session has them, the setup is another one, or the library
            cannot be initialised any more.
        XiaError
            If the library cannot be initialised.
        """
        with self.lock:
            self.refuse_other_process()
            if self._dead:
                raise DriverError(f"{self._dead}; {NEW_PROCESS}")
            taken = self._owner() if self._owner is not None else None
            if taken is not None and taken is not owner:
                raise DriverError(
                    "another session of this process has the modules: close it first"
                )
            if self.setup is None:
                self._initialise(setup, log_directory)
            elif self.setup != setup:
                raise DriverError(
                    f"the library was initialised in this process with "
                    f"{_difference(self.setup, setup)}, which cannot be changed; "
                    f"{NEW_PROCESS}"
                )
            self._owner = weakref.ref(owner)

    def give_back(self, owner: object) -> None:
        """Take the modules from a session; they stay initialised."""
        if self._owner is not None and self._owner() is owner:
            self._owner = None

    @property
    def is_foreign(self) -> bool:
        """Whether this is a fork of the process that has the modules."""
        return os.getpid() != self._process

    def refuse_other_process(self) -> None:
        """Refuse to work in a child of the process that has the modules.

        Raises
        ------
        DriverError
            In another process: the threads of the library do not survive a fork.
        """
        if self.is_foreign:
            raise DriverError(
                f"the modules belong to process {self._process}, from which this one "
                f"was forked without the threads of XIA's library; open the session "
                f"in the process that uses it, a new one"
            )

    def prepare(self) -> None:
        """Register the firmware and configure the FIFOs, which must precede the boot.

        Raises
        ------
        XiaError
            If the library refuses them.
        """
        if self._is_prepared:
            return
        assert self.setup is not None, "a session claims the crate first"
        # Before the library is given structures that may not be its own.
        self.identity(0)
        if self.setup.firmware_directory:
            self.library.call(
                "Pixie16LoadModuleFirmware",
                os.fsencode(self.setup.firmware_directory),
                detail=self.setup.firmware_directory,
            )
        for file in self.setup.firmware_files:
            self.library.call(
                "PixieRegisterCrateFirmware",
                file.version,
                file.revision,
                file.frequency,
                file.bits,
                file.device.encode(),
                os.fsencode(file.path),
                detail=file.path,
            )
        for module in range(self.count):
            self._configure_fifo(module, dict(self.setup.fifo))
        self._is_prepared = True

    def boot(self, mode: Boot, settings: Path | None) -> None:
        """Boot the modules, and make sure that they are.

        Raises
        ------
        XiaError
            If the library says that it failed.
        DriverError
            If it does not, but a module is not booted.
        """
        name = os.fsencode(settings) if settings is not None else None
        self.library.call("PixieBootCrate", name, _MODES[mode], detail=f"boot: {mode}")
        # The library returns success also if there was nothing that it could boot.
        offline = [
            slot
            for module, slot in enumerate(self.slots)
            if self.library.raw("Pixie16CheckRunStatus", module) < 0
        ]
        if offline:
            raise DriverError(
                f"the library says that the boot succeeded, but the modules in these "
                f"slots are not booted: {', '.join(map(str, offline))}; look into "
                f"{self.library.log}, check `firmware`, and switch the crate off and on"
            )

    def identity(self, module: int) -> ModuleIdentity:
        """Return what a module tells about itself.

        Raises
        ------
        XiaError
            If it does not.
        LibraryError
            If the library has another form for it.
        """
        found, is_longer = _room_for_info()
        self.call("PixieGetModuleInfo", module, ctypes.byref(found))
        slot = self.slots[module]
        if is_longer() or found.slot != slot:
            raise LibraryError(
                f"{self.library.path}: it tells of the module in slot {slot} in "
                f"another form than that of PixieSDK {VERSION}, which the driver was "
                f"made for; use that version"
            )
        files = {
            device.value.decode(): file.value.decode("utf-8", "replace")
            for device, file in zip(found.fw_device, found.fw_device_file, strict=True)
            if device.value
        }
        return ModuleIdentity(
            slot=found.slot,
            serial_number=found.serial_number,
            hardware_revision=found.revision,
            bits=found.adc_bit_resolution,
            frequency=found.adc_sampling_frequency,
            channels=found.number_of_channels,
            firmware=found.fw_revision.decode("utf-8", "replace"),
            files=files,
        )

    def end_runs(self) -> None:
        """End runs that nobody ended, such as those of a process that died."""
        for module, slot in enumerate(self.slots):
            if self.library.raw("Pixie16CheckRunStatus", module) > 0:
                _log.warning("slot %d: a run that went on is ended", slot)
                self.call("Pixie16EndRun", module)

    def release(self) -> None:
        """Close the modules; nothing can be done with them in this process any more.

        Raises
        ------
        XiaError
            If a module cannot be closed.
        """
        if self.setup is None or self._is_released or self.is_foreign:
            return
        self._is_released = True
        self._dead = "the modules were released"
        self.end_runs()
        self.library.call("Pixie16ExitSystem", self.count)

    def _initialise(self, setup: Setup, log_directory: Path | None) -> None:
        self._refuse_foreign()
        with _directory(log_directory):
            self.library.log = str(Path.cwd() / LOG_NAME)
            try:
                self.library.call(
                    "Pixie16InitSystem",
                    len(setup.slots),
                    np.array(setup.slots, np.uint16),
                    int(setup.is_offline),
                    detail=f"slots {', '.join(map(str, setup.slots))}",
                )
            except XiaError as error:
                # If no module was found at all, another try is harmless.
                if error.code != NO_MODULES:
                    self._dead = f"it failed before in this process: {error}"
                raise
        self.setup = setup
        # Not `atexit`: processes of multiprocessing leave without it.
        Finalize(None, _release_at_exit, (self,), exitpriority=_EXIT_PRIORITY)

    def _refuse_foreign(self) -> None:
        """Refuse a library that something else in this process has initialised."""
        found, _ = _room_for_info()
        code = self.library.raw("PixieGetModuleInfo", 0, ctypes.byref(found))
        if code != -NOT_INITIALISED:
            raise DriverError(
                f"{self.library.path}: something else in this process has initialised "
                f"the library, and to do it again would shut the modules down; start "
                f"Python anew, and use one of them alone"
            )

    def _configure_fifo(self, module: int, wanted: Mapping[str, int]) -> None:
        if not wanted:
            return
        config = FifoConfig()
        self.call("PixieGetFifoConfiguration", module, ctypes.byref(config))
        for name, value in wanted.items():
            setattr(config, name, value)
        self.call(
            "PixieSetFifoConfiguration",
            module,
            ctypes.byref(config),
            detail=str(wanted),
        )


def _room_for_info() -> tuple[ModuleConfig, Callable[[], bool]]:
    """Return room for what a module tells, and what tells if more was written.

    Another version of the library may write more, over what lies behind.
    """
    own = ctypes.sizeof(ModuleConfig)
    behind = bytes([_UNTOUCHED]) * own
    room = bytearray(own) + behind
    return ModuleConfig.from_buffer(room), lambda: room[own:] != behind


_crates: dict[int, Crate] = {}
_crates_lock = threading.Lock()


def crate_of(library: XiaLibrary) -> Crate:
    """Return the one crate of a library in this process."""
    with _crates_lock:
        return _crates.setdefault(library.handle, Crate(library))


def _release_at_exit(crate: Crate) -> None:
    try:
        crate.release()
    except DriverError as error:
        _log.warning("the modules could not be closed: %s", error)


@contextlib.contextmanager
def _directory(path: Path | None) -> Iterator[None]:
    """Make this the current directory for a while, if there is one."""
    if path is None:
        yield
        return
    with contextlib.chdir(path):
        yield


def _difference(had: Setup, wanted: Setup) -> str:
    names = [
        name for name in Setup.__slots__ if getattr(had, name) != getattr(wanted, name)
    ]
    return "; ".join(
        f"{name.removeprefix('is_')} {getattr(had, name)!r} instead of "
        f"{getattr(wanted, name)!r}"
        for name in names
    )
