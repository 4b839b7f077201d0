"""Compute values of traces: energies, times, shapes, pile-up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.parameters import Parameter, ParameterError, suggestion
from pixie_pipe.pipeline.preparing import Preparation
from pixie_pipe.pipeline.task import Task
from pixie_pipe.traces import (
    TRACE_COLUMNS,
    ChannelSettings,
    TraceSettings,
    TraceSettingsError,
    analyse_traces,
    computable_columns,
    count_status,
)

if TYPE_CHECKING:
    from pixie_pipe.events import Events

_SNAPSHOT: Final = "settings-start.json"

_LARGEST: Final = 1e6


def _time(description: str) -> Parameter:
    return Parameter(None, description, type=float, unit="us", min=0, max=_LARGEST)


def _number(description: str, unit: str = "") -> Parameter:
    return Parameter(None, description, type=float, unit=unit, min=0)


_OF_CHANNELS: Final[Mapping[str, Parameter]] = {
    "frequency_msps": Parameter(
        None, "frequency of the modules", type=int, unit="MSPS",
        choices=(100, 125, 250, 500),
    ),
    "adc_bits": Parameter(None, "bits of a sample", type=int, choices=(12, 14, 16)),
    "samples_per_tick": Parameter(
        None, "samples in a tick of the module, if not as usual", type=int, min=0, max=5
    ),
    "trace_delay_us": _time("where the trigger of the module is in the trace"),
    "baseline_us": _time("length of the quiet start of the trace"),
    "pulse_from_us": _time("where the pulse is looked for, from here"),
    "pulse_to_us": _time("where the pulse is looked for, to here"),
    "trigger_rise_us": _time("rise time of the fast filter"),
    "trigger_flat_us": _time("flat top of the fast filter"),
    "trigger_threshold": _number("threshold of the fast filter", "ADC units"),
    "energy_rise_us": _time("rise time of the energy filter"),
    "energy_flat_us": _time("flat top of the energy filter"),
    "tau_us": _time("decay time of the energy filter"),
    "energy_delay_us": _time("from the trigger to the end of the filter's windows"),
    "slow_filter_range": Parameter(
        None, "SLOW_FILTER_RANGE, for windows that end as in the module", type=int,
        min=0, max=6,
    ),
    "energy_baseline": Parameter(
        None, "which baseline the energy has", type=str,
        choices=("mean", "filter", "header"),
    ),
    "cfd": Parameter(
        None, "CFD on the samples, or that of the module", type=str,
        choices=("samples", "module"),
    ),
    "cfd_fraction": Parameter(
        None, "weight of what the CFD does not delay", type=float, min=0, max=1
    ),
    "cfd_delay_us": _time("delay of the CFD"),
    "cfd_threshold": _number("CFDThresh, for the CFD of the module"),
    "cfd_interpolation": Parameter(
        None, "between samples, for a CFD on them", type=str,
        choices=("linear", "cubic"),
    ),
    "charge_before_us": _time("start of the charge windows before the pulse"),
    "charge_short_us": _time("length of the short charge window"),
    "charge_long_us": _time("length of the long charge window"),
    "tau_fit": Parameter(
        None, "how the decay time is found", type=str, choices=("log-linear", "sums")
    ),
}  # fmt: skip
"""Fields of `TraceSettings`; None: as in the settings file, or the default."""


class AnalyseTraces(Task):
    """Computes values of traces, and adds them to the events as columns.

    Filters are those of a settings file, unless parameters tell otherwise: by default
    that of the run, if TakeData has put one there. Without one, `frequency_msps` is
    needed, and what else the wanted columns need. docs/traces.md has the quantities.
    """

    reads = (port(Kind.EVENTS, ("crate", "slot", "channel")),)
    writes = (port(Kind.EVENTS, optional_columns=(*TRACE_COLUMNS, "trace_status")),)
    category = Category.TRANSFORM
    label = "Compute energies, times and shapes of traces"
    can_pool = True
    conserves_events = True
    parameters: ClassVar = {
        "columns": Parameter(
            None,
            "columns to compute; by default all that the settings allow",
            type=list,
            items=str,
        ),
        "settings": Parameter(
            None,
            "settings file of the modules (XIA's JSON); by default that of the run",
            type=str,
        ),
        **_OF_CHANNELS,
        "channels": Parameter(
            {},
            "the same parameters for single channels: mappings by crate/slot/channel",
        ),
        "keep_traces": Parameter(
            default=True, description="keep the traces with the events"
        ),
        "threads": Parameter(
            1, "threads of each worker; workers are the better choice", min=1, max=64
        ),
    }

    @classmethod
    def preparations(cls, _parameters: Mapping[str, Any]) -> Sequence[Preparation]:
        """Have the kernels compiled."""
        from pixie_pipe.tasks import warm_up_traces

        told = "the analysis of traces is compiled, once for each installation"
        return (Preparation("traces", warm_up_traces, told),)

    def do_configure(self, config: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Check the columns and the settings of channels."""
        for name in self.config.columns or ():
            if name not in TRACE_COLUMNS:
                raise ParameterError(
                    f"{self.name}.columns has {name!r}, which is no value of a trace"
                    f"{suggestion(name, TRACE_COLUMNS)} "
                    f"(known: {', '.join(TRACE_COLUMNS)})"
                )
        for place, values in self.config.channels.items():
            _channel_of(place, self.name)
            _checked(values, f"{self.name}.channels[{place!r}]")

    def do_start(self) -> None:
        """Begin; the settings of the run may not be there yet."""
        from pixie_pipe.buffers import BufferPool

        self._pool = BufferPool()
        self._settings: ChannelSettings | None = None
        self._columns = self.config.columns
        self._counts: dict[str, int] = {}
        self.statistics |= {"events": 0, "trace_status": {}}
        if self.config.settings:
            self._settings = self._load()

    def do_work(self, datum: Events) -> Events:
        """Add the columns to a batch."""
        if self._settings is None:
            self._settings = self._load()
        found = analyse_traces(
            datum,
            self._settings,
            self._columns,
            threads=self.config.threads,
            pool=self._pool,
        )
        self._count(found)
        return found if self.config.keep_traces else found.without("trace")

    def _count(self, events: Events) -> None:
        self.statistics["events"] += len(events)
        if "trace_status" in events.columns:
            for status, count in count_status(events).items():
                name = str(status.name).lower()
                self._counts[name] = self._counts.get(name, 0) + count
            self.statistics["trace_status"] = dict(self._counts)

    def _load(self) -> ChannelSettings:
        """Return the settings of all channels: those of a file, changed as asked for.

        Raises
        ------
        TraceSettingsError
            If there is neither a file nor a frequency, or a column cannot be computed.
        """
        given = {
            name: getattr(self.config, name)
            for name in _OF_CHANNELS
            if getattr(self.config, name) is not None
        }
        path = self._settings_file()
        if path is not None:
            from pixie_pipe.settings import read_json
            from pixie_pipe.settings.traces import trace_settings

            found = trace_settings(read_json(path, complete=False), **given)
        elif "frequency_msps" in given:
            found = ChannelSettings(TraceSettings(**given))
        else:
            raise TraceSettingsError(
                f"{self.name} knows nothing of the modules: the run has no "
                f"{_SNAPSHOT}; give `settings` (a settings file), or `frequency_msps` "
                f"and what the wanted columns need"
            )
        found = self._with_channels(found, given)
        possible = computable_columns(found)
        if not possible and not self._columns:
            raise TraceSettingsError(f"{self.name}: {path} has no channel")
        return found

    def _settings_file(self) -> Path | None:
        if self.config.settings:
            return Path(self.config.settings)
        own = Path(self.run_directory or ".") / _SNAPSHOT
        return own if self.run_directory and own.exists() else None

    def _with_channels(
        self, settings: ChannelSettings, given: Mapping[str, Any]
    ) -> ChannelSettings:
        """Give single channels what was asked for them."""
        channels = dict(settings.channels)
        for place, values in self.config.channels.items():
            key = _channel_of(place, self.name)
            before = settings.of(*key)
            if before is not None:
                channels[key] = dataclasses.replace(before, **values)
            elif "frequency_msps" in {**given, **values}:
                channels[key] = TraceSettings(**{**given, **values})
            else:
                raise TraceSettingsError(
                    f"{self.name}.channels[{place!r}] has no settings to change, "
                    f"and no frequency_msps"
                )
        return ChannelSettings(settings.default, channels)


def _channel_of(place: str, task: str) -> tuple[int, int, int]:
    """Return the channel that a text like ``0/2/5`` means."""
    parts = str(place).split("/")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise ParameterError(
            f"{task}.channels has {place!r}, expected crate/slot/channel, like '0/2/5'"
        )
    crate, slot, channel = map(int, parts)
    return crate, slot, channel


def _checked(values: object, where: str) -> None:
    """Refuse what is no parameter of a channel, or has a wrong value."""
    if not isinstance(values, Mapping):
        raise ParameterError(f"{where} is {values!r}, expected a mapping")
    for name, value in values.items():
        if name not in _OF_CHANNELS:
            raise ParameterError(
                f"{where} has no parameter {name!r}{suggestion(name, _OF_CHANNELS)}"
            )
        try:
            _OF_CHANNELS[name].check(value)
        except ParameterError as error:
            raise ParameterError(f"{where}: {name} {error}") from error
