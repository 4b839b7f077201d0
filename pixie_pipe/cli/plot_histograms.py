"""Which histogram of a run is drawn, and how it is filled if the run has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from pixie_pipe.runs import Run
    from pixie_pipe.spectra import Spectra
    from pixie_pipe.spectra.histogram import Histogram
    from pixie_pipe.storage import EventTable


class Source:
    """A run, or a file of events or of histograms.

    Parameters
    ----------
    run
        The run, if it is one.
    table
        Its events, if the source is a file of events.
    spectra
        Its histograms, if the source is a file of these.
    """

    def __init__(
        self,
        run: Run | None = None,
        table: EventTable | None = None,
        spectra: Spectra | None = None,
    ) -> None:
        self._run = run
        self._table = table
        self._spectra = spectra

    @property
    def title(self) -> str:
        """What is written above a plot."""
        if self._run is None:
            return ""
        title = f": {self._run.title}" if self._run.title else ""
        return f"Run {self._run.number}{title}"

    @property
    def number(self) -> int | None:
        """Number of the run."""
        return None if self._run is None else self._run.number

    @property
    def events(self) -> EventTable:
        """The events.

        Raises
        ------
        UsageError
            If there are none.
        """
        if self._run is not None:
            return self._run.events
        if self._table is None:
            raise UsageError("the source is a file of histograms: it has no events")
        return self._table

    def has_kind(self, kind: str) -> bool:
        """Whether there is a histogram of a kind already."""
        kept = self._kept()
        return kept is not None and any(one.declaration.kind == kind for one in kept)

    def histogram(
        self, wanted: Mapping[str, Any], *, name: str | None, is_new: bool
    ) -> Histogram:
        """Return a histogram: one that there is, or one that is filled now.

        Parameters
        ----------
        wanted
            How to fill it, see `Declaration`; of those that there are, the first one
            of this kind and column is taken, and for time differences of these
            channels.
        name
            Name of one that there is.
        is_new
            Whether none that there is will do.

        Raises
        ------
        UsageError
            If there is none of the name.
        """
        kept = self._kept()
        if name is not None:
            if kept is None or name not in kept.names:
                known = ", ".join(kept.names) if kept else "none"
                raise UsageError(f"there is no histogram {name!r}; there are: {known}")
            found: Histogram = kept[name]
            return found
        if kept is not None and not is_new:
            for one in kept:
                if _does(one, wanted):
                    return one
        return self._filled(wanted)

    def _kept(self) -> Spectra | None:
        if self._spectra is not None:
            return self._spectra
        if self._run is None or not (self._run.path / "histograms.h5").is_file():
            return None
        return self._run.histograms

    def _filled(self, wanted: Mapping[str, Any]) -> Histogram:
        from pixie_pipe.spectra import Spectra

        spectra = Spectra([wanted])
        (histogram,) = spectra
        table = self.events
        needed = [
            name for name in histogram.declaration.columns if name in table.columns
        ]
        for batch in table.keep(*needed).batches():
            spectra.fill(batch)
        spectra.finish()
        return histogram


def _does(histogram: Histogram, wanted: Mapping[str, Any]) -> bool:
    declaration = histogram.declaration
    if declaration.kind != wanted["kind"]:
        return False
    if declaration.kind == "time_difference":
        from pixie_pipe.spectra import parse_channel

        asked = list(map(parse_channel, wanted.get("channels", ())))
        return not asked or asked == list(map(parse_channel, declaration.channels))
    return "column" not in wanted or declaration.column == wanted["column"]


@contextmanager
def opened_source(name: str, runs: Path) -> Iterator[Source]:
    """Open a run by its number or directory, or a file of events or histograms."""
    path = Path(name)
    if name.lstrip("-").isdecimal() or path.is_dir():
        from pixie_pipe.runs import open_run

        with open_run(int(name) if not path.is_dir() else path, runs) as run:
            yield Source(run)
        return
    if path.name == "histograms.h5":
        from pixie_pipe.storage import read_spectra

        yield Source(spectra=read_spectra(path))
        return
    from pixie_pipe.storage import open_events

    with open_events(path) as table:
        yield Source(table=table)
