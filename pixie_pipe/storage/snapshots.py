"""JSON files beside the record of a run: what things were like at one moment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pixie_pipe.storage._plain import to_plain, without_nan
from pixie_pipe.storage._run_errors import RunDirectoryError, clear_errors
from pixie_pipe.storage.atomic import OutputExistsError, new_file

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def write_snapshot(directory: Path, name: str, values: Mapping[str, Any]) -> Path:
    """Write a snapshot; none is ever overwritten.

    Parameters
    ----------
    directory
        That of the run.
    name
        Its name: letters, digits, ``.``, ``_`` and ``-``; ``.json`` is added.
    values
        Plain data. Numbers that JSON does not know (NaN, infinity) become null.

    Returns
    -------
    Path
        The file, complete and on the disk.

    Raises
    ------
    PlainDataError
        If it is no plain data.
    RunDirectoryError
        If there is a file of this name, or it cannot be written.
    """
    name = name.removesuffix(".json")
    if not _NAME.fullmatch(name):
        raise RunDirectoryError(
            f"{name!r} cannot name a snapshot, expected letters, digits, '.', '_' "
            f"and '-', as in 'statistics-start'"
        )
    path = directory / f"{name}.json"
    plain = without_nan(to_plain(values, name))
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1)
    try:
        with clear_errors(path, "cannot be written"), new_file(path) as opened:
            opened.path.write_text(text + "\n", encoding="utf-8")
    except OutputExistsError as error:
        raise RunDirectoryError(
            f"{path}: exists already, and a snapshot is never overwritten; choose "
            f"another name"
        ) from error
    return path
