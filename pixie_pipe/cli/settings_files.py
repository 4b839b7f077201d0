"""Settings files of the command line: what they are, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Group, Parameter

from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from pixie_pipe.settings import CrateSettings, ModuleKind

SNAPSHOT: Final = "settings-start.json"
"""The file of a run that has the settings with which it began."""

_GROUP = Group("What the files are", sort_key=1)
_KIND: Final = re.compile(r"(?:(\d+)x)?(\d+)/(\d+)/([A-Za-z])")
_MOST_MODULES: Final = 24  # slots that an old file has room for


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """What settings files do not tell themselves."""

    kinds: Annotated[
        tuple[str, ...],
        Parameter(
            help="Old .set files: what each module is, in the order of the file, as "
            "MSPS/bits/revision: 500/14/F 250/16/F; 3x250/16/F for three alike.",
            consume_multiple=True,
            negative="",
            show_default=False,
        ),
    ] = ()
    slots: Annotated[
        tuple[int, ...],
        Parameter(
            help="Old .set files: the slots of the modules, if the file does not tell.",
            consume_multiple=True,
            negative="",
            show_default=False,
        ),
    ] = ()
    var: Annotated[
        Path | None,
        Parameter(
            help="Old .set files: the .var file of the firmware, if its addresses are "
            "not the usual ones.",
            show_default=False,
        ),
    ] = None
    defaults: Annotated[
        bool,
        Parameter(
            help="JSON files: put the defaults of XIA's library in place of variables "
            "that are missing.",
            negative="",
            show_default=False,
        ),
    ] = False

    def read(self, *paths: Path) -> list[ReadFile]:
        """Read settings files, or those of runs.

        Raises
        ------
        UsageError
            If the options are wrong, or do not fit to the files.
        SettingsFileError
            If a file cannot be used.
        """
        files = [find_file(path) for path in paths]
        old = [_is_old(path) for path in files]
        given = [
            f"--{name}" for name in ("kinds", "slots", "var") if getattr(self, name)
        ]
        if given and not any(old):
            raise UsageError(
                f"{' and '.join(given)}: for old .set files only; "
                f"{', '.join(map(str, files))} is JSON and tells it itself"
            )
        return [
            self._read_old(path) if is_old else ReadFile(path, self._read_json(path))
            for path, is_old in zip(files, old, strict=True)
        ]

    def _read_json(self, path: Path) -> CrateSettings:
        from pixie_pipe.settings import read_json

        return read_json(path, complete=not self.defaults)

    def _read_old(self, path: Path) -> ReadFile:
        from pixie_pipe.settings import read_set, read_var, stored_slots

        places: dict[str, Any] = {}
        if self.var is not None:
            places["addresses"] = read_var(self.var)
        stored = stored_slots(path, **places)
        kinds = [kind for text in self.kinds for kind in _module_kinds(text)]
        if not kinds:
            raise UsageError(_kinds_are_missing(path, stored))
        settings = read_set(path, kinds, slots=self.slots or None, **places)
        left_out = [slot for slot in stored[len(kinds) :] if slot]
        return ReadFile(path, settings, left_out)


@dataclass(frozen=True)
class ReadFile:
    """What was read from a file.

    Attributes
    ----------
    path
        The file.
    settings
        Of its modules.
    left_out
        Slots of modules in an old file that were not asked for.
    """

    path: Path
    settings: CrateSettings
    left_out: Sequence[int] = ()


def find_file(path: Path) -> Path:
    """Return a settings file; the folder of a run stands for the one at its start.

    Raises
    ------
    SettingsFileError
        If there is no such file.
    """
    from pixie_pipe.settings import SettingsFileError

    if path.is_dir():
        if not (path / SNAPSHOT).is_file():
            raise SettingsFileError(
                f"{path}: is a folder without {SNAPSHOT}; expected a settings file, or "
                f"the folder of a run that has one"
            )
        return path / SNAPSHOT
    if not path.exists():
        raise SettingsFileError(f"{path}: there is no such file")
    return path


def _is_old(path: Path) -> bool:
    """Tell whether a file is of the old binary form: JSON has no zero bytes.

    Raises
    ------
    SettingsFileError
        If it cannot be read, or is neither.
    """
    from pixie_pipe.settings import SettingsFileError, stored_slots

    if not path.is_file():
        return False  # a pipe gives its text only once
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError as error:
        raise SettingsFileError(f"{path}: cannot be read: {error}") from error
    named_so = path.suffix.lower() == ".set"
    if b"\0" not in head and not (named_so and not head):
        return False
    try:
        stored_slots(path)
    except SettingsFileError as error:
        if named_so:
            raise
        raise SettingsFileError(
            f"{error}; it is neither a JSON file of XIA's library nor an old binary "
            f"settings file (.set)"
        ) from error
    return True


def _module_kinds(text: str) -> list[ModuleKind]:
    """Parse ``500/14/F``, or ``3x500/14/F``."""
    from pixie_pipe.settings import ModuleKind, SettingsError

    found = _KIND.fullmatch(text)
    if found is None:
        raise UsageError(
            f"--kinds {text}: expected MSPS/bits/revision, such as 500/14/F, or "
            f"3x500/14/F for three modules"
        )
    count, msps, bits, revision = found.groups()
    number = int(count or 1)
    if not 1 <= number <= _MOST_MODULES:
        raise UsageError(f"--kinds {text}: expected 1 to {_MOST_MODULES} modules")
    try:
        return [ModuleKind(int(msps), int(bits), revision.upper())] * number
    except SettingsError as error:
        raise UsageError(f"--kinds {text}: {error}") from error


def _kinds_are_missing(path: Path, stored: Sequence[int]) -> str:
    slots = [slot for slot in stored if slot]
    names = ", ".join(map(str, slots)) or "none"
    return (
        f"{path}: --kinds must be given: an old settings file does not tell what its "
        f"modules are\n"
        f"  --kinds  sampling frequency in MSPS, bits of the ADC and hardware revision "
        f"of each module, in the order of the file: 500/14/F 250/16/F\n"
        f"The file has room for {len(stored)} modules; slots that it tells: {names}"
    )
