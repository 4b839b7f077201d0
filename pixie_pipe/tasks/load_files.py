"""Read raw list-mode files instead of a crate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final, cast

from pixie_pipe.pipeline.data import Kind, Stream
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.pipeline.task import Task

if TYPE_CHECKING:
    from pixie_pipe.drivers._raw_streams import StreamReader
    from pixie_pipe.listmode.words import ByteOrder
    from pixie_pipe.tasks._outgoing_streams import OutgoingStreams

_KIB: Final = 1024


class LoadFiles(Task):
    """Reads raw files, each module a stream.

    Which files belong to which module is found by their content, unless modules name
    theirs. Several streams are read in proportion to their sizes, so that the modules
    stay together in time. Files of several runs are read one behind the other; when
    these began, is told if their directories tell it. Every byte is accounted for: a
    word may begin in one file and end in the next one; up to three bytes behind the
    last word of a stream are its trailing bytes.

    The statistics are ``bytes_total``, ``bytes_read``, ``files_total``, ``file`` (the
    one that is read) and ``inputs``, a list of path and size of each file.
    """

    label = "Reads raw list-mode files"
    category = Category.SOURCE
    reads = ()
    writes = (port(Kind.WORDS), port(Kind.MARKS))
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "files": Parameter([], "Raw files: paths and patterns with * and ?", items=str),
        "modules": Parameter(
            [],
            "The modules: mappings as in configs/modules.yaml, or short forms such as "
            "0/2:500/34688",
        ),
        "frequency": Parameter(
            None,
            "Sampling frequency of all modules, instead of modules",
            type=int,
            unit="MSPS",
        ),
        "revision": Parameter(
            None, "Firmware revision of all modules, instead of modules", type=int
        ),
        "hardware": Parameter(
            None, "Hardware revision of all modules: B, C, D, F or H", type=str
        ),
        "frame_kb": Parameter(
            4096, "Most that is read at once", unit="KiB", min=1, max=65536
        ),
        "byte_order": Parameter(
            "little", "Order of the bytes in the files", choices=("little", "big")
        ),
        "max_event_length": Parameter(
            None,
            "Longest event that can appear; by default what the layout allows",
            type=int,
            unit="words",
            min=4,
        ),
    }

    _readers: list[StreamReader]
    _streams: OutgoingStreams
    _starts_ns: list[tuple[int, ...]]

    def do_init(self) -> None:
        """Load the kernels, or compile them: a start must not take that long."""
        from pixie_pipe.listmode.decoder import decode
        from pixie_pipe.listmode.layout import Layout

        decode(b"", Layout.find(500, 34688))

    def do_start(self) -> None:
        """Find the streams, and look whether all files can be read."""
        from pixie_pipe.buffers import BufferPool
        from pixie_pipe.drivers._raw_streams import (
            StreamReader,
            find_streams,
            stream_names,
        )
        from pixie_pipe.storage.run_starts import run_starts_ns
        from pixie_pipe.tasks._outgoing_streams import OutgoingStreams

        config = self.config
        byte_order = cast("ByteOrder", config.byte_order)
        found = find_streams(
            config.files,
            config.modules,
            frequency=config.frequency,
            revision=config.revision,
            hardware=config.hardware,
            byte_order=byte_order,
            max_event_length=config.max_event_length,
        )
        pool = BufferPool()
        self._readers = [
            StreamReader(
                stream.paths,
                frame_bytes=config.frame_kb * _KIB,
                byte_order=byte_order,
                pool=pool,
            )
            for stream in found
        ]
        streams = [
            Stream(
                source=self.name,
                number=number,
                name=name,
                layout=stream.layout.to_dict(),
                modules=stream.modules,
                files=tuple(str(path) for path in stream.paths),
                max_event_length=config.max_event_length,
            )
            for number, (name, stream) in enumerate(
                zip(stream_names(found), found, strict=True)
            )
        ]
        self._streams = OutgoingStreams(self, streams)
        self._starts_ns = [run_starts_ns(stream.paths) for stream in found]
        self._note_inputs()
        self._note_progress("")

    def do_work(self, datum: object) -> None:  # noqa: ARG002 - a source gets None
        """Read the next words of the stream that is furthest behind."""
        self._streams.announce(self._starts_ns)
        behind = [
            number
            for number in range(len(self._readers))
            if not self._streams.has_ended(number)
        ]
        number = min(behind, key=lambda number: self._readers[number].fraction)
        reader = self._readers[number]
        current = reader.current
        words = reader.read()
        final = reader.is_done
        trailing = reader.trailing if final else b""
        self._streams.send(number, words, final=final, trailing=trailing)
        self._note_progress(str(current or ""))
        if final:
            self._note_inputs()
        if self._streams.is_over:
            self.finish()

    def do_stop(self) -> None:
        """End the streams where they are."""
        for number, reader in enumerate(self._readers):
            reader.close()
            self._streams.end(number, reader.trailing)
        self._note_inputs()

    def _note_progress(self, file: str) -> None:
        self.statistics["bytes_total"] = sum(r.bytes_total for r in self._readers)
        self.statistics["bytes_read"] = sum(r.bytes_read for r in self._readers)
        self.statistics["file"] = file

    def _note_inputs(self) -> None:
        inputs = [
            {"path": str(file.path), "size": file.size}
            for reader in self._readers
            for file in reader.inputs
        ]
        self.statistics["inputs"] = inputs
        self.statistics["files_total"] = len(inputs)
