"""The session of the driver `xia`: from finding the modules to letting go of them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from pixie_pipe.drivers._xia_crate import Crate, ModuleIdentity, crate_of
from pixie_pipe.drivers._xia_library import XiaLibrary
from pixie_pipe.drivers._xia_options import (
    OptionError,
    Setup,
    by_slot,
    check_boot,
    check_crate,
    check_fifo,
    check_firmware,
    check_slots,
)
from pixie_pipe.drivers._xia_parameters import Parameters
from pixie_pipe.drivers._xia_settings import settings_for
from pixie_pipe.drivers.digitizer import DriverError, ModuleInfo
from pixie_pipe.listmode.errors import LayoutError
from pixie_pipe.listmode.layout import HARDWARE_LETTERS, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

_REV_H: Final = 17
_REV_H_REVISION: Final = 46540
"""Stands for the firmware of Rev H, which has no such numbers."""

_DSP_REVISION: Final = re.compile(r"_r(\d{5})\b")
"""As in ``Pixie16DSP_revfgeneral_14b250m_r42950.ldr``."""


class XiaSession:
    """What the methods of `XiaDigitizer` share: options, the crate, and checks.

    The parameters are those of `XiaDigitizer`.
    """

    _is_paused = False

    def __init__(
        self,
        slots: Sequence[int],
        *,
        library: str | os.PathLike[str] | None = None,
        firmware: str | Path | Sequence[Mapping[str, Any]] | None = None,
        settings: str | os.PathLike[str] | None = None,
        ignore_serials: bool = False,
        boot: str = "probe",
        offline: bool = False,
        fifo: Mapping[str, int] | None = None,
        crate: int = 0,
        revisions: int | Mapping[int | str, int] | None = None,
        overrides: Mapping[int | str, Mapping[str, Any]] | None = None,
        synchronous: bool | None = None,
        log_directory: str | os.PathLike[str] | None = None,
    ) -> None:
        directory, files = check_firmware(firmware)
        self._setup = Setup(
            slots=check_slots(slots),
            is_offline=bool(offline),
            firmware_directory=directory,
            firmware_files=files,
            fifo=check_fifo(fifo),
        )
        self._library_path = library
        self._settings = Path(settings).expanduser() if settings is not None else None
        self._ignores_serials = ignore_serials
        self._boot = check_boot(boot, settings)
        self._crate_number = check_crate(crate)
        self._revisions = by_slot(revisions, "revisions", self._setup.slots)
        self._overrides = by_slot(overrides or {}, "overrides", self._setup.slots)
        self._synchronous = synchronous
        self._log_directory = (
            Path(log_directory).expanduser() if log_directory is not None else None
        )
        self._open_crate: Crate | None = None
        self._identities: tuple[ModuleIdentity, ...] = ()
        self._modules: tuple[ModuleInfo, ...] = ()

    @property
    def modules(self) -> tuple[ModuleInfo, ...]:
        """The modules in the order of `slots`, once it is open."""
        return self._modules

    def open(self) -> None:
        """Initialise the library, if this process has not yet, and boot the modules.

        Raises
        ------
        LibraryError
            If the library cannot be loaded.
        XiaError
            If it refuses something.
        DriverError
            If a module is not booted, the library cannot be initialised any more in
            this process, settings do not fit the modules, or the layout of a module's
            data is not known.
        """
        if self._open_crate is not None:
            return
        if self._log_directory is not None and not self._log_directory.is_dir():
            raise OptionError(f"log_directory: {self._log_directory} is no directory")
        crate = crate_of(XiaLibrary(self._library_path))
        crate.claim(self, self._setup, self._log_directory)
        try:
            with crate.lock:
                self._start(crate)
        except BaseException:
            crate.give_back(self)
            raise
        self._open_crate = crate

    def close(self) -> None:
        """End a run that goes on, and the session.

        The modules stay initialised, and with this process: a new session in it can
        use them at once. They are let go when the process ends, or by `release`.
        """
        crate = self._open_crate
        if crate is None:
            return
        try:
            if not crate.is_foreign:
                self.stop_run()
        finally:
            self._open_crate = None
            crate.give_back(self)

    def release(self) -> None:
        """End the session and let go of the modules, so that another process gets them.

        XIA's library cannot be initialised a second time: this process can open no
        session any more.

        Raises
        ------
        XiaError
            If a module cannot be closed.
        """
        crate = self._crate
        self.close()
        crate.release()

    def stop_run(self) -> None:
        """End the run; here, there is none."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _crate(self) -> Crate:
        """The crate of the open session.

        Raises
        ------
        DriverError
            If the session is not open, or this is a fork of the process that has it.
        """
        if self._open_crate is None:
            raise DriverError("the session is not open: call open() first")
        self._open_crate.refuse_other_process()
        return self._open_crate

    def _check_module(self, module: int) -> Crate:
        """Return the crate, if it has such a module.

        Numbers are checked here: ctypes cuts off what does not fit into 16 bits, and
        the number of modules means all of them to the library.
        """
        crate = self._crate
        if not 0 <= module < crate.count:
            raise DriverError(
                f"there is no module {module}, expected 0 to {crate.count - 1}"
            )
        return crate

    def _check_channel(self, module: int, channel: int) -> Crate:
        """Return the crate, if the module has such a channel."""
        crate = self._check_module(module)
        channels = self._identities[module].channels
        if not 0 <= channel < channels:
            raise DriverError(
                f"slot {crate.slots[module]}: there is no channel {channel}, expected "
                f"0 to {channels - 1}"
            )
        return crate

    @contextlib.contextmanager
    def _between_runs(self, crate: Crate) -> Iterator[None]:
        """Keep others out; refuse what the library would do in a pause of a run.

        While a run goes on, the library refuses it itself.
        """
        with crate.lock:
            if self._is_paused:
                raise DriverError(
                    "a run is paused: stop it first, else its data would belong to "
                    "two settings"
                )
            yield

    def _start(self, crate: Crate) -> None:
        """Bring the modules of a crate that was initialised into a known state."""
        crate.prepare()
        with self._own_settings(crate) as settings:
            crate.end_runs()
            # A probe ignores settings; they are loaded when all modules are booted.
            crate.boot(self._boot, None if self._boot == "probe" else settings)
            # Of a module that was not online to this process before.
            crate.end_runs()
            if settings is not None and self._boot == "probe":
                crate.library.call(
                    "Pixie16LoadDSPParametersFromFile",
                    os.fsencode(settings),
                    detail=str(self._settings),
                )
        # Once more: firmware is known after the boot.
        self._identities = self._identify(crate)
        self._modules = tuple(map(self._describe, self._identities))
        self._number_modules(crate)

    @contextlib.contextmanager
    def _own_settings(self, crate: Crate) -> Iterator[Path | None]:
        """Give the file for the library; wrong files are refused before the boot."""
        if self._settings is None:
            yield None
            return
        with settings_for(
            self._settings,
            self._identify(crate),
            ignore_serials=self._ignores_serials,
        ) as path:
            yield path

    def _identify(self, crate: Crate) -> tuple[ModuleIdentity, ...]:
        return tuple(crate.identity(module) for module in range(crate.count))

    def _describe(self, identity: ModuleIdentity) -> ModuleInfo:
        slot = identity.slot
        letters = {number: letter for letter, number in HARDWARE_LETTERS.items()}
        hardware = letters.get(identity.hardware_revision, "")
        revision = self._revisions.get(slot) or _revision_of(identity)
        if not revision:
            file = identity.files.get("dsp") or "not known"
            raise DriverError(
                f"slot {slot}: the library does not tell the revision of the firmware, "
                f"on which the layout of the data depends (file of the DSP: {file}); "
                f"give it as `revisions`, such as {{{slot}: 42950}}: it is the number "
                f"in the name of the DSP's file"
            )
        try:
            layout = Layout.find(identity.frequency, int(revision), hardware or None)
            layout = layout.override(**self._overrides.get(slot, {}))
        except (LayoutError, TypeError, ValueError) as error:
            raise DriverError(f"slot {slot}: {error}") from error
        return ModuleInfo(
            crate=self._crate_number,
            slot=slot,
            frequency=identity.frequency,
            revision=int(revision),
            hardware=hardware,
            layout=layout,
            channels=identity.channels,
            bits=identity.bits,
            serial=identity.serial_number,
        )

    def _number_modules(self, crate: Crate) -> None:
        """Make the modules write the numbers into their events that they have here.

        Raises
        ------
        DriverError
            If a module writes the number of another slot, which only a boot mends.
        """
        parameters = Parameters(crate)
        for module, slot in enumerate(crate.slots):
            if parameters.read_module("CrateID", module) != self._crate_number:
                parameters.write_module("CrateID", self._crate_number, module)
            # 0 is what a simulated module has without settings.
            if parameters.read_module("SlotID", module) not in {0, slot}:
                raise DriverError(
                    f"slot {slot}: the module writes another slot into its events: "
                    f"{parameters.read_module('SlotID', module)}; this can be set once "
                    f"after a boot: boot with boot: reset"
                )


def _revision_of(identity: ModuleIdentity) -> int:
    """Return the revision of the firmware, or 0 if it is not known."""
    if identity.hardware_revision >= _REV_H:
        return _REV_H_REVISION
    match = _DSP_REVISION.search(Path(identity.files.get("dsp", "")).name)
    return int(match[1]) if match else 0
