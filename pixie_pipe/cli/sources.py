"""Options that say what the raw files are, and the streams that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from pixie_pipe.config import ModuleConfig
    from pixie_pipe.listmode import Layout
    from pixie_pipe.storage import Stream

_GROUP = Group("What the files are", sort_key=1)


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """How the words of the files are to be read."""

    frequency: Annotated[
        int | None,
        Parameter(help="Sampling frequency in MSPS: 100, 125, 250 or 500."),
    ] = None
    revision: Annotated[
        int | None,
        Parameter(help="Firmware revision, the number of the DSP code: 34688."),
    ] = None
    hardware: Annotated[
        str | None,
        Parameter(help="Hardware revision of the module: B, C, D, F or H."),
    ] = None
    module: Annotated[
        tuple[str, ...],
        Parameter(
            help="One module, as crate/slot:frequency/revision, for files of modules "
            "that differ: 0/2:500/34688. May be repeated.",
            negative="",
            show_default=False,
        ),
    ] = ()
    modules: Annotated[
        Path | None,
        Parameter(help="YAML file with the modules.", show_default=False),
    ] = None
    set: Annotated[
        tuple[str, ...],
        Parameter(
            help="Change a field of the layout, FIELD=VALUE: tick_ps=8000 or "
            "slot=0,6,4 (word, lowest bit, width). May be repeated.",
            negative="",
            show_default=False,
        ),
    ] = ()
    byte_order: Annotated[
        Literal["little", "big"],
        Parameter(help="Order of the bytes of a word; big for byte-swapped files."),
    ] = "little"
    max_event_length: Annotated[
        int | None,
        Parameter(help="Longest event that can appear, in words."),
    ] = None

    def streams(self, files: Sequence[Path]) -> list[Stream]:
        """Sort the files into streams.

        Raises
        ------
        UsageError
            If options are missing or contradict each other.
        PixiePipeError
            If the files do not fit to the options.
        """
        settings = dict(map(_setting, self.set))
        layout: Layout | list[ModuleConfig]
        if self.module or self.modules is not None:
            layout = self._configured(settings)
        else:
            layout = self._single_layout(files, settings)
        from pixie_pipe.storage import assign_streams

        return assign_streams(
            list(files),
            layout,
            byte_order=self.byte_order,
            max_event_length=self.max_event_length,
        )

    def _single_layout(self, files: Sequence[Path], settings: dict[str, Any]) -> Layout:
        if not files:
            raise UsageError(
                "no files were given; name the raw files of a run, in their order"
            )
        if self.frequency is None or self.revision is None:
            raise UsageError(self._missing(files))
        from pixie_pipe.listmode import Layout

        found = Layout.find(self.frequency, self.revision, self.hardware)
        return found.override(**settings)

    def _configured(self, settings: dict[str, Any]) -> list[ModuleConfig]:
        single = ("frequency", "revision", "hardware")
        given = [f"--{name}" for name in single if getattr(self, name) is not None]
        if given:
            raise UsageError(
                f"{' and '.join(given)} cannot stand beside --module or --modules: "
                f"these say it for each module"
            )
        from pixie_pipe.config import load_modules, parse_module

        entries = [] if self.modules is None else list(load_modules(self.modules))
        entries += [parse_module(text) for text in self.module]
        seen = set()
        for entry in entries:
            if entry.module in seen:
                crate, slot = entry.module
                raise UsageError(f"module {crate}/{slot} is given twice")
            seen.add(entry.module)
        if not settings:
            return entries
        return [
            entry.model_copy(update={"override": {**entry.override, **settings}})
            for entry in entries
        ]

    def _missing(self, files: Sequence[Path]) -> str:
        needed = {"--frequency": self.frequency, "--revision": self.revision}
        missing = [name for name, value in needed.items() if value is None]
        text = f"""\
{" and ".join(missing)} must be given: the data do not tell which module wrote them
  --frequency  sampling frequency in MSPS: on the label of the module, in its settings
  --revision   number of the DSP code: 34688 for Pixie16DSP_..._r34688.ldr"""
        return "\n".join([text, *_what_fits(files[0])])


def _what_fits(path: Path) -> list[str]:
    """Return lines on the layouts in which a file decodes."""
    from pixie_pipe.storage.inspection import fitting_layouts

    fitting = fitting_layouts(path)
    if not fitting:
        return [f"{path}: decodes in no known layout; is it list-mode data?"]
    revisions: dict[int, list[str]] = {}
    for layout in sorted(fitting, key=_generation):
        revisions.setdefault(layout.frequency, []).append(str(layout.revision))
    lines = [f"The headers in {path} fit these (revisions from there on):"]
    lines += [
        f"  --frequency {frequency} --revision {', '.join(some)}"
        for frequency, some in revisions.items()
    ]
    if set(fitting.values()) == {"big"}:
        lines.append(f"{path}: is byte-swapped, give --byte-order big")
    return lines


def _generation(layout: Layout) -> tuple[int, int]:
    return layout.frequency, layout.revision


def _setting(text: str) -> tuple[str, Any]:
    """Parse ``FIELD=VALUE``."""
    name, equals, value = text.partition("=")
    field = name.strip().replace("-", "_")
    try:
        numbers = [
            None if part.strip().lower() == "none" else int(part)
            for part in value.split(",")
        ]
    except ValueError:
        numbers = []
    if not (equals and field and numbers):
        raise UsageError(
            f"--set {text}: expected FIELD=NUMBER or FIELD=WORD,SHIFT,WIDTH, such as "
            f"tick_ps=8000"
        )
    return field, numbers[0] if len(numbers) == 1 else tuple(numbers)
