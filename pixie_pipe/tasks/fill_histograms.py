"""Histograms of events while the data come."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.declarations import Category, Role, port
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.parameters import Parameter, ParameterError
from pixie_pipe.pipeline.preparing import Preparation
from pixie_pipe.pipeline.task import Task
from pixie_pipe.spectra.declaration import DEFAULT, KINDS, check_declarations
from pixie_pipe.spectra.errors import SpectraError
from pixie_pipe.tasks._run_paths import recorded_number

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.pipeline.lasting_memory import LastingMemory
    from pixie_pipe.spectra import Spectra

_REPORT_SECONDS = 1.0

# What people read in a table; the file has all channels.
_MOST_CHANNELS = 256


def _check(values: Sequence[Mapping[str, Any]]) -> None:
    try:
        check_declarations(values)
    except SpectraError as error:
        raise ParameterError(f"is wrong: {error}") from error


class FillHistograms(Task):
    """Fills histograms: by default the energy spectrum of each channel.

    They are written to ``histograms.h5`` in the run's directory every now and then,
    and at the end. A process that is started anew goes on with them.
    """

    reads = (
        port(
            Kind.EVENTS,
            ("crate", "slot", "channel"),
            optional_columns=("energy", "time_ps", "energy_kev", "coincidence"),
        ),
    )
    writes = ()
    category = Category.MONITOR
    role = Role.OPTIONAL
    label = "Fill histograms: spectra, rates, time differences, coincidences"
    parameters: ClassVar = {
        "histograms": Parameter(
            list(DEFAULT),
            "what is filled, a list of mappings with kind ("
            + ", ".join(KINDS)
            + "), name, bins, range, channels, gate: see docs/spectra.md",
            items=dict,
            check_value=_check,
        ),
        "snapshot_s": Parameter(
            10.0, "time between two versions of the file", unit="s", min=0.1
        ),
    }

    @classmethod
    def preparations(cls, _parameters: Mapping[str, Any]) -> Sequence[Preparation]:
        """Have the kernels compiled."""
        from pixie_pipe.tasks import warm_up_spectra

        told = "the filling of histograms is compiled, once for each installation"
        return (Preparation("spectra", warm_up_spectra, told),)

    def do_init(self) -> None:
        """Load the libraries before a run begins."""
        import pixie_pipe.spectra.collection
        import pixie_pipe.storage.spectra_file  # noqa: F401 - for what it imports

    def do_start(self) -> None:
        """Begin with empty histograms."""
        self._memory: LastingMemory | None = None
        self._spectra: Spectra | None = None
        self._written_events = 0
        self._next_report = self._next_file = time.monotonic()
        self._next_file += self.config.snapshot_s
        self.statistics |= {"events": 0, "histograms": {}, "channels": {}}

    @property
    def spectra(self) -> Spectra:
        """The histograms, made when they are first needed.

        Not in `do_start`: those of a process that this one replaces would be gone
        before `restore` takes them up.
        """
        if self._spectra is None:
            from pixie_pipe.spectra import Spectra

            if self.state_path and self._memory is None:
                self._memory = self._new_memory()
            self._spectra = Spectra(self.config.histograms, memory=self._memory)
            number = recorded_number(self.run_directory)
            self._spectra.runs = () if number is None else (number,)
        return self._spectra

    def _new_memory(self) -> LastingMemory:
        from pixie_pipe.pipeline.lasting_memory import LastingMemory

        return LastingMemory(f"{self.state_path}.counts")

    def do_work(self, datum: Events) -> None:
        """Count events."""
        self.spectra.fill(datum)

    def do_wait(self) -> None:
        """Tell how many events there are, and write the file if it is time."""
        if self.status is not Status.RUNNING:
            return
        now = time.monotonic()
        if now >= self._next_report:
            self._next_report = now + _REPORT_SECONDS
            self._tell()
        if now >= self._next_file:
            self._write()
            # Writing many spectra must not take all the time.
            self._next_file = time.monotonic() + self.config.snapshot_s

    def do_stop(self) -> None:
        """Count what has waited; tell, and write, for the last time."""
        self.spectra.finish()
        self._tell()
        self._write(is_last=True)

    def _tell(self) -> None:
        spectra = self.spectra
        by_channel: dict[str, int] = {}
        for one in spectra:
            if one.declaration.kind == "spectrum" and not by_channel:
                totals = spectra[one.name].counts.sum(axis=1).tolist()
                by_channel = dict(zip(spectra[one.name].channels, totals, strict=True))
        self.statistics |= {
            "events": spectra.events,
            "histograms": {
                one.name: {
                    "counts": one.total,
                    "outside": one.outside,
                    "left_out": one.left_out,
                }
                for one in spectra
            },
            "channels": dict(sorted(by_channel.items())[:_MOST_CHANNELS]),
        }
        self.report(events=spectra.events, channels=len(by_channel))

    def _write(self, *, is_last: bool = False) -> None:
        if not self.run_directory:
            return
        spectra = self.spectra
        if spectra.events == self._written_events and not is_last:
            return
        from pixie_pipe.storage.spectra_file import SPECTRA_NAME, write_spectra

        write_spectra(Path(self.run_directory) / SPECTRA_NAME, spectra, force=True)
        self._written_events = spectra.events

    def serialize(self) -> bytes | None:
        """Return what is needed beside the counts, which outlive this process."""
        spectra = self.spectra
        if self._memory is None:
            return None
        checkpoint = self._memory.checkpoint()
        return msgspec.msgpack.encode((checkpoint, spectra.state()))

    def restore(self, state: bytes) -> None:
        """Go on with the histograms of the process before."""
        checkpoint, rest = msgspec.msgpack.decode(state)
        self._memory = self._new_memory()
        self._memory.resume(checkpoint)
        self.spectra.resume(rest)
