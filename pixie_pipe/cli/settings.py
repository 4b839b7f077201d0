"""``pixie-pipe settings``: settings of modules, shown, compared and converted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Group, Parameter

from pixie_pipe.cli import output
from pixie_pipe.cli.digitizers import choices_as_usage
from pixie_pipe.cli.settings_files import FileOptions
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from pixie_pipe.settings.modules import ModuleKey

_HELP: Final = """Show, compare and convert the settings of modules.

Example: pixie-pipe settings show crate.json --module 0/2 --names 'TRIGGER_*'
"""

_SHOWN = Group("What is shown", sort_key=2)
_DIFFERENT: Final = 1


def settings_app() -> App:
    """Return the command and its three parts."""
    app = App(
        name="settings",
        help=_HELP,
        usage="Usage: pixie-pipe settings COMMAND [OPTIONS]",
    )
    usage = "Usage: pixie-pipe settings"
    app.command(show, usage=f"{usage} show FILE [OPTIONS]")
    app.command(diff, usage=f"{usage} diff FIRST SECOND [OPTIONS]")
    app.command(convert, usage=f"{usage} convert FILE OUTPUT [OPTIONS]")
    return app


def show(
    file: Path,
    /,
    *,
    options: FileOptions | None = None,
    module: Annotated[
        tuple[str, ...],
        Parameter(group=_SHOWN, consume_multiple=True, negative="", show_default=False),
    ] = (),
    channels: Annotated[str | None, Parameter(group=_SHOWN)] = None,
    names: Annotated[
        tuple[str, ...],
        Parameter(group=_SHOWN, consume_multiple=True, negative="", show_default=False),
    ] = (),
    raw: Annotated[
        bool, Parameter(group=_SHOWN, negative="", show_default=False)
    ] = False,
    json: Annotated[
        bool, Parameter(group=_SHOWN, negative="", show_default=False)
    ] = False,
) -> None:
    """Show the settings in a file, in physical units.

    Channels that have the same value share a line. Bits have their names.

    Example: pixie-pipe settings show crate.json --channels 0-3 --names 'TRIGGER_*' TAU

    Example: pixie-pipe settings show old.set --kinds 500/14/F 250/16/F

    Parameters
    ----------
    file
        JSON file of XIA's library, old binary .set file, or the folder of a run.
    module
        Only these modules, as crate/slot: 0/2. The slot will do in a single crate.
    channels
        Only these channels: 0-3,8. What is of the module is shown as well.
    names
        Only these parameters and named bits; * and ? stand for letters. With --raw,
        variables as well.
    raw
        Show the words of the DSP's variables, also of those without a parameter.
    json
        Print one JSON document instead of tables.
    """
    from pixie_pipe.scanning import parse_numbers

    with choices_as_usage():
        numbers = None if channels is None else parse_numbers(channels)
    modules = [_module_key(text) for text in module]
    (read,) = (options or FileOptions()).read(file)
    from pixie_pipe.settings import SettingsError, list_values

    try:
        listing = list_values(
            read.settings,
            modules=modules or None,
            channels=numbers,
            names=names or None,
            raw=raw,
        )
    except SettingsError as error:
        raise UsageError(f"{read.path}: {error}") from error
    from pixie_pipe.cli import settings_report

    _note_left_out(read.path, read.left_out)
    if json:
        from pixie_pipe.cli.output import write_json

        write_json(settings_report.listing_document(read.path, read.settings, listing))
    elif listing:
        settings_report.write_listing(read.settings, listing, raw=raw)
    else:
        output.note(f"{read.path}: holds no modules")


def diff(
    first: Path,
    second: Path,
    /,
    *,
    options: FileOptions | None = None,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> int:
    """Tell everything that differs between two settings.

    Modules are matched by crate and slot. The exit code is 0 if nothing differs, 1
    if something does, and 2 after an error.

    Example: pixie-pipe settings diff yesterday.json runs/0042

    Parameters
    ----------
    first
        Settings file. The folder of a run stands for the settings at its start.
    second
        The other one.
    json
        Print one JSON document instead of tables.
    """
    from pixie_pipe.settings import SettingsError, compare

    try:
        one, two = (options or FileOptions()).read(first, second)
    except (SettingsError, OSError) as error:
        # A failure must not have the exit code of a difference.
        raise UsageError(str(error)) from error
    differences = compare(one.settings, two.settings)
    from pixie_pipe.cli import settings_report

    for read in (one, two):
        _note_left_out(read.path, read.left_out)
    if json:
        from pixie_pipe.cli.output import write_json

        write_json(
            settings_report.differences_document(one.path, two.path, differences)
        )
    else:
        settings_report.write_differences(one.path, two.path, differences)
    return _DIFFERENT if differences else 0


def convert(
    file: Path,
    output_file: Path,
    /,
    *,
    options: FileOptions | None = None,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Write settings as a JSON file that XIA's library can load.

    A JSON file is written anew: checked, complete, and in the library's order.

    Example: pixie-pipe settings convert old.set new.json --kinds 500/14/F 250/16/F

    Parameters
    ----------
    file
        JSON file of XIA's library, old binary .set file, or the folder of a run.
    output_file
        JSON file to write.
    force
        Replace a file that exists.
    """
    if output_file.suffix.lower() != ".json":
        raise UsageError(
            f"{output_file}: expected a name that ends with .json; other files of "
            f"settings are not written"
        )
    (read,) = (options or FileOptions()).read(file)
    from pixie_pipe.cli.settings_report import heading
    from pixie_pipe.settings import write_json

    write_json(output_file, read.settings, force=force)
    number = len(read.settings)
    plural = "" if number == 1 else "s"
    lines = [f"{output_file}: {number} module{plural} from {read.path}"]
    lines += [f"  {heading(module)}" for module in read.settings]
    output.results().print("\n".join(lines), soft_wrap=True)
    _note_left_out(read.path, read.left_out)


def _note_left_out(path: Path, slots: Sequence[int]) -> None:
    if slots:
        output.note(
            f"{path}: left out the modules in slots {', '.join(map(str, slots))}, of "
            f"which --kinds says nothing"
        )


def _module_key(text: str) -> ModuleKey:
    """Parse ``0/2``, or ``2`` for a slot."""
    found = re.fullmatch(r"(?:(\d+)/)?(\d+)", text)
    if found is None:
        raise UsageError(f"--module {text}: expected crate/slot, such as 0/2")
    crate, slot = found.groups()
    return int(slot) if crate is None else (int(crate), int(slot))
