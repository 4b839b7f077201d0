"""All histograms of a run, or of a part of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from pixie_pipe._units import format_count
from pixie_pipe.spectra.channel_histogram import ChannelHistogram
from pixie_pipe.spectra.declaration import (
    DEFAULT,
    Declaration,
    check_declarations,
)
from pixie_pipe.spectra.errors import SpectraError
from pixie_pipe.spectra.matrix import Matrix
from pixie_pipe.spectra.memory import PlainMemory
from pixie_pipe.spectra.time_differences import TimeDifferences

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.spectra.histogram import Histogram
    from pixie_pipe.spectra.memory import Memory

_KINDS: dict[str, type[Histogram]] = {
    kind: one
    for one in (ChannelHistogram, TimeDifferences, Matrix)
    for kind in one.kinds
}


class Spectra:
    """Histograms by name, filled with batches of events.

    Parameters
    ----------
    declarations
        What is to be filled; mappings are checked as `Declaration.from_dict` does.
    memory
        Where the counts are kept; by default in this process.

    Attributes
    ----------
    events
        Events that were filled.
    runs
        Numbers of the runs that they are of, if they are known.

    Raises
    ------
    SpectraError
        If a declaration is wrong, or two have the same name.

    Examples
    --------
    >>> spectra = Spectra([{"kind": "spectrum", "name": "energy", "bins": 1024}])
    >>> spectra["energy"].channels
    []
    """

    def __init__(
        self,
        declarations: Sequence[Declaration | Mapping[str, Any]] = DEFAULT,
        *,
        memory: Memory | None = None,
    ) -> None:
        checked = check_declarations(
            [
                one.to_dict() if isinstance(one, Declaration) else one
                for one in declarations
            ]
        )
        memory = memory or PlainMemory()
        self._histograms = {
            one.name: _KINDS[one.kind](one, memory, number)
            for number, one in enumerate(checked)
        }
        self.events = 0
        self.runs: tuple[int, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the histograms."""
        return list(self._histograms)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - of any kind
        """Return a histogram by its name.

        Raises
        ------
        SpectraError
            If there is none of this name.
        """
        if name not in self._histograms:
            known = ", ".join(self._histograms) or "none"
            raise SpectraError(f"there is no histogram {name!r}; known: {known}")
        return self._histograms[name]

    def __iter__(self) -> Iterator[Histogram]:
        return iter(self._histograms.values())

    def __len__(self) -> int:
        return len(self._histograms)

    def _ipython_key_completions_(self) -> list[str]:
        return self.names

    def fill(self, events: Events) -> None:
        """Count events in all histograms.

        Raises
        ------
        EventsError
            If a column is missing that one of them needs.
        """
        for histogram in self:
            histogram.fill(events)
        self.events += len(events)

    def finish(self) -> None:
        """Count what has waited for later events: no more will come."""
        for histogram in self:
            histogram.finish()

    def __add__(self, other: object) -> Spectra:
        """Return the sum of two, of parts of a run or of several runs.

        What waits for later events is not in it: call `finish` of each part before.

        Raises
        ------
        SpectraError
            If they have not the same histograms; the text tells what differs.
        """
        if not isinstance(other, Spectra):
            return NotImplemented
        if sorted(self.names) != sorted(other.names):
            raise SpectraError(
                f"spectra do not fit: one has {', '.join(self.names) or 'none'}, the "
                f"other {', '.join(other.names) or 'none'}"
            )
        total = Spectra([one.declaration for one in self])
        for part in (self, other):
            for histogram in total:
                histogram.add(part[histogram.name])
        total.events = self.events + other.events
        total.runs = tuple(sorted({*self.runs, *other.runs}))
        return total

    def state(self) -> dict[str, Any]:
        """Return what is needed beside the counts to go on, as plain values."""
        parts = {one.name: one.state() for one in self}
        return {"events": self.events, "histograms": parts}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with the counts of the memory, and what `state` returned."""
        self.events = state["events"]
        for histogram in self:
            histogram.resume(state["histograms"][histogram.name])

    def __repr__(self) -> str:
        names = ", ".join(self.names) or "nothing"
        return f"<Spectra: {names}; {format_count(self.events)} events>"

    def _repr_html_(self) -> str:
        head = "<tr><th>histogram</th><th>kind</th><th>counts</th></tr>"
        rows = "".join(
            f"<tr><td>{escape(one.name)}</td><td>{one.declaration.kind}</td>"
            f"<td>{format_count(one.total)}</td></tr>"
            for one in self
        )
        return f"<table>{head}{rows}</table>"
