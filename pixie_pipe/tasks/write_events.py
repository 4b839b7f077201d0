"""Write events to a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pixie_pipe.pipeline.data import Kind, Rejected, StreamMark
from pixie_pipe.pipeline.declarations import CORE_COLUMNS, Category, port
from pixie_pipe.pipeline.parameters import Parameter, ParameterError
from pixie_pipe.pipeline.task import Task
from pixie_pipe.tasks._run_paths import output_path, run_label

if TYPE_CHECKING:
    from pixie_pipe.events import Events
    from pixie_pipe.tasks._event_file import EventFile
    from pixie_pipe.tasks._stream_accounts import StreamAccounts

_USUAL_PATH: Final = "events.h5"
_ENDINGS: Final = {
    "hdf5": (".h5", ".hdf5"),
    "lh5": (".lh5",),
    "parquet": (".parquet",),
    "root": (".root",),
}
"""Endings of files by format, the usual one first."""


class WriteEvents(Task):
    """Writes events to a file, with all that tells their origin.

    The file appears at the end of the run, whole. If the run is not complete, what
    there is of it gets a name with ``-incomplete``.
    """

    reads = (
        port(Kind.EVENTS, CORE_COLUMNS),
        port(Kind.REJECTED, optional=True),
        port(Kind.MARKS, optional=True),
    )
    writes = (port(Kind.EVENTS), port(Kind.REJECTED), port(Kind.MARKS))
    category = Category.SINK
    label = "Write events to an HDF5, LH5, Parquet or ROOT file"
    parameters: ClassVar = {
        "path": Parameter(
            _USUAL_PATH,
            "the file: .h5, .hdf5, .lh5, .parquet or .root, in the run's directory or "
            "else in the working directory; {run} stands for the run's name",
        ),
        "format": Parameter(
            None,
            "format of the file; by default what its ending says",
            type=str,
            choices=tuple(_ENDINGS),
        ),
        "compression": Parameter(
            None,
            "HDF5: bitshuffle-lz4 (default), gzip, none; LH5: gzip (default), "
            "bitshuffle-lz4, none; Parquet: zstd (default), gzip, none; ROOT: zlib "
            "(default), lz4, zstd, none",
            type=str,
        ),
        "force": Parameter(default=False, description="replace a file that exists"),
    }

    def do_init(self) -> None:
        """Load the library before a run begins."""
        import pixie_pipe.storage.hdf5  # noqa: F401 - for what it imports

    def do_configure(self, config: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Check that the ending, the format and the compression go together."""
        from pixie_pipe.storage.writer import check_compression

        path = self._path
        check_compression(path, self.config.compression, path.suffix.lower())

    @property
    def _path(self) -> Path:
        """The path, with the ending of the format that was asked for.

        Raises
        ------
        ParameterError
            If the ending is that of no format, or of another one.
        """
        path, asked = Path(self.config.path), self.config.format
        ending = path.suffix.lower()
        if asked is not None and path == Path(_USUAL_PATH):
            return path.with_suffix(_ENDINGS[asked][0])
        known = [text for endings in _ENDINGS.values() for text in endings]
        if asked is not None and ending not in known:
            return path.with_name(path.name + _ENDINGS[asked][0])
        expected = known if asked is None else _ENDINGS[asked]
        if ending not in expected:
            # CSV is no format for runs: it holds few events.
            raise ParameterError(
                f"path: {path}: the ending {path.suffix!r} is not one of "
                f"{', '.join(expected)}"
            )
        return path

    def do_start(self) -> None:
        """Open the file."""
        from pixie_pipe.tasks._event_file import EventFile
        from pixie_pipe.tasks._stream_accounts import StreamAccounts

        self._file: EventFile | None = None
        self._accounts: StreamAccounts = StreamAccounts()
        self.ledger["events_written"] = 0
        self.statistics |= {"outputs": [], "bytes": 0}
        self._file = EventFile(
            output_path(str(self._path), self.run_directory, self.run_number),
            compression=self.config.compression,
            force=self.config.force,
        )

    def do_work(self, datum: Events | Rejected | StreamMark) -> object:
        """Write events; keep for the end what belongs to the streams."""
        if isinstance(datum, StreamMark):
            self._accounts.note(datum.stream, datum.times)
        elif isinstance(datum, Rejected):
            self._accounts.reject(datum.rows, datum.stream)
        else:
            assert self._file is not None
            self._file.write(datum)
            self.ledger["events_written"] += len(datum)
            if len(datum):
                origin = self.origin
                key = (origin.source, origin.stream) if origin else None
                self._accounts.see(datum, key)
        return None if self.is_final else datum

    @property
    def _is_empty(self) -> bool:
        return self._accounts.are_empty and not self.ledger["events_written"]

    def do_stop(self) -> None:
        """Complete the file, and give it the name that it deserves."""
        file, self._file = self._file, None
        if file is None:
            return
        if self.incomplete and self._is_empty:
            # The run did not begin: there is nothing to keep.
            file.discard()
            return
        from pixie_pipe.storage.provenance import Provenance

        directory = Path(self.run_directory) if self.run_directory else None
        records = self._accounts.records(self.tallies, directory)
        label = run_label(self.run_directory, self.run_number)
        path = file.finish(
            Provenance(tuple(records), command=f"pixie_pipe pipeline, run {label}"),
            self._accounts.rejected(records),
            complete=not self.incomplete,
        )
        if self._accounts.unlisted:
            self.statistics["rejections_not_listed"] = self._accounts.unlisted
        if path is not None:
            self.statistics["outputs"] = [str(path)]
            self.statistics["bytes"] = path.stat().st_size
            if path != file.path:
                reasons = "; ".join(self.incomplete)
                self.print(f"{path.name} lacks events of this run: {reasons}")
