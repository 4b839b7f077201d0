"""Files of time offsets, as a calibration writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixie_pipe.config.yaml_lines import load_yaml

_KEY = "offsets_ns"


def load_offsets(path: str | Path) -> dict[str, Any]:
    """Read time offsets of modules and channels from a YAML or JSON file.

    Parameters
    ----------
    path
        A file with the key ``offsets_ns``: a mapping of offsets in ns by
        ``crate/slot`` and by ``crate/slot/channel``. Other keys are free, for what a
        calibration has to say about them.

    Returns
    -------
    dict
        The offsets as they stand there, for `TimeOffsets.from_ns`.

    Raises
    ------
    ConfigError
        If the file cannot be read, or has no such mapping, with file and line.
    """
    document = load_yaml(Path(path))
    found = document.value.get(_KEY) if isinstance(document.value, dict) else None
    if not isinstance(found, dict):
        raise document.error(
            (_KEY,) if found is not None else (),
            f"expected a mapping {_KEY!r} of offsets in ns by crate/slot or "
            f"crate/slot/channel, such as {{{_KEY}: {{0/2/5: -3.25}}}}",
        )
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise document.error((_KEY, str(name)), f"is {value!r}, expected ns")
    return {str(name): value for name, value in found.items()}
