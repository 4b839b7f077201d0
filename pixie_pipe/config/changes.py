"""Values given on the command line in place of what a file says: ``path=value``."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixie_pipe.config.errors import ConfigError
from pixie_pipe.config.yaml_lines import Location, format_location, read_yaml

_PART = re.compile(r"(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]")


def apply_changes(
    content: Any,  # noqa: ANN401 - what a file holds
    changes: Sequence[str],
) -> tuple[Any, dict[Location, str]]:
    """Return a copy of the content of a file with some values replaced.

    Parameters
    ----------
    content
        Plain values of the file.
    changes
        Each ``path=value``: ``run.title=x``, ``modules[0].slot=3``, and for tasks
        by name or number ``tasks.SortEvents.window_us=20``, ``tasks[0].rate_hz=1e5``.
        The value is YAML.

    Returns
    -------
    object
        The new content.
    dict
        The changes, by the place of the value that each of them set.

    Raises
    ------
    ConfigError
        If a change has another form, or there is nothing at its path.
    """
    content = copy.deepcopy(content)
    places: dict[Location, str] = {}
    for change in changes:
        path, equals, text = change.partition("=")
        parts = _split(path.strip())
        if not equals or not parts:
            raise ConfigError(
                f"--set {change}: expected PATH=VALUE, such as run.title=Test or "
                f"tasks.SortEvents.window_us=20"
            )
        places[_assign(content, parts, _value(text, change), change)] = change
    return content, places


def task_names(entries: Sequence[Any]) -> list[str]:
    """Return the names of tasks: as given, or that of the class, numbered if taken.

    What is no task has the name "".
    """
    given = [
        entry.get("name") if isinstance(entry, dict) else None for entry in entries
    ]
    taken = {str(name) for name in given if name is not None}
    names = []
    for entry, name in zip(entries, given, strict=True):
        if name is None:
            kind = entry.get("task") if isinstance(entry, dict) else None
            names.append(_free_name(str(kind), taken) if kind is not None else "")
        else:
            names.append(str(name))
    return names


def _free_name(kind: str, taken: set[str]) -> str:
    name, number = kind, 1
    while name in taken:
        number += 1
        name = f"{kind}-{number}"
    taken.add(name)
    return name


def _split(path: str) -> list[str | int]:
    parts: list[str | int] = []
    end = 0
    for match in _PART.finditer(path):
        dot = path[end : match.start()]
        wanted = "." if parts and match["name"] else ""
        if dot != wanted:
            return []
        parts.append(match["name"] or int(match["index"]))
        end = match.end()
    return parts if end == len(path) else []


def _value(text: str, change: str) -> Any:  # noqa: ANN401 - any value may be given
    if not text.strip():
        return None
    try:
        return read_yaml(text, Path("value")).value
    except ConfigError as error:
        reason = re.sub(r"^value:\d+: ", "", str(error))
        raise ConfigError(f"--set {change}: the value {reason}") from error


def _assign(
    content: Any,  # noqa: ANN401 - what a file holds
    parts: list[str | int],
    value: Any,  # noqa: ANN401 - any value may be given
    change: str,
) -> Location:
    """Set a value in place, and return where it is."""
    place: list[str | int] = []
    for number, part in enumerate(parts):
        step = _step(content, part, tuple(place), change)
        place.append(step)
        if number == len(parts) - 1:
            content[step] = value
        elif isinstance(content, dict) and content.get(step) is None:
            # A section that the file leaves out.
            is_list = isinstance(parts[number + 1], int) or step in ("tasks", "modules")
            content[step] = [] if is_list else {}
        content = content[step]
    return tuple(place)


def _step(
    content: Any,  # noqa: ANN401 - what a file holds
    part: str | int,
    place: Location,
    change: str,
) -> str | int:
    """Return the key or index that a part of a path means."""
    name = format_location(place) or "the file"
    if isinstance(content, dict):
        if isinstance(part, str):
            return part
        reason = f"{name} is no list, expected the name of a setting, not [{part}]"
    elif isinstance(content, list):
        if isinstance(part, int) and part < len(content):
            return part
        names = task_names(content) if place == ("tasks",) else []
        if part and part in names:
            return names.index(str(part))
        there = f"there are {len(content)}, from [0] on"
        if names:
            there = f"there are {', '.join(names)}"
        near = difflib.get_close_matches(str(part), names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        shown = f"[{part}]" if isinstance(part, int) else repr(part)
        reason = f"{name} has no {shown}{hint} ({there})"
    else:
        reason = f"{name} is {content!r}, and has nothing inside"
    raise ConfigError(f"--set {change}: {reason}")
