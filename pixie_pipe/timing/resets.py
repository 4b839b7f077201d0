"""Resets of the clocks of modules, as their events show them.

The counter of a module begins at zero when a run begins. In data of several runs, one
behind the other, its times therefore jump back, to near zero. The events of a module
are a little out of order, too, which is no reset; and after 2**48 ticks the counter
goes round, which is none either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.timing.errors import TimingError

Module = tuple[int, int]
"""(crate, slot) of a module."""

TIMESTAMP_BITS: Final = 48

_MODULES: Final = 1 << 16
_PS_PER_S: Final = 10**12

# Sums and differences of such times fit 64 bits. A counter of 48 bits is below.
_LOWEST_PS: Final = -(1 << 61)
_HIGHEST_PS: Final = 1 << 62


def wrap_ps(tick_ps: int) -> int:
    """Return the time after which the counter of a module goes round, in ps."""
    return tick_ps << TIMESTAMP_BITS


@dataclass(frozen=True, slots=True)
class ResetRule:
    """What is taken as a reset of a clock.

    Attributes
    ----------
    jump_ps
        Events of a module are out of order by no more than this, in ps. An event that
        is earlier than the latest one by more may be the first after a reset.
    near_zero_ps
        It is, if its time is below this, in ps: the first event of each module comes
        sooner after the start of a run.
    wrap_gap_ps
        Longest pause in the events of a module around the point where its counter
        goes round, in ps.

    Raises
    ------
    TimingError
        If one is no positive number, or they contradict each other.
    """

    jump_ps: int = _PS_PER_S // 10
    near_zero_ps: int = 60 * _PS_PER_S
    wrap_gap_ps: int = 3600 * _PS_PER_S

    def __post_init__(self) -> None:
        for name in ("jump_ps", "near_zero_ps", "wrap_gap_ps"):
            value = getattr(self, name)
            if not 0 < value <= _HIGHEST_PS:
                raise TimingError(
                    f"{name} is {value}, expected a whole number from 1 to 2**62"
                )


@dataclass(frozen=True, slots=True)
class Reset:
    """The clock of a module began anew.

    Attributes
    ----------
    module
        Crate and slot.
    segment
        Number of the stretch of its clock that begins, from 1.
    row
        The first event behind it, counted over all that were given.
    before_ps, after_ps
        Latest time before it, and the time of that event, in ps of the own clock.
    """

    module: Module
    segment: int
    row: int
    before_ps: int
    after_ps: int


class Placed(NamedTuple):
    """Where events are: `segment` of the clock, and `clock_ps` since that began."""

    segment: NDArray[np.int64]
    clock_ps: NDArray[np.int64]


class Span(NamedTuple):
    """The segment that a module is in, and its latest time in that, in ps."""

    segment: int
    last_ps: int


class ClockResets:
    """Follows the clocks of modules, batch after batch.

    What is found does not depend on how the events are cut into batches.

    Parameters
    ----------
    rule
        What is a reset.

    Attributes
    ----------
    rows
        Events so far.

    Examples
    --------
    >>> clocks = ClockResets()
    >>> second = 10**12
    >>> slot, times = [2, 2, 2, 2], [70 * second, 69 * second + 1, 5, 3 * second]
    >>> placed, resets = clocks.follow([0, 0, 0, 0], slot, times)
    >>> placed.segment
    array([0, 0, 1, 1])
    """

    def __init__(self, rule: ResetRule | None = None) -> None:
        self._rule = rule or ResetRule()
        self._seen = np.zeros(_MODULES, np.bool_)
        self._state: NDArray[np.int64] = np.zeros((_MODULES, 4), np.int64)
        self.rows = 0

    def follow(
        self,
        crate: NDArray[np.uint8] | list[int],
        slot: NDArray[np.uint8] | list[int],
        time_ps: NDArray[np.int64] | list[int],
        *,
        wrap_ps: int = 0,
    ) -> tuple[Placed, list[Reset]]:
        """Follow the next events.

        Parameters
        ----------
        crate, slot
            Their modules, shape (n,).
        time_ps
            Their times by their own clocks in ps, shape (n,), in the order in which
            the modules sent them.
        wrap_ps
            Time after which the counters of these modules go round; 0: it does not.

        Returns
        -------
        tuple
            Segment and time of each event, and the resets among them.

        Raises
        ------
        TimingError
            If a time is no time of a counter, or a counter went round so often that
            times do not fit 64 bits.
        """
        # Numba is imported only when it is needed.
        from pixie_pipe._jit import read_only
        from pixie_pipe.timing._clock_kernels import follow_clocks

        crates = read_only(np.ascontiguousarray(crate, np.uint8))
        slots = read_only(np.ascontiguousarray(slot, np.uint8))
        times = read_only(np.ascontiguousarray(time_ps, np.int64))
        _check(times, wrap_ps)
        rule = self._rule
        numbers = [rule.jump_ps, rule.near_zero_ps, wrap_ps, rule.wrap_gap_ps]
        segment, clock_ps = np.empty_like(times), np.empty_like(times)
        rows, before = np.empty_like(times), np.empty_like(times)
        count, state = follow_clocks(
            crates,
            slots,
            times,
            np.array(numbers, np.int64),
            self._seen,
            self._state,
            segment,
            clock_ps,
            rows,
            before,
        )
        if state < 0:
            raise TimingError(
                f"the counter of module {crates[count]}/{slots[count]} went round so "
                f"often that times do not fit 64 bits, which is after 106 days; work "
                f"on the data in parts"
            )
        resets = [
            Reset(
                (int(crates[row]), int(slots[row])),
                int(segment[row]),
                self.rows + int(row),
                int(before[i]),
                int(times[row]),
            )
            for i, row in enumerate(rows[:count])
        ]
        self.rows += times.size
        return Placed(segment, clock_ps), resets

    def span(self, module: Module) -> Span | None:
        """Return the segment that a module is in, with its latest time so far."""
        number = module[0] << 8 | module[1]
        if not self._seen[number]:
            return None
        segment, _, last_ps, _ = self._state[number].tolist()
        return Span(segment, last_ps)

    @property
    def stray_events(self) -> int:
        """Events whose times jump back although no clock began anew."""
        return int(self._state[self._seen, 3].sum())


def _check(times: NDArray[np.int64], wrap_ps: int) -> None:
    if not times.size:
        return
    lowest, highest = int(times.min()), int(times.max())
    limit = wrap_ps + _PS_PER_S if wrap_ps else _HIGHEST_PS
    if lowest < _LOWEST_PS or highest > limit:
        wrong = lowest if lowest < _LOWEST_PS else highest
        raise TimingError(
            f"a time is {wrong} ps, expected at most {limit} ps of a counter of "
            f"{TIMESTAMP_BITS} bits: are these times of the module's own clock?"
        )


def find_resets(
    crate: NDArray[np.uint8] | list[int],
    slot: NDArray[np.uint8] | list[int],
    time_ps: NDArray[np.int64] | list[int],
    *,
    rule: ResetRule | None = None,
    tick_ps: int | Mapping[Module, int] | None = None,
) -> list[Reset]:
    """Find where the clocks of modules began anew.

    Parameters
    ----------
    crate, slot
        The modules of the events, shape (n,).
    time_ps
        Their times by their own clocks in ps, shape (n,), in the order in which each
        module sent them: not sorted.
    rule
        What is a reset.
    tick_ps
        Tick of the modules in ps, for all or by (crate, slot), from which follows when
        their counters go round. Without, they are taken never to do so.

    Returns
    -------
    list of Reset
        In the order of their rows.

    Raises
    ------
    TimingError
        As for `ClockResets.follow`.

    Examples
    --------
    >>> second = 10**12
    >>> (found,) = find_resets([0, 0, 0], [2, 2, 2], [70 * second, 7, 8])
    >>> found.segment, found.row, found.before_ps == 70 * second
    (1, 1, True)
    """
    if not isinstance(tick_ps, Mapping):
        clocks = ClockResets(rule)
        wrap = wrap_ps(tick_ps or 0)
        return clocks.follow(crate, slot, time_ps, wrap_ps=wrap)[1]
    found: list[Reset] = []
    modules = np.asarray(crate, np.int64) << 8 | np.asarray(slot, np.int64)
    for number in np.unique(modules).tolist():
        rows = np.flatnonzero(modules == number)
        module = (number >> 8, number & 255)
        picked = (np.asarray(values)[rows] for values in (crate, slot, time_ps))
        clocks = ClockResets(rule)
        wrap = wrap_ps(tick_ps.get(module, 0))
        resets = clocks.follow(*picked, wrap_ps=wrap)[1]
        found += [
            Reset(
                module,
                reset.segment,
                int(rows[reset.row]),
                reset.before_ps,
                reset.after_ps,
            )
            for reset in resets
        ]
    return sorted(found, key=lambda reset: reset.row)
