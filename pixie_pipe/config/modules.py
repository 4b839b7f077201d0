"""The modules of an experiment: where they are and which layout their data have."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pixie_pipe.config.errors import ConfigError
from pixie_pipe.config.yaml_lines import YamlDocument, load_yaml
from pixie_pipe.listmode.errors import LayoutError
from pixie_pipe.listmode.layout import Layout


class ModuleConfig(BaseModel):
    """One digitizer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crate: int = Field(ge=0, le=15, description="Crate number")
    slot: int = Field(ge=0, le=15, description="Slot of the module in its crate")
    frequency: int = Field(description="Sampling frequency in MSPS", examples=[500])
    revision: int = Field(
        description="Firmware revision, the number of the DSP code", examples=[34688]
    )
    hardware: str | None = Field(
        default=None, description="Hardware revision: B, C, D, F or H"
    )
    override: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields of the layout that differ, such as tick_ps: 8000",
    )
    files: list[str] = Field(
        default_factory=list,
        description="Raw files of the module, in order, relative to this file; may "
        "contain * and ?. Without any, files are recognised by their content.",
    )

    @property
    def module(self) -> tuple[int, int]:
        """(crate, slot)."""
        return self.crate, self.slot

    @property
    def layout(self) -> Layout:
        """Layout of the module's data.

        Raises
        ------
        LayoutError
            If there is none.
        """
        found = Layout.find(self.frequency, self.revision, self.hardware)
        return found.override(**self.override)


class ModulesFile(BaseModel):
    """A file that lists modules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(default=1, description="Version of this schema")
    modules: list[ModuleConfig] = Field(min_length=1, description="The modules")


def load_modules(path: str | Path) -> list[ModuleConfig]:
    """Read a YAML file that lists modules.

    Parameters
    ----------
    path
        The file; see ``configs/modules.yaml`` for an example.

    Returns
    -------
    list of ModuleConfig
        The modules in the order of the file, their `files` relative to the
        working directory.

    Raises
    ------
    ConfigError
        If anything in it is wrong, with file and line.
    """
    document = load_yaml(Path(path))
    try:
        listed = ModulesFile.model_validate(document.value)
    except ValidationError as error:
        raise _first_problem(document, error) from error
    seen: dict[tuple[int, int], int] = {}
    modules = []
    for index, entry in enumerate(listed.modules):
        place = ("modules", index)
        if entry.module in seen:
            raise document.error(
                place,
                f"module {entry.crate}/{entry.slot} is listed twice, first as "
                f"modules[{seen[entry.module]}]",
            )
        seen[entry.module] = index
        try:
            entry.layout  # noqa: B018  # raises for what has no layout
        except LayoutError as error:
            raise document.error(place, str(error)) from error
        files = [str(document.path.parent / name) for name in entry.files]
        modules.append(entry.model_copy(update={"files": files}))
    return modules


_SHORT_FORM = re.compile(
    r"(?P<crate>\d+)/(?P<slot>\d+):(?P<frequency>\d+)/(?P<revision>\d+)"
    r"(/(?P<hardware>[A-Za-z]|\d+))?"
)


def parse_module(text: str) -> ModuleConfig:
    """Make a module from ``crate/slot:frequency/revision[/hardware]``.

    Raises
    ------
    ConfigError
        If the text has another form, or there is no such layout.

    Examples
    --------
    >>> parse_module("0/2:500/34688").layout.name
    '500-34688'
    """
    match = _SHORT_FORM.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"module {text!r}: expected crate/slot:frequency/revision, such as "
            f"0/2:500/34688, or with the hardware revision 0/2:250/46540/F"
        )
    fields = {name: value for name, value in match.groupdict().items() if value}
    try:
        module = ModuleConfig.model_validate(fields)
        module.layout  # noqa: B018  # raises for what has no layout
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(
            f"module {text!r}: {problem['loc'][0]}: {problem['msg']}"
        ) from error
    except LayoutError as error:
        raise ConfigError(f"module {text!r}: {error}") from error
    return module


_UNKNOWN = "extra_forbidden"
"""What pydantic calls a name that the model does not have."""


def _first_problem(document: YamlDocument, error: ValidationError) -> ConfigError:
    """Make one error of what pydantic found, with a suggestion for a wrong name."""
    # A misspelled name is also a missing one: tell the first, it has the suggestion.
    problems = sorted(error.errors(), key=lambda found: found["type"] != _UNKNOWN)
    problem = problems[0]
    location = problem["loc"]
    message = f"{problem['msg']}, got {problem['input']!r}"
    if problem["type"] == _UNKNOWN:
        model = ModuleConfig if "modules" in location else ModulesFile
        known = list(model.model_fields)
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        message = f"there is no such setting; {hint}Known: {', '.join(known)}"
    elif problem["type"] == "missing":
        message = "is missing"
    if len(problems) > 1:
        message += f" (problem 1 of {len(problems)})"
    return document.error(location, message)
