"""Everything that is wrong with a configuration, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pixie_pipe.config.errors import ConfigError
from pixie_pipe.config.yaml_lines import Location, YamlDocument, format_location


class Problems:
    """Collects problems of a document, to tell all of them at once.

    Parameters
    ----------
    document
        The document that they are in.
    changes
        What was given on the command line in place of what the file says, by place.
    """

    def __init__(
        self, document: YamlDocument, changes: Mapping[Location, str] | None = None
    ) -> None:
        self.document = document
        self.changes = dict(changes or {})
        self._found: dict[str, int] = {}

    def add(self, place: Location, text: str) -> None:
        """Note what is wrong at a place."""
        change = self.change_of(place)
        if change is None:
            line = self.document.line(place)
            self._found.setdefault(str(self.document.error(place, text)), line)
        else:
            name = format_location(place)
            self._found.setdefault(f"--set {change}: {name}: {text}", _BEHIND_ALL_LINES)

    def add_text(self, text: str) -> None:
        """Note something that has no place in the document."""
        self._found.setdefault(text, _BEHIND_ALL_LINES)

    def change_of(self, place: Location) -> str | None:
        """Return the change that a value comes from; None if it is in the file.

        Parameters
        ----------
        place
            The value, or something inside or around it.
        """
        for end in range(len(place), 0, -1):
            if place[:end] in self.changes:
                return self.changes[place[:end]]
        if place not in self.document.lines:
            for changed, change in self.changes.items():
                if changed[: len(place)] == place:
                    return change
        return None

    def directory(self, place: Location) -> Path:
        """Return what names of files at a place are relative to.

        That is the directory of the file, and the working directory for what was
        given on the command line.
        """
        if self.change_of(place) is not None:
            return Path()
        return self.document.path.parent

    def raise_if_any(self) -> None:
        """Raise all problems as one error, in the order of the lines.

        Raises
        ------
        ConfigError
            If there are any.
        """
        if not self._found:
            return
        texts: Iterable[str] = sorted(self._found, key=self._found.__getitem__)
        if len(self._found) > 1:
            texts = [f"{len(self._found)} problems in {self.document.path}:", *texts]
        raise ConfigError("\n".join(texts))


_BEHIND_ALL_LINES = 1 << 62
