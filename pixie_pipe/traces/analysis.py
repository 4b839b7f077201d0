"""Compute values of the traces of events, and add them as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pixie_pipe._jit import read_only
from pixie_pipe.events.schema import COLUMN, TRACE_OFFSETS
from pixie_pipe.kernels import trace_numbers as kinds
from pixie_pipe.traces.channels import ChannelSettings, channel_settings
from pixie_pipe.traces.settings import TraceSettings, TraceSettingsError

if TYPE_CHECKING:
    from pixie_pipe.buffers import BufferPool
    from pixie_pipe.events import Events

SUMS_ENERGY: Final = "esum_energy"

TRACE_COLUMNS: Final = (*kinds.BITS, SUMS_ENERGY)
"""Columns that can be asked for; ``trace_status`` comes along with those of traces."""

_STATUS: Final = "trace_status"

_SUMS: Final = ("esum_valid", "esum_trailing", "esum_gap", "esum_leading", "baseline")

_LEAST_EVENTS_OF_A_THREAD: Final = 256
"""With fewer, starting a thread costs more than it saves."""

_LONGEST_TRACE: Final = 65_535
"""Samples of the longest trace: sums of 32 bits hold it, and headers have no more."""


def analyse_traces(
    events: Events,
    settings: TraceSettings | ChannelSettings,
    columns: Iterable[str] | None = None,
    *,
    threads: int = 1,
    pool: BufferPool | None = None,
) -> Events:
    """Return events with values of their traces as new columns.

    Parameters
    ----------
    events
        Events of any modules, with traces of any lengths.
    settings
        One for all channels, or by channel.
    columns
        Which of `TRACE_COLUMNS`; by default all for which some channel has settings,
        and ``esum_energy`` only if the events have energy sums.
    threads
        Threads that share the work.
    pool
        Memory for the columns, to be used again when nobody has them any more.

    Returns
    -------
    Events
        The same events with the columns, which share all others with them. Where a
        value cannot be computed it is NaN (-1 for ``trace_pulses``), and
        ``trace_status`` tells why; see `TraceStatus`. Events without traces get all
        columns, too.

    Raises
    ------
    TraceSettingsError
        If there is no such column, or no channel has the settings for one that was
        asked for.
    """
    by_channel = channel_settings(settings)
    wanted = _wanted(by_channel, columns)
    if threads < 1:
        raise TraceSettingsError(f"threads is {threads}, expected at least 1")
    which = by_channel.which(events)
    has_sums = all(name in events.columns for name in _SUMS)
    if columns is None and not has_sums:
        wanted.discard(SUMS_ENERGY)
    made = _new_columns(wanted, len(events), pool)
    traced = [name for name in made if name in kinds.BITS]
    if traced:
        _measure(events, by_channel, which, made, threads)
    if SUMS_ENERGY in made:
        made[SUMS_ENERGY][:] = _sums_energies(events, by_channel, which)
    return events.with_columns(**made)


def computable_columns(settings: TraceSettings | ChannelSettings) -> tuple[str, ...]:
    """Return the columns for which some channel has settings."""
    rows = channel_settings(settings).rows
    has = {
        "trace_time_ns": rows["cfd"] != kinds.OFF,
        "trace_pulses": rows["fast_length"] > 0,
        "trace_energy": _has_energy(rows),
        "trace_charge": rows["charge_long"] > 0,
        "trace_psd": (rows["charge_long"] > 0) & (rows["charge_short"] > 0),
        SUMS_ENERGY: rows["slow_length"] > 0,
    }
    always = np.ones(len(rows), np.bool_)
    return tuple(name for name in TRACE_COLUMNS if has.get(name, always).any())


def _has_energy(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    has_trigger = (rows["trace_delay"] >= 0) | (rows["fast_length"] > 0)
    found: NDArray[np.bool_] = (rows["slow_length"] > 0) & has_trigger
    return found


_NEEDS: Final = {
    "trace_time_ns": "cfd_delay_us, and for the CFD of a module trigger_rise_us and "
    "trigger_threshold",
    "trace_pulses": "trigger_rise_us and trigger_threshold",
    "trace_energy": "energy_rise_us and tau_us, and trace_delay_us or trigger_rise_us "
    "and trigger_threshold",
    "trace_charge": "charge_long_us",
    "trace_psd": "charge_short_us and charge_long_us",
    SUMS_ENERGY: "energy_rise_us and tau_us",
}


def _wanted(settings: ChannelSettings, columns: Iterable[str] | None) -> set[str]:
    computable = computable_columns(settings)
    if columns is None:
        return {*computable}
    wanted = {*columns} - {_STATUS}
    for name in wanted:
        if name not in TRACE_COLUMNS:
            raise TraceSettingsError(
                f"{name!r} is no value of traces; known are: {', '.join(TRACE_COLUMNS)}"
            )
        if name not in computable:
            needs = _NEEDS.get(name, "settings")
            raise TraceSettingsError(
                f"{name} cannot be computed: no channel has {needs}"
            )
    return wanted


def _new_columns(
    wanted: set[str], count: int, pool: BufferPool | None
) -> dict[str, NDArray[Any]]:
    """Return memory for the columns; the status belongs to those of traces."""
    names = [name for name in TRACE_COLUMNS if name in wanted]
    if any(name in kinds.BITS for name in names):
        names.append(_STATUS)
    if pool is None:
        return {name: np.empty(count, COLUMN[name].dtype) for name in names}
    return {name: pool.take_array(count, COLUMN[name].dtype) for name in names}


def traces_of(events: Events, which: NDArray[np.int32]) -> kinds.Traces:
    """Return the traces of events as kernels take them; without traces, empty ones.

    Raises
    ------
    TraceSettingsError
        If a trace is longer than any module's.
    """
    if TRACE_OFFSETS.name in events.columns:
        samples, offsets = events.trace_samples, events.trace_offsets
    else:
        samples = np.zeros(0, np.uint16)
        offsets = np.zeros(len(events) + 1, np.int64)
    longest = int(np.diff(offsets).max(initial=0))
    if longest > _LONGEST_TRACE:
        raise TraceSettingsError(
            f"a trace has {longest} samples, expected at most {_LONGEST_TRACE}"
        )

    def column(name: str) -> NDArray[Any]:
        has_column = name in events.columns
        values = events[name] if has_column else np.zeros(0, COLUMN[name].dtype)
        return read_only(values)

    return kinds.Traces(
        samples=read_only(samples),
        offsets=read_only(offsets),
        which=which,
        timestamp=column("timestamp"),
        at_trigger=_at_trigger(events),
        esum_valid=column("esum_valid"),
        esum_baseline=column("baseline"),
    )


def _at_trigger(events: Events) -> NDArray[np.bool_]:
    """Tell which timestamps are those of triggers; empty if nobody can tell."""
    needed = {"timestamp", "cfd_fraction", "cfd_source", "cfd_forced"}
    if not needed <= {*events.columns}:
        return read_only(np.zeros(0, np.bool_))
    return read_only(~events.cfd_valid)


def _measure(
    events: Events,
    settings: ChannelSettings,
    which: NDArray[np.int32],
    made: dict[str, NDArray[Any]],
    threads: int,
) -> None:
    from pixie_pipe.kernels.trace_values import measure_traces

    traces = traces_of(events, which)
    bits = sum(bit for name, bit in kinds.BITS.items() if name in made)
    out = kinds.Values(
        *(
            made[name] if name in made else np.empty(0, COLUMN[name].dtype)
            for name in (*kinds.BITS, _STATUS)
        )
    )
    rows = settings.rows

    def work(first: int, end: int) -> None:
        measure_traces(traces, rows, first, end, bits, out)

    shared(work, len(events), threads)


def shared(work: Callable[[int, int], None], count: int, threads: int) -> None:
    """Let threads work on parts of equal size, from a first to before an end."""
    parts = max(1, min(threads, count // _LEAST_EVENTS_OF_A_THREAD))
    if parts == 1:
        work(0, count)
        return
    edges = [count * number // parts for number in range(parts + 1)]
    with ThreadPoolExecutor(parts) as executor:
        for done in [executor.submit(work, *pair) for pair in pairwise(edges)]:
            done.result()


def _sums_energies(
    events: Events, settings: ChannelSettings, which: NDArray[np.int32]
) -> NDArray[np.float32]:
    from pixie_pipe.kernels.sums_energies import sums_energies

    out = np.full(len(events), np.nan, np.float32)
    if all(name in events.columns for name in _SUMS):
        valid, trailing, gap, leading, baseline = (
            read_only(events[name]) for name in _SUMS
        )
        sums_energies(
            which, settings.rows, valid, trailing, gap, leading, baseline, out
        )
    return out
