"""YAML with line numbers: plain values, and where each of them stands."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pixie_pipe.config.errors import ConfigError

Location = tuple[str | int, ...]
"""Keys and list indices that lead to a value from the top of the document."""


@dataclass(frozen=True)
class YamlDocument:
    """A document and the lines of its values.

    Attributes
    ----------
    path
        The file.
    value
        The document as plain Python values.
    lines
        Line number, from 1, of each value that has one, by its location.
    """

    path: Path
    value: Any
    lines: dict[Location, int]

    def line(self, location: Sequence[str | int]) -> int:
        """Return the line of a value, or the nearest one that is known."""
        place = tuple(location)
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def error(self, location: Sequence[str | int], message: str) -> ConfigError:
        """Make an error about a value, with the nearest line that is known."""
        line = self.line(location)
        name = format_location(location)
        return ConfigError(
            f"{self.path}:{line}: {name}: {message}"
            if name
            else f"{self.path}:{line}: {message}"
        )


def format_location(location: Sequence[str | int]) -> str:
    """Return ``modules[2].slot`` for ("modules", 2, "slot")."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


class _Loader(yaml.SafeLoader):
    """The safe loader, to which 1e5 is a number as it is in YAML 1.2."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def load_yaml(path: Path) -> YamlDocument:
    """Read a YAML file safely.

    Parameters
    ----------
    path
        The file; one document.

    Returns
    -------
    YamlDocument
        Its values and their lines.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no YAML, or has a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return read_yaml(text, path)


def read_yaml(text: str, path: Path) -> YamlDocument:
    """Read a text as `load_yaml` reads a file; `path` is what errors call it."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ConfigError(f"{path}:1: is empty, expected a configuration")
        document = YamlDocument(path, None, {})
        _collect_lines(node, (), document)
        return YamlDocument(path, loader.construct_document(node), document.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{path}:{line}: is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from error
    finally:
        loader.dispose()


# YAML 1.1 reads 012 as ten and 1:30 as ninety, which nobody means today.
_OLD_NUMBER = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])+)")


def _refuse_old_number(
    node: yaml.ScalarNode, place: Location, document: YamlDocument
) -> None:
    """Refuse a number whose meaning changed from YAML 1.1 to 1.2."""
    if node.tag == "tag:yaml.org,2002:int" and _OLD_NUMBER.fullmatch(node.value):
        raise document.error(
            place,
            f"{node.value} would be read as {int(yaml.safe_load(node.value))}; write "
            f"that, or quote it if it is a text",
        )


def _collect_lines(node: yaml.Node, place: Location, document: YamlDocument) -> None:
    """Note the line of each value, and refuse a key that stands twice."""
    document.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        _refuse_old_number(node, place, document)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _collect_lines(item, (*place, index), document)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[Hashable, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            inside = (*place, str(key.value))
            if key.value in seen:
                document.lines[inside] = line
                raise document.error(
                    inside, f"stands twice, first in line {seen[key.value]}"
                )
            seen[key.value] = line
            document.lines[inside] = line
            _collect_lines(value, inside, document)
