"""Changes that are undone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pixie_pipe.settings.changes import Changes, apply
from pixie_pipe.settings.old_values import OldValues, RestoreError
from pixie_pipe.settings.wanted import check_wanted

if TYPE_CHECKING:
    from pixie_pipe.settings.access import ParameterAccess


@contextlib.contextmanager
def temporary(
    target: ParameterAccess,
    values: Mapping[str, object],
    *,
    channels: Iterable[tuple[int, int]] = (),
    modules: Iterable[int] | None = None,
) -> Iterator[Changes]:
    """Change parameters, and set them back when the block is left, however it is left.

    What changes with a parameter is set back, too, BLCUT with TAU for example. A
    parameter that the library sets in the whole crate gets back
    what it was in the modules that are named here.

    Parameters
    ----------
    target, values, channels, modules
        As for `apply`.

    Yields
    ------
    Changes
        What became of the values.

    Raises
    ------
    SettingsError, ChangesRefusedError
        As `apply` does. All is as it was then.
    RestoreError
        If something could not be set back; the text tells what it was. An error of the
        block is its cause.

    Examples
    --------
    >>> from pixie_pipe import settings
    >>> module = settings.ModuleSettings(2, settings.ModuleKind(250, 14, "F"))
    >>> target = settings.SettingsAccess(settings.CrateSettings([module]))
    >>> with temporary(target, {"CaptureTrace": True}, channels=[(2, 0)]) as changes:
    ...     print(changes)  # and take some traces
    module  channels  name          asked  got   unit
    2       0         CaptureTrace  True   True
    """
    pairs = list(channels)
    numbers = None if modules is None else list(modules)
    old = OldValues.of(target, check_wanted(values, pairs, numbers))
    failed: BaseException | None = None
    try:
        yield apply(target, values, channels=pairs, modules=numbers)
    except BaseException as error:
        failed = error
        raise
    finally:
        try:
            old.restore(target)
        except RestoreError as error:
            raise error from failed
