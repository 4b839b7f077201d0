"""A crate at a prompt: set modules up, look at what they see, keep their settings.

from pixie_pipe.crate import Crate

with Crate("simulated", modules=["0/2:250/30474"]) as crate:
    print(crate.set(TRIGGER_RISETIME=0.1, TRIGGER_THRESHOLD=20, channels=[0, 1]))
    with crate.temporary(CaptureTrace=True):
        crate.traces().plot("traces.png")
    crate.save_settings("settings.json")
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pixie_pipe.drivers import add_search_path, find_driver
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.scanning.targets import (
    ChannelChoice,
    ModuleChoice,
    choose_targets,
    parameters_of,
    settings_files_of,
)

if TYPE_CHECKING:
    import os
    from contextlib import AbstractContextManager

    from pixie_pipe.drivers.digitizer import Digitizer, ModuleInfo
    from pixie_pipe.scanning import (
        Baselines,
        DecayTimes,
        Offsets,
        Rates,
        ScanResult,
        Spectra,
        Traces,
    )
    from pixie_pipe.settings import Changes, CrateSettings, Differences

_CHOICES = ("modules", "channels")


class SetupError(PixiePipeError, ValueError):
    """A list of settings that cannot be applied; the text says where it is wrong."""


def set_up(digitizer: Digitizer, entries: Sequence[Mapping[str, Any]]) -> list[Changes]:
    """Apply a list of settings, one after the other.

    Parameters
    ----------
    digitizer
        An open digitizer, without a run.
    entries
        Values by XIA's names and those of bits, as `pixie_pipe.settings.apply` takes
        them; ``modules`` (by number or name, such as ``c0-s02``) and ``channels`` say
        where, and are all if they are left out.

    Returns
    -------
    list of Changes
        What became of each value.

    Raises
    ------
    SetupError
        If an entry is none, or something in it is wrong or refused.
    DriverError
        If the driver has no parameters.
    """
    done = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            raise SetupError(
                f"setup[{number}] is {entry!r}, expected values by name, such as "
                f"{{channels: [0, 1], TRIGGER_RISETIME: 0.1}}"
            )
        values = {name: entry[name] for name in entry if name not in _CHOICES}
        try:
            done.append(
                _apply(digitizer, values, entry.get("modules"), entry.get("channels"))
            )
        except PixiePipeError as error:
            raise SetupError(f"setup[{number}]: {error}") from error
    return done


def _apply(
    digitizer: Digitizer,
    values: Mapping[str, Any],
    modules: ModuleChoice,
    channels: ChannelChoice,
) -> Changes:
    from pixie_pipe.settings import apply

    target = parameters_of(digitizer, "set parameters")
    places = _places(digitizer, modules, channels)
    return apply(target, values, channels=places)


def _places(
    digitizer: Digitizer, modules: ModuleChoice, channels: ChannelChoice
) -> list[tuple[int, int]]:
    targets = choose_targets(digitizer, modules, channels)
    return [(target.module, target.channel) for target in targets]


class Crate:
    """The modules of a driver, with all that can be done with them between runs.

    Modules are named by their number or as ``c0-s02``; without `modules` or `channels`,
    all are meant.

    Parameters
    ----------
    driver
        Name of the driver, or an open digitizer.
    driver_path
        Directories with files of other drivers.
    **options
        Options of the driver.

    Raises
    ------
    DriverNotFoundError
        If there is no such driver.
    PixiePipeError
        If it cannot be opened.
    """

    def __init__(
        self,
        driver: str | Digitizer = "simulated",
        *,
        driver_path: Iterable[str | os.PathLike[str]] = (),
        **options: Any,
    ) -> None:
        if isinstance(driver, str):
            add_search_path(driver_path)
            self.digitizer: Digitizer = find_driver(driver)(**options)
        else:
            self.digitizer = driver
        self.digitizer.open()

    @property
    def modules(self) -> Sequence[ModuleInfo]:
        """The modules, in the order of their numbers."""
        return self.digitizer.modules

    def close(self) -> None:
        """End a run that goes on, and let go of the modules."""
        self.digitizer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(module.name for module in self.modules) or "no modules"
        return f"<crate of {type(self.digitizer).__name__}: {names}>"

    # Settings

    def set(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        modules: ModuleChoice = None,
        channels: ChannelChoice = None,
        **named: Any,
    ) -> Changes:
        """Give values to parameters; see `pixie_pipe.settings.apply`.

        Parameters
        ----------
        values, **named
            Values by XIA's names, in physical units, and by names of bits: one for all
            channels, or one for each.
        modules, channels
            Where.

        Returns
        -------
        Changes
            What became of each value; its text is a table.

        Raises
        ------
        SettingsError, ChoiceError
            If a name, value or place is wrong; nothing was written then.
        ChangesRefusedError
            If the modules refused something; it has the table of all.
        """
        return _apply(self.digitizer, {**(values or {}), **named}, modules, channels)

    def temporary(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        modules: ModuleChoice = None,
        channels: ChannelChoice = None,
        **named: Any,
    ) -> AbstractContextManager[Changes]:
        """Give values to parameters until the block is left, however it is left.

        Parameters and errors are those of `set`; what cannot be set back raises a
        RestoreError that says what it was.
        """
        from pixie_pipe.settings import temporary

        return temporary(
            parameters_of(self.digitizer, "set parameters"),
            {**(values or {}), **named},
            channels=_places(self.digitizer, modules, channels),
        )

    def get(
        self,
        name: str,
        *,
        modules: ModuleChoice = None,
        channels: ChannelChoice = None,
    ) -> dict[str, Any]:
        """Return a parameter, or named bits, by the name of the channel or module.

        Raises
        ------
        SettingsError
            If there is no such parameter.
        """
        from pixie_pipe.settings import FIELDS, MODULE_PARAMETERS
        from pixie_pipe.settings.wanted import check_wanted

        target = parameters_of(self.digitizer, "read parameters")
        field = FIELDS.get(name)
        known = field.register if field else name
        is_of_module = known in MODULE_PARAMETERS
        if not is_of_module:
            # An unknown name is told as it is when something is to be written.
            check_wanted({known: 0}, [(0, 0)], None)
        found: dict[str, Any] = {}
        for place in choose_targets(self.digitizer, modules, channels):
            if is_of_module:
                word: float = target.read_module(known, place.module)
                where = place.module_name
            else:
                word = target.read_channel(known, place.module, place.channel)
                where = place.name
            found[where] = field.get(int(word)) if field else word
        return found

    def copy(
        self,
        module: int,
        channel: int,
        *,
        modules: ModuleChoice = None,
        channels: ChannelChoice = None,
        groups: Iterable[str] | None = None,
    ) -> None:
        """Copy the settings of a channel to others.

        Parameters
        ----------
        module, channel
            The channel to copy.
        modules, channels
            Where to.
        groups
            What to copy, of `pixie_pipe.settings.COPY_GROUPS`; all by default.
        """
        from pixie_pipe.settings import COPY_GROUPS, copy_channel

        settings = self.settings()

        def keyed(number: int, channel: int) -> tuple[tuple[int, int], int]:
            info = self.modules[number]
            return (info.crate, info.slot), channel

        places = _places(self.digitizer, modules, channels)
        copy_channel(
            settings,
            keyed(module, channel),
            [keyed(*place) for place in places if place != (module, channel)],
            COPY_GROUPS if groups is None else groups,
        )
        self.load_settings(settings)

    def settings(self) -> CrateSettings:
        """Return all settings of all modules."""
        from pixie_pipe.settings import read_json

        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "settings.json"
            self.save_settings(path)
            return read_json(path)

    def save_settings(
        self, path: str | os.PathLike[str], *, force: bool = False
    ) -> None:
        """Write all settings to a file, in XIA's form (JSON)."""
        settings_files_of(self.digitizer, "save settings").save_settings(
            path, force=force
        )

    def load_settings(
        self,
        settings: CrateSettings | str | os.PathLike[str],
        *,
        ignore_serials: bool = False,
    ) -> None:
        """Set the modules to what a file has, or settings, by slot and serial."""
        from pixie_pipe.settings import CrateSettings, write_json

        target = settings_files_of(self.digitizer, "load settings")
        if not isinstance(settings, CrateSettings):
            target.load_settings(settings, ignore_serials=ignore_serials)
            return
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "settings.json"
            write_json(path, settings)
            target.load_settings(path, ignore_serials=ignore_serials)

    def compare(self, settings: CrateSettings | str | os.PathLike[str]) -> Differences:
        """Return what differs between settings, or a file of them, and the modules."""
        from pixie_pipe.settings import CrateSettings, compare, read_json

        if not isinstance(settings, CrateSettings):
            settings = read_json(Path(settings))
        return compare(settings, self.settings())

    def adjust_offsets(self, modules: ModuleChoice = None) -> Offsets:
        """Bring the baselines of modules, or of all, to ``BASELINE_PERCENT``.

        Returns
        -------
        Offsets
            The offsets and where the baselines are, before and after.
        """
        from pixie_pipe.scanning import adjust_offsets

        return adjust_offsets(self.digitizer, modules=modules)

    # What the modules see; see `pixie_pipe.scanning`

    def traces(self, **choice: Any) -> Traces:
        """Return traces of the ADCs; see `pixie_pipe.scanning.take_traces`."""
        from pixie_pipe.scanning import take_traces

        return take_traces(self.digitizer, **choice)

    def baselines(self, **choice: Any) -> Baselines:
        """Return baselines; see `pixie_pipe.scanning.baselines`."""
        from pixie_pipe.scanning import baselines

        return baselines(self.digitizer, **choice)

    def tau(self, **choice: Any) -> DecayTimes:
        """Return decay times; see `pixie_pipe.scanning.tau`."""
        from pixie_pipe.scanning import tau

        return tau(self.digitizer, **choice)

    def spectra(self, seconds: float, **choice: Any) -> Spectra:
        """Return energy spectra; see `pixie_pipe.scanning.take_spectra`."""
        from pixie_pipe.scanning import take_spectra

        return take_spectra(self.digitizer, seconds, **choice)

    def rates(self, **choice: Any) -> Iterator[Rates]:
        """Yield rates and dead times; see `pixie_pipe.scanning.watch_rates`."""
        from pixie_pipe.scanning import watch_rates

        return watch_rates(self.digitizer, **choice)

    def scan(self, *arguments: Any, **choice: Any) -> ScanResult:
        """Scan parameters; see `pixie_pipe.scanning.scan`."""
        from pixie_pipe.scanning import scan

        return scan(self.digitizer, *arguments, **choice)
